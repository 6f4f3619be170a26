package wire

import (
	"context"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/permit"
)

// Drill lets a test be told of every point between two effects of an apply,
// and pretend to be another machine. Nothing on the command line or in the
// environment makes one.
type Drill struct {
	// At is told that something is about to be done ("before begin") or was
	// done ("after begin"), by whichever goroutine does it.
	At   func(point string)
	Host string // instead of the machine's name
}

// host is empty for the machine's own.
func (d *Drill) host() string {
	if d == nil {
		return ""
	}
	return d.Host
}

// attach puts the points around the effects.
func (d *Drill) attach(a *reconcile.Apply) {
	if d == nil || d.At == nil {
		return
	}
	a.Ledger = drillLedger{a.Ledger, d}
	a.Actor = drillActor{a.Actor, d}
}

func (d *Drill) around(what string, do func() error) error {
	d.At("before " + what)
	err := do()
	d.At("after " + what)
	return err
}

type drillLedger struct {
	reconcile.Ledger
	drill *Drill
}

func (l drillLedger) Lock(ctx context.Context, topology string, wait time.Duration) (reconcile.Right, error) {
	l.drill.At("before lock")
	right, err := l.Ledger.Lock(ctx, topology, wait)
	if err != nil {
		return nil, err
	}
	l.drill.At("after lock")
	return drillRight{right, l.drill}, nil
}

type drillRight struct {
	reconcile.Right
	drill *Drill
}

func (r drillRight) Begin(ctx context.Context, b reconcile.Beginning) error {
	return r.drill.around("begin", func() error { return r.Right.Begin(ctx, b) })
}

func (r drillRight) Sent(ctx context.Context) error {
	return r.drill.around("sent", func() error { return r.Right.Sent(ctx) })
}

func (r drillRight) Effected(ctx context.Context) error {
	return r.drill.around("effected", func() error { return r.Right.Effected(ctx) })
}

func (r drillRight) Reverse(ctx context.Context, reason string) error {
	return r.drill.around("reverse", func() error { return r.Right.Reverse(ctx, reason) })
}

func (r drillRight) Finish(ctx context.Context, result, detail string) error {
	return r.drill.around("finish", func() error { return r.Right.Finish(ctx, result, detail) })
}

func (r drillRight) Release() error {
	return r.drill.around("release", r.Right.Release)
}

type drillActor struct {
	reconcile.Actor
	drill *Drill
}

func (a drillActor) Execute(ctx context.Context, t plan.Topology, s plan.Step, p permit.Permit) reconcile.StepResult {
	until := p.Until
	p.Until = func() time.Time {
		at := until()
		a.drill.At("before send") // with the lease looked at, and nothing sent
		return at
	}
	a.drill.At("before execute")
	result := a.Actor.Execute(ctx, t, s, p)
	a.drill.At("after execute")
	return result
}

func (a drillActor) Verify(ctx context.Context, t plan.Topology, cluster string, level plan.VerifyLevel, known []string) (reconcile.Verified, error) {
	a.drill.At("before verify")
	v, err := a.Actor.Verify(ctx, t, cluster, level, known)
	a.drill.At("after verify")
	return v, err
}
