package conformance

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
	// Seen says on which builds of a real server the case was seen to hold, and
	// when; "" if it never was.
	Seen string

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
	// queries: the case loads and queries, which takes query and data nodes.
	queries bool
	run     func(*env)
}

// Builds on which cases were seen to hold.
const (
	seenMaster = "master 954c4e7, 2026-11-29"
	seenBoth   = seenMaster + " · 2.6 at 5b99e9806d, 2026-11-29"
)

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
func RunSimulated(t *testing.T) *Report {
	report := &Report{On: "the simulator", Began: time.Now()}
	t.Run("simulated", func(t *testing.T) {
		for _, c := range Cases() {
			t.Run(c.ID+" "+c.Title, func(t *testing.T) {
				t.Parallel()
				c.run(simulate(report.record(t, c), c))
			})
		}
	})
	return report
}

// record reports what becomes of a case once its test is over.
func (r *Report) record(t *testing.T, c Case) *recorder {
	rec, began := &recorder{TB: t}, time.Now()
	t.Cleanup(func() {
		res := Result{Case: c, Outcome: Passed, Took: time.Since(began), Said: rec.text()}
		switch {
		case t.Failed():
			res.Outcome = Failed
		case t.Skipped():
			res.Outcome = Skipped
		}
		r.add(res)
	})
	return rec
}

// RunTarget runs the cases that make sense on real clusters, one after another.
// A cluster that stops to serve, and cannot be started again, ends the run, and
// so does the limit of time; the cases that are left are reported as not run.
func RunTarget(t *testing.T, target Target) *Report {
	run := newRun(t, target)
	for _, c := range targetOrder(Cases()) {
		if why := c.skipped(target); why == "" && run.mayGoOn() != nil {
			run.report.add(Result{Case: c, Outcome: NotRun, Said: run.ended.Error()})
			continue
		}
		t.Run(c.ID+" "+c.Title, func(t *testing.T) { run.one(t, c) })
	}
	if run.ended != nil {
		t.Errorf("not every case was run: %v", run.ended)
	}
	return run.report
}

// run is one run on real clusters.
type run struct {
	target Target
	limits limits
	report *Report
	known  *sync.Map // whether a cluster is fresh
	ended  error     // why nothing more is run
	last   string    // the case before
}

func newRun(t *testing.T, target Target) *run {
	r := &run{target: target, limits: realLimits, report: &Report{Began: time.Now()}, known: &sync.Map{}}
	if target.limits != nil {
		r.limits = *target.limits
	}
	var builds []string
	e := r.env(t)
	for _, c := range e.clusters() {
		e.dial(c)
		builds = append(builds, c.ID+" "+e.build(c))
	}
	r.report.On = strings.Join(builds, ", ")
	return r
}

func (r *run) env(t testing.TB) *env {
	target := &r.target
	return &env{
		t: t, a: &target.A, b: &target.B, c: target.C, patience: cmp.Or(target.Patience, realPatience),
		breaker: target.Breaker, tls: target.TLS, limits: r.limits, known: r.known,
	}
}

// mayGoOn says why no further case is run; nil: one may be.
func (r *run) mayGoOn() error {
	limit := cmp.Or(r.target.Limit, defaultLimit)
	if r.ended == nil && time.Since(r.report.Began) > limit {
		r.ended = fmt.Errorf("%s are over (hint: MILVUS_LIMIT is the time for the whole run)", limit)
	}
	return r.ended
}

func (r *run) one(t *testing.T, c Case) {
	e := r.env(r.report.record(t, c))
	if reason := c.skipped(r.target); reason != "" {
		e.t.Skip(reason)
	}
	for _, cluster := range e.clusters() {
		e.connect(cluster)
		if err := e.revive(cluster); err != nil {
			r.ended = fmt.Errorf("%w; the case before was %s", err, cmp.Or(r.last, "none"))
			e.t.Fatal(r.ended)
		}
	}
	r.last = c.ID
	e.prepare(c.start, r.target.Expendable)
	c.run(e)
}

// targetOrder has cases that begin alike together. Those about clusters that were
// never configured come first: unless it is wiped, a cluster never returns to that
// state. The one that adds a channel comes last: no channel ever goes again.
func targetOrder(all []Case) []Case {
	order := []start{unconfigured, wide, healthy, apart}
	rank := func(c Case) int {
		if slices.Contains(c.needs, varGrow) {
			return len(order)
		}
		return slices.Index(order, c.start)
	}
	out := slices.Clone(all)
	slices.SortStableFunc(out, func(x, y Case) int { return rank(x) - rank(y) })
	return out
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
	case c.queries && target.ControlOnly:
		return "loads and queries; MILVUS_CONTROL_ONLY says that these clusters cannot"
	}
	if lack := target.Breaker.lacks(c.needs); len(lack) > 0 {
		return "needs commands that break a cluster: " + strings.Join(lack, ", ")
	}
	return ""
}

// cleanse wipes the clusters where a case needs new ones, or where the case before
// has left more than what is stored tells.
func (e *env) cleanse(s start) {
	e.t.Helper()
	before, known := e.known.Swap(lastStart, s)
	_, dirty := e.known.LoadAndDelete(dirty)
	if known && before == s && !dirty && s != unconfigured && s != apart {
		return
	}
	used := slices.DeleteFunc(e.clusters(), e.fresh)
	failed := make([]error, len(used))
	var wg sync.WaitGroup
	for i, c := range used {
		wg.Go(func() {
			if failed[i] = e.breaker.Wipe(c.ID); failed[i] == nil {
				failed[i] = e.ready(c, e.limits.start)
			}
			e.known.Store(c.ID, true)
		})
	}
	wg.Wait()
	e.sim(errors.Join(failed...))
}

// What a run knows in addition to whether a cluster is fresh.
const (
	lastStart = "how the case before began"
	dirty     = "a log holds more than an edge from A"
)

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
	if expendable && e.breaker.Wipe != nil {
		e.cleanse(s)
	}
	switch {
	case s == unconfigured:
		if !e.fresh(e.a) || !e.fresh(e.b) {
			e.t.Skip("needs clusters that were never configured; run it first on new ones")
		}
	case !expendable:
	case s == apart && e.breaker.Wipe != nil: // each was never configured
	case s == apart:
		e.part()
	case s == wide:
		e.converge(e.b, e.c)
	default:
		e.converge(e.b)
	}
}

// fresh reports whether a cluster was never configured: it has nothing to read, or
// blocks the read while its coordinator answers (milvus.md §1.2). It stays so until it is
// told something, and once configured it is never fresh again.
func (e *env) fresh(c *Cluster) bool {
	e.t.Helper()
	if fresh, known := e.known.Load(c.ID); known {
		return fresh.(bool)
	}
	found := e.within(e.limits.call, func() bool {
		resp, err := e.readErr(e.brief(c), c)
		switch {
		case len(resp.GetConfiguration().GetClusters()) > 0:
			e.known.Store(c.ID, false)
		case err == nil && resp.GetStatus().GetCode() == 0, (reply{resp.GetStatus(), err}).inDoubt() && e.serves(c) == nil:
			e.known.Store(c.ID, true)
		default:
			return false
		}
		return true
	})
	fresh, _ := e.known.Load(c.ID)
	return found && fresh.(bool)
}

// simulate starts the clusters of a case.
func simulate(t testing.TB, c Case) *env {
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
	e := &env{t: t, world: w, breaker: simulatedBreaker(w), patience: simulatedPatience, limits: simulatedLimits, known: &sync.Map{}}
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

var (
	// counter makes names that no other case uses, began those that no other run
	// uses.
	counter atomic.Int64
	began   = strconv.FormatInt(time.Now().UnixMilli(), 36)
)

// name is that of a collection or a user that nobody else has.
func (e *env) name(what string) string { return fmt.Sprintf("%s_%s_%d", what, began, counter.Add(1)) }
