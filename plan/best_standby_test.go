package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// behind is a standby of a that answers and has replicated up to some time ago, by
// channel.
func behind(id string, ages ...time.Duration) View {
	siblings := slices.DeleteFunc([]string{"b", "c", "d"}, func(s string) bool { return s == id })
	v := standbyOf("a", id, siblings...)
	v.Progress = progress(id, ages...)
	for i := range v.Progress {
		v.Progress[i].SourceCluster = "a"
	}
	v.ForcePromotes, v.IdentityProven = SupportYes, true
	return v
}

func TestTheBestStandbyIsChosen(t *testing.T) {
	star := pairOf("a", "b", "c", "d")
	kept := pairOf("a", "b", "c", "d")
	kept.Clusters[2].Promotable = false
	merged := failingOver("b", "a", "c", "d")
	tooOld := behind("c", time.Second, time.Second)
	tooOld.ForcePromotes = SupportNo
	all := map[string]Role{"a": RoleStale, "b": RoleStale, "c": RolePrimary, "d": RoleStale}
	for _, tt := range []struct {
		name  string
		t     Topology
		views []View
		m     Memory
		want  map[string]Role
		why   string
		err   string
	}{
		{
			name: "the furthest of three", t: star, want: all, why: "b is behind it by 4 s; d is behind it by 1 s",
			views: []View{down("a"), behind("b", 5*time.Second, 5*time.Second), behind("c", time.Second, time.Second), behind("d", 2*time.Second, 2*time.Second)},
		},
		{
			name: "a failover to b was merged and not carried out", t: merged, want: all, why: "b is behind it by 4 s",
			views: []View{down("a"), behind("b", 5*time.Second, 5*time.Second), behind("c", time.Second, time.Second), behind("d", 2*time.Second, 2*time.Second)},
		},
		{
			name: "each is ahead on a channel: the worst channel decides", t: star, want: all, why: "d is behind it by 4 s on 1 of 2 channels, and ahead on 1",
			views: []View{down("a"), down("b"), behind("c", 2*time.Second, time.Second), behind("d", time.Second, 5*time.Second)},
		},
		{
			name: "the furthest must not be promoted", t: kept, want: map[string]Role{"a": RoleStale, "b": RolePrimary, "c": RoleStale, "d": RoleStale}, why: "c is marked 'promotable: false'",
			views: []View{down("a"), behind("b", 2*time.Second, 2*time.Second), behind("c", time.Second, time.Second), behind("d", 5*time.Second, 5*time.Second)},
		},
		{
			name: "the furthest ignores a force promote", t: star, want: map[string]Role{"a": RoleStale, "b": RolePrimary, "c": RoleStale, "d": RoleStale}, why: "c was not seen to honour force_promote",
			views: []View{down("a"), behind("b", 2*time.Second, 2*time.Second), tooOld, behind("d", 5*time.Second, 5*time.Second)},
		},
		{
			name: "of equals the first", t: star, want: map[string]Role{"a": RoleStale, "b": RolePrimary, "c": RoleStale, "d": RoleStale}, why: "c has the same",
			views: []View{down("a"), behind("b", time.Second, time.Second), behind("c", time.Second, time.Second), down("d")},
		},
		{
			name: "the only one", t: pairOf("a", "b"), want: map[string]Role{"a": RoleStale, "b": RolePrimary}, why: "it is the only standby",
			views: []View{down("a"), behind("b", time.Second, time.Second)},
		},
		{
			name: "the primary answers", t: star, err: "a answers, so it is not lost",
			views: []View{primaryOf("a", "b", "c", "d"), behind("b", 0, 0), behind("c", 0, 0), behind("d", 0, 0)},
		},
		{
			name: "one cannot be compared", t: star, err: "cannot be compared",
			views: []View{down("a"), behind("b", time.Second, time.Second), behind("c"), behind("d", time.Second, time.Second)},
		},
		{name: "no standby answers", t: star, err: "no standby of orders can be promoted: b is unreachable", views: []View{down("a"), down("b"), down("c"), down("d")}},
		{
			name: "a stale one is never chosen", t: pairOf("a", "b"), m: Memory{Stale: []StaleMark{{Cluster: "b", Topology: "orders"}}},
			err: "no standby of orders can be promoted", views: []View{down("a"), behind("b", 0, 0)},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.m.Now = now
			to, why, roles, err := ProposeBestFailover(tt.t, Observed{Views: tt.views}, tt.m)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), "(hint: ") {
					t.Errorf("got %v, want %q with a hint", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, roles); diff != "" || roles[to] != RolePrimary || !strings.Contains(why, tt.why) {
				t.Errorf("%s, since %q (-want +got):\n%s", to, why, diff)
			}
		})
	}
}

// TestTheBestStandbyIsNamedOnce: however many standbys are further than the candidate,
// one finding names the best, says by how much, and the command.
func TestTheBestStandbyIsNamedOnce(t *testing.T) {
	views := []View{down("a"), behind("b", 5*time.Second, 5*time.Second), behind("c", time.Second, time.Second), behind("d", 2*time.Second, 2*time.Second)}
	p := world{t: failingOver("b", "a", "c", "d"), views: views, evidence: []Evidence{lost("a", "b")}}.plan(t)
	var found []Finding
	for _, f := range p.Findings {
		if f.Code == CodeNotMostCaughtUp {
			found = append(found, f)
		}
	}
	if len(found) != 1 || found[0].Cluster != "c" {
		t.Fatalf("got %+v", found)
	}
	if want := "c has replicated further than b by 4 s, on 2 of 2 channels; it has the most data of 3 standbys"; found[0].Message != want {
		t.Errorf("got %q, want %q", found[0].Message, want)
	}
	if !strings.Contains(found[0].Remedy, "'reconcile propose orders --failover'") {
		t.Errorf("no command: %s", found[0].Remedy)
	}
	best := world{t: failingOver("c", "a", "b", "d"), views: views, evidence: []Evidence{lost("a", "c")}}.plan(t)
	if best.Has(CodeNotMostCaughtUp) {
		t.Errorf("the best is blocked: %+v", best.Findings)
	}
}

// TestWhatIsChosenIsNeverBehindOnAll: whatever the progress, no other standby has at
// least as much on each channel and more on one.
func TestWhatIsChosenIsNeverBehindOnAll(t *testing.T) {
	ages := []time.Duration{0, time.Second, 3 * time.Second, 9 * time.Second}
	n := len(ages)
	for i := range n * n * n * n {
		b := behind("b", ages[i%n], ages[i/n%n])
		c := behind("c", ages[i/n/n%n], ages[i/n/n/n%n])
		to, _, _, err := ProposeBestFailover(pairOf("a", "b", "c"), Observed{Views: []View{down("a"), b, c}}, Memory{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		chosen, other := b, c
		if to == "c" {
			chosen, other = c, b
		}
		if ahead, less, _ := compareProgress(chosen.Progress, other.Progress); less > 0 && ahead == 0 {
			t.Errorf("%s was chosen although %s has more: %v %v", chosen.Cluster, other.Cluster, b.Progress, c.Progress)
		}
	}
}

// TestInForce: a failover that was merged and not carried out gives nobody a role.
func TestInForce(t *testing.T) {
	views := []View{down("a"), behind("b", time.Second), behind("c", 0), behind("d", 0)}
	roles := func(t Topology, m Memory) map[string]Role {
		out := map[string]Role{}
		for _, c := range t.InForce(Observed{Views: views}, m).Clusters {
			out[c.ID] = c.Role
		}
		return out
	}
	want := map[string]Role{"a": RolePrimary, "b": RoleStandby, "c": RoleStandby, "d": RoleStale}
	marked := Memory{Stale: []StaleMark{{Cluster: "d", Topology: "orders", Since: now.Add(-time.Hour), Promoted: "a", Fenced: true}}}
	if diff := cmp.Diff(want, roles(failingOver("b", "a", "c", "d"), marked)); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
	want = map[string]Role{"a": RolePrimary, "b": RoleStandby, "c": RoleStandby, "d": RoleStandby}
	if diff := cmp.Diff(want, roles(pairOf("a", "b", "c", "d"), Memory{})); diff != "" {
		t.Errorf("carried out (-want +got):\n%s", diff)
	}
}
