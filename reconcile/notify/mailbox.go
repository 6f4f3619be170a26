package notify

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"milvus-reconcile/plan"
)

// bundle is what one message tells of one topology. A machine's holds one event.
type bundle struct {
	topology string
	events   []Event
	over     []string // keys of PagerDuty alerts that end with it, sorted
}

// first is the event that names the bundle: the most important one.
func (b bundle) first() Event {
	if len(b.events) == 0 {
		return Event{Kind: KindResolved, Topology: b.topology}
	}
	return b.events[0]
}

// about is what findings are told apart by.
type about struct {
	topology string
	code     plan.Code
	cluster  string
}

// about of an approval or an apply is the topology and the kind: each has one.
func (e Event) about() about {
	switch e.Kind {
	case KindWanted, KindSettled:
		return about{topology: e.Topology, code: plan.Code(KindWanted)}
	case KindApplied, KindSite, KindStopped, KindTest:
		return about{topology: e.Topology, code: plan.Code(e.Kind)}
	default:
		return about{e.Topology, e.Code, e.Cluster}
	}
}

// raised is something that a target was told and that has not ended.
type raised struct {
	severity plan.Severity
	code     plan.Code // of the denial, while an approval is wanted
	commit   string
	alert    string
	title    string // of its own
}

// commitStatus is the status of a commit that a target was last told.
type commitStatus struct {
	commit, message string
	state           State
}

// mailbox is the bounded queue of one target and what it was told.
type mailbox struct {
	target Target
	limit  int

	mu       sync.Mutex
	nonEmpty *sync.Cond
	queue    []bundle
	closed   bool
	raised   map[about]raised
	status   map[string]commitStatus // by topology
	owed     map[string][]string     // alerts whose end did not arrive, by topology
}

func newMailbox(t Target, limit int) *mailbox {
	m := &mailbox{target: t, limit: limit, raised: map[about]raised{}, status: map[string]commitStatus{}, owed: map[string][]string{}}
	m.nonEmpty = sync.NewCond(&m.mu)
	return m
}

// offer queues events of one topology, without those that the target does not want or
// knows: as one bundle for people, as one each for machines. It returns the oldest
// bundles that a full queue loses for it.
func (m *mailbox) offer(topology string, events ...Event) []bundle {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	for _, b := range m.bundles(topology, events) {
		m.queue = append(m.queue, b)
		m.nonEmpty.Signal()
	}
	if over := len(m.queue) - m.limit; over > 0 {
		lost := slices.Clone(m.queue[:over])
		m.queue = slices.Delete(m.queue, 0, over)
		return lost
	}
	return nil
}

// bundles learns the events that are news and groups them. The caller holds the lock.
func (m *mailbox) bundles(topology string, events []Event) []bundle {
	one, before := bundle{topology: topology}, m.alerts(topology)
	ending := m.leaveEndingAlerts(events)
	var out []bundle
	leader := Event{}
	for _, e := range events {
		e.alert = m.alertOf(e, leader, ending)
		if !m.wants(e) || !m.learn(&e) {
			continue
		}
		if e.leads(leader) {
			leader = e
		}
		if e.Kind != KindResolved || messagesOf(e.Code) != plan.MessageNoEnd {
			one.events = append(one.events, e)
		}
		out = append(out, bundle{topology: topology, events: []Event{e}})
	}
	if !m.target.Format.people() {
		return out
	}
	one.over = m.ended(one, before)
	if len(one.events) == 0 && len(one.over) == 0 {
		return nil
	}
	return []bundle{one}
}

// messagesOf returns which messages about a finding people get.
func messagesOf(code plan.Code) plan.MessageMeaning {
	spec, _ := plan.SpecOf(code)
	return spec.Messages
}

func (m *mailbox) wants(e Event) bool {
	switch {
	case m.target.Format.forge():
		return e.Kind == KindStatus
	case m.target.Format.people() && (e.Kind == KindStatus || e.Kind == KindRaised && messagesOf(e.Code) == plan.MessageNone):
		return false
	case e.Kind == KindResolved, e.Kind == KindSettled: // those who heard of it hear its end
		return true
	}
	return ranks[e.Severity] >= ranks[m.target.MinSeverity]
}

// learn notes what the target is about to be told; false: it knows. An event that ends
// something gets the alert of what it ends.
func (m *mailbox) learn(e *Event) bool {
	known, stands := m.raised[e.about()]
	now := raised{e.Severity, e.Code, e.Commit, e.alert, e.Title}
	switch e.Kind {
	case KindRaised:
		if stands && ranks[e.Severity] <= ranks[known.severity] {
			return false
		}
		m.raised[e.about()] = now
		m.moveAlong(*e, known)
	case KindWanted:
		if stands && known.commit == e.Commit && known.code == e.Code {
			return false
		}
		m.raised[e.about()] = now
	case KindResolved, KindSettled:
		e.alert = known.alert
		delete(m.raised, e.about())
		return stands
	case KindApplied:
		if delete(m.raised, e.about()); e.Outcome != OutcomeDone {
			m.raised[e.about()] = now
		}
	case KindStatus:
		now := commitStatus{e.Commit, e.Message, e.State}
		if m.status[e.Topology] == now {
			return false
		}
		m.status[e.Topology] = now
	default: // each is news
	}
	return true
}

// forget takes back what was learnt from a bundle that did not arrive, so that
// the next pass tells it again. What was tried may have arrived without an answer: an alert
// that it opened is resolved unless the next pass opens it again.
func (m *mailbox) forget(b bundle, tried bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	over := slices.Clone(b.over)
	for _, e := range b.events {
		if tried && e.opensAlert() {
			over = append(over, e.alert)
		}
	}
	if len(over) > 0 && m.target.Format == FormatPagerDuty {
		m.owed[b.topology] = append(m.owed[b.topology], over...)
	}
	for _, e := range b.events {
		m.forgetEvent(e)
	}
}

func (m *mailbox) forgetEvent(e Event) {
	known, stands := m.raised[e.about()]
	was := raised{e.Severity, e.Code, e.Commit, e.alert, e.Title}
	switch e.Kind {
	case KindRaised, KindWanted:
		if stands && known == was {
			delete(m.raised, e.about())
		}
	case KindResolved, KindSettled:
		if !stands {
			m.raised[e.about()] = was
		}
	case KindStatus:
		if m.status[e.Topology] == (commitStatus{e.Commit, e.Message, e.State}) {
			delete(m.status, e.Topology)
		}
	default: // nothing was learnt that a pass tells again
	}
}

// difference are the events between what the target was told of a topology and
// what stands in it now, the most important first.
func (m *mailbox) difference(p Pass) []Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := map[about]bool{}
	out := slices.Clone(p.News)
	if p.Wanted != nil {
		now[p.Wanted.about()] = true
		out = append(out, *p.Wanted)
	}
	for _, f := range p.Findings {
		e := Event{
			Kind: KindRaised, Topology: p.Topology, Cluster: f.Cluster, Code: f.Code, Severity: f.Severity,
			Message: f.Message, Remedy: f.Remedy, Commit: p.Commit, Transition: p.Transition,
		}
		if m.target.Format.people() && messagesOf(f.Code) == plan.MessageWarns {
			e.Severity = plan.SeverityWarning
		}
		if m.wants(e) && !m.toldElsewhere(&e, p) {
			now[e.about()] = true
			out = append(out, e)
		}
	}
	for k, was := range m.raised {
		if k.topology == p.Topology && !now[k] {
			out = append(out, m.end(k, was, p)...)
		}
	}
	slices.SortStableFunc(out, compareEvents)
	return out
}

// toldElsewhere gives a finding the title that the pass has for it, and says whether people
// are told of it in another message, and were not told here before.
func (m *mailbox) toldElsewhere(e *Event, p Pass) bool {
	if p.Words == nil {
		return false
	}
	title, elsewhere := p.Words(e.Code, e.Cluster)
	e.Title = title
	_, stands := m.raised[e.about()]
	return elsewhere && !stands && m.target.Format.people()
}

// end is what is told of something that does not stand any more. That an apply failed
// is over with the next that succeeds, or once the topology is in sync; only PagerDuty
// needs to be told of the latter.
func (m *mailbox) end(k about, was raised, p Pass) []Event {
	e := Event{Kind: KindResolved, Topology: p.Topology, Cluster: k.cluster, Code: k.code, Severity: was.severity, Commit: p.Commit, Title: was.title}
	if k.code == plan.Code(KindWanted) {
		e.Kind, e.Code, e.Message = KindSettled, was.code, p.Settled
	}
	if k.code == plan.Code(KindApplied) && (!p.InSync || m.target.Format != FormatPagerDuty) {
		return nil
	}
	return []Event{e}
}

// importance is the order of the kinds in one message.
var importance = map[Kind]int{KindWanted: 0, KindApplied: 1, KindRaised: 2, KindLapsed: 3, KindSettled: 4, KindResolved: 5, KindStatus: 6}

// compareEvents puts wanted approvals first, then what was carried out, then an outage, then
// the worst, then by code and cluster; what is over stands last.
func compareEvents(a, b Event) int {
	return cmp.Or(
		importance[a.Kind]-importance[b.Kind], a.place()-b.place(), ranks[b.Severity]-ranks[a.Severity],
		strings.Compare(string(a.Code), string(b.Code)), strings.Compare(a.Cluster, b.Cluster),
	)
}

// place is the place of an event among those of its kind: an outage stands first.
func (e Event) place() int {
	spec, _ := plan.SpecOf(e.Code)
	if !e.outage() {
		return leastUrgent
	}
	return spec.Urgent
}

// leastUrgent is the place of what is no outage.
const leastUrgent = 1 << 10

// take waits for the next bundle; false: closed and empty.
func (m *mailbox) take() (bundle, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.queue) == 0 && !m.closed {
		m.nonEmpty.Wait()
	}
	if len(m.queue) == 0 {
		return bundle{}, false
	}
	b := m.queue[0]
	m.queue = m.queue[1:]
	return b, true
}

func (m *mailbox) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.nonEmpty.Broadcast()
}

// abandon empties the queue and says how many bundles were in it.
func (m *mailbox) abandon() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.queue)
	m.queue = nil
	return n
}
