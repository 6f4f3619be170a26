package wire

import (
	"context"
	"errors"
	"fmt"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/audit"
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
		out[i.Topology] = fmt.Sprintf("a %s is under way, and what the clusters hold changes with it (hint: finish it with 'reconcile apply %s', then audit)", i.Transition, i.Topology)
	}
	return out, nil
}
