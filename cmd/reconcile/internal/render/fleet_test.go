package render

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
)

// The topologies of a fleet, each with one thing the matter.

// primaryLost: nobody has proposed a failover yet.
func primaryLost(name string) plan.TopologyPlan {
	return roles(name, plan.RolePrimary, plan.RoleStandby, plan.RoleStandby).seen(gone("cluster-a"),
		replicated(storing("cluster-b", star("cluster-a", "cluster-b", "cluster-c")), time.Minute, time.Minute),
		storing("cluster-c", star("cluster-a", "cluster-b", "cluster-c"))).planned()
}

func allLost(name string) plan.TopologyPlan {
	return roles(name, plan.RolePrimary, plan.RoleStandby).seen(gone("cluster-a"), gone("cluster-b")).planned()
}

func standbyDown(name string) plan.TopologyPlan {
	return roles(name, plan.RolePrimary, plan.RoleStandby).seen(storing("cluster-a", star("cluster-a", "cluster-b")), gone("cluster-b")).planned()
}

func lagging(name string) plan.TopologyPlan {
	t := inSync(name)
	t.Findings = append(t.Findings,
		plan.NewFinding(plan.CodeLagObjective, "cluster-b", "cluster-b is up to 51 s behind; the objective is 10 s", "check CDC on the primary and the network between, and watch it: 'reconcile status "+name+" --watch'"),
		plan.NewFinding(plan.CodeLagUnknown, "cluster-b", "the progress of 1 of 2 channels of cluster-b could not be read", "let its token call GetReplicateInfo, and check it: 'reconcile doctor "+name+"'"))
	return t
}

// primaryUnnamed: the name of the primary does not resolve, so nobody knows whether it lives.
func primaryUnnamed(name string) plan.TopologyPlan {
	v := gone("cluster-a")
	v.Reach, v.Class = plan.ReachUnknown, plan.ClassDNS
	return roles(name, plan.RolePrimary, plan.RoleStandby).seen(v, storing("cluster-b", star("cluster-a", "cluster-b"))).planned()
}

// stuck: a switchover ended in the middle, and both clusters are standbys.
func stuck(name string) plan.TopologyPlan {
	return roles(name, plan.RolePrimary, plan.RoleStandby).seen(
		storing("cluster-a", star("cluster-b", "cluster-a")), storing("cluster-b", star("cluster-a", "cluster-b"))).planned()
}

func renamed(name string, t plan.TopologyPlan) plan.TopologyPlan {
	t.Name, t.Findings = name, slices.Clone(t.Findings)
	for i, f := range t.Findings {
		t.Findings[i].Remedy = strings.ReplaceAll(f.Remedy, " orders", " "+name)
	}
	return t
}

func withFinding(t plan.TopologyPlan, code plan.Code) plan.TopologyPlan {
	t.Findings = append(t.Findings, plan.NewFinding(code, "cluster-b", "as seen", "as usual"))
	return t
}

// troubled holds one topology of each condition.
func troubled() Document {
	d := document(
		inSync("billing-001"), inSync("billing-002"), inSync("billing-003"), primaryLost("orders-011"), allLost("orders-012"),
		renamed("orders-013", failover()), primaryUnnamed("search-001"), renamed("search-002", splitBrain()), stuck("search-003"),
		renamed("search-004", switchover()), renamed("search-005", switchover()), renamed("search-006", behindAnother()),
		renamed("search-007", standing()), renamed("search-008", resumed()), renamed("search-009", swapping(time.Second, nil)),
		renamed("search-010", underWay()), renamed("search-011", swapsNow()),
		standbyDown("users-023"), lagging("video-015"),
	)
	return d.approve("search-005", approved()).approve("search-009", approved()).approve("search-008", Approval{Verdict: approval.VerdictNotRequired}).
		approve("search-004", Approval{Verdict: approval.VerdictDenied, Code: "SELF_APPROVED", Detail: "alice@example.com wrote the change herself"})
}

// fleets are the documents of several topologies that are kept as tables.
func fleets() map[string]Document {
	as := func(d Document, kind Kind) Document {
		d.Kind = kind
		return d
	}
	few := document(inSync("billing-001"), inSync("billing-002"), primaryLost("orders-011"), standbyDown("users-023"), lagging("video-015"))
	files := document(inSync("billing-001"), primaryLost("orders-011"))
	for i := range 5 {
		files.Problems = append(files.Problems, Problem{File: fmt.Sprintf("topologies/carts-%d.yaml", i), Line: 3, Column: 1, Message: "unknown key replicas", Hint: "remove it"})
	}
	offline := Document{Plan: offline(), GeneratedAt: night}
	elsewhere := document(inSync("billing-001"), failover())
	elsewhere.Observed = ObservedElsewhere
	return map[string]Document{
		"fleet":           few,
		"fleet_status":    as(few, KindStatus),
		"fleet_drift":     as(few, KindDrift),
		"fleet_troubled":  troubled(),
		"fleet_well":      as(document(inSync("billing-001"), inSync("billing-002")), KindStatus),
		"fleet_files":     files,
		"fleet_offline":   offline,
		"fleet_elsewhere": elsewhere,
		"fleet_long_name": document(inSync("billing-001"), primaryLost("a-topology-with-a-name-as-long-as-50-characters-ok")),
	}
}

func TestGoldenFleets(t *testing.T) {
	for name, d := range fleets() {
		t.Run(name, func(t *testing.T) {
			compare(t, name+".table", func(w io.Writer) error { return Table(w, d, TableOptions{}) })
		})
	}
	for name, o := range map[string]TableOptions{
		"fleet_all": {Listing: ListAll}, "fleet_problems": {Listing: ListProblems, Height: 12}, "fleet_bounded": {Height: 12},
	} {
		t.Run(name, func(t *testing.T) {
			compare(t, name+".table", func(w io.Writer) error { return Table(w, troubled(), o) })
		})
	}
	files := fleets()["fleet_files"]
	t.Run("fleet_files_bounded", func(t *testing.T) {
		compare(t, "fleet_files_bounded.table", func(w io.Writer) error { return Table(w, files, TableOptions{Height: 24}) })
	})
}

// screen is the smallest that a page is made for.
const screenLines, screenColumns = 24, 80

func fitsScreen(t *testing.T, out []byte) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) >= screenLines { // the prompt needs one
		t.Errorf("%d lines do not fit one screen:\n%s", len(lines), out)
	}
	for _, l := range lines {
		if columns(l) > screenColumns {
			t.Errorf("%d columns do not fit one screen: %s", columns(l), l)
		}
	}
}

func thousand(other ...plan.TopologyPlan) Document {
	topologies := other
	for i := len(other); i < 1000; i++ {
		topologies = append(topologies, inSync(fmt.Sprintf("well-%03d", i)))
	}
	return document(topologies...)
}

// TestAThousandTopologiesFitOneScreen: what is wrong with two of them stands there in
// full, by every command.
func TestAThousandTopologiesFitOneScreen(t *testing.T) {
	d := thousand(primaryLost("orders-011"), standbyDown("users-023"))
	for _, kind := range []Kind{KindPlan, KindDrift, KindStatus} {
		d.Kind = kind
		out := rendered(t, func(w io.Writer) error { return Table(w, d, TableOptions{}) })
		fitsScreen(t, out)
		for _, want := range []string{"1000 topologies: 1 WITHOUT A PRIMARY", "reconcile propose orders-011 --failover", "users-023", "998 in sync"} {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s: there is no %q in:\n%s", kind, want, out)
			}
		}
	}
	var results []Result
	for _, topology := range d.Plan.Topologies {
		results = append(results, Result{Topology: topology.Name, Outcome: reconcile.OutcomeUnchanged})
	}
	out := rendered(t, func(w io.Writer) error { return Apply(w, FormTable, d, results, TableOptions{}) })
	fitsScreen(t, out)
	if !strings.Contains(string(out), "1 WITHOUT A PRIMARY") {
		t.Errorf("an apply that had nothing to do hides the outage:\n%s", out)
	}
}

// TestALostRegionFitsTheTerminal: with 400 primaries gone a terminal shows the first, the
// count of the others, and how to list them; a file gets all.
func TestALostRegionFitsTheTerminal(t *testing.T) {
	var lost []plan.TopologyPlan
	for i := range 400 {
		lost = append(lost, primaryLost(fmt.Sprintf("orders-%03d", i)))
	}
	d := thousand(lost...)
	out := string(rendered(t, func(w io.Writer) error { return Table(w, d, TableOptions{Height: screenLines}) }))
	fitsScreen(t, []byte(out))
	if !strings.Contains(out, "1000 topologies: 400 WITHOUT A PRIMARY") || !regexp.MustCompile(`… and 39[0-9] more \(--problems lists them\): 39[0-9] WITHOUT A PRIMARY`).MatchString(out) {
		t.Errorf("the count is not told:\n%s", out)
	}
	for _, o := range []TableOptions{{}, {Height: screenLines, Listing: ListProblems}} {
		out := string(rendered(t, func(w io.Writer) error { return Table(w, d, o) }))
		if n := strings.Count(out, "✗ orders-"); n != 400 {
			t.Errorf("%+v: %d of 400 are listed", o, n)
		}
	}
}

// TestConditions: each topology counts once, and a missing primary outranks everything
// but two of them.
func TestConditions(t *testing.T) {
	for _, c := range []struct {
		name string
		t    plan.TopologyPlan
		want condition
	}{
		{"in sync", inSync("orders"), standsInSync},
		{"the primary is gone", primaryLost("orders"), standsWithoutPrimary},
		{"all is gone", allLost("orders"), standsWithoutPrimary},
		{"a failover waits", failover(), standsWithoutPrimary},
		{"a failover is blocked", notProbed(), standsWithoutPrimary},
		{"a stuck switchover", stuck("orders"), standsWithoutPrimary},
		{"the primary cannot be resolved", primaryUnnamed("orders"), standsPrimaryUnknown},
		{"two primaries", splitBrain(), standsSplit},
		{"the standby is gone", standbyDown("orders"), standsNoStandby},
		{"behind", lagging("orders"), standsBehind},
		{"a stale cluster is back and takes writes", standing(), standsSplit},
		{"collections are missing", withFinding(inSync("orders"), plan.CodeCollectionsMissing), standsCritical},
		{"a change outside Git", withFinding(inSync("orders"), plan.CodeUnmanagedDrift), standsWarned},
		{"only information", withFinding(inSync("orders"), plan.CodeKnownIssue), standsInSync},
		{"a switchover waits for approval", switchover(), standsUnapproved},
		{"new clusters", bootstrap(), standsUnapproved},
		{"a failover is under way", underWay(), standsChangesPrimary},
		{"a failover is under way, and Git wants something else", overtaken(), standsChangesPrimary},
		{"a switchover is under way", swapsNow(), standsUnderWay},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := document(c.t)
			if got := d.condition(d.topologies()[0]); got != c.want {
				t.Errorf("got %q, want %q", conditionWords[got].words, conditionWords[c.want].words)
			}
		})
	}
}

// TestEachRowOfTroubleHasItsCommand: whatever is the matter with one topology of several,
// its row ends with the one command to type.
func TestEachRowOfTroubleHasItsCommand(t *testing.T) {
	documents := everyDocument(t)
	for name, d := range fleets() {
		documents[name] = d
	}
	documents["troubled"] = troubled()
	for name, d := range documents {
		for _, topology := range d.topologies() {
			r := d.fleetRow(topology)
			if needs := !r.condition.quiet(); needs != strings.HasPrefix(r.command, "reconcile ") {
				t.Errorf("%s %s: %q: %q", name, topology.Name, r.words, r.command)
			}
		}
	}
}

// TestOneSymbolOnPageAndInTheFleet: a topology has the same symbol on its page and in its
// row of a table of several, whatever its state, and so has the result of an apply.
func TestOneSymbolOnPageAndInTheFleet(t *testing.T) {
	same := func(name, page, fleet, topology string) {
		t.Helper()
		symbol, _, _ := strings.Cut(strings.TrimSpace(page), " ")
		if !regexp.MustCompile(`(?m)^  ` + regexp.QuoteMeta(symbol) + ` ` + regexp.QuoteMeta(topology) + `\s`).MatchString(fleet) {
			t.Errorf("%s: %s: the page:\n%s\nthe fleet:\n%s", name, topology, page, fleet)
		}
	}
	for name, d := range everyDocument(t) {
		for _, topology := range d.topologies() {
			one, two := d, d
			one.Problems, two.Problems = nil, nil
			one.Plan.Topologies = []plan.TopologyPlan{topology}
			two.Plan.Topologies = []plan.TopologyPlan{topology, inSync("well")}
			page := rendered(t, func(w io.Writer) error { return Table(w, one, TableOptions{}) })
			fleet := rendered(t, func(w io.Writer) error { return Table(w, two, TableOptions{Listing: ListAll}) })
			same(name, string(page), string(fleet), topology.Name)
		}
	}
	results := applyGoldens()
	for name, c := range appliedFleets() {
		results[name] = c
	}
	for name, c := range results {
		for _, r := range c.results {
			topology, planned := c.document.Plan.Topology(r.Topology)
			if !planned {
				continue
			}
			one, two := c.document, c.document
			one.Problems, two.Problems = nil, nil
			one.Plan.Topologies = []plan.TopologyPlan{topology}
			two.Plan.Topologies = []plan.TopologyPlan{topology, inSync("well")}
			other := Result{Topology: "well", Outcome: reconcile.OutcomeNotApproved} // two that acted: no page follows
			page := rendered(t, func(w io.Writer) error { return Apply(w, FormTable, one, []Result{r}, TableOptions{}) })
			fleet := rendered(t, func(w io.Writer) error {
				return Apply(w, FormTable, two, []Result{r, other, other}, TableOptions{Listing: ListAll})
			})
			same(name, string(page), string(fleet), r.Topology)
		}
	}
}

// TestALagThatWasNotReadIsSaid: a plan that asked no standby for its progress does not call
// its topology in sync.
func TestALagThatWasNotReadIsSaid(t *testing.T) {
	unread := func(name string) plan.TopologyPlan {
		out := inSync(name)
		out.Clusters = slices.Clone(out.Clusters)
		for i := range out.Clusters {
			out.Clusters[i].Lag = nil
		}
		return out
	}
	one, two := document(unread("orders")), document(unread("orders"), unread("users"))
	nothing := []Result{{Topology: "orders", Outcome: reconcile.OutcomeUnchanged}}
	for _, c := range []struct {
		write func(io.Writer) error
		want  string
	}{
		{func(w io.Writer) error { return Table(w, one, TableOptions{}) }, "in sync by role: cluster-a → cluster-b; lag not read"},
		{func(w io.Writer) error { return Table(w, two, TableOptions{}) }, "✓ 2 in sync by role, lag not read"},
		{func(w io.Writer) error { return Markdown(w, two) }, "2 in sync by role, lag not read"},
		{func(w io.Writer) error { return Apply(w, FormTable, one, nothing, TableOptions{}) }, "the roles are as Git says; lag not read"},
	} {
		if out := string(rendered(t, c.write)); !strings.Contains(out, c.want) {
			t.Errorf("there is no %q in:\n%s", c.want, out)
		}
	}
}

// TestHeadlineCountsEachTopologyOnce: the counts of the first lines add up.
func TestHeadlineCountsEachTopologyOnce(t *testing.T) {
	d := troubled()
	out := string(rendered(t, func(w io.Writer) error { return Table(w, d, TableOptions{}) }))
	head, _, _ := strings.Cut(out, "commit")
	total, sum := len(d.Plan.Topologies), 0
	for i, n := range regexp.MustCompile(`[0-9]+`).FindAllString(head, -1) {
		v, err := strconv.Atoi(n)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 && v != total {
			t.Errorf("%d topologies, want %d", v, total)
		}
		if i > 0 {
			sum += v
		}
	}
	if sum != total {
		t.Errorf("%d of %d are counted: %s", sum, total, head)
	}
}

// TestAnOutageIsNeverHidden: whatever else is to be said of a topology without a primary,
// its row says that, and with --problems too.
func TestAnOutageIsNeverHidden(t *testing.T) {
	for name, d := range everyDocument(t) {
		for _, topology := range d.topologies() {
			if c := d.condition(topology); c != standsWithoutPrimary && c != standsChangesPrimary {
				continue
			}
			both := document(topology, inSync("well"))
			both.Approvals, both.Observed = d.Approvals, d.Observed
			for _, listing := range []Listing{ListTrouble, ListProblems, ListAll} {
				out := string(rendered(t, func(w io.Writer) error { return Table(w, both, TableOptions{Listing: listing}) }))
				if !strings.Contains(out, "1 WITHOUT A PRIMARY") || !strings.Contains(out, "NO PRIMARY") {
					t.Errorf("%s:\n%s", name, out)
				}
			}
		}
	}
}

// appliedFleets are results of several topologies.
func appliedFleets() map[string]applyCase {
	d := document(inSync("billing-001"), renamed("orders-001", failover()), renamed("orders-002", failover()), renamed("orders-003", failover()),
		renamed("orders-004", failover()), renamed("orders-005", notProbed()), renamed("search-001", switchover()), standbyDown("users-023"))
	for _, name := range []string{"orders-001", "orders-002", "orders-003", "orders-005", "search-001"} {
		d.approve(name, approved())
	}
	return map[string]applyCase{"fleet_apply": {d, []Result{
		{Topology: "billing-001", Outcome: reconcile.OutcomeUnchanged},
		{Topology: "orders-001", Outcome: reconcile.OutcomeApplied, Steps: promoted("done", "read back"), DataLoss: window(3100 * time.Millisecond)},
		{Topology: "orders-002", Outcome: reconcile.OutcomeUnverified, Steps: promoted("in_doubt", "no answer within 60s"), Detail: "force_promote on cluster-b: no answer within 60s"},
		{Topology: "orders-003", Outcome: reconcile.OutcomeError, Steps: promoted("refused", "force promote can only be used on secondary clusters"), Detail: "refused"},
		{Topology: "orders-004", Outcome: reconcile.OutcomeNotApproved, Detail: "APPROVAL_MISSING: nobody approved"},
		{Topology: "orders-005", Outcome: reconcile.OutcomeBlocked, Detail: "blocked by PRIMARY_NOT_PROBED"},
		{Topology: "search-001", Outcome: reconcile.OutcomeBlocked, Detail: "the lock is held by reconcile run on host-a since 21:58:00Z"},
		{Topology: "users-023", Outcome: reconcile.OutcomeUnchanged},
		{Topology: "vanished", Outcome: reconcile.OutcomeUnchanged},
	}}, "fleet_apply_one": {d, []Result{
		{Topology: "billing-001", Outcome: reconcile.OutcomeUnchanged},
		{Topology: "orders-001", Outcome: reconcile.OutcomeApplied, Steps: promoted("done", "read back"), DataLoss: window(3100 * time.Millisecond)},
		{Topology: "users-023", Outcome: reconcile.OutcomeUnchanged},
	}}, "fleet_apply_nothing": {d, []Result{{Topology: "billing-001", Outcome: reconcile.OutcomeUnchanged}, {Topology: "users-023", Outcome: reconcile.OutcomeUnchanged}}}}
}

func TestGoldenAppliedFleets(t *testing.T) {
	for name, c := range appliedFleets() {
		compare(t, name+".table", func(w io.Writer) error { return Apply(w, FormTable, c.document, c.results, TableOptions{}) })
	}
}
