package conformance

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// start is the state in which a case begins.
type start int

const (
	healthy      start = iota // A→B, everything replicated
	unconfigured              // A, B and C were never configured
	apart                     // each on its own: never configured if simulated, else alone
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
	// needs: the case breaks something that a Breaker can break.
	needs []string
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
	for _, c := range targetOrder(Cases()) {
		t.Run(c.ID+" "+c.Title, func(t *testing.T) {
			if reason := c.skipped(target); reason != "" {
				t.Skip(reason)
			}
			e := &env{t: t, a: &target.A, b: &target.B, c: target.C, patience: target.Patience, breaker: target.Breaker, tls: target.TLS}
			if e.patience == 0 {
				e.patience = realPatience
			}
			for _, c := range e.clusters() {
				e.dial(c)
			}
			e.prepare(c.start, target.Expendable)
			c.run(e)
		})
	}
}

// targetOrder has the cases about clusters that were never configured first: a
// cluster never returns to that state.
func targetOrder(all []Case) []Case {
	first := func(c Case) bool { return c.start == unconfigured }
	return slices.Concat(
		slices.DeleteFunc(slices.Clone(all), func(c Case) bool { return !first(c) }),
		slices.DeleteFunc(slices.Clone(all), first))
}

// skipped says why a case cannot run on a target; "" if it can.
func (c Case) skipped(target Target) string {
	switch {
	case c.simulated:
		return "needs the simulator: it breaks a cluster from inside, or for good"
	case c.version != "":
		return "wants version " + c.version
	case c.start == wide && target.C == nil:
		return "needs a third cluster: MILVUS_C"
	case !c.readOnly && !target.Expendable:
		return "changes roles; it runs only on clusters that are said to be expendable"
	}
	if lack := target.Breaker.lacks(c.needs); len(lack) > 0 {
		return "needs commands that break a cluster: " + strings.Join(lack, ", ")
	}
	return ""
}

// clusters are those under test.
func (e *env) clusters() []*Cluster {
	if e.c == nil {
		return []*Cluster{e.a, e.b}
	}
	return []*Cluster{e.a, e.b, e.c}
}

// prepare brings real clusters to the start of a case.
func (e *env) prepare(s start, expendable bool) {
	e.t.Helper()
	switch {
	case s == unconfigured:
		if !e.fresh(e.a) || !e.fresh(e.b) {
			e.t.Skip("needs clusters that were never configured; run it first on new ones")
		}
	case !expendable:
	case s == apart:
		e.part()
	case s == wide:
		e.converge(e.b, e.c)
	default:
		e.converge(e.b)
	}
}

// fresh tells whether a cluster was never configured: it has nothing to read, or
// blocks the read while its coordinator answers (M §1.2).
func (e *env) fresh(c *Cluster) bool {
	e.t.Helper()
	resp, err := e.readErr(e.brief(c), c)
	if err == nil {
		return len(resp.GetConfiguration().GetClusters()) == 0
	}
	_, err = c.rpc.ListDatabases(e.long(c), &milvuspb.ListDatabasesRequest{})
	return err == nil
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
	if c.start == unconfigured || c.start == apart {
		specs = milvussim.Unconfigured(topology)
	}
	if err := w.Start(specs...); err != nil {
		t.Fatal(err)
	}
	e := &env{t: t, world: w, breaker: simulatedBreaker(w), patience: simulatedPatience}
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
