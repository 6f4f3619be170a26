package kubernetes

import (
	"context"
	"strings"
	"time"

	"milvus-reconcile/reconcile/kubeapi"
)

// Wanted is the request for a lock.
type Wanted struct {
	Lock   string // its name, after that of the ledger
	Holder []byte // who asks, for others
	// Topology is whose object has the token that refuses writes of former holders, if Fenced. The
	// ledger must exist then.
	Topology string
	Fenced   bool
	// Rival is a lock of others that must not be held either, and with RivalPrefix every
	// lock whose name begins so; empty: there is none.
	Rival, RivalPrefix string
}

// pollEvery is how often a waiting process reads a held lock again.
const pollEvery = time.Second

// Acquire takes the lock, or waits until deadline fires or ctx ends. It returns nil, and who
// holds the lock, if another process does. A Lease whose holder seems dead is waited for until
// this process itself saw that it was not renewed, even after the deadline.
func (s *Store) Acquire(ctx context.Context, w Wanted, deadline <-chan time.Time) (*Lease, []byte, error) {
	late, version := false, "" // of the Lease that was in the way when the deadline fired
	for {
		l, blocked, err := s.try(ctx, w)
		if l != nil || err != nil {
			return l, nil, s.describe(w.Lock, err)
		}
		holder := []byte(blocked.Metadata.Annotations[holderText])
		if late && (versionOf(blocked) != version || !s.overdue(blocked)) {
			return nil, holder, nil // it lives
		}
		retry := time.NewTimer(min(pollEvery, s.config.TTL/8))
		select {
		case <-ctx.Done():
			retry.Stop()
			return nil, holder, ctx.Err()
		case <-deadline:
			retry.Stop()
			if late, version = true, versionOf(blocked); !s.overdue(blocked) {
				return nil, holder, nil
			}
		case <-retry.C:
		}
	}
}

// try takes the lock if it is free. Otherwise it returns the Lease that is in the way.
func (s *Store) try(ctx context.Context, w Wanted) (*Lease, object, error) {
	if blocked, ok, err := s.rival(ctx, w); ok || err != nil {
		return nil, blocked, err
	}
	l, blocked, err := s.take(ctx, w)
	if l == nil {
		return nil, blocked, err
	}
	blocked, ok, err := s.rival(ctx, w) // one of two that take their locks at once sees the other
	if err == nil && !ok && w.Fenced {
		ok, err = s.fence(ctx, l)
		blocked = l.version()
	}
	if ok || err != nil || l.isLost() {
		_ = l.free(context.WithoutCancel(ctx)) // or it runs out
		return nil, blocked, err
	}
	l.kept.Add(1)
	go l.keep() //nolint:contextcheck // the lease outlives the call that took it
	return l, object{}, nil
}

// fence writes the token of a lock into the ledger; true: a later holder did so.
func (s *Store) fence(ctx context.Context, l *Lease) (overtaken bool, err error) {
	done, err := s.setFence(ctx, l.topology, l.token)
	return !done, err
}

// take writes the Lease of a lock that is free.
func (s *Store) take(ctx context.Context, w Wanted) (*Lease, object, error) {
	o, found, err := s.get(ctx, leases, s.leaseName(w.Lock))
	if err != nil {
		return nil, object{}, err
	}
	if !found {
		o = s.named(leases, s.leaseName(w.Lock))
	} else if tokenOf(o) != (Token{}) && !s.expired(o) {
		return nil, o, nil
	}
	token, err := s.nextToken(ctx, w, o)
	if err != nil {
		return nil, object{}, err
	}
	asked := time.Now() // before any other process can begin to count
	written, done, err := s.put(ctx, leases, s.claimedBy(o, token, w.Holder, asked), false)
	if err != nil && !kubeapi.Refused(err) { // it may have been written
		if again, found, readErr := s.get(ctx, leases, s.leaseName(w.Lock)); readErr == nil && found && tokenOf(again) == token {
			written, done, err = again, true, nil
		}
	}
	if !done || err != nil {
		return nil, o, err
	}
	l := s.newLease(w, token)
	l.extend(asked, written)
	return l, object{}, nil
}

// nextToken returns a token with a greater number than any that was given out before, even if
// somebody deleted the Lease.
func (s *Store) nextToken(ctx context.Context, w Wanted, o object) (Token, error) {
	number := int64(0)
	if o.Spec != nil {
		number = o.Spec.LeaseTransitions
	}
	if w.Fenced {
		c, err := s.ReadToWrite(ctx)
		if err != nil {
			return Token{}, err
		}
		number = max(number, c.token(w.Topology).Number)
	}
	return Token{Number: number + 1, ID: newID()}, nil
}

// rival returns a Lease of others that excludes the lock; false: there is none. One whose
// holder is dead is freed first, so that it can never be renewed.
func (s *Store) rival(ctx context.Context, w Wanted) (object, bool, error) {
	all, err := s.rivals(ctx, w)
	if err != nil {
		return object{}, false, err
	}
	for _, o := range all {
		if tokenOf(o) == (Token{}) {
			continue
		}
		if !s.expired(o) {
			return o, true, nil
		}
		if done, err := s.clear(ctx, o); !done || err != nil {
			return o, true, err
		}
	}
	return object{}, false, nil
}

// rivals reads the Leases of others that exclude the lock while they are held.
func (s *Store) rivals(ctx context.Context, w Wanted) ([]object, error) {
	switch {
	case w.RivalPrefix != "":
		all, err := s.list(ctx, leases, s.ofThis(), 0)
		var out []object
		for _, o := range all {
			if strings.HasPrefix(o.Metadata.Name, s.leaseName(w.RivalPrefix)) {
				out = append(out, o)
			}
		}
		return out, err
	case w.Rival != "":
		o, found, err := s.get(ctx, leases, s.leaseName(w.Rival))
		if !found {
			return nil, err
		}
		return []object{o}, err
	}
	return nil, nil
}

// clear frees the Lease of a dead holder; false: it lives.
func (s *Store) clear(ctx context.Context, o object) (bool, error) {
	spec := *o.Spec
	spec.HolderIdentity, o.Spec = "", &spec
	o.APIVersion, o.Kind = "coordination.k8s.io/v1", "Lease" // a list leaves them out
	_, done, err := s.put(ctx, leases, o, false)
	return done, err
}

// HolderOf returns who holds a lock, or one of its rivals, for people; false: nobody does, or
// the clocks say that the holder is dead.
func (s *Store) HolderOf(ctx context.Context, w Wanted) ([]byte, bool, error) {
	o, found, err := s.get(ctx, leases, s.leaseName(w.Lock))
	if err != nil {
		return nil, false, s.describe(w.Lock, err)
	}
	all := []object{}
	if found {
		all = append(all, o)
	}
	others, err := s.rivals(ctx, w)
	if err != nil {
		return nil, false, s.describe(w.Lock, err)
	}
	for _, o := range append(all, others...) {
		if tokenOf(o) != (Token{}) && !s.overdue(o) {
			return []byte(o.Metadata.Annotations[holderText]), true, nil
		}
	}
	return nil, false, nil
}
