package milvus

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/url"
	"sync"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/localpause"
	"milvus-reconcile/reconcile/milvus/tokens"
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
	Credentials []Credential
	// Tokens reads each token of the credentials, each of those that are the same once: many
	// clusters may share one file. Nil: those of the credentials.
	Tokens        []func() (string, error)
	Concurrency   int           // clusters, and channels of each, that are read at once
	ReadTimeout   time.Duration // of a read or probe
	UpdateTimeout time.Duration // of one attempt to send a configuration
	Clock         Clock
	// KeepFor is how old a connection may become that one observation leaves for the next.
	// A process that observes again and again sets it. Zero: none is kept. Probes,
	// requests and verifications always make a new connection.
	KeepFor time.Duration
	// OneShot is for a process that observes or acts once: its rounds read the candidate over
	// a brief connection. With KeepFor zero its observations do so as well, of what three
	// calls tell of a cluster.
	OneShot bool
}

// tokens returns what reads every token of the credentials.
func (c Config) tokens() []func() (string, error) {
	if c.Tokens != nil {
		return c.Tokens
	}
	out := make([]func() (string, error), 0, 2*len(c.Credentials))
	for _, cred := range c.Credentials {
		out = append(out, cred.Token, cred.ReplicationToken)
	}
	return out
}

// Fleet is every cluster that the operator's configuration lets us call. Its
// methods may be called from any goroutine. It keeps no connection between
// two calls of a method, so that each observation also tells whether the
// cluster can be connected to; with KeepFor one that says so less often.
type Fleet struct {
	credentials   map[string]Credential
	tokens        []func() (string, error) // every one of the credentials
	concurrency   int
	readTimeout   time.Duration
	updateTimeout time.Duration
	keepFor       time.Duration
	once          bool // Config.OneShot
	oneShot       bool // the same, and no connection is kept
	mostKept      int
	awaitSoon     time.Duration // see shortWhile
	wakeUpEvery   time.Duration // see package localpause
	clock         Clock
	secrets       tokens.Known
	learnt        sync.Once // all tokens that can be read

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

// NewFleet makes a fleet. It calls no cluster. If one cluster has two credentials,
// neither is used: it is not clear which one the operator means.
func NewFleet(c Config) *Fleet {
	f := &Fleet{
		credentials: map[string]Credential{}, tokens: c.tokens(), concurrency: c.Concurrency,
		readTimeout: c.ReadTimeout, updateTimeout: c.UpdateTimeout, clock: c.Clock, keepFor: c.KeepFor, once: c.OneShot, oneShot: c.OneShot && c.KeepFor <= 0, mostKept: maxKept, kept: map[string]kept{}, dumpingBuilds: map[string]dumpingBuild{}, raised: map[string]raised{},
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
	f.awaitSoon, f.wakeUpEvery = min(shortWhile, f.readTimeout/quarter), localpause.Every
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

// access is the right to call one cluster, decided before any call.
type access struct {
	cluster    plan.Cluster
	credential plan.Credential
	reason     string // why it may not be called; empty: it may
	bound      Credential
}

func (a access) allowed() bool { return a.reason == "" }

// bind decides for every member of a topology whether it may be called
// (contract.md §3). One mismatch forbids calls to all of them: somebody
// may be collecting what we send.
func bind(t plan.Topology, credentials map[string]Credential) map[string]access {
	out := make(map[string]access, len(t.Clusters))
	offender := ""
	for _, c := range t.Clusters {
		a := access{cluster: c}
		cred, ok := credentials[c.ID]
		switch {
		case !ok:
			a.reason = fmt.Sprintf("the operator's configuration has no credential for %s", c.ID)
		case !fits(c, cred):
			a.credential = plan.CredentialMismatch
			a.reason = fmt.Sprintf("%s is bound to another address or uri in the operator's configuration", c.ID)
			offender = c.ID
		default:
			a.credential, a.bound = plan.CredentialBound, cred
		}
		out[c.ID] = a
	}
	if offender == "" {
		return out
	}
	for id, a := range out {
		if a.allowed() {
			a.reason = fmt.Sprintf("no cluster of this topology is called, since %s is bound to another address or uri", offender)
			out[id] = a
		}
	}
	return out
}

// mismatched says whether the topology names an address or uri that the
// operator's configuration does not bind.
func mismatched(access map[string]access) bool {
	for _, a := range access {
		if a.credential == plan.CredentialMismatch {
			return true
		}
	}
	return false
}

// fits says whether a cluster of a topology is exactly what its credential is
// bound to.
func fits(c plan.Cluster, cred Credential) bool {
	return c.ClientAddress == cred.Address && uriFits(c.URI, cred)
}

// uriFits compares with the bound uri; without one, the uri must lead to the
// bound address and nowhere below it.
func uriFits(uri string, cred Credential) bool {
	if cred.URI != "" {
		return uri == cred.URI
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	return u.Host == cred.Address && (u.Path == "" || u.Path == "/")
}

// ticket is what one call needs: where to, and with which token.
type ticket struct {
	cluster string
	address string
	token   string
	tls     *tls.Config
}

// bind decides who of a topology may be called; what its document tells is no
// secret from then on.
func (f *Fleet) bind(t plan.Topology) map[string]access {
	f.secrets.Publish(t)
	return bind(t, f.credentials)
}

// learn reads every token, so that a cluster which repeats one is found out: each
// was told those by which it reaches the others, perhaps by another process.
func (f *Fleet) learn() {
	for _, read := range f.tokens {
		f.secrets.Learn(read)
	}
}

// ticket reads the token and certificates of an allowed cluster.
func (f *Fleet) ticket(a access) (ticket, error) {
	f.learnt.Do(f.learn)
	f.secrets.Learn(a.bound.ReplicationToken) // it may have been rotated
	conf, err := a.bound.tlsNow()
	if err != nil {
		return ticket{}, fmt.Errorf("the TLS of %s cannot be used: %w", a.cluster.ID, err)
	}
	t := ticket{cluster: a.cluster.ID, address: a.bound.Address, tls: conf}
	if a.bound.Token == nil {
		return t, nil
	}
	token, err := a.bound.Token()
	if err != nil {
		return ticket{}, fmt.Errorf("read the token of %s: %w", a.cluster.ID, err)
	}
	f.secrets.Add(token)
	t.token = token
	return t, nil
}

// replicationToken reads the token by which the others reach a cluster. It is
// given out only for exactly the bound uri.
func (f *Fleet) replicationToken(cred Credential, uri string) (string, error) {
	if !uriFits(uri, cred) {
		return "", fmt.Errorf("%s is bound to another uri in the operator's configuration", cred.ClusterID)
	}
	read := cred.ReplicationToken
	if read == nil {
		read = cred.Token
	}
	if read == nil {
		return "", nil
	}
	token, err := read()
	if err != nil {
		return "", fmt.Errorf("read the replication token of %s: %w", cred.ClusterID, err)
	}
	f.secrets.Add(token)
	return token, nil
}

// Hide returns a text without the tokens of the clusters.
func (f *Fleet) Hide(text string) string {
	f.learn() // a token may have been rotated
	return f.secrets.Scrub(text)
}
