// Package permit says under which conditions an adapter may send the requests of a
// step that changes a cluster. A pass issues the permit, under its lock and its
// approval; the adapter asks it before each request. Both package
// reconcile and the adapters import this package, since they do not import each other.
package permit

import (
	"context"
	"time"
)

// Permit says under which conditions the requests of one step may be sent. The zero
// value sets no condition.
type Permit struct {
	// Recheck is called before every request but the first, and before the first one too if
	// that is late. An error ends the attempts.
	Recheck func(context.Context) error
	// Until returns when another process may get the lock (contract.md §8.11). It is
	// asked before every request: no request is sent after that time, and no request
	// outlives it. Nil, or the zero time: the lock does not expire.
	Until func() time.Time
	// HalfPromoted is called at every read that certainly shows a half-done force promote,
	// with the duration of that state. It may act to end the state. May be nil.
	HalfPromoted func(ctx context.Context, lasted time.Duration)
	// KnownHalfPromoted says that the cluster was half promoted when the plan was made: its
	// channels are read before anything is sent.
	KnownHalfPromoted bool
}

// Left returns the time limit of a request: usual, or less if the lock expires earlier.
func (p Permit) Left(usual time.Duration) time.Duration {
	if p.Until == nil {
		return usual
	}
	until := p.Until()
	if until.IsZero() {
		return usual
	}
	return min(usual, time.Until(until))
}
