package conformance

import (
	"slices"
	"sync/atomic"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// start is the state in which a case begins.
type start int

const (
	healthy      start = iota // A→B, everything replicated
	unconfigured              // A, B and C were never configured
	wide                      // A→B and A→C
)

// Case is one case of the suite. Its ID is that of a scenario, or Inn for a
// statement that the contract marks as inferred.
type Case struct {
	ID    string
	Title string

	start start
	// version is the profile of the clusters, the default one if empty. A case
	// with a version runs on the simulator only.
	version string
	// simulated: the case breaks something that only the simulator can break.
	simulated bool
	// readOnly: the case changes no role and may run on clusters that matter.
	readOnly bool
	run      func(*env)
}

// Cases lists the suite in order of id.
func Cases() []Case {
	all := slices.Concat(safetyCases(), callCases(), forceCases(), durabilityCases(), readCases(), lagCases(), inferredCases())
	slices.SortStableFunc(all, func(x, y Case) int {
		switch {
		case x.ID < y.ID:
			return -1
		case x.ID > y.ID:
			return 1
		}
		return 0
	})
	return all
}

// RunSimulated runs every case, each against clusters of its own.
func RunSimulated(t *testing.T) {
	for _, c := range Cases() {
		t.Run(c.ID+" "+c.Title, func(t *testing.T) {
			t.Parallel()
			c.run(simulate(t, c))
		})
	}
}

// RunTarget runs the cases that make sense on real clusters, one after another.
func RunTarget(t *testing.T, target Target) {
	for _, c := range Cases() {
		t.Run(c.ID+" "+c.Title, func(t *testing.T) {
			switch {
			case c.simulated || c.version != "" || c.start != healthy:
				t.Skip("needs the simulator: it breaks the cluster from inside, wants another version, or clusters that were never configured")
			case !c.readOnly && !target.Expendable:
				t.Skip("changes roles; it runs only on clusters that are said to be expendable")
			}
			e := &env{t: t, a: &target.A, b: &target.B, patience: target.Patience}
			if e.patience == 0 {
				e.patience = realPatience
			}
			e.dial(e.a)
			e.dial(e.b)
			if target.Expendable {
				e.converge()
			}
			c.run(e)
		})
	}
}

// converge brings a pair of expendable clusters back to A→B, whatever the case
// before has left: each alone first, then linked anew.
func (e *env) converge() {
	e.t.Helper()
	want := star(e.a, e.b)
	if e.stored(e.a) != e.names("A→B") || e.stored(e.b) != e.names("A→B") || !ordered(e.read(e.a), want) {
		first, second := e.a, e.b
		if e.standby(e.a) {
			first, second = e.b, e.a
		}
		e.separate(first)
		e.separate(second)
		e.call(e.a, want)
		e.call(e.b, want)
	}
	e.flowing(e.a, e.b)
}

// separate makes a cluster a primary of its own. It may become one by
// replication meanwhile, so an error is no verdict.
func (e *env) separate(c *Cluster) {
	e.t.Helper()
	e.eventually(c.ID+" is alone", func() bool {
		if e.alone(c) {
			return true
		}
		standby := e.standby(c)
		// A removal that a source has sent must arrive: forcing the standby first
		// would leave the source's task behind, and that would replay the removal
		// as soon as the two are linked again (M §4.4).
		if standby && e.within(e.patience, func() bool { return e.alone(c) }) {
			return true
		}
		e.send(e.long(c), c, star(c), standby)
		return false
	})
}

func (e *env) alone(c *Cluster) bool { return len(e.read(c).GetClusters()) == 1 }

func (e *env) standby(c *Cluster) bool {
	return slices.ContainsFunc(e.read(c).GetCrossClusterTopology(), func(edge *commonpb.CrossClusterTopology) bool {
		return edge.GetTargetClusterId() == c.ID
	})
}

// ordered tells whether two configurations list the same clusters in the same
// order.
func ordered(x, y *commonpb.ReplicateConfiguration) bool {
	return slices.EqualFunc(x.GetClusters(), y.GetClusters(), func(a, b *commonpb.MilvusCluster) bool {
		return a.GetClusterId() == b.GetClusterId()
	})
}

// simulate starts the clusters of a case.
func simulate(t *testing.T, c Case) *env {
	t.Helper()
	w := milvussim.New(milvussim.Options{Profile: c.version})
	t.Cleanup(w.Close)
	topology := milvussim.Pair("a", "b")
	if c.start != healthy {
		topology = append(topology, milvussim.ClusterSpec{ID: "c", Role: milvussim.Standby})
	}
	specs := milvussim.Converged(topology)
	if c.start == unconfigured {
		specs = milvussim.Unconfigured(topology)
	}
	if err := w.Start(specs...); err != nil {
		t.Fatal(err)
	}
	e := &env{t: t, world: w, patience: simulatedPatience}
	for _, slot := range []struct {
		id string
		to **Cluster
	}{{"a", &e.a}, {"b", &e.b}, {"c", &e.c}} {
		if address := w.Address(slot.id); address != "" {
			*slot.to = &Cluster{
				ID: slot.id, Address: address, URI: "http://" + address,
				Token: milvussim.RootToken, PChannels: milvussim.DefaultPChannels,
			}
			e.dial(*slot.to)
		}
	}
	return e
}

// counter makes names of collections that no other case uses.
var counter atomic.Int64

func (e *env) count() int64 { return counter.Add(1) }
