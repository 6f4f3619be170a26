package notify

import (
	"slices"
	"sync"

	"milvus-reconcile/plan"
)

// about is what findings are told apart by.
type about struct {
	topology string
	code     plan.Code
	cluster  string
}

func (e Event) about() about { return about{e.Topology, e.Code, e.Cluster} }

// standing is the status of a commit that a target was last told.
type standing struct {
	commit, message string
	state           State
}

// mailbox is the bounded queue of one target and what it was told.
type mailbox struct {
	target Target
	limit  int

	mu       sync.Mutex
	nonEmpty *sync.Cond
	queue    []Event
	closed   bool
	raised   map[about]plan.Severity
	status   map[string]standing // by topology
}

func newMailbox(t Target, limit int) *mailbox {
	m := &mailbox{target: t, limit: limit, raised: map[about]plan.Severity{}, status: map[string]standing{}}
	m.nonEmpty = sync.NewCond(&m.mu)
	return m
}

// offer queues an event unless the target does not want it or knows it. It
// returns the oldest events that a full queue loses for it.
func (m *mailbox) offer(e Event) []Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || !m.wants(e) || !m.learn(e) {
		return nil
	}
	m.queue = append(m.queue, e)
	m.nonEmpty.Signal()
	if over := len(m.queue) - m.limit; over > 0 {
		lost := slices.Clone(m.queue[:over])
		m.queue = slices.Delete(m.queue, 0, over)
		return lost
	}
	return nil
}

func (m *mailbox) wants(e Event) bool {
	if m.target.Format.forge() {
		return e.Kind == KindStatus
	}
	if e.Kind == KindResolved { // those who heard of it hear its end
		return true
	}
	return ranks[e.Severity] >= ranks[m.target.MinSeverity]
}

// learn notes what the target is about to be told; false: it knows.
func (m *mailbox) learn(e Event) bool {
	known, stands := m.raised[e.about()]
	switch e.Kind {
	case KindRaised:
		if stands && ranks[e.Severity] <= ranks[known] {
			return false
		}
		m.raised[e.about()] = e.Severity
	case KindResolved:
		delete(m.raised, e.about())
		return stands
	case KindStatus:
		now := standing{e.Commit, e.Message, e.State}
		if m.status[e.Topology] == now {
			return false
		}
		m.status[e.Topology] = now
	default: // each is news
	}
	return true
}

// forget takes back what was learnt from an event that did not arrive, so that
// the next pass tells it again.
func (m *mailbox) forget(e Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, stands := m.raised[e.about()]
	switch e.Kind {
	case KindRaised:
		if stands && known == e.Severity {
			delete(m.raised, e.about())
		}
	case KindResolved:
		if !stands {
			m.raised[e.about()] = e.Severity
		}
	case KindStatus:
		if m.status[e.Topology] == (standing{e.Commit, e.Message, e.State}) {
			delete(m.status, e.Topology)
		}
	default: // nothing was learnt
	}
}

// difference are the events between what the target was told of a topology and
// what stands in it now, sorted.
func (m *mailbox) difference(topology, commit string, current []plan.Finding) []Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := map[about]bool{}
	var out []Event
	for _, f := range current {
		e := Event{
			Kind: KindRaised, Topology: topology, Cluster: f.Cluster, Code: f.Code, Severity: f.Severity,
			Message: f.Message, Remedy: f.Remedy, Commit: commit,
		}
		if m.wants(e) {
			now[e.about()] = true
			out = append(out, e)
		}
	}
	for k, severity := range m.raised {
		if k.topology == topology && !now[k] {
			out = append(out, Event{
				Kind: KindResolved, Topology: topology, Cluster: k.cluster, Code: k.code,
				Severity: severity, Commit: commit,
			})
		}
	}
	slices.SortStableFunc(out, func(a, b Event) int { return compareEvents(a, b) })
	return out
}

// compareEvents puts the worst first, then by code and cluster.
func compareEvents(a, b Event) int {
	switch {
	case ranks[a.Severity] != ranks[b.Severity]:
		return ranks[b.Severity] - ranks[a.Severity]
	case a.Code != b.Code && a.Code < b.Code, a.Code == b.Code && a.Cluster < b.Cluster:
		return -1
	case a.Code == b.Code && a.Cluster == b.Cluster:
		return 0
	}
	return 1
}

// take waits for the next event; false: closed and empty.
func (m *mailbox) take() (Event, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.queue) == 0 && !m.closed {
		m.nonEmpty.Wait()
	}
	if len(m.queue) == 0 {
		return Event{}, false
	}
	e := m.queue[0]
	m.queue = m.queue[1:]
	return e, true
}

func (m *mailbox) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.nonEmpty.Broadcast()
}

// abandon empties the queue and says how many events were in it.
func (m *mailbox) abandon() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.queue)
	m.queue = nil
	return n
}
