package milvus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/release"
	"milvus-reconcile/reconcile/audit"
)

// AuditPair is a standby with the primary that it replicates, as an audit reads them. It
// has no method that writes. Close it.
type AuditPair struct {
	reader            *Reader
	topology          plan.Topology
	primary, standby  *auditCluster
	patience          time.Duration
	standbyID, source string
	caughtUp          uint64 // the tick up to which the standby was last seen to hold all
}

// OpenAudit prepares the audit of a standby. It observes the topology: only a cluster that
// is proven to be itself, and a standby that replicates the primary of the document, can be
// audited. patience bounds how long CatchUp waits.
func (r *Reader) OpenAudit(ctx context.Context, t plan.Topology, standby string, patience time.Duration) (*AuditPair, error) {
	primary, ok := t.Primary()
	if !ok {
		return nil, errors.New("the document names no primary")
	}
	views := plan.Observed{Views: r.Observe(ctx, []plan.Topology{t}, plan.Depth{})}
	if err := auditable(views.View(primary.ID), plan.BeliefPrimary, ""); err != nil {
		return nil, err
	}
	if err := auditable(views.View(standby), plan.BeliefStandby, primary.ID); err != nil {
		return nil, err
	}
	bound := r.fleet.bind(t)
	out := &AuditPair{reader: r, topology: t, patience: patience, standbyID: standby, source: primary.ID}
	var err error
	if out.primary, err = r.fleet.openAuditCluster(bound[primary.ID]); err != nil {
		return nil, err
	}
	if out.standby, err = r.fleet.openAuditCluster(bound[standby]); err != nil {
		out.primary.close()
		return nil, err
	}
	return out, nil
}

// auditable says why a cluster cannot be audited in its role.
func auditable(v plan.View, role plan.BeliefKind, source string) error {
	switch {
	case v.Reach != plan.ReachUp:
		return fmt.Errorf("%s is %s: %s", v.Cluster, v.Reach, v.Error)
	case !v.IdentityProven:
		return fmt.Errorf("nothing proves that %s is what answers at its address", v.Cluster)
	case v.Belief.Kind != role, v.Belief.Source != source:
		return fmt.Errorf("%s stores the role %s", v.Cluster, describe(v.Belief))
	default:
		return nil
	}
}

// Close ends the connections.
func (p *AuditPair) Close() {
	p.primary.close()
	p.standby.close()
}

// Primary returns the primary.
func (p *AuditPair) Primary() audit.Cluster { return p.primary }

// Standby returns the standby.
func (p *AuditPair) Standby() audit.Cluster { return p.standby }

// The pauses between two readings of the checkpoints of a standby.
const (
	firstCatchUp = 100 * time.Millisecond
	lastCatchUp  = 2 * time.Second
)

// CatchUp waits until every channel of the standby has passed a tick that the primary gives
// now, or has nothing to replicate up to it.
func (p *AuditPair) CatchUp(ctx context.Context) error {
	tick, err := p.primary.tick(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", p.source, err)
	}
	waited := time.Duration(0)
	for pause := firstCatchUp; ; pause = min(2*pause, lastCatchUp) {
		v := plan.Observed{Views: p.reader.Observe(ctx, []plan.Topology{p.topology}, plan.Depth{Progress: true})}.View(p.standbyID)
		lacks := lacking(v, p.source, tick)
		switch {
		case lacks == nil:
			p.caughtUp = tick
			return nil
		case waited >= p.patience:
			return lacks
		}
		select {
		case <-ctx.Done():
			return lacks
		case <-p.reader.fleet.clock.After(pause):
			waited += pause
		}
	}
}

// lacking says why a standby is not known to hold all that its source wrote up to a tick;
// nil: it is.
func lacking(v plan.View, source string, tick uint64) error {
	if err := auditable(v, plan.BeliefStandby, source); err != nil {
		return err
	}
	at := plan.TickTime(tick)
	for _, c := range v.Progress {
		switch {
		case !c.Known:
			return fmt.Errorf("it is not known how far %s has replicated %s: %s", v.Cluster, c.Channel, c.Error)
		case c.TimeTick >= tick, c.CaughtUpAt != nil && !c.CaughtUpAt.Before(at), c.Unsent != nil && c.Unsent.After(at):
		case v.DumpDenied:
			return fmt.Errorf("it is not known whether %s has replicated all of %s: our user lacks the privilege %s on %s (hint: %s)",
				v.Cluster, c.Channel, release.PrivilegeDump, source, release.GrantOf(release.PrivilegeDump))
		default:
			return fmt.Errorf("%s has not replicated the writes of %s on %s up to %s (hint: 'reconcile drift' shows whether replication stands still; audit again once it flows)",
				v.Cluster, source, c.SourceChannel, at.UTC().Format("15:04:05"))
		}
	}
	return nil
}

// auditCluster reads one cluster for an audit, over one connection.
type auditCluster struct {
	*link
	cluster plan.Cluster
	token   string
}

func (f *Fleet) openAuditCluster(a access) (*auditCluster, error) {
	if !a.allowed() || a.cluster.ID == "" {
		return nil, errors.New(a.reason)
	}
	pass, err := f.ticket(a)
	if err != nil {
		return nil, f.secrets.Err(err)
	}
	l, err := f.dial(pass)
	if err != nil {
		return nil, err
	}
	return &auditCluster{link: l, cluster: a.cluster, token: pass.token}, nil
}

// failed returns the error of a call; that of the server itself as an audit.Refusal. A
// server that is not ready, or was too slow, refused nothing.
func (c *auditCluster) failed(o outcome, err error) error {
	if err != nil {
		return c.fleet.secrets.Err(err)
	}
	var said statusError
	if errors.As(o.err, &said) && o.reach == plan.ReachUp && o.class == plan.ClassOther {
		return audit.Refusal{Err: c.fleet.secrets.Err(o.err)}
	}
	return c.fleet.secrets.Err(o.err)
}
