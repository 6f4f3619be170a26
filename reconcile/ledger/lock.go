package ledger

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"milvus-reconcile/plan"
)

// Lock is the right to act on one topology. Everything that it writes is
// refused with ErrLockLost once the right is gone.
type Lock struct {
	ledger   *Ledger
	guard    guard
	topology string
	left     func() // counts it out of the locks that this process holds
}

// heldLock returns a lock that counts as held until it is released.
func (l *Ledger) heldLock(g guard, topology string) *Lock {
	l.held.Add(1)
	return &Lock{ledger: l, guard: g, topology: topology, left: sync.OnceFunc(func() { l.held.Add(-1) })}
}

// Begin writes the intent, the approval that it spends, the clusters that become stale
// and the provisions that it uses, in one transaction. If an intent with the same
// transition, generation and digest is open, it is resumed and nothing is written. A
// refusal is a SpentError or an OpenIntentError.
func (k *Lock) Begin(ctx context.Context, b Beginning) error {
	b.Intent.Topology = k.topology
	return k.write(ctx, beginRule(b))
}

// Sent records that a request may have been sent. It is written before the first one:
// from here on only a read of the cluster shows the result.
func (k *Lock) Sent(ctx context.Context) error { return k.write(ctx, sentRule(k.topology)) }

// Advance records that an open rebuild went on.
func (k *Lock) Advance(ctx context.Context, a plan.Advance, detail string) error {
	return k.write(ctx, advancedRule(k.topology, a, detail))
}

// Effected records that a read of the clusters showed the transition in effect.
func (k *Lock) Effected(ctx context.Context) error { return k.write(ctx, effectedRule(k.topology)) }

// Reverse undoes Begin. Its only use is a definite refusal by the server after which a
// read showed the old state. An effected intent cannot be reversed.
func (k *Lock) Reverse(ctx context.Context, reason string) error {
	return k.write(ctx, reverseRule(k.topology, reason))
}

// Finish closes the intent with its result. A failover that took effect is
// remembered as the topology's last one.
func (k *Lock) Finish(ctx context.Context, result, detail string) error {
	return k.write(ctx, finishRule(k.topology, result, detail))
}

// write writes a record under the lock. Many topologies may be acted on at once: where the
// lock can be checked within a transaction of several callers, their records share one.
func (k *Lock) write(ctx context.Context, r rule) error {
	r = k.ledger.ofShard(r)
	lock, ok := k.guard.(checkedGuard)
	if !ok {
		return k.ledger.write(ctx, k.guard, r)
	}
	return k.ledger.writeTogether(ctx, k.topology, func(s *state) (*entry, error) {
		e, err := r(s)
		if err == nil {
			err = lock.check()
		}
		return e, err
	})
}

// together writes records that many callers ask for at once in few transactions: those that
// come while one is written go into the next. Each transaction waits for the disk, and after
// it every reader sums up the whole ledger again. With a transaction for each of 10,000
// topologies, a first sweep would do that 10,000 times.
type together struct {
	mu      sync.Mutex
	waiting []*asked
	writing bool
}

// asked is a record that a caller waits for.
type asked struct {
	about string // two records about the same are never written in one transaction
	rule  rule
	err   error         // of the rule, in the last try
	done  chan struct{} // closed when it is written, or refused
}

// writeTogetherWithin bounds one transaction for several callers.
const writeTogetherWithin = 30 * time.Second

// writeTogether writes the record of one rule. If ctx ends before that is begun, nothing is
// written.
func (l *Ledger) writeTogether(ctx context.Context, about string, r rule) error {
	if err := contextError(ctx); err != nil {
		return err
	}
	a := &asked{about: about, rule: r, done: make(chan struct{})}
	t := &l.together
	t.mu.Lock()
	t.waiting = append(t.waiting, a)
	if !t.writing {
		t.writing = true
		go l.writeWaiting(context.WithoutCancel(ctx))
	}
	t.mu.Unlock()
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
	}
	if t.leave(a) {
		return contextError(ctx)
	}
	<-a.done // it is being written
	return a.err
}

// leave takes what a caller asked for out of what waits; false: it is being written, or is
// already.
func (t *together) leave(a *asked) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.waiting, a)
	if i < 0 {
		return false
	}
	t.waiting = slices.Delete(t.waiting, i, i+1)
	return true
}

// A process that holds sharingLocks locks or more will write more records soon. A record waits
// shareWithin for them to share its transaction, unless each holder waits already. A
// transaction costs more than a millisecond of processor time and waits for the disk, however
// many records it writes.
const (
	sharingLocks = 4
	shareWithin  = 4 * time.Millisecond
)

// awaitSharers waits for records that will share the next transaction.
func (l *Ledger) awaitSharers() {
	held := int(l.held.Load())
	l.together.mu.Lock()
	waiting := len(l.together.waiting)
	l.together.mu.Unlock()
	if held >= sharingLocks && 0 < waiting && waiting < held {
		time.Sleep(shareWithin)
	}
}

// writeWaiting writes what callers wait for until nothing is left.
func (l *Ledger) writeWaiting(ctx context.Context) {
	for {
		l.awaitSharers()
		batch := l.together.next(l.store.batch())
		if len(batch) == 0 {
			return
		}
		rules := make([]rule, len(batch))
		for i, a := range batch {
			rules[i] = a.decide
		}
		bounded, cancel := context.WithTimeout(ctx, writeTogetherWithin)
		err := l.write(bounded, nil, rules...)
		cancel()
		for _, a := range batch {
			if err != nil {
				a.err = err
			}
			close(a.done)
		}
	}
}

// decide runs the rule. What it refuses is the business of its caller alone.
func (a *asked) decide(s *state) (*entry, error) {
	var e *entry
	e, a.err = a.rule(s)
	if a.err != nil {
		return nil, nil //nolint:nilnil // it is told to the caller
	}
	return e, nil
}

// next takes what is written next: the first of those about each thing, as many as one
// transaction holds.
func (t *together) next(most int) []*asked {
	t.mu.Lock()
	defer t.mu.Unlock()
	taken := map[string]bool{}
	var batch, later []*asked
	for _, a := range t.waiting {
		if taken[a.about] || len(batch) == most {
			later = append(later, a)
			continue
		}
		taken[a.about] = true
		batch = append(batch, a)
	}
	t.waiting, t.writing = later, len(batch) > 0
	return batch
}

// checkedGuard is a held lock that says whether it is still held.
type checkedGuard interface {
	guard
	check() error
}

// ofShard returns the rule with the shard of this process in its record.
func (l *Ledger) ofShard(r rule) rule {
	if l.holder.Shard == "" {
		return r
	}
	return func(s *state) (*entry, error) {
		e, err := r(s)
		if e != nil {
			e.Shard = l.holder.Shard
		}
		return e, err
	}
}

// Lost is closed when another process may soon get the lock, and by Release. It leaves
// time to end a running request.
func (k *Lock) Lost() <-chan struct{} { return k.guard.lost() }

// Until returns when another process may get the lock, by the monotonic clock; zero:
// not before this process ends. Each renewal of the lease moves it on.
func (k *Lock) Until() time.Time { return k.guard.until() }

// Release releases the lock. It is safe to call twice.
func (k *Lock) Release() error {
	k.left()
	return k.guard.release(context.Background())
}

// Leadership is the right of one daemon, among those that share a ledger and a shard, to
// act on its own. It does not replace the lock of a topology: a person's apply needs no
// leadership.
type Leadership struct {
	ledger *Ledger
	guard  guard
	holder Holder
}

// Campaign waits for the leadership of the shard of this ledger's options until ctx ends;
// without a shard it is that of all topologies. The two exclude each other: while the leader
// of a shard lives, no process leads all, and the reverse. Campaign then returns the error of
// ctx, joined with a HeldError that names the leader, if any. Zero fields of who get their
// defaults.
func (l *Ledger) Campaign(ctx context.Context, who Holder) (*Leadership, error) {
	if err := l.ensureExists(ctx); err != nil {
		return nil, err
	}
	who = l.completeHolder(who)
	g, err := l.store.campaign(ctx, who)
	if err != nil {
		return nil, fmt.Errorf("campaign for leadership: %w", err)
	}
	return &Leadership{ledger: l, guard: g, holder: who}, nil
}

// Leader returns the present leader of this ledger's shard, or the process that keeps any
// from leading it; false: there is none. A waiting process shows it.
func (l *Ledger) Leader(ctx context.Context) (Holder, bool, error) {
	return l.LeaderOf(ctx, l.holder.Shard)
}

// LeaderOf is Leader of another shard; empty: of all topologies.
func (l *Ledger) LeaderOf(ctx context.Context, shard string) (Holder, bool, error) {
	h, ok, err := l.store.leader(ctx, shard)
	if err != nil {
		return Holder{}, false, fmt.Errorf("ask who leads: %w", err)
	}
	return h, ok, nil
}

// Claim is the right of one shard to act on a topology on its own. It ends with the
// leadership under which it was taken, or with Release.
type Claim struct{ guard guard }

// Claim takes a topology for the shard that this leadership leads. While another shard holds
// it, Claim calls waits once with the holder, makes the wait known to it, and waits until ctx
// ends. With an embedded ledger the caller releases the claims before it resigns.
func (p *Leadership) Claim(ctx context.Context, topology string, waits func(Holder)) (*Claim, error) {
	if !topologyName().MatchString(topology) {
		return nil, fmt.Errorf("%q is not a topology name", topology)
	}
	g, err := p.ledger.store.claim(ctx, p.guard, topology, p.holder, waits)
	if err != nil {
		return nil, fmt.Errorf("claim topology %s: %w", topology, err)
	}
	return &Claim{guard: g}, nil
}

// Wanted returns the topologies that other shards wait for, sorted.
func (p *Leadership) Wanted(ctx context.Context) ([]string, error) {
	out, err := p.ledger.store.wanted(ctx, p.holder.Shard)
	if err != nil {
		return nil, fmt.Errorf("ask what other shards wait for: %w", err)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// Release gives the topology back. It is safe to call twice.
func (c *Claim) Release() error {
	if err := c.guard.release(context.Background()); err != nil {
		return fmt.Errorf("give back a claim: %w", err)
	}
	return nil
}

// Lost is closed as soon as another process may lead, and by Resign.
func (p *Leadership) Lost() <-chan struct{} { return p.guard.lost() }

// Resign gives up the leadership. It is safe to call twice.
func (p *Leadership) Resign(ctx context.Context) error {
	if err := p.guard.release(ctx); err != nil {
		return fmt.Errorf("resign leadership: %w", err)
	}
	return nil
}

// completeHolder fills the zero fields of a holder with those of this process.
func (l *Ledger) completeHolder(h Holder) Holder {
	own := l.holder
	if h.Process != "" {
		own.Process = h.Process
	}
	if h.PID != 0 {
		own.PID = h.PID
	}
	if h.Host != "" {
		own.Host = h.Host
	}
	if h.Shard != "" {
		own.Shard = h.Shard
	}
	own.Since = h.Since
	if own.Since.IsZero() {
		own.Since = l.clock()
	}
	own.Since = wallTime(own.Since)
	return own
}
