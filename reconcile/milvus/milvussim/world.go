package milvussim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
)

// DefaultLatency is how long a message takes to a standby over a link without a
// set lag.
const DefaultLatency = 5 * time.Millisecond

// Options of a World. The zero value is a World on the system clock with
// clusters of the profile DefaultProfile.
type Options struct {
	// Clock is the source of time; SystemClock if nil.
	Clock Clock
	// Seed makes the World's choices (connection identifiers) repeatable.
	Seed uint64
	// Profile is the version of clusters that name none; DefaultProfile if empty.
	Profile string
	// Latency is the time that a message takes over a link without a set lag;
	// DefaultLatency if 0.
	Latency time.Duration
	// NoAuthorization lets everybody in, as a Milvus without
	// common.security.authorizationEnabled does.
	NoAuthorization bool
	// Authority signs what clusters show to clients; nil: they speak no TLS.
	Authority *Authority
}

// DefaultProfile is the version that a cluster has if nothing else is said.
const DefaultProfile = "2.6.19"

// World is a set of simulated clusters, the links between them and the record of
// every call that they got. Its methods may be called from any goroutine.
type World struct {
	mu       sync.Mutex
	clock    Clock
	random   *rand.Rand
	options  Options
	server   *grpc.Server
	clusters []*cluster
	byID     map[string]*cluster
	byURI    map[string]*cluster
	links    map[link]*linkState
	events   eventHeap
	eventSeq uint64
	disarm   func()
	calls    []*call
	control  *controlServer
	serving  sync.WaitGroup
	closed   bool
	accepted atomic.Int64 // connections
}

// New makes an empty World. Close it when it is no longer needed.
func New(o Options) *World {
	if o.Clock == nil {
		o.Clock = SystemClock{}
	}
	if o.Profile == "" {
		o.Profile = DefaultProfile
	}
	if o.Latency == 0 {
		o.Latency = DefaultLatency
	}
	w := &World{
		clock: o.Clock, options: o, random: rand.New(rand.NewPCG(o.Seed, 0)),
		byID: map[string]*cluster{}, byURI: map[string]*cluster{}, links: map[link]*linkState{},
	}
	w.server = w.newServer()
	return w
}

// Start makes the clusters and has them serve. Clusters that come with a
// configuration are set up as if they had had it for a while: a standby whose
// source has the edge too has replicated everything. It may be called again for
// more clusters. On an error none of these clusters is left.
func (w *World) Start(specs ...ClusterSpec) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return errors.New("world is closed")
	}
	before := len(w.clusters)
	if err := w.add(specs); err != nil {
		w.removeFrom(before)
		return err
	}
	w.settle(specs)
	return nil
}

func (w *World) add(specs []ClusterSpec) error {
	for _, spec := range specs {
		c, err := w.newCluster(spec)
		if err != nil {
			return fmt.Errorf("cluster %q: %w", spec.ID, err)
		}
		w.clusters = append(w.clusters, c)
		w.byID[c.id] = c
		if err := c.endpoint.open(); err != nil {
			return fmt.Errorf("cluster %q: %w", spec.ID, err)
		}
		c.running = true
		if c.uri == "" {
			c.uri = "http://" + c.address
		}
		if other := w.byURI[c.uri]; other != nil {
			return fmt.Errorf("cluster %q: uri %s belongs to cluster %q", spec.ID, c.uri, other.id)
		}
		w.byURI[c.uri] = c
	}
	return nil
}

func (w *World) removeFrom(n int) {
	for _, c := range w.clusters[n:] {
		c.kill()
		c.endpoint.release()
		delete(w.byID, c.id)
		if w.byURI[c.uri] == c {
			delete(w.byURI, c.uri)
		}
	}
	w.clusters = w.clusters[:n]
}

// Close stops every cluster and the control server. It is safe to call twice.
func (w *World) Close() {
	w.mu.Lock()
	if !w.closed {
		for _, c := range w.clusters {
			c.kill()
			c.endpoint.release()
		}
		w.closed = true
		w.arm()
	}
	control := w.control
	w.mu.Unlock()
	control.close()
	w.server.Stop()
	w.serving.Wait()
}

// cluster is the cluster of that id, or an error that names it.
func (w *World) cluster(id string) (*cluster, error) {
	if c := w.byID[id]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("%w: %q", ErrUnknownCluster, id)
}

// ErrUnknownCluster is the error for a cluster that the World does not have.
var ErrUnknownCluster = errors.New("unknown cluster")

// ClusterAddress is one cluster with the address at which it serves.
type ClusterAddress struct {
	ID      string `json:"id"`
	Address string `json:"address"`
}

// Addresses lists the clusters in the order in which they were started.
func (w *World) Addresses() []ClusterAddress {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]ClusterAddress, len(w.clusters))
	for i, c := range w.clusters {
		out[i] = ClusterAddress{ID: c.id, Address: c.address}
	}
	return out
}

// Address is where the cluster serves; "" for an id that the World does not
// have.
func (w *World) Address(id string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.byID[id]; c != nil {
		return c.address
	}
	return ""
}
