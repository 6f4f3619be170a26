package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
)

// follow fetches at each poll interval and whenever FetchNow asks for it, until ctx ends.
// After a failure it tries again sooner.
func (l *Loop) follow(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		usual, err := l.fetch(ctx)
		delay := jittered(usual, l.random())
		if err == nil {
			failures = 0
		} else {
			failures++
			delay = retryAfter(failures, usual)
		}
		select {
		case <-ctx.Done():
		case <-l.fetchNow:
		case <-l.clock.After(delay):
		}
	}
}

// fetchWithin bounds one fetch, also the first fetch of a large repository.
const fetchWithin = 5 * time.Minute

// fetch reads Git once and adopts the revision. It returns the usual delay until the next
// fetch.
func (l *Loop) fetch(ctx context.Context) (usual time.Duration, err error) {
	s, done := l.use()
	defer done()
	limit := min(s.PassTimeout, fetchWithin)
	defer l.busy("fetch Git", limit)()
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := l.clock.Now()
	rev, err := s.read(bounded)
	if ctx.Err() != nil {
		return s.PollInterval, ctx.Err()
	}
	if err != nil {
		unread := l.fetchFailed(began, err)
		l.board.set(l.clock.Now(), func(b *Snapshot) { b.GitError, b.GitAsked = err.Error(), unread })
		return s.PollInterval, err
	}
	l.faults.endFor(gitKey, fetchHolder, Event{Kind: EventGit, Severity: plan.SeverityInfo, Text: "Git can be read again"})
	l.ledgerWorks(fetchHolder)
	l.adopt(ctx, rev)
	l.confirm(bounded, s, rev)
	return s.PollInterval, nil
}

// gitKey is the key of the fault that Git cannot be read, and fetchHolder who meets it.
const (
	gitKey      = "git"
	fetchHolder = "fetch"
)

// fetchFailed tells that a fetch failed that began at a time, and returns what could not be
// read.
func (l *Loop) fetchFailed(began time.Time, err error) (unread string) {
	if ledger := (LedgerError{}); errors.As(err, &ledger) {
		l.ledgerFails(began, fetchHolder, "could not be read, the last good state stays in use", err)
		return "the ledger"
	}
	l.faults.meets(gitKey, fetchHolder, err.Error(), Event{
		Kind: EventGit, Severity: plan.SeverityWarning, Text: "Git could not be read, the last good state stays in use: " + err.Error(),
	})
	return "Git"
}

// rereadGit returns how an apply of this topology reads Git once more. When the documents
// or approvals differ from the planned revision, the loop fetches at once too.
func (w *worker) rereadGit(s *shared, planned Revision) func(context.Context) (reconcile.Wanted, error) {
	return func(ctx context.Context) (reconcile.Wanted, error) {
		fresh, err := s.read(ctx)
		if err != nil {
			return reconcile.Wanted{}, err
		}
		out := reconcile.Wanted{Changes: fresh.Changes, Rewritten: fresh.Rewritten}
		newer, same := fresh.Changes[w.name].Commit, sameDocument(planned.documents()[w.name], fresh.documents()[w.name])
		if !same || newer != planned.Changes[w.name].Commit {
			out.Superseded = map[string]string{w.name: cmp.Or(newer, fresh.Commit)}
		}
		if !same || !sameApproval(planned.Changes[w.name], fresh.Changes[w.name]) {
			w.loop.FetchNow()
		}
		return out, nil
	}
}

// adopt makes a revision the current one. It starts workers for new topologies of this
// process' shard, stops those of topologies that are gone or another shard's, and wakes
// those whose document or approval changed.
func (l *Loop) adopt(ctx context.Context, rev Revision) {
	parts := l.divide(&rev)
	l.mu.Lock()
	before := l.revision
	if before == nil {
		before = &Revision{}
		l.unswept = map[string]bool{}
		for _, name := range parts.ours {
			l.unswept[name] = true
		}
	}
	l.revision = &rev
	first := len(l.unswept) == 0 && before.Commit == ""
	wake := l.startWorkers(ctx, parts.ours, before)
	leaving, gone := l.leaveWorkers(parts), l.stopWorkers(parts) //nolint:contextcheck // a claim belongs to the leadership
	l.mu.Unlock()
	now := l.clock.Now()
	for _, name := range gone {
		if _, still := parts.undecided[name]; !still {
			l.board.forget(now, name)
		}
		l.faults.forget(name)
	}
	for _, name := range leaving {
		l.emit(Event{Kind: EventShard, Severity: plan.SeverityInfo, Topology: name, Text: "the topology belongs to shard " + parts.others[name] + " now: it is handed over as soon as that shard asks for it"})
	}
	l.publishUndecided(&rev, parts.undecided)
	l.board.set(now, func(b *Snapshot) {
		b.Commit, b.Problems, b.GitFetch, b.GitError, b.GitCopy = rev.Commit, rev.Problems, now, "", rev.CopyProblem
		b.Swept = b.Swept || first
		b.OtherShards = len(parts.others)
	})
	if rev.Commit != before.Commit {
		l.tellRevision(rev)
	}
	for _, w := range wake {
		w.changed.Store(true)
		w.wake()
	}
}

// startWorkers starts a worker for each of ours that has none, and returns the others whose
// document or approval changed since before. The caller holds the lock.
func (l *Loop) startWorkers(ctx context.Context, ours []string, before *Revision) (changed []*worker) {
	had, has := before.documents(), l.revision.documents()
	for _, name := range ours {
		w, known := l.workers[name]
		switch {
		case !known:
			l.startWorker(ctx, name)
			continue
		case !sameDocument(had[name], has[name]) || !sameApproval(before.Changes[name], l.revision.Changes[name]):
			changed = append(changed, w)
		}
		w.leaving = false
	}
	return changed
}

// division is what a revision means for this process.
type division struct {
	ours      []string          // sorted
	others    map[string]string // the shard, by topology
	undecided map[string]plan.Finding
}

// divide says which topologies of a revision are ours.
func (l *Loop) divide(rev *Revision) division {
	d := division{others: map[string]string{}, undecided: map[string]plan.Finding{}}
	for _, name := range rev.topologyNames() {
		switch shard, undecided := rev.Desired.ShardOf(name); {
		case l.shard == "" || undecided == nil && shard == l.shard:
			d.ours = append(d.ours, name)
		case undecided != nil:
			d.undecided[name] = *undecided
		default:
			d.others[name] = shard
		}
	}
	return d
}

// tellRevision emits events for a new tip and for what is wrong with it.
func (l *Loop) tellRevision(rev Revision) {
	l.emit(Event{Kind: EventGit, Severity: plan.SeverityInfo, Commit: rev.Commit, Text: "the tracked ref is read"})
	for _, name := range slices.Sorted(maps.Keys(rev.Rewritten)) {
		l.emit(Event{
			Kind: EventGit, Severity: plan.SeverityCritical, Topology: name, Code: string(plan.CodeHistoryRewritten), Commit: rev.Rewritten[name],
			Text: "the tracked ref was rewritten: the commit that governs the topology does not follow the one that was seen before",
		})
	}
	for _, p := range rev.Problems {
		l.emit(Event{Kind: EventGit, Severity: plan.SeverityWarning, Commit: rev.Commit, Text: p})
	}
}

// confirm records the tip, unless a rewritten history governs a topology whose document is
// not live yet. A document that is live was accepted.
func (l *Loop) confirm(ctx context.Context, s *shared, rev Revision) {
	if l.right() == nil || rev.Commit == l.confirmed {
		return
	}
	for name := range rev.Rewritten {
		for _, d := range rev.forTopology(name).Topologies {
			if l.served(ctx, s, name) < d.Generation {
				return
			}
		}
	}
	began := l.clock.Now()
	if err := s.Source.Confirm(ctx, rev.Commit); err != nil {
		l.noteRecorded(began, err)
		return
	}
	l.confirmed = rev.Commit
	l.log.Debug("the tip is remembered", "commit", rev.Commit)
}

// served returns the greatest generation of a topology that was seen live: by this process,
// or for a topology of another shard by the ledger.
func (l *Loop) served(ctx context.Context, s *shared, topology string) int64 {
	t, _ := l.board.Snapshot().Topology(topology)
	if l.shard == "" || t.Served > 0 {
		return t.Served
	}
	known, err := s.Apply.Ledger.Read(ctx)
	if err != nil {
		return 0
	}
	return known.Published[topology].Version
}

// startWorker starts the worker of one topology. The caller holds the lock.
func (l *Loop) startWorker(ctx context.Context, name string) {
	if ctx.Err() != nil {
		return
	}
	w := newWorker(l, name)
	own, end := context.WithCancel(ctx)
	w.ctx, w.end = own, end
	l.workers[name] = w
	w.askForClaim() //nolint:contextcheck // a claim belongs to the leadership
	l.running.Go(func() {
		w.run(own)
		w.endClaim()
		if ctx.Err() == nil {
			l.forgetLate(name)
		}
	})
}

// forgetLate forgets a topology again whose worker ended: its last pass may have published
// after it was told to end.
func (l *Loop) forgetLate(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, again := l.workers[name]
	if _, undecided := l.revision.Desired.ShardOf(name); !again && undecided == nil {
		l.board.forget(l.clock.Now(), name)
	}
}

// leaveWorkers marks the workers whose topology belongs to another shard now, while this
// process holds the claim: they go on until that shard asks for it. It returns the names of
// those that were not marked before. The caller holds the lock.
func (l *Loop) leaveWorkers(d division) []string {
	var out []string
	for name, w := range l.workers {
		if _, other := d.others[name]; other && !w.leaving && w.claims(l.rightNow()) {
			w.leaving = true
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// stopWorkers stops the workers of topologies that are not ours, and returns their names.
// The caller holds the lock.
func (l *Loop) stopWorkers(d division) []string {
	var out []string
	for name, w := range l.workers {
		if _, ours := slices.BinarySearch(d.ours, name); ours {
			continue
		}
		if _, other := d.others[name]; !other || !w.leaving {
			l.endWorker(name, w)
			out = append(out, name)
		}
	}
	return out
}

// noteSweep notes that a topology had a pass, and calls OnFirstSweep after the last one.
func (l *Loop) noteSweep(name string) {
	l.mu.Lock()
	delete(l.unswept, name)
	all := l.unswept != nil && len(l.unswept) == 0
	l.mu.Unlock()
	l.board.set(l.clock.Now(), func(b *Snapshot) { b.Swept, b.SweptAt = b.Swept || all, l.clock.Now() })
	if all {
		l.onFirstSweep()
	}
}

// wakeAll asks every worker for a pass at once.
func (l *Loop) wakeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.workers {
		w.wake()
	}
}

// topologyNames returns the topologies that have a document, or had one, sorted.
func (r Revision) topologyNames() []string {
	seen := map[string]bool{}
	for _, t := range r.Desired.Topologies {
		seen[t.Name] = true
	}
	for _, t := range r.Desired.Removed {
		seen[t.Name] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// forTopology returns what Git wants of one topology.
func (r Revision) forTopology(name string) plan.Desired {
	d := r.Desired
	d.Topologies, d.Removed = nil, nil
	if i, ok := slices.BinarySearchFunc(r.Desired.Topologies, name, func(t plan.Topology, n string) int { return cmp.Compare(t.Name, n) }); ok {
		d.Topologies = r.Desired.Topologies[i : i+1 : i+1]
	}
	if i, ok := slices.BinarySearchFunc(r.Desired.Removed, name, func(t plan.RemovedTopology, n string) int { return cmp.Compare(t.Name, n) }); ok {
		d.Removed = r.Desired.Removed[i : i+1 : i+1]
	}
	return d
}

// documents returns the documents by topology.
func (r Revision) documents() map[string]*plan.Topology {
	out := make(map[string]*plan.Topology, len(r.Desired.Topologies))
	for i := range r.Desired.Topologies {
		out[r.Desired.Topologies[i].Name] = &r.Desired.Topologies[i]
	}
	return out
}

// sameDocument compares the values first and hashes only what differs: a push changes one
// of a thousand documents.
func sameDocument(a, b *plan.Topology) bool {
	if a == nil || b == nil {
		return a == b
	}
	return reflect.DeepEqual(a, b) || plan.DocumentHash(*a) == plan.DocumentHash(*b)
}

// sameApproval says whether two changes have the same governing commit, and the same
// carriers of approvals with the same signers.
func sameApproval(a, b approval.Change) bool {
	return a.Commit == b.Commit && a.NoKeys == b.NoKeys && a.KeysUnreadable == b.KeysUnreadable && slices.Equal(carriersOf(a), carriersOf(b))
}

// carriersOf returns what identifies each carrier of a change, sorted.
func carriersOf(c approval.Change) []string {
	out := make([]string, 0, len(c.Carriers))
	for _, x := range c.Carriers {
		out = append(out, fmt.Sprintf("%s\n%s\n%s\n%v", x.Ref, x.Object, x.Problem, x.Signature))
	}
	slices.Sort(out)
	return out
}
