package redirect

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/kubeapi"
	"milvus-reconcile/reconcile/notify"
)

// Target is one way to move traffic. Exactly one of Exec, Webhook, File, HAProxy, DNS and
// Kubernetes is set.
type Target struct {
	Name       string
	Topologies []string      // that it serves; empty: all
	Timeout    time.Duration // of one set or check; 0: 30 s
	Exec       *Exec
	Webhook    *Webhook
	File       *File
	HAProxy    *HAProxy
	// Stay is for how long clients may still reach the old primary, as the operator knows
	// it. Not known: as the target says.
	Stay       plan.Stay
	DNS        *DNS
	Kubernetes *Kubernetes
}

// Exec starts a program, without a shell.
type Exec struct {
	Command []string // program and arguments; exit code 0: done
	Check   []string // exit code 0: traffic goes to the primary; empty: cannot be asked
}

// Webhook calls URLs.
type Webhook struct {
	URL      string
	Secret   func() (string, error) // key of the signature; nil: unsigned
	CheckURL string                 // empty: cannot be asked
}

// File renders a template.
type File struct {
	Template string // path
	Path     string
	Mode     fs.FileMode // permissions
}

// HAProxy moves the servers of one backend.
type HAProxy struct {
	Address string // unix:PATH or host:port of the runtime API
	Backend string
	Servers map[string]string // HAProxy's server names by cluster id
}

// DNS moves one record of a zone, by dynamic updates.
type DNS struct {
	Server    string // host:port of the server that takes updates
	Zone      string
	Name      string              // of the record, with its zone
	Type      string              // A, AAAA, CNAME or SRV
	TTL       time.Duration       // in whole seconds
	Values    map[string][]string // of the record, by cluster id; empty: from the clusters' addresses
	KeyName   string
	Algorithm string                 // hmac-sha256 or hmac-sha512
	Secret    func() (string, error) // in base64
	// SecretInShell is what a shell puts in place of the secret, for the command of a remedy.
	SecretInShell string
	Servers       []string // host:port of all that must answer; empty: the name servers of the zone
}

// Kubernetes points a Service at a cluster. Exactly one of Selectors, Endpoints and
// ExternalNames is set; each holds an entry by cluster id.
type Kubernetes struct {
	API                kubeapi.Config
	Namespace, Service string
	Port               string // of the Service, for Endpoints; empty: it has only one
	Selectors          map[string]map[string]string
	Endpoints          map[string][]netip.AddrPort
	ExternalNames      map[string]string
}

// Options holds the dependencies of a [Redirector].
type Options struct {
	// Addresses holds host:port by cluster id, from the operator's configuration. Targets
	// receive no other cluster.
	Addresses map[string]string
	// Poster delivers webhooks; its clock and sleep are used for all targets.
	Poster notify.Poster
	// Dial connects to DNS servers; nil: [net.Dialer].
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

func (o Options) now() time.Time {
	if o.Poster.Clock == nil {
		return time.Now()
	}
	return o.Poster.Clock()
}

// Redirector moves the traffic of topologies. Use [New]. It is safe for use by
// several goroutines.
type Redirector struct {
	options Options
	targets []target
}

type target struct {
	Target
	mover mover
}

// mover is one kind of target.
type mover interface {
	// concerns reports whether the target serves this traffic.
	concerns(w desiredTraffic) bool
	set(ctx context.Context, w desiredTraffic) error
	// check returns nil if traffic goes to the primary, and errCannotAsk if the target
	// has no check. It says how long clients stay with what it sends them to now.
	check(ctx context.Context, w desiredTraffic) (plan.Stay, error)
	// rehearse returns why set would fail, as far as it can be found without a change.
	rehearse(ctx context.Context, w desiredTraffic) error
}

// replacer is a target that knows what its set replaced.
type replacer interface {
	// replace is set.
	replace(ctx context.Context, w desiredTraffic) (replaced, error)
}

// replaced is what a set replaced. The zero value says nothing of it.
type replaced struct {
	stay plan.Stay // how long clients stay with it
	gone string    // what was seen of it after the set, as "no session was left on a1"
}

// errCannotAsk: the target has no check.
var errCannotAsk = errors.New("the target cannot be asked")

// endpoint is one cluster of the operator's configuration.
type endpoint struct {
	Cluster string `json:"cluster"`
	Address string `json:"address"`
}

// desiredTraffic says where the traffic of one topology should go.
type desiredTraffic struct {
	target   string
	named    bool // the target's configuration names the topology
	topology string
	primary  endpoint
	stale    []endpoint // by cluster
	id       string     // of one Set, the same at every attempt
}

const (
	defaultTimeout = 30 * time.Second
	attempts       = 4 // over 1, 2 and 4 s
)

// New prepares targets and calls none.
func New(targets []Target, o Options) (*Redirector, error) {
	r := &Redirector{options: o}
	var bad []error
	for _, t := range targets {
		m, err := t.mover(o)
		if err != nil {
			bad = append(bad, fmt.Errorf("redirect target %s: %w", t.Name, err))
			continue
		}
		if t.Timeout <= 0 {
			t.Timeout = defaultTimeout
		}
		r.targets = append(r.targets, target{t, m})
	}
	slices.SortStableFunc(r.targets, func(a, b target) int { return strings.Compare(a.Name, b.Name) })
	if err := errors.Join(bad...); err != nil {
		return nil, err
	}
	return r, nil
}

func (t Target) mover(o Options) (mover, error) {
	switch {
	case t.Exec != nil && len(t.Exec.Command) > 0:
		return command{*t.Exec}, nil
	case t.Webhook != nil:
		return hook{*t.Webhook, o.Poster}, nil
	case t.File != nil:
		return file{*t.File}, nil
	case t.HAProxy != nil:
		return newBackend(*t.HAProxy)
	case t.DNS != nil:
		return newName(*t.DNS, o)
	case t.Kubernetes != nil:
		return newKubeService(*t.Kubernetes, o.now)
	}
	return nil, errors.New("it does not say how to redirect (hint: write exactly one of exec, webhook, file, haproxy, dns, kubernetes)")
}

// Set points every target that serves the topology at primary and away from stale, and
// checks where the traffic goes. It returns one state for each target, by name; none: no
// target serves the topology.
func (r *Redirector) Set(ctx context.Context, topology, primary string, stale []string) []plan.TrafficState {
	return r.forEachTarget(topology, primary, stale, func(t target, w desiredTraffic) (found, error) { return r.settle(ctx, t, w) })
}

// Check asks the targets that have a check whether traffic goes to primary and to no stale
// cluster. Of the others it says only how long clients stay, if the operator knows it.
func (r *Redirector) Check(ctx context.Context, topology, primary string, stale []string) []plan.TrafficState {
	return r.forEachTarget(topology, primary, stale, func(t target, w desiredTraffic) (found, error) {
		stay, err := t.check(ctx, w)
		return found{stay: stay}, err
	})
}

// found is what a set or a check found.
type found struct {
	stay plan.Stay
	seen string // what a set saw; see [plan.TrafficState]
}

// settle sets and checks until both succeed, attempts times at most. It says how long
// clients stay with what was replaced, and what was seen of that.
func (r *Redirector) settle(ctx context.Context, t target, w desiredTraffic) (found, error) {
	var was replaced
	set := t.mover.set
	if x, ok := t.mover.(replacer); ok {
		set = func(ctx context.Context, w desiredTraffic) error {
			now, err := x.replace(ctx, w)
			if now.stay.Known {
				was.stay = now.stay
			}
			was.gone = cmp.Or(now.gone, was.gone)
			return err //nolint:wrapcheck // withTimeout does
		}
	}
	begun := r.options.now()
	for n := 1; ; n++ {
		err := t.withTimeout(ctx, w, set)
		if err == nil {
			if _, err = t.check(ctx, w); errors.Is(err, errCannotAsk) {
				return found{stay: t.stayOr(was.stay)}, nil
			}
		}
		if err == nil {
			return found{t.stayOr(was.stay), seenWords(r.options.now().Sub(begun), was.gone)}, nil
		}
		if n == attempts || r.options.Poster.Wait(ctx, n) != nil {
			return found{stay: t.stayOr(was.stay)}, err
		}
	}
}

// seenWords say when a target was seen to lead to the primary, and what was seen of the rest.
func seenWords(after time.Duration, gone string) string {
	words := "within " + plan.UpperBoundText(after)
	if gone != "" {
		words += ", " + gone
	}
	return words
}

// stayOr is what the operator knows of how long clients stay; else what the target says.
func (t target) stayOr(stay plan.Stay) plan.Stay {
	if t.Stay.Known {
		return t.Stay
	}
	return stay
}

func (t target) check(ctx context.Context, w desiredTraffic) (stay plan.Stay, err error) {
	err = t.withTimeout(ctx, w, func(ctx context.Context, w desiredTraffic) (err error) {
		stay, err = t.mover.check(ctx, w)
		return err //nolint:wrapcheck // withTimeout does
	})
	return t.stayOr(stay), err
}

// withTimeout bounds one call by the target's timeout. Its error names an exceeded timeout.
func (t target) withTimeout(ctx context.Context, w desiredTraffic, call func(context.Context, desiredTraffic) error) error {
	bounded, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	err := call(bounded, w)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("it did not end within %s: %w", plan.DurationText(t.Timeout), err)
	}
	return err
}

// forEachTarget calls do for every target that serves the topology, in parallel.
func (r *Redirector) forEachTarget(topology, primary string, stale []string, do func(target, desiredTraffic) (found, error)) []plan.TrafficState {
	w := desiredTraffic{topology: topology, id: rand.Text()}
	address, known := r.options.Addresses[primary]
	w.primary = endpoint{primary, address}
	for _, id := range slices.Sorted(slices.Values(stale)) {
		if a, ok := r.options.Addresses[id]; ok && id != primary {
			w.stale = append(w.stale, endpoint{id, a})
		}
	}
	var serving []target
	for _, t := range r.targets {
		w.target, w.named = t.Name, slices.Contains(t.Topologies, topology)
		if (w.named || len(t.Topologies) == 0) && t.mover.concerns(w) {
			serving = append(serving, t)
		}
	}
	errs, all := make([]error, len(serving)), make([]found, len(serving))
	var wg sync.WaitGroup
	for i, t := range serving {
		w := w
		w.target, w.named = t.Name, slices.Contains(t.Topologies, topology)
		wg.Go(func() {
			if !known {
				errs[i] = fmt.Errorf("the operator's configuration holds no address of %s (hint: add it to credentials)", primary)
				return
			}
			all[i], errs[i] = do(t, w)
		})
	}
	wg.Wait()
	return states(topology, serving, all, errs)
}

// states returns the results of the targets, by name.
func states(topology string, targets []target, all []found, errs []error) []plan.TrafficState {
	var out []plan.TrafficState
	for i, t := range targets {
		s := plan.TrafficState{Topology: topology, Target: t.Name, OK: errs[i] == nil, Stay: all[i].stay, Seen: all[i].seen}
		switch {
		case errors.Is(errs[i], errCannotAsk):
			s.OK, s.Unasked = true, true
		case errs[i] != nil:
			s.Detail = errs[i].Error()
		}
		out = append(out, s)
	}
	return out
}

// otherClusters returns the sorted cluster ids of a map, except but.
func otherClusters(servers map[string]string, but string) []string {
	ids := slices.Sorted(maps.Keys(servers))
	return slices.DeleteFunc(ids, func(id string) bool { return id == but })
}
