package wire

import (
	"context"
	"errors"
	"hash/fnv"
	"log/slog"
	"slices"
	"sync"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/audit"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/schema"
)

// auditor audits topologies on the schedule of the configuration, one at a time, while this
// process leads. It never audits during a transition: one that begins ends the audit, and
// what that found is discarded.
type auditor struct {
	log *slog.Logger
	now func() time.Time
	// began is when the process began: no audit of before it can be missed.
	began time.Time
	// last returns when each topology was last audited.
	last func(ctx context.Context) (map[string]time.Time, error)
	// audit audits a topology and keeps what it found.
	audit func(ctx context.Context, e *Environment, t plan.Topology, o audit.Options) ([]audit.Result, error)
	keep  func(ctx context.Context, topology string, at time.Time, found []audit.Result) error

	mu          sync.Mutex
	environment *Environment
	schedule    schema.Audit
	documents   map[string]plan.Topology
	audited     map[string]time.Time // nil: the ledger was not asked yet
	running     string               // the topology that is audited; empty: none
	end         context.CancelFunc   // of that audit
	ended       sync.WaitGroup
}

// newAuditor makes the auditor of a service.
func newAuditor(d *service) *auditor {
	return &auditor{
		log: d.log, now: d.options.Clock, began: d.options.Clock(),
		last: func(ctx context.Context) (map[string]time.Time, error) {
			m, err := d.ledger.Memory(ctx)
			out := map[string]time.Time{}
			for _, mark := range m.Audits {
				if mark.At.After(out[mark.Topology]) {
					out[mark.Topology] = mark.At
				}
			}
			return out, err
		},
		audit: func(ctx context.Context, e *Environment, t plan.Topology, o audit.Options) ([]audit.Result, error) {
			return e.Audit(ctx, t, o, ""), ctx.Err()
		},
		keep: func(ctx context.Context, topology string, at time.Time, found []audit.Result) error {
			return keepAudit(ctx, d.ledger, topology, at, found)
		},
	}
}

// use takes over a configuration. It ends an audit over the clients of the one before.
func (a *auditor) use(e *Environment) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.environment, a.schedule = e, e.Config.Audit
	a.disturb()
}

// fetched takes over the documents that were read from Git.
func (a *auditor) fetched(topologies []plan.Topology) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.documents = map[string]plan.Topology{}
	for _, t := range topologies {
		a.documents[t.Name] = t
	}
}

// close ends the audit that runs, and waits for its end.
func (a *auditor) close() {
	a.mu.Lock()
	a.schedule = schema.Audit{}
	a.disturb()
	a.mu.Unlock()
	a.ended.Wait()
}

// disturb ends the audit that runs. The caller holds the lock.
func (a *auditor) disturb() {
	if a.running != "" {
		a.end()
	}
}

// atRest says whether nothing of a topology changes now, or is about to.
func atRest(s daemon.TopologyStatus) bool {
	quiet := s.State == daemon.StateInSync || s.State == daemon.StateDrifted
	return quiet && s.Plan.Transition == plan.TransitionNone && !s.IntentOpen && s.Plan.UnderWay == nil
}

// onPass begins the audit of a topology that is due, and ends one that a transition
// disturbs. It does not wait.
func (a *auditor) onPass(s daemon.TopologyStatus, leads bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running == s.Name && !(leads && atRest(s)) {
		a.disturb()
	}
	t, known := a.documents[s.Name]
	standby := slices.ContainsFunc(t.Clusters, func(c plan.Cluster) bool { return c.Role == plan.RoleStandby })
	if a.schedule.Every <= 0 || a.running != "" || !leads || !atRest(s) || !known || !standby || !a.due(s.Name) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), max(a.schedule.Every, leastTime))
	a.running, a.end = s.Name, cancel
	e, o := a.environment, audit.Options{
		Rows: a.schedule.Rows, Budget: a.schedule.Budget, Seed: uint64(a.now().UnixNano()), //nolint:gosec // any number will do
		Pause: auditPause, Concurrency: auditConcurrency,
	}
	a.ended.Go(func() { a.run(ctx, e, t, o) })
}

// leastTime is what an audit may take, however often one is made.
const leastTime = 10 * time.Minute

// auditPause is the time between two readings of what differs, and auditConcurrency how many
// collections of a pair the daemon reads at once.
const (
	auditPause       = time.Second
	auditConcurrency = 4
)

// due says whether a topology is to be audited now, as far as this process knows. The caller
// holds the lock.
func (a *auditor) due(topology string) bool {
	last, known := a.audited[topology]
	return !known || auditSlot(topology, a.now(), a.schedule.Every) != auditSlot(topology, last, a.schedule.Every)
}

// auditSlot numbers the spans; in each, a topology is audited once. Each topology has
// its own beginnings, so that audits are spread over the span.
func auditSlot(topology string, at time.Time, every time.Duration) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(topology)) // never fails
	offset := int64(h.Sum64() % uint64(every))
	return (at.UnixNano() + offset) / int64(every)
}

// run audits one topology, unless the ledger says that another process has.
func (a *auditor) run(ctx context.Context, e *Environment, t plan.Topology, o audit.Options) {
	at := a.now()
	last, err := a.last(ctx)
	a.mu.Lock()
	if err == nil {
		a.audited = last
	}
	due := err == nil && a.due(t.Name)
	a.mu.Unlock()
	var found []audit.Result
	if due {
		if found, err = a.audit(ctx, e, t, o); err == nil {
			err = a.keep(ctx, t.Name, at, found)
		}
	}
	disturbed := errors.Is(ctx.Err(), context.Canceled)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.end()
	a.running = ""
	if a.audited == nil {
		a.audited = map[string]time.Time{}
	}
	switch {
	case disturbed:
	case err != nil:
		a.audited[t.Name] = at // tried again in the next span
		a.log.Warn("the audit is not kept", "topology", t.Name, "error", err)
	case due:
		a.audited[t.Name] = at
		for _, r := range found {
			a.log.Info("audited", "topology", t.Name, "standby", r.Standby, "verdict", r.Verdict.String(), "rows", r.Rows, "compared", r.Sampled)
		}
	}
}
