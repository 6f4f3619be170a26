package plan

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// rebuiltAt is a document in which a, stale since two hours, joins b again with
// an attestation of that time.
func rebuiltAt(at time.Time, from ProvisionedFrom, standbys ...string) Topology {
	doc := pairOf("b", append([]string{"a"}, standbys...)...)
	doc.Clusters[0].Provisioned = Provisioned{From: from, At: at, Evidence: "INFRA-88"}
	before := document(7, cluster("a", RoleStale), cluster("b", RolePrimary))
	for _, s := range standbys {
		before.Clusters = append(before.Clusters, cluster(s, RoleStandby))
	}
	return doc.after(before)
}

// TestRejoin: a former primary comes back by its attestation alone, each value
// once, and says so.
func TestRejoin(t *testing.T) {
	hour := now.Add(-time.Hour)
	restored := func(at time.Time) Topology { return rebuiltAt(at, ProvisionedRestored) }
	stale := func() Memory { return hadFailedOver("a", "b") }
	fenced := stale()
	fenced.Stale[0].Fenced = true
	used := hadFailedOver("a", "b")
	used.Provisions = []UsedProvision{{Cluster: "a", At: hour}}
	failedAgain := used // and stale once more after it
	failedAgain.Stale = append(failedAgain.Stale, StaleMark{Cluster: "a", Topology: "orders", Since: now.Add(-30 * time.Minute), Promoted: "b", Effected: true})
	kept := restored(hour)
	kept.Previous.Clusters[0].Provisioned = kept.Clusters[0].Provisioned
	attach := []string{"1 update_replicate_configuration b", "2 update_replicate_configuration a", "3 wait_converged b", "4 verify b"}
	joins := func(name string, doc Topology, a View, m Memory) planCase {
		return planCase{
			name: name, transition: TransitionAddStandby, critical: []string{"REBUILD_UNVERIFIED"}, steps: attach,
			world: world{t: doc, views: []View{a, primaryOf("b")}, memory: m},
		}
	}
	refused := func(name string, doc Topology, a View, m Memory, codes ...string) planCase {
		return planCase{name: name, transition: TransitionAddStandby, blocking: codes, world: world{t: doc, views: []View{a, primaryOf("b")}, memory: m}}
	}
	unproven := standbyOf("b", "a")
	unproven.IdentityProven = false
	third := Configuration{Clusters: []Member{member("a"), member("b"), member("c")}, Edges: []Edge{{"b", "a"}, {"b", "c"}}}
	other := standbyOf("b", "c")
	for _, c := range []planCase{
		joins("wiped", restored(hour), holding(empty("a"), "default/c"), stale()),
		joins("wiped and left empty", rebuiltAt(hour, ProvisionedEmpty), empty("a"), stale()),
		joins("fenced, and restored as a standby of the new primary", restored(hour), standbyOf("b", "a"), stale()),
		joins("fenced by us, and restored with its old list", restored(hour), primaryOf("a", "b"), fenced),
		joins("a configuration of its own, rebuilt", restored(hour), primaryOf("a"), stale()),
		joins("without a ledger, known as stale from Git", restored(hour), standbyOf("b", "a"), Memory{}),
		refused("never fenced, with its old list", restored(hour), primaryOf("a", "b"), stale(), "SPLIT_BRAIN", "STALE_REJOIN"),
		refused("fenced, attested before it became stale", restored(now.Add(-3*time.Hour)), standbyOf("b", "a"), stale(), "STALE_REJOIN"),
		refused("fenced, attested in the future", restored(now.Add(time.Hour)), standbyOf("b", "a"), stale(), "STALE_REJOIN"),
		refused("fenced, by a value that the document had before", kept, standbyOf("b", "a"), stale(), "STALE_REJOIN"),
		refused("fenced, by a value that served a join", restored(hour), standbyOf("b", "a"), used, "STALE_REJOIN"),
		refused("fenced once more, by the value of the first rebuild", restored(hour), standbyOf("b", "a"), failedAgain, "STALE_REJOIN"),
		refused("fenced, and never rebuilt", pairOf("b", "a").after(*restored(hour).Previous), standbyOf("b", "a"), stale(), "STALE_REJOIN"),
		refused("restored, not proven to be it", restored(hour), unproven, stale(), "ROLE_UNKNOWN", "STALE_REJOIN"),
		{
			name: "restored with the list of the star it joins", transition: TransitionAddStandby, critical: []string{"REBUILD_UNVERIFIED"},
			steps: []string{"1 update_replicate_configuration b", "1 update_replicate_configuration c", "2 update_replicate_configuration a", "3 wait_converged b", "4 verify b"},
			world: world{t: rebuiltAt(hour, ProvisionedRestored, "c"), views: []View{believing("a", third), primaryOf("b", "c"), other}, memory: stale()},
		},
		{
			name: "restored with a list that the star would never bring it", transition: TransitionAddStandby, blocking: []string{"STALE_REJOIN"},
			world: world{t: rebuiltAt(hour, ProvisionedRestored, "c"), views: []View{standbyOf("b", "a"), primaryOf("b", "c"), other}, memory: stale()},
		},
	} {
		c.run(t)
	}
}

// TestRejoinKeepsTheOrderOfTheRestored: a standby that is sent another order of
// the list that it stores waits for ever for it.
func TestRejoinKeepsTheOrderOfTheRestored(t *testing.T) {
	live := Configuration{Clusters: []Member{member("b"), member("a")}, Edges: []Edge{{"b", "a"}}}
	p := world{t: rebuiltAt(now.Add(-time.Hour), ProvisionedRestored), views: []View{believing("a", live), primaryOf("b")}, memory: hadFailedOver("a", "b")}.plan(t)
	for _, s := range p.Steps[:2] {
		if !s.After.Equal(live) {
			t.Errorf("%s gets %+v, and what is restored stores %+v", s.Cluster, s.After, live)
		}
	}
}

// TestJoinAfterLeaving: a cluster that was let go, or promoted, comes back only
// by an attestation that is newer than that; and why it is not one is said.
func TestJoinAfterLeaving(t *testing.T) {
	ago := func(minutes int) time.Time { return now.Add(-time.Duration(minutes) * time.Minute) }
	before := document(7, cluster("a", RolePrimary), cluster("b", RoleDetached))
	const own = "b stores a configuration of its own and takes writes; as a standby it would lose them: "
	for _, c := range []struct {
		name string
		at   time.Time
		memo Memory
		want string // what JOIN_NOT_EMPTY says; empty: it joins
	}{
		{"rebuilt after it was let go", ago(30), Memory{Freed: []FreedMark{{"b", ago(60)}}}, ""},
		{"another was let go since", ago(30), Memory{Freed: []FreedMark{{"b", ago(60)}, {"c", ago(10)}}}, ""},
		{
			"attested before it was let go", ago(90),
			Memory{Freed: []FreedMark{{"b", ago(60)}}},
			own + "its 'provisioned' of 2026-11-22T10:30:00Z is not later than 2026-11-22T11:00:00Z, when it was promoted or detached",
		},
		{
			"attested at that moment", ago(60),
			Memory{Freed: []FreedMark{{"b", ago(60)}}},
			own + "its 'provisioned' of 2026-11-22T11:00:00Z is not later than 2026-11-22T11:00:00Z, when it was promoted or detached",
		},
		{
			"let go once more since", ago(30),
			Memory{Freed: []FreedMark{{"b", ago(60)}, {"b", ago(10)}}},
			own + "its 'provisioned' of 2026-11-22T11:30:00Z is not later than 2026-11-22T11:50:00Z, when it was promoted or detached",
		},
		{"never attested", time.Time{}, Memory{}, own + "it has no 'provisioned'"},
		{"attested in the future", ago(-1), Memory{}, own + "its 'provisioned' of 2026-11-22T12:01:00Z is in the future"},
		{
			"by a value that served", ago(30),
			Memory{Provisions: []UsedProvision{{Cluster: "b", At: ago(30)}}},
			own + "its 'provisioned' of 2026-11-22T11:30:00Z was used for a join before",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc := pairOf("a", "b").after(before)
			doc.Clusters[1].Provisioned = Provisioned{From: ProvisionedRestored, At: c.at}
			p := world{t: doc, views: []View{primaryOf("a"), primaryOf("b")}, memory: c.memo}.plan(t)
			got := ""
			for _, f := range p.Findings {
				if f.Code == CodeJoinNotEmpty {
					got = f.Message
				}
			}
			if got != c.want || p.Blocked(nil) != (c.want != "") {
				t.Errorf("it says %q, want %q; %v", got, c.want, codesOf(p, SeverityBlocking))
			}
		})
	}
}

// TestFrees: an intent tells which clusters are standbys no more once it took effect.
func TestFrees(t *testing.T) {
	healthy := []View{primaryOf("a", "b", "c"), standbyOf("a", "b", "c"), standbyOf("a", "c", "b")}
	lettingGo := pairOf("a", "b").after(pairOf("a", "b", "c"))
	lettingGo.Clusters = append(lettingGo.Clusters, cluster("c", RoleDetached))
	gone := []View{primaryOf("a", "b", "c"), standbyOf("a", "b", "c"), down("c")}
	old := idle(standbyOf("a", "b"))
	old.Belief = Belief{Kind: BeliefStandby, Source: "a", Inferred: true}
	old.ReadsConfiguration = SupportNo
	for _, c := range []struct {
		name string
		from world
		want []string
	}{
		{"a failover", world{t: failingOver("b", "a", "c"), views: []View{down("a"), idle(standbyOf("a", "b", "c")), down("c")}}, []string{"b"}},
		{"a failover of a server that cannot say what it stores", world{t: failingOver("b", "a"), views: []View{down("a"), old}}, []string{"b"}},
		{"a switchover", world{t: pairOf("b", "a", "c").after(pairOf("a", "b", "c")), views: healthy}, []string{"b"}},
		{"a detachment", world{t: lettingGo, views: healthy}, []string{"c"}},
		{"a detachment of one that does not answer", world{t: lettingGo, views: gone}, []string{"c"}},
		{"an attach", world{t: pairOf("a", "b").after(pairOf("a")), views: []View{primaryOf("a"), empty("b")}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := c.from.plan(t)
			if got := (Intent{Steps: p.Steps}).Frees(); !slices.Equal(got, c.want) || len(p.Steps) == 0 {
				t.Errorf("%s frees %v, want %v", p.Transition, got, c.want)
			}
		})
	}
}

// TestRejoined: a switchover to a cluster that came back on somebody's word after
// it had been stale says so, whatever else happened since.
func TestRejoined(t *testing.T) {
	stale := StaleMark{Cluster: "b", Topology: "orders", Since: now.Add(-48 * time.Hour), Promoted: "a", Effected: true, Fenced: true}
	joined := UsedProvision{Cluster: "b", At: now.Add(-24 * time.Hour)}
	before := UsedProvision{Cluster: "b", At: now.Add(-72 * time.Hour)}
	other := UsedProvision{Cluster: "a", At: now.Add(-24 * time.Hour)}
	for name, c := range map[string]struct {
		memory Memory
		want   bool
	}{
		"never stale":           {Memory{Provisions: []UsedProvision{joined}}, false},
		"stale, and came back":  {Memory{Stale: []StaleMark{stale}, Provisions: []UsedProvision{joined}}, true},
		"joined before":         {Memory{Stale: []StaleMark{stale}, Provisions: []UsedProvision{before}}, false},
		"another one came back": {Memory{Stale: []StaleMark{stale}, Provisions: []UsedProvision{other}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			doc := document(8, cluster("a", RoleStandby), cluster("b", RolePrimary)).after(document(7, cluster("a", RolePrimary), cluster("b", RoleStandby)))
			got := world{t: doc, views: []View{primaryOf("a", "b"), standbyOf("a", "b")}, memory: c.memory}.plan(t)
			said := slices.ContainsFunc(got.Findings, func(f Finding) bool { return f.Code == CodeRejoinedWithoutRebuild })
			if got.Transition != TransitionSwitchover || said != c.want {
				t.Errorf("%s: %v", got.Transition, got.Findings)
			}
		})
	}
}

// TestRejoinedWhereTheSourceIsUnknown: the finding names the other cluster in words
// where the cluster that becomes primary does not tell which one it follows.
func TestRejoinedWhereTheSourceIsUnknown(t *testing.T) {
	memory := Memory{
		Stale:      []StaleMark{{Cluster: "b", Topology: "orders", Since: now.Add(-48 * time.Hour), Promoted: "a", Effected: true, Fenced: true}},
		Provisions: []UsedProvision{{Cluster: "b", At: now.Add(-24 * time.Hour)}},
	}
	doc := document(8, cluster("a", RoleStandby), cluster("b", RolePrimary)).after(document(7, cluster("a", RolePrimary), cluster("b", RoleStandby)))
	got := world{t: doc, views: []View{primaryOf("a", "b"), down("b")}, memory: memory}.plan(t)
	i := slices.IndexFunc(got.Findings, func(f Finding) bool { return f.Code == CodeRejoinedWithoutRebuild })
	if i < 0 || !strings.Contains(got.Findings[i].Message, "the previous primary becomes a second primary") {
		t.Errorf("%s: %v", got.Transition, got.Findings)
	}
}

// TestFenceInLog: nothing is attached to a primary that was stale before, unless an
// approver says that its log holds no fence any more.
func TestFenceInLog(t *testing.T) {
	stale := StaleMark{Cluster: "a", Topology: "orders", Since: now.Add(-48 * time.Hour), Promoted: "b", Effected: true, Fenced: true}
	other := StaleMark{Cluster: "b", Topology: "orders", Since: now.Add(-48 * time.Hour), Promoted: "a", Effected: true}
	joining := cluster("c", RoleStandby)
	joining.Provisioned = Provisioned{From: ProvisionedEmpty, At: now.Add(-time.Hour)}
	doc := document(9, cluster("a", RolePrimary), joining).after(document(8, cluster("a", RolePrimary)))
	fresh := View{Cluster: "c", Reach: ReachUp, Belief: Belief{Kind: BeliefUnconfigured}, IdentityProven: true, ReadsConfiguration: SupportYes, Contents: Contents{Known: true}, Credential: CredentialBound, At: now}
	for name, c := range map[string]struct {
		memory Memory
		want   bool
	}{
		"a primary that was never stale":       {Memory{}, false},
		"a primary that was stale":             {Memory{Stale: []StaleMark{stale}}, true},
		"another cluster is stale":             {Memory{Stale: []StaleMark{other}}, false},
		"a primary that was stale, not fenced": {Memory{Stale: []StaleMark{{Cluster: "a", Topology: "orders", Since: now.Add(-time.Hour), Promoted: "b"}}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got := world{t: doc, views: []View{believing("a", storing("a")), fresh}, memory: c.memory}.plan(t)
			i := slices.IndexFunc(got.Findings, func(f Finding) bool { return f.Code == CodeFenceInLog })
			if got.Transition != TransitionAddStandby || (i >= 0) != c.want {
				t.Fatalf("%s: %v", got.Transition, got.Findings)
			}
			accepted := []Code{CodeStalePromotion, CodeFenceInLog} // the last copy stays one
			if c.want && (!got.Blocked(accepted[:1]) || got.Blocked(accepted)) {
				t.Errorf("not blocked, or blocked though it is accepted: %v", got.Findings)
			}
		})
	}
}
