package wire

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/audit"
	"milvus-reconcile/reconcile/ledger"
)

// auditPatience bounds how long an audit waits for a standby to catch up.
const auditPatience = 15 * time.Second

// Audit compares each standby of a topology with its primary. underWay says why the
// topology is not audited now; empty: it may be.
func (e *Environment) Audit(ctx context.Context, t plan.Topology, o audit.Options, underWay string) []audit.Result {
	defer e.options.Messages.Doing("comparing the standbys of " + t.Name + " with their primary")()
	primary, _ := t.Primary()
	var out []audit.Result
	for _, c := range t.Clusters {
		if c.Role != plan.RoleStandby {
			continue
		}
		r, err := audit.Result{}, errors.New(underWay)
		if underWay == "" {
			r, err = e.auditStandby(ctx, t, c.ID, o)
		}
		if err != nil {
			r = audit.Result{Gaps: []audit.Gap{{Why: err.Error()}}}
		}
		r.Primary, r.Standby = primary.ID, c.ID
		out = append(out, r)
	}
	return out
}

func (e *Environment) auditStandby(ctx context.Context, t plan.Topology, standby string, o audit.Options) (audit.Result, error) {
	pair, err := e.Fleet.Reader().OpenAudit(ctx, t, standby, auditPatience)
	if err != nil {
		return audit.Result{}, err
	}
	defer pair.Close()
	return audit.Run(ctx, pair, o), nil
}

// mostKept is how many differences of an audit the ledger keeps, and longestKept how long
// each of their texts may be.
const (
	mostKept    = 3
	longestKept = 300
)

// AuditsLost says why no audit can be kept in the ledger of the configuration yet; empty: it
// can be, none is configured, or KeepAudit gives the reason.
func (e *Environment) AuditsLost(ctx context.Context, topology string) string {
	if e.Config.Ledger.IsZero() {
		return ""
	}
	l, err := e.Ledger()
	if err != nil {
		return ""
	}
	s, err := l.Read(ctx)
	if _, born := s.Born(); born || err != nil {
		return ""
	}
	return "the ledger does not exist yet, so this audit is not kept (hint: 'reconcile apply " + topology + "' or the daemon makes the ledger; audit again after that)"
}

// KeepAudit keeps in the ledger what an audit found of the standbys of a topology. Without a
// ledger it keeps nothing.
func (e *Environment) KeepAudit(ctx context.Context, topology string, at time.Time, results []audit.Result) error {
	if e.Config.Ledger.IsZero() {
		return nil
	}
	l, err := e.Ledger()
	if err != nil {
		return err
	}
	return keepAudit(ctx, l, topology, at, results)
}

// keepAudit keeps what an audit found of each standby, and what their primary serves.
func keepAudit(ctx context.Context, l *ledger.Ledger, topology string, at time.Time, results []audit.Result) error {
	for _, r := range results {
		err := l.RecordAudit(ctx, AuditMark(topology, at, r))
		if mark, ok := ServingMark(topology, at, r); ok && err == nil {
			err = l.RecordServing(ctx, mark)
		}
		if err != nil {
			return fmt.Errorf("keep the audit of %s in the ledger: %w", r.Standby, WithoutLedger(err))
		}
	}
	return nil
}

// auditRebuilt compares a standby that was just attached with its primary, by the rules of
// the audit that a person asks for, and keeps what it found.
func (e *Environment) auditRebuilt(ctx context.Context, t plan.Topology, standby string) (plan.AuditMark, error) {
	at := e.Now()
	primary, _ := t.Primary()
	r, err := e.auditStandby(ctx, t, standby, audit.Options{
		Rows: rebuiltRows, Budget: rebuiltBudget, Seed: uint64(at.UnixNano()), //nolint:gosec // any number will do
		Pause: auditPause, Concurrency: auditConcurrency,
	})
	if err != nil {
		r = audit.Result{Gaps: []audit.Gap{{Why: err.Error()}}}
	}
	r.Primary, r.Standby = primary.ID, standby
	return AuditMark(t.Name, at, r), e.KeepAudit(ctx, t.Name, at, []audit.Result{r})
}

// rebuiltRows and rebuiltBudget bound the audit that ends a rebuild, as the defaults of the
// command do.
const (
	rebuiltRows   = 20
	rebuiltBudget = 5 * time.Minute
)

// ServingMark returns what the ledger keeps of what the primary of an audit had in place to serve.
// ok is false if the audit did not read it.
func ServingMark(topology string, at time.Time, r audit.Result) (m plan.ServingMark, ok bool) {
	m = plan.ServingMark{Topology: topology, Primary: r.Primary, At: at, Collections: r.Served}
	return m, r.ServedRead
}

// AuditMark returns what the ledger keeps of a result.
func AuditMark(topology string, at time.Time, r audit.Result) plan.AuditMark {
	m := plan.AuditMark{Topology: topology, Primary: r.Primary, Standby: r.Standby, At: at, Verdict: r.Verdict, Readiness: r.Readiness}
	var found []string
	switch r.Verdict {
	case plan.ContentEqual:
		m.EqualAt, m.EqualRows, m.EqualSampled = at, r.Rows, r.Sampled
		return m
	case plan.ContentDiverged:
	case plan.ContentUnproven:
		for _, g := range r.Gaps {
			if !g.Idle {
				found = append(found, g.Where()+": "+g.Why)
			}
		}
	}
	for _, d := range r.Differences {
		if d.Weight == audit.Diverged || r.Verdict == plan.ContentUnproven && d.Weight == audit.Unready {
			found = append(found, d.Where()+": "+d.Text(r.Primary, r.Standby))
		}
	}
	m.More = max(len(found)-mostKept, 0)
	for _, text := range found[:len(found)-m.More] {
		m.Found = append(m.Found, cut(text))
	}
	return m
}

// cut shortens a text that is kept.
func cut(text string) string {
	if len(text) <= longestKept {
		return text
	}
	return strings.ToValidUTF8(text[:longestKept], "") + "…"
}

// UnderWay says, by topology, that a change of it is under way, as the ledger records it.
// Without a ledger nothing is.
func (e *Environment) UnderWay(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	if e.Config.Ledger.IsZero() {
		return out, nil
	}
	l, err := e.Ledger()
	if err != nil {
		return nil, err
	}
	s, err := e.Recall(ctx, l)
	if err != nil {
		return nil, err
	}
	for _, i := range s.Memory().Intents {
		out[i.Topology] = fmt.Sprintf("a %s is under way, and it changes the contents of the clusters (hint: finish it with 'reconcile apply %s', then audit)", i.Transition, i.Topology)
	}
	return out, nil
}
