package kubernetes

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxMargin is the time before the end of a lease from which it counts as lost
// (contract.md §8.11). For a lease shorter than three margins it is a third of the lease.
const maxMargin = 5 * time.Second

// tries bounds the attempts at an update that other writers overtake.
const tries = 50

// ErrBusy says that other writers were faster each time.
var ErrBusy = errors.New("other processes write the ledger all the time")

// leaseSpec is the part of a Lease that is used.
type leaseSpec struct {
	HolderIdentity       string `json:"holderIdentity"` // empty: it is free
	LeaseDurationSeconds int    `json:"leaseDurationSeconds,omitempty"`
	AcquireTime          string `json:"acquireTime,omitempty"`
	RenewTime            string `json:"renewTime,omitempty"`
	LeaseTransitions     int64  `json:"leaseTransitions"` // how often it was taken: the number of its token
}

const (
	// holderText is the annotation of a Lease that names its holder.
	holderText = "reconcile/holder"
	// microTime is how Kubernetes writes times in a Lease.
	microTime = "2006-01-02T15:04:05.000000Z07:00"
)

// Token tells one taking of a lock from all others. Later ones have a greater number.
type Token struct {
	Number int64
	ID     string
}

// String is the form of a token in an object.
func (t Token) String() string { return strconv.FormatInt(t.Number, 10) + " " + t.ID }

func parseToken(text string) Token {
	number, id, _ := strings.Cut(text, " ")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return Token{}
	}
	return Token{Number: n, ID: id}
}

// tokenOf returns the token of who holds a Lease; zero: it is free.
func tokenOf(o object) Token {
	if o.Spec == nil || o.Spec.HolderIdentity == "" {
		return Token{}
	}
	return Token{Number: o.Spec.LeaseTransitions, ID: o.Spec.HolderIdentity}
}

// observation is when this process saw a version of a Lease for the first time, by its own
// clock. No other clock decides whether a holder is dead.
type observation struct {
	version string
	since   time.Time
}

// expired reports whether the holder of a Lease did not renew it for as long as it lasts, as
// this process saw it. The answer with that version must have come before the call.
func (s *Store) expired(o object) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	version := versionOf(o)
	if last, ok := s.observed[o.Metadata.Name]; ok && last.version == version {
		return time.Since(last.since) >= s.lasts(o)
	}
	s.observed[o.Metadata.Name] = observation{version, time.Now()}
	return false
}

// lasts returns how long a Lease outlives its last renewal.
func (s *Store) lasts(o object) time.Duration {
	if o.Spec == nil || o.Spec.LeaseDurationSeconds <= 0 {
		return s.config.TTL
	}
	return time.Duration(o.Spec.LeaseDurationSeconds) * time.Second
}

// overdue reports whether the clocks of the holder and of this process say that a Lease has
// ended. Clocks may be wrong: it only decides whether waiting for expired is worthwhile.
func (s *Store) overdue(o object) bool {
	if o.Spec == nil {
		return false
	}
	renewed, err := time.Parse(time.RFC3339Nano, o.Spec.RenewTime)
	return err != nil || time.Since(renewed) > s.lasts(o)
}

// Lease is a lock that this process holds.
type Lease struct {
	store    *Store
	lock     string // the name of the lock
	topology string // that it is of
	token    Token

	running context.Context // ends with the lock
	stop    context.CancelFunc
	kept    sync.WaitGroup
	gone    chan struct{}
	once    sync.Once

	mu       sync.Mutex
	present  object    // the newest version that is known
	safe     time.Time // ours until then, by the monotonic clock
	released bool
}

func (s *Store) newLease(w Wanted, token Token) *Lease {
	l := &Lease{store: s, lock: w.Lock, topology: w.Topology, token: token, gone: make(chan struct{})}
	l.running, l.stop = context.WithCancel(context.Background())
	return l
}

// Name returns the lock and the token, by which others know that it is still the same.
func (l *Lease) Name() string { return l.lock + " " + l.token.String() }

// Lost is closed as soon as another process may hold the lock.
func (l *Lease) Lost() <-chan struct{} { return l.gone }

// Until returns when another process may get the lock, by the monotonic clock.
func (l *Lease) Until() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.safe
}

func (l *Lease) markLost() { l.once.Do(func() { close(l.gone) }) }

// isLost reports whether the lock is lost by now. A process that was stopped meanwhile finds
// out here, before its own timer runs.
func (l *Lease) isLost() bool {
	select {
	case <-l.gone:
		return true
	default:
		return time.Now().After(l.Until())
	}
}

// fences reports whether the ledger still has the token of this lock.
func (l *Lease) fences(c Content) bool {
	return !l.isLost() && c.token(l.topology) == l.token
}

// extend counts the lease from a time before the request that renewed it. Another process
// counts from when it saw that version, which is later.
func (l *Lease) extend(asked time.Time, written object) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ttl := l.store.config.TTL
	l.present, l.safe = written, asked.Add(ttl-min(maxMargin, ttl/3))
}

func (l *Lease) version() object {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.present
}

// keep renews the lease until the lock is released or lost.
func (l *Lease) keep() {
	defer l.kept.Done()
	defer l.markLost()
	every := time.NewTicker(l.store.config.TTL / 6)
	defer every.Stop()
	for {
		end := time.NewTimer(time.Until(l.Until()))
		select {
		case <-l.running.Done():
			end.Stop()
			return
		case <-end.C:
			return
		case <-every.C:
			end.Stop()
			if l.isLost() || !l.renew() {
				return
			}
		}
	}
}

// renew renews the lease and reports whether it is still ours. Without an answer it lasts as
// long as the last one said.
func (l *Lease) renew() bool {
	ctx, cancel := context.WithDeadline(l.running, l.Until())
	defer cancel()
	for range tries {
		asked, o := time.Now(), l.version()
		spec := *o.Spec
		spec.RenewTime = asked.UTC().Format(microTime)
		o.Spec = &spec
		written, done, err := l.store.put(ctx, leases, o, false)
		if err != nil {
			return true
		}
		if done {
			l.extend(asked, written)
			return true
		}
		if !l.reread(ctx) { // somebody annotated it, or took it
			return false
		}
	}
	return true
}

// reread takes up a version that somebody else wrote, and reports whether it is still our lease.
func (l *Lease) reread(ctx context.Context) bool {
	o, found, err := l.store.get(ctx, leases, l.lease())
	if err != nil {
		return true
	}
	if !found || tokenOf(o) != l.token {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.present = o
	return true
}

func (l *Lease) lease() string { return l.store.leaseName(l.lock) }

// leaseName is the name of the Lease of a lock.
func (s *Store) leaseName(lock string) string { return s.config.Name + "." + lock }

// Release frees the lock at once. If the API server does not answer, it ends with its lease.
// It is safe to call twice.
func (l *Lease) Release(ctx context.Context) error {
	l.mu.Lock()
	done := l.released
	l.released = true
	l.mu.Unlock()
	if done {
		return nil
	}
	l.stop()
	l.markLost()
	l.kept.Wait()
	return l.free(context.WithoutCancel(ctx))
}

// free writes that nobody holds the lock, unless another process does.
func (l *Lease) free(ctx context.Context) error {
	for range tries {
		o := l.version()
		spec := *o.Spec
		spec.HolderIdentity, o.Spec = "", &spec
		_, done, err := l.store.put(ctx, leases, o, false)
		if done || !l.reread(ctx) { // or it was freed, and only the answer was lost
			return nil
		}
		if err != nil {
			return err // it ends by itself
		}
	}
	return nil
}

// newID returns what no other taking of a lock has.
func newID() string {
	raw := make([]byte, 6)
	_, _ = rand.Read(raw) // it never fails
	return hex.EncodeToString(raw)
}

// claimed returns a Lease as a process that takes it writes it.
func (s *Store) claimedBy(o object, token Token, holder []byte, at time.Time) object {
	now := at.UTC().Format(microTime)
	o.Spec = &leaseSpec{
		HolderIdentity: token.ID, LeaseDurationSeconds: int(s.config.TTL / time.Second),
		AcquireTime: now, RenewTime: now, LeaseTransitions: token.Number,
	}
	annotations := map[string]string{holderText: string(holder)}
	for key, text := range o.Metadata.Annotations {
		if key != holderText {
			annotations[key] = text
		}
	}
	o.Metadata.Annotations = annotations
	return o
}

// describe adds the lock to an error.
func (s *Store) describe(lock string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("lease %s: %w", s.leaseName(lock), err)
}
