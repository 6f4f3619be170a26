package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// The latest values are stored outside the chain: only the newest of each matters, and
// a daemon writes them all the time. Each carries its hash, and the head a hash over
// all of them, which reveals an edited or deleted value.
const (
	latestProgress = "progress/" // by cluster
	latestGitHead  = "git/"      // by url and ref
	latestOutage   = "outage/"   // by cluster
	latestAudit    = "audit/"    // by standby
	latestServing  = "serving/"  // by topology
	latestReplay   = "replay/"   // by topology
	latestDrift    = "drift/"    // by topology
	latestEnded    = "ended/"    // by topology
)

func progressKey(cluster string) string { return latestProgress + cluster }

func gitKey(url, ref string) string { return latestGitHead + url + " " + ref }

// GitHead is the last known commit of a tracked ref. It reveals a rewritten ref
// (contract.md §4, HISTORY_REWRITTEN).
type GitHead struct {
	URL    string // without a user or password: it is stored as given
	Ref    string
	Commit string
	At     time.Time // when it was seen
}

type gitHeadWire struct {
	URL    string    `json:"url"`
	Ref    string    `json:"ref"`
	Commit string    `json:"commit"`
	At     time.Time `json:"at"`
}

// RecordProgress replaces the progress of standbys. It is no record of the chain: only
// the newest matters, and every sweep writes it.
func (l *Ledger) RecordProgress(ctx context.Context, records ...plan.ProgressRecord) error {
	for batch := range slices.Chunk(records, l.store.batch()) {
		encoded := make(map[string][]byte, len(batch))
		for _, p := range batch {
			raw, err := encodeProgress(p)
			if err != nil {
				return err
			}
			encoded[progressKey(p.Cluster)] = raw
		}
		if err := l.writeLatest(ctx, encoded); err != nil {
			return err
		}
		l.verified.rememberProgress(batch, encoded)
	}
	return nil
}

// RecordGitHead stores the commit of a tracked ref, unless the same is stored.
func (l *Ledger) RecordGitHead(ctx context.Context, h GitHead) error {
	if h.URL == "" || h.Ref == "" || h.Commit == "" {
		return fmt.Errorf("%w: a Git head needs a url, a ref and a commit", ErrTransition)
	}
	h.At = wallTime(h.At)
	return l.replace(ctx, gitKey(h.URL, h.Ref), gitHeadWire(h), func(s Snapshot) bool {
		known, ok := s.GitHead(h.URL, h.Ref)
		return ok && known.Commit == h.Commit
	})
}

// replace writes one latest value unless stored reports that the ledger holds it.
func (l *Ledger) replace(ctx context.Context, key string, wire any, stored func(Snapshot) bool) error {
	before, err := l.Read(ctx)
	if err != nil || stored(before) {
		return err
	}
	raw, err := json.Marshal(wire)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	return l.writeLatest(ctx, map[string][]byte{key: withHash(raw)})
}

// latest holds the decoded latest values.
type latest struct {
	progress []plan.ProgressRecord // by cluster
	outages  []plan.Outage         // by cluster
	audits   []plan.AuditMark      // by standby
	served   []plan.ServingMark    // by topology
	replays  []ReplayProgress      // by topology
	drifts   []plan.DriftMark      // by topology
	ended    []plan.EndedOutage    // by topology, then oldest first
	heads    map[string]GitHead    // by gitKey
}

// decode returns the stored values. It parses only new ones. sum is the hash over all of them;
// empty: it is not known. The values with the sum of the call before are returned once more.
func (c *valueCache) decode(stored map[string][]byte, sum string) (latest, error) {
	if sum != "" && sum == c.decodedSum {
		return c.decoded, nil
	}
	c.forget(stored)
	out := latest{progress: make([]plan.ProgressRecord, 0, len(stored)), heads: map[string]GitHead{}}
	for _, key := range c.sorted(stored) {
		v := c.lookup(key, stored[key])
		if v.content == nil {
			var err error
			if v.content, err = decodeValue(key, stored[key]); err != nil {
				return latest{}, &CorruptError{Reason: fmt.Sprintf("the latest value %q: %v", key, err)}
			}
			c.put(key, v)
		}
		out.add(key, v.content)
	}
	c.decoded, c.decodedSum = out, sum
	return out, nil
}

func (t *latest) add(key string, content any) {
	switch v := content.(type) {
	case plan.ProgressRecord:
		t.progress = append(t.progress, v)
	case plan.Outage:
		t.outages = append(t.outages, v)
	case plan.AuditMark:
		t.audits = append(t.audits, v)
	case plan.ServingMark:
		t.served = append(t.served, v)
	case ReplayProgress:
		t.replays = append(t.replays, v)
	case plan.DriftMark:
		t.drifts = append(t.drifts, v)
	case []plan.EndedOutage:
		t.ended = append(t.ended, v...)
	case GitHead:
		t.heads[key] = v
	}
}

// decodeValue reads one stored value: a plan.ProgressRecord, a plan.Outage, a
// plan.AuditMark, a plan.DriftMark, a []plan.EndedOutage, a plan.ServingMark,
// a ReplayProgress or a GitHead.
func decodeValue(key string, stored []byte) (any, error) {
	hash, body, ok := cutHash(stored)
	if !ok || hashOf(body) != hash {
		return nil, errors.New("its hash does not fit its content")
	}
	switch sort, _, _ := strings.Cut(key, "/"); sort + "/" {
	case latestProgress:
		return decodeProgress(body)
	case latestOutage:
		return decodeOutage(body)
	case latestAudit:
		return decodeAudit(body)
	case latestServing:
		return decodeServing(body)
	case latestReplay:
		return decodeReplayProgress(body)
	case latestDrift:
		return decodeDrift(body)
	case latestEnded:
		return decodeEnded(body)
	case latestGitHead:
		var w gitHeadWire
		err := decodeStrict(body, &w)
		return GitHead(w), err
	}
	return nil, errors.New("values of this sort are not known")
}

// hashLatest returns a hash over all latest values, from their sorted keys and the hash
// of each value.
func hashLatest(stored map[string][]byte, sorted []string, hash func(key string) string) string {
	sum := sha256.New()
	var line []byte
	for _, key := range sorted {
		if stored[key] != nil {
			line = strconv.AppendQuote(line[:0], key)
			line = append(line, ' ')
			line = append(line, hash(key)...)
			line = append(line, '\n')
			_, _ = sum.Write(line) // a hash takes everything
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// withHash returns the stored form of a latest value: its hash, a newline, JSON.
func withHash(raw []byte) []byte { return append([]byte(hashOf(raw)+"\n"), raw...) }

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

	Readiness *readinessWire `json:"readiness,omitempty"`
}

func auditKey(standby string) string { return latestAudit + standby }

// RecordAudit joins the result of an audit of a standby with the stored one. A command
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
		EqualAt: timeOrNil(wallTime(m.EqualAt)), EqualRows: m.EqualRows, EqualSampled: m.EqualSampled, Readiness: readinessToWire(m.Readiness),
	}
}

func decodeAudit(body []byte) (plan.AuditMark, error) {
	var w auditWire
	if err := decodeStrict(body, &w); err != nil {
		return plan.AuditMark{}, err
	}
	return plan.AuditMark{
		Topology: w.Topology, Primary: w.Primary, Standby: w.Standby, At: w.At, Verdict: plan.ContentVerdict(w.Verdict), Found: w.Found, More: w.More,
		EqualAt: timeOrZero(w.EqualAt), EqualRows: w.EqualRows, EqualSampled: w.EqualSampled, Readiness: w.Readiness.readiness(),
	}, nil
}
