package plan

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// rebuilding is a document that asks for the rebuild of a, stale since two hours.
func rebuilding(data ProvisionedFrom, standbys ...string) Topology {
	doc := rebuiltAt(time.Time{}, ProvisionedUnsaid, standbys...)
	doc.Clusters[0].Provisioned = Provisioned{}
	doc.Clusters[0].Rebuild = RebuildRequest{Generation: doc.Generation, Data: data}
	return doc
}

// saved is the memory of a failover from a to b, after which a was fenced and what only it
// held was exported.
func saved() Memory {
	m := hadFailedOver("a", "b")
	m.Stale[0].Fenced = true
	m.Losses = []CountedLoss{{
		Topology: "orders", Cluster: "a", Promoted: "b", Since: m.Stale[0].Since, At: now, Until: now, Closed: true, Exported: true,
		Lost: []LossCount{{Kind: "insert", Messages: 5, Rows: 5}}, First: now, Last: now,
	}}
	return m
}

// wipedAt is what is read of a cluster that was wiped.
func wipedAt(at time.Time) []WipeProof {
	return []WipeProof{{Cluster: "a", Instance: at, LogRead: true}}
}

var rebuildSteps = []string{
	"1 wipe_cluster a", "2 restore_data a", "3 update_replicate_configuration b", "4 update_replicate_configuration a",
	"5 wait_converged b", "6 verify b", "7 audit_standby a",
}

// TestRebuildBegins: a rebuild begins only with a stale cluster that takes no writes, and whose
// own writes were saved or waived by name.
func TestRebuildBegins(t *testing.T) {
	fenced, serving := standbyOf("b", "a"), holding(primaryOf("b"), "default/c")
	unfenced := saved()
	unfenced.Stale[0].Fenced = false
	unsaved := saved()
	unsaved.Losses[0].Exported = false
	uncounted := saved()
	uncounted.Losses = nil
	open := saved()
	open.Losses[0].Closed = false
	nothing := saved()
	nothing.Losses[0].Exported, nothing.Losses[0].Lost = false, nil
	forgotten := saved()
	forgotten.Stale = nil
	replaying := saved()
	replaying.Replays = []OpenReplay{{Topology: "orders", Stale: "a", Promoted: "b", By: []string{"Alice"}, Since: now}}
	back := uncounted
	back.Replayed = []Replayed{{Topology: "orders", Cluster: "a", Promoted: "b", Since: back.Stale[0].Since, At: now, Closed: true, There: 5}}
	partly := unsaved
	partly.Replayed = []Replayed{{Topology: "orders", Cluster: "a", Promoted: "b", Since: back.Stale[0].Since, At: now, Closed: true, There: 4, HeldBack: 1}}
	another := rebuilding(ProvisionedRestored)
	another.Clusters[0].Rebuild.Generation--
	for _, c := range []planCase{
		{name: "fenced and saved", transition: TransitionRebuild, steps: rebuildSteps, world: world{t: rebuilding(ProvisionedRestored), views: []View{fenced, serving}, memory: saved()}},
		{name: "nothing was lost", transition: TransitionRebuild, steps: rebuildSteps, world: world{t: rebuilding(ProvisionedRestored), views: []View{fenced, serving}, memory: nothing}},
		{name: "it does not answer, and was fenced", transition: TransitionRebuild, steps: rebuildSteps, world: world{t: rebuilding(ProvisionedRestored), views: []View{down("a"), serving}, memory: saved()}},
		{
			name: "empty", transition: TransitionRebuild, steps: slices.Concat(rebuildSteps[:1], rebuildSteps[2:]),
			world: world{t: rebuilding(ProvisionedEmpty), views: []View{fenced, serving}, memory: saved()},
		},
		{
			name: "it takes writes", transition: TransitionRebuild, blocking: []string{"SPLIT_BRAIN", "STALE_REJOIN"}, steps: rebuildSteps,
			world: world{t: rebuilding(ProvisionedRestored), views: []View{primaryOf("a", "b"), serving}, memory: unfenced},
		},
		{
			name: "it does not answer, and no fence is recorded", transition: TransitionRebuild, blocking: []string{"STALE_REJOIN"}, steps: rebuildSteps,
			world: world{t: rebuilding(ProvisionedRestored), views: []View{unknown("a"), serving}, memory: unfenced},
		},
		{
			name: "the ledger does not hold when it became stale", transition: TransitionRebuild, blocking: []string{"REBUILD_DISCARDS_WRITES", "STALE_REJOIN"}, steps: rebuildSteps,
			world: world{t: rebuilding(ProvisionedRestored), views: []View{fenced, serving}, memory: forgotten},
		},
		{
			name: "its writes were not exported", transition: TransitionRebuild, blocking: []string{"REBUILD_DISCARDS_WRITES"}, steps: rebuildSteps,
			world: world{t: rebuilding(ProvisionedRestored), views: []View{fenced, serving}, memory: unsaved},
		},
		{
			name: "its writes were not counted", transition: TransitionRebuild, blocking: []string{"REBUILD_DISCARDS_WRITES"}, steps: rebuildSteps,
			world: world{t: rebuilding(ProvisionedRestored), views: []View{fenced, serving}, memory: uncounted},
		},
		{
			name: "it took writes when they were counted", transition: TransitionRebuild, blocking: []string{"REBUILD_DISCARDS_WRITES"}, steps: rebuildSteps,
			world: world{t: rebuilding(ProvisionedRestored), views: []View{fenced, serving}, memory: open},
		},
		{
			name: "a replay of them goes on", transition: TransitionRebuild, blocking: []string{"REBUILD_WAITS"}, steps: rebuildSteps,
			world: world{t: rebuilding(ProvisionedRestored), views: []View{fenced, serving}, memory: replaying},
		},
		{name: "a replay brought them back", transition: TransitionRebuild, steps: rebuildSteps, world: world{t: rebuilding(ProvisionedRestored), views: []View{fenced, serving}, memory: back}},
		{
			name: "a replay brought back a part", transition: TransitionRebuild, blocking: []string{"REBUILD_DISCARDS_WRITES"}, steps: rebuildSteps,
			world: world{t: rebuilding(ProvisionedRestored), views: []View{fenced, serving}, memory: partly},
		},
		{
			name: "a line of an earlier rebuild asks for nothing", transition: TransitionAddStandby, blocking: []string{"STALE_REJOIN"},
			world: world{t: another, views: []View{fenced, serving}, memory: saved()},
		},
		{
			name: "the primary does not answer", transition: TransitionAddStandby, blocking: []string{"CLUSTER_NEEDED"}, critical: []string{"NO_PRIMARY"},
			world: world{t: rebuilding(ProvisionedRestored), views: []View{empty("a"), down("b")}, memory: saved()},
		},
	} {
		c.run(t)
	}
}

// TestRebuildWaits: an open rebuild goes on only by what is read. What is not known proves
// nothing, and the operator's program is started only where the cluster was seen not to be as
// it must.
func TestRebuildWaits(t *testing.T) {
	hour := now.Add(-time.Hour)
	serving := holding(primaryOf("b"), "default/c", "default/d")
	restored, wiped := holding(standbyOf("b", "a"), "default/c", "default/d"), empty("a")
	hidden := wiped
	hidden.Contents = Contents{Hidden: "its user may not see every collection"}
	stranger := wiped
	stranger.IdentityProven = false
	old := WipeProof{Cluster: "a", Instance: now.Add(-24 * time.Hour), LogRead: true}
	keepsLog := WipeProof{Cluster: "a", Instance: hour, LogRead: true, Oldest: now.Add(-3 * time.Hour)}
	unreadLog := WipeProof{Cluster: "a", Instance: hour, Unread: "our user lacks the privilege ManageOwnership there"}
	third := storing("b", "a")
	third.Clusters[0].URI = "http://a.elsewhere:19530"
	for _, c := range []struct {
		name    string
		data    ProvisionedFrom
		a       View
		wipes   []WipeProof
		phase   RebuildPhase
		missing string
		runs    bool // the operator's program, where there is one
	}{
		{"not wiped", ProvisionedRestored, standbyOf("b", "a"), []WipeProof{old}, RebuildWipe, "they were not wiped", true},
		{"its collections were only dropped", ProvisionedEmpty, wiped, []WipeProof{old}, RebuildWipe, "they were not wiped", true},
		{"its log was not wiped", ProvisionedRestored, wiped, []WipeProof{keepsLog}, RebuildWipe, "the log was not wiped", true},
		{"its log could not be read", ProvisionedRestored, wiped, []WipeProof{unreadLog}, RebuildWipe, "ManageOwnership", false},
		{"nothing was read", ProvisionedRestored, wiped, nil, RebuildWipe, "was not read", false},
		{"another one answers there", ProvisionedRestored, stranger, wipedAt(hour), RebuildWipe, "nothing proves that a is what answers", false},
		{"it does not answer", ProvisionedRestored, down("a"), nil, RebuildWipe, "unreachable", true},
		{"it takes writes again", ProvisionedRestored, primaryOf("a", "b"), []WipeProof{old}, RebuildWipe, "it takes writes", false},
		{"it takes writes, and its metadata are new", ProvisionedRestored, primaryOf("a", "b"), []WipeProof{keepsLog}, RebuildWipe, "it takes writes", false},
		{"it takes writes, and was wiped", ProvisionedRestored, primaryOf("a", "b"), wipedAt(hour), RebuildWipe, "it takes writes", false},
		{"it takes writes alone, and was wiped", ProvisionedEmpty, primaryOf("a"), wipedAt(hour), RebuildWipe, "it takes writes", false},
		{"wiped", ProvisionedRestored, wiped, wipedAt(hour), RebuildRestore, "it lacks 2 of 2 collections of b: default/c, default/d", true},
		{"restored in part", ProvisionedRestored, holding(standbyOf("b", "a"), "default/c"), wipedAt(hour), RebuildRestore, "it lacks 1 of 2 collections of b: default/d", true},
		{"it holds another collection", ProvisionedRestored, holding(standbyOf("b", "a"), "default/c", "default/d", "default/e"), wipedAt(hour), RebuildRestore, "it holds 1 collections that b does not have: default/e", true},
		{"what it holds is not known", ProvisionedRestored, hidden, wipedAt(hour), RebuildRestore, "may not see", false},
		{"it stores another list", ProvisionedRestored, holding(believing("a", third), "default/c", "default/d"), wipedAt(hour), RebuildRestore, "not the configuration of this change", false},
		{"to be empty, and it is not", ProvisionedEmpty, holding(wiped, "default/c"), wipedAt(hour), RebuildRestore, "it is to be empty", false},
		{"restored", ProvisionedRestored, restored, wipedAt(hour), RebuildAttach, "", false},
		{"empty", ProvisionedEmpty, wiped, wipedAt(hour), RebuildAttach, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world{t: rebuilding(c.data), views: []View{standbyOf("b", "a"), serving}, memory: saved()}
			w.memory = begun(t, w, func(i *Intent) { i.MayHaveSent = false })
			w.views[0], w.wipes = c.a, c.wipes
			p := w.plan(t)
			if p.Rebuild == nil || !p.Resumed || p.Transition != TransitionRebuild {
				t.Fatalf("the rebuild is not carried on: %+v", p)
			}
			if r := *p.Rebuild; r.Phase != c.phase || !strings.Contains(strings.Join(r.Missing, "; "), c.missing) || r.Runs {
				t.Errorf("it is %+v, want phase %s and %q", r, c.phase, c.missing)
			}
			waits := find(p, CodeRebuildWaits, "a")
			if (waits == nil) != (c.phase == RebuildAttach) || waits != nil && (waits.Severity != SeverityBlocking || waits.Acceptable) {
				t.Errorf("it waits by %+v", waits)
			}
			w.programs = []string{"a"}
			if r := *w.plan(t).Rebuild; r.Runs != c.runs {
				t.Errorf("the operator's program: %t, want %t", r.Runs, c.runs)
			}
		})
	}
}

// TestRebuildProgramIsBounded: the program is started three times for a phase at most, and not
// again once it has ended well.
func TestRebuildProgramIsBounded(t *testing.T) {
	w := world{t: rebuilding(ProvisionedRestored), views: []View{standbyOf("b", "a"), holding(primaryOf("b"), "default/c")}, memory: saved(), programs: []string{"a"}}
	w.wipes = []WipeProof{{Cluster: "a", Instance: now.Add(-24 * time.Hour), LogRead: true}}
	started, ended := Advance{Phase: RebuildWipe, Event: AdvanceStarted}, Advance{Phase: RebuildWipe, Event: AdvanceEnded}
	for _, c := range []struct {
		advances []Advance
		runs     bool
	}{
		{nil, true},
		{[]Advance{started}, true},
		{[]Advance{started, started}, true},
		{[]Advance{started, started, started}, false},
		{[]Advance{started, ended}, false},
		{[]Advance{{Phase: RebuildRestore, Event: AdvanceStarted}, {Phase: RebuildRestore, Event: AdvanceEnded}}, true},
	} {
		one := w
		one.memory = begun(t, w, func(i *Intent) { i.MayHaveSent, i.Advances = false, c.advances })
		p := one.plan(t)
		if p.Rebuild.Runs != c.runs || p.Blocked(nil) == c.runs {
			t.Errorf("after %v: runs %t, blocked %t", c.advances, p.Rebuild.Runs, p.Blocked(nil))
		}
		one.views = []View{down("a"), w.views[1]}
		if p := one.plan(t); p.Rebuild.Runs && len(c.advances) > 0 && c.advances[0].Phase == RebuildWipe {
			t.Errorf("after %v it is started for a cluster that does not answer", c.advances)
		}
	}
}

// TestRebuildWipesNoClusterUnseenWithoutAFence: a cluster that does not answer may have been
// promoted by hand. Only one that was fenced is left to the operator's program then.
func TestRebuildWipesNoClusterUnseenWithoutAFence(t *testing.T) {
	w := world{t: rebuilding(ProvisionedRestored), views: []View{standbyOf("b", "a"), holding(primaryOf("b"), "default/c")}, memory: saved(), programs: []string{"a"}}
	w.memory.Stale[0].Fenced = false
	w.memory = begun(t, w, func(i *Intent) { i.MayHaveSent = false })
	for _, a := range []View{down("a"), unknown("a")} {
		w.views[0] = a
		if p := w.plan(t); p.Rebuild == nil || p.Rebuild.Runs || !p.Blocked(nil) {
			t.Errorf("with %+v: %+v, blocked %t", a, p.Rebuild, p.Blocked(nil))
		}
	}
}

// TestRebuildKeepsItsDigest: the digest that an approval pins does not depend on how far the
// rebuild is, and an intent keeps it.
func TestRebuildKeepsItsDigest(t *testing.T) {
	serving := holding(primaryOf("b"), "default/c")
	w := world{t: rebuilding(ProvisionedRestored), views: []View{standbyOf("b", "a"), serving}, memory: saved()}
	want := w.plan(t).Digest
	for _, a := range []View{down("a"), empty("a"), holding(standbyOf("b", "a"), "default/c")} {
		one := w
		one.views, one.wipes = []View{a, serving}, wipedAt(now.Add(-time.Hour))
		if got := one.plan(t).Digest; got != want {
			t.Errorf("with %+v the digest is another one", a)
		}
	}
	if got := offlineOf(w).Digest; got != want {
		t.Error("offline the digest is another one")
	}
}

// offlineOf is the plan of the documents alone.
func offlineOf(w world) TopologyPlan {
	d, _, m := w.inputs()
	p, _ := Offline(d, m).Topology(w.t.Name)
	return p
}

// TestRebuiltIsAStandbyLikeAnyOther: once it is attached, the cluster is not stale any more,
// and its return is proven: no switchover to it has a special risk.
func TestRebuiltIsAStandbyLikeAnyOther(t *testing.T) {
	m := saved()
	m.Provisions = []UsedProvision{{Cluster: "a", At: now, Proven: true}}
	if _, stale := m.StaleSince("a"); stale || !m.rejoinedAt("a").IsZero() {
		t.Error("it counts as stale, or as rejoined by its word alone")
	}
	m.Provisions = append(m.Provisions, UsedProvision{Cluster: "a", At: now.Add(-time.Minute)})
	if !m.rejoinedAt("a").IsZero() {
		t.Error("an earlier return without proof counts after the rebuild")
	}
	m.Provisions[1].At = now.Add(time.Minute)
	if m.rejoinedAt("a").IsZero() {
		t.Error("a later return without proof does not count")
	}
	p := world{t: rebuilding(ProvisionedRestored), views: []View{standbyOf("b", "a"), primaryOf("b", "a")}, memory: m}.plan(t)
	if p.Transition != TransitionNone || !p.Matches {
		t.Errorf("the rebuilt pair is not at rest: %+v", p)
	}
}
