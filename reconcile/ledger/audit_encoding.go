package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"milvus-reconcile/plan"
)

// auditWire is what the newest audit of a standby found.
type auditWire struct {
	Topology     string     `json:"topology"`
	Primary      string     `json:"primary"`
	Standby      string     `json:"standby"`
	At           time.Time  `json:"at"`
	Verdict      string     `json:"verdict,omitempty"`
	Found        []string   `json:"found,omitempty"`
	More         int        `json:"more,omitempty"`
	EqualAt      *time.Time `json:"equalAt,omitempty"`
	EqualRows    int64      `json:"equalRows,omitempty"`
	EqualSampled int        `json:"equalSampled,omitempty"`
}

func auditKey(standby string) string { return latestAudit + standby }

// RecordAudit joins what an audit found of a standby with what is stored of it. A command
// that only reads the clusters calls it: a ledger that does not exist is not created, one of
// an older format is not upgraded, and one that must be accepted first is left as it is.
func (l *Ledger) RecordAudit(ctx context.Context, m plan.AuditMark) error {
	if m.Topology == "" || m.Primary == "" || m.Standby == "" || m.At.IsZero() {
		return fmt.Errorf("%w: an audit is of a standby, its primary and a time", ErrTransition)
	}
	before, err := l.Read(ctx)
	if err != nil || before.noted.unproven(before.chain) {
		return err
	}
	return l.store.commit(ctx, nil, func(im image) (change, error) {
		key := auditKey(m.Standby)
		var stored plan.AuditMark
		if raw := im.latest[key]; raw != nil {
			v, err := decodeValue(key, raw)
			if err != nil {
				return change{}, &CorruptError{Path: l.store.name(), Reason: fmt.Sprintf("the latest value %q: %v", key, err)}
			}
			stored, _ = v.(plan.AuditMark)
		}
		raw, err := json.Marshal(auditToWire(stored.Then(m)))
		if err != nil {
			return change{}, fmt.Errorf("encode the audit of %s: %w", m.Standby, err)
		}
		return l.changeValues(im, map[string][]byte{key: withHash(raw)})
	})
}

func auditToWire(m plan.AuditMark) auditWire {
	return auditWire{
		Topology: m.Topology, Primary: m.Primary, Standby: m.Standby, At: wallTime(m.At), Verdict: string(m.Verdict), Found: m.Found, More: m.More,
		EqualAt: timeOrNil(wallTime(m.EqualAt)), EqualRows: m.EqualRows, EqualSampled: m.EqualSampled,
	}
}

func decodeAudit(body []byte) (plan.AuditMark, error) {
	var w auditWire
	if err := decodeStrict(body, &w); err != nil {
		return plan.AuditMark{}, err
	}
	return plan.AuditMark{
		Topology: w.Topology, Primary: w.Primary, Standby: w.Standby, At: w.At, Verdict: plan.ContentVerdict(w.Verdict), Found: w.Found, More: w.More,
		EqualAt: timeOrZero(w.EqualAt), EqualRows: w.EqualRows, EqualSampled: w.EqualSampled,
	}, nil
}
