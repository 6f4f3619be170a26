package wire

import (
	"context"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/permit"
)

// TestHooks lets a test act at each point between two effects of an apply, and pretend
// to be another machine. No option and no environment variable sets it.
type TestHooks struct {
	// AtPoint is called before ("before begin") and after ("after begin") each effect,
	// by the goroutine that causes it.
	AtPoint func(point string)
	Host    string // instead of the machine's name
	// QueuedLines is for how many lines of the log there is room; 0: the usual number.
	QueuedLines int
}

// host returns the name to use instead of the machine's; empty means the machine's own.
func (d *TestHooks) host() string {
	if d == nil {
		return ""
	}
	return d.Host
}

// install wraps the ledger and the actor of an apply, so that their calls reach AtPoint.
func (d *TestHooks) install(a *reconcile.Apply) {
	if d == nil || d.AtPoint == nil {
		return
	}
	a.Ledger = hookedLedger{a.Ledger, d}
	a.Actor = hookedActor{a.Actor, d}
}

func (d *TestHooks) wrap(what string, do func() error) error {
	d.AtPoint("before " + what)
	err := do()
	d.AtPoint("after " + what)
	return err
}

type hookedLedger struct {
	reconcile.Ledger
	hooks *TestHooks
}

func (l hookedLedger) Lock(ctx context.Context, topology string, wait time.Duration) (reconcile.HeldLock, error) {
	l.hooks.AtPoint("before lock")
	lock, err := l.Ledger.Lock(ctx, topology, wait)
	if err != nil {
		return nil, err
	}
	l.hooks.AtPoint("after lock")
	return hookedRight{lock, l.hooks}, nil
}

type hookedRight struct {
	reconcile.HeldLock
	hooks *TestHooks
}

func (r hookedRight) Begin(ctx context.Context, b reconcile.Beginning) error {
	return r.hooks.wrap("begin", func() error { return r.HeldLock.Begin(ctx, b) })
}

func (r hookedRight) Sent(ctx context.Context) error {
	return r.hooks.wrap("sent", func() error { return r.HeldLock.Sent(ctx) })
}

func (r hookedRight) Effected(ctx context.Context) error {
	return r.hooks.wrap("effected", func() error { return r.HeldLock.Effected(ctx) })
}

func (r hookedRight) Turn(ctx context.Context, there plan.RehearsalWay) error {
	return r.hooks.wrap("turn", func() error { return r.HeldLock.Turn(ctx, there) })
}

func (r hookedRight) FinishRehearsal(ctx context.Context, back plan.RehearsalWay, written, lost *int64, detail string) error {
	return r.hooks.wrap("finish", func() error { return r.HeldLock.FinishRehearsal(ctx, back, written, lost, detail) })
}

func (r hookedRight) Reverse(ctx context.Context, reason string) error {
	return r.hooks.wrap("reverse", func() error { return r.HeldLock.Reverse(ctx, reason) })
}

func (r hookedRight) Finish(ctx context.Context, result, detail string) error {
	return r.hooks.wrap("finish", func() error { return r.HeldLock.Finish(ctx, result, detail) })
}

func (r hookedRight) Release() error {
	return r.hooks.wrap("release", r.HeldLock.Release)
}

type hookedActor struct {
	reconcile.Actor
	hooks *TestHooks
}

func (a hookedActor) Execute(ctx context.Context, t plan.Topology, s plan.Step, p permit.Permit) reconcile.StepResult {
	until := p.Until
	p.Until = func() time.Time {
		at := until()
		a.hooks.AtPoint("before send") // the lease was checked, and nothing was sent
		return at
	}
	a.hooks.AtPoint("before execute")
	result := a.Actor.Execute(ctx, t, s, p)
	a.hooks.AtPoint("after execute")
	return result
}

func (a hookedActor) Verify(ctx context.Context, t plan.Topology, cluster string, level plan.VerifyLevel, known []string) (reconcile.Verified, error) {
	a.hooks.AtPoint("before verify")
	v, err := a.Actor.Verify(ctx, t, cluster, level, known)
	a.hooks.AtPoint("after verify")
	return v, err
}
