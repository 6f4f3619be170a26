package milvus

import (
	"crypto/tls"
	"io"
	"sync"
	"time"

	"milvus-reconcile/reconcile/milvus/tokens"
	"milvus-reconcile/reconcile/milvus/unary"
)

// The deadlines of contract.md §8.5, and how much is done at once.
const (
	DefaultReadTimeout   = 3 * time.Second
	DefaultUpdateTimeout = 60 * time.Second
	DefaultConcurrency   = 8
)

// shortWhile is how long a read waits for something that nearly always comes at once,
// before it asks in parallel for what it needs only without it (doc.go shows where). So a
// healthy cluster costs no second call, and a lost one no second deadline. The wait is
// never more than a quarter of the read timeout.
const (
	shortWhile = 250 * time.Millisecond
	quarter    = 4
)

// Credential lets one cluster be called (contract.md §3, credentials).
type Credential struct {
	ClusterID string
	Address   string // where the token may go
	URI       string // the only uri that may go with it; empty: Address with http:// or https://
	// Token is asked before each use, so that a rotated file is read again. Nil
	// is a server without authentication.
	Token func() (string, error)
	// ReplicationToken is connection_param.token for the other members; nil: Token.
	ReplicationToken func() (string, error)
	// TLS is asked before each connection, so that renewed certificates are used;
	// it returns the same pointer while nothing changed. With an error the cluster is
	// not called. Nil: plaintext.
	TLS func() (*tls.Config, error)
}

// tlsNow returns the TLS of the next connection; nil: plaintext.
func (c Credential) tlsNow() (*tls.Config, error) {
	if c.TLS == nil {
		return nil, nil //nolint:nilnil // nil is plaintext
	}
	return c.TLS()
}

// Clock is the source of time between calls. Deadlines of calls are always
// the machine's.
type Clock interface {
	Now() time.Time
	// After sends once d has passed.
	After(d time.Duration) <-chan time.Time
}

// Config of a Fleet. Zero durations, concurrency and clock take the defaults.
type Config struct {
	Credentials   []Credential
	Concurrency   int           // clusters, and channels of each, that are read at once
	ReadTimeout   time.Duration // of a read or probe
	UpdateTimeout time.Duration // of one attempt to send a configuration
	Clock         Clock
	// KeepFor is how old a connection may become that one observation leaves for the next.
	// A process that observes again and again sets it. Zero: none is kept. Probes,
	// requests and verifications always make a new connection.
	KeepFor time.Duration
	// OneShot is for a process that observes once: what three calls tell of a cluster is
	// read over a brief connection. Only with KeepFor zero.
	OneShot bool
}

// Fleet is every cluster that the operator's configuration lets us call. Its
// methods may be called from any goroutine. It keeps no connection between
// two calls of a method, so that each observation also tells whether the
// cluster can be connected to; with KeepFor one that says so less often.
type Fleet struct {
	credentials   map[string]Credential
	concurrency   int
	readTimeout   time.Duration
	updateTimeout time.Duration
	keepFor       time.Duration
	oneShot       bool
	mostKept      int
	awaitSoon     time.Duration // see shortWhile
	wakeUpEvery   time.Duration // see localPause
	clock         Clock
	secrets       tokens.Known
	learnt        sync.Once // all tokens that can be read
	brief         unary.Dialer

	mu            sync.Mutex
	open          map[io.Closer]struct{}
	kept          map[string]kept         // by cluster
	dumpingBuilds map[string]dumpingBuild // by cluster
	raised        map[string]raised       // by cluster
	throwaways    map[string]struct{}     // in use now
	origins       map[route]origin
	sessions      map[string]tlsSession // by cluster
	resting       map[string]*atRest    // by topology
	ended         bool
}

// NewFleet makes a fleet. It calls nobody. Of two credentials for one cluster
// neither is used: it cannot be told which one the operator means.
func NewFleet(c Config) *Fleet {
	f := &Fleet{
		credentials: map[string]Credential{}, concurrency: c.Concurrency,
		readTimeout: c.ReadTimeout, updateTimeout: c.UpdateTimeout, clock: c.Clock, keepFor: c.KeepFor, oneShot: c.OneShot && c.KeepFor <= 0, mostKept: maxKept, kept: map[string]kept{}, dumpingBuilds: map[string]dumpingBuild{}, raised: map[string]raised{},
		open: map[io.Closer]struct{}{}, throwaways: map[string]struct{}{}, origins: map[route]origin{}, sessions: map[string]tlsSession{}, resting: map[string]*atRest{},
	}
	twice := map[string]bool{}
	for _, cred := range c.Credentials {
		_, known := f.credentials[cred.ClusterID]
		twice[cred.ClusterID] = known || twice[cred.ClusterID]
		f.credentials[cred.ClusterID] = cred
	}
	for id, is := range twice {
		if is {
			delete(f.credentials, id)
		}
	}
	if f.concurrency <= 0 {
		f.concurrency = DefaultConcurrency
	}
	if f.readTimeout <= 0 {
		f.readTimeout = DefaultReadTimeout
	}
	if f.updateTimeout <= 0 {
		f.updateTimeout = DefaultUpdateTimeout
	}
	if f.clock == nil {
		f.clock = wallClock{}
	}
	f.awaitSoon, f.wakeUpEvery = min(shortWhile, f.readTimeout/quarter), wakeUpEvery
	f.brief.Idle = f.awaitSoon / 2
	if !f.oneShot { // it may wait for the tick of the primary between two calls
		f.brief.Idle += f.readTimeout
	}
	return f
}

// Close ends every connection that is still in use, and lets no new one be made.
func (f *Fleet) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	for conn := range f.open {
		_ = conn.Close() // its user sees the end of its calls
	}
}

// Reader is the part of a fleet that changes nothing. It is what planning gets.
type Reader struct{ fleet *Fleet }

// Reader returns the part that changes nothing.
func (f *Fleet) Reader() *Reader { return &Reader{fleet: f} }

type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

func (wallClock) After(d time.Duration) <-chan time.Time { return time.After(d) }
