package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"milvus-reconcile/plan"
)

// defaultQueue is how many messages may wait for one target.
const defaultQueue = 256

// defaultSource is the source of the CloudEvents, unless the options name another.
const defaultSource = "/reconcile"

// Target is one receiver.
type Target struct {
	Name string
	URL  string // the forges' hold {commit}
	// Secret is the key of the signature, a forge's token, PagerDuty's routing key
	// or the password of the mail server; nil: none.
	Secret func() (string, error)
	Format Format
	Email  Email // of FormatEmail
	// MinSeverity is the least severity that is sent; the zero value sends
	// all. It does not apply to forges.
	MinSeverity plan.Severity
}

// Options are the rest of what a [Notifier] needs. The zero value works.
type Options struct {
	Source string // of the CloudEvents, a URI reference; empty: /reconcile
	Poster Poster
	Queue  int // how many messages may wait for one target; 0: 256
	// Failed is called for an event that a target did not get: it was given up, it
	// was the oldest of a full queue, or some recipients of a mail did not get it.
	// Several goroutines call it. nil: it is not called. If a message held several
	// events, it is called for the first.
	Failed func(target string, e Event, err error)
}

// Notifier tells its targets. Use [New].
type Notifier struct {
	options   Options
	mailboxes []*mailbox
	workers   sync.WaitGroup
	ctx       context.Context // ends the deliveries when Close gives up
	cancel    context.CancelFunc
}

// New starts a worker for each target.
func New(targets []Target, o Options) *Notifier {
	if o.Source == "" {
		o.Source = defaultSource
	}
	if o.Queue < 1 {
		o.Queue = defaultQueue
	}
	n := &Notifier{options: o}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	for _, t := range targets {
		m := newMailbox(t, o.Queue)
		n.mailboxes = append(n.mailboxes, m)
		n.workers.Go(func() { n.work(m) })
	}
	return n
}

// Notify hands an event to every target that wants it and has not been told
// the same: a raised finding that stands, a resolved one it never heard of, or
// a commit's unchanged status are not sent again. It never blocks.
func (n *Notifier) Notify(e Event) {
	e = e.completed(n.options.Poster.now())
	for _, m := range n.mailboxes {
		n.dropped(m, m.offer(e.Topology, e))
	}
}

// Pass is the result of one pass of one topology.
type Pass struct {
	Topology string
	Commit   string
	Link     string // a page that tells more of the topology
	// Findings are all that stand, also those that were told before.
	Findings []plan.Finding
	// Wanted is the approval that an open change waits for; nil: it waits for none.
	Wanted *Event
	// Settled says why no approval is wanted any more.
	Settled string
	// InSync: the topology was seen to be as Git wants it.
	InSync bool
	News   []Event // what else happened
	// Transition is the change that is open; zero: none is.
	Transition plan.Transition
	// Words says more of a finding: a title of its own, or "", and whether people are told
	// of it in another message. nil: there is no more to say.
	Words func(code plan.Code, cluster string) (title string, elsewhere bool)
	// PeopleOnly: machines are told of it in other events.
	PeopleOnly bool
}

// Pass compares the present findings of a topology with those that each target
// got before, and sends the difference: new and worse findings are raised,
// findings that ended are resolved. People get everything as one message,
// machines get one event for each. Call it only after a pass that could judge
// the topology: otherwise it would resolve findings that it cannot see. Findings
// that were never raised by a process are not resolved by it.
func (n *Notifier) Pass(p Pass) {
	now := n.options.Poster.now()
	for _, m := range n.mailboxes {
		if m.target.Format.forge() || p.PeopleOnly && !m.target.Format.people() {
			continue
		}
		var events []Event
		for _, e := range m.difference(p) {
			if e.Link == "" {
				e.Link = p.Link
			}
			events = append(events, e.completed(now))
		}
		n.dropped(m, m.offer(p.Topology, events...))
	}
}

func (n *Notifier) dropped(m *mailbox, lost []bundle) {
	for _, b := range lost {
		m.forget(b, false)
		n.failed(m, b, fmt.Errorf("%d messages wait already", n.options.Queue))
	}
}

func (n *Notifier) failed(m *mailbox, b bundle, err error) {
	if n.options.Failed != nil {
		n.options.Failed(m.target.Name, b.first(), err)
	}
}

// work delivers one target's messages in order.
func (n *Notifier) work(m *mailbox) {
	for {
		b, ok := m.take()
		if !ok {
			return
		}
		if err := n.send(m.target, b); err != nil {
			var some partialError
			if !errors.As(err, &some) {
				m.forget(b, true)
			}
			n.failed(m, b, err)
		}
	}
}

func (n *Notifier) send(t Target, b bundle) error {
	url, err := t.address(b.first())
	if err != nil {
		return err
	}
	messages, err := t.messages(b, n.options.Source)
	if err != nil {
		return err
	}
	for _, m := range messages {
		if err := n.deliver(t, url, m); err != nil {
			return err
		}
	}
	return nil
}

func (n *Notifier) deliver(t Target, url string, m Message) error {
	switch {
	case t.Format.forge():
		return n.options.Poster.deliver(n.ctx, url, m, func(h http.Header) error { return t.bearer(h) })
	case t.Format == FormatPagerDuty:
		return n.options.Poster.deliver(n.ctx, url, m, func(http.Header) error { return t.overTLS("the routing key of PagerDuty") })
	case t.Format == FormatEmail:
		return n.options.Poster.mail(n.ctx, t, m)
	default:
		return n.options.Poster.Post(n.ctx, url, m, t.Secret)
	}
}

// Close takes no more events and waits until those queued are delivered or
// given up. When ctx ends first, the rest is given up at once and the error
// says so. It may be called once.
func (n *Notifier) Close(ctx context.Context) error {
	defer n.cancel()
	for _, m := range n.mailboxes {
		m.close()
	}
	done := make(chan struct{})
	go func() { n.workers.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	undelivered := 0
	for _, m := range n.mailboxes {
		undelivered += m.abandon()
	}
	n.cancel()
	<-done
	return fmt.Errorf("notifications were not delivered in time, %d of them never tried: %w", undelivered, context.Cause(ctx))
}
