package plan

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// unsent is a standby on whose channels messages of the source wait.
func unsent(v View, waited time.Duration) View {
	v.Progress = slices.Clone(v.Progress)
	for i := range v.Progress {
		v.Progress[i].Unsent = ptr(v.At.Add(-waited))
	}
	return v
}

// recorded is the memory of one look at standby b, a while ago.
func recorded(ago time.Duration, channels []ChannelProgress, collections ...string) Memory {
	return Memory{Progress: []ProgressRecord{{Cluster: "b", Source: "a", At: now.Add(-ago), Channels: channels, Collections: collections}}}
}

// TestReplicationStalled: the edge is there, messages wait, and the checkpoint
// stands where it stood.
func TestReplicationStalled(t *testing.T) {
	standing := standbyOf("a", "b")
	moved := recorded(time.Minute, progress("b", time.Hour, time.Hour))
	stood := recorded(time.Minute, standing.Progress)
	stranger := stood
	stranger.Progress = []ProgressRecord{stood.Progress[0]}
	stranger.Progress[0].Source = "z"
	for _, c := range []struct {
		name   string
		b      View
		memory Memory
		want   bool
	}{
		{"nothing waits", standing, stood, false},
		{"it stood, and messages wait", unsent(standing, 20*time.Second), stood, true},
		{"it stood, and one waits for less than the objective", unsent(standing, 2*time.Second), stood, false},
		{"it moved since the record", unsent(standing, 20*time.Second), moved, false},
		{"nothing is recorded, and messages wait for long", unsent(standing, 2*time.Minute), Memory{}, true},
		{"nothing is recorded, and messages wait", unsent(standing, 20*time.Second), Memory{}, false},
		{"what is recorded is of another source", unsent(standing, 20*time.Second), stranger, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), c.b}, memory: c.memory}.plan(t)
			if p.Has(CodeReplicationStalled) != c.want || p.Changes() || c.want && p.InSync {
				t.Errorf("got %v, steps %v, in sync %t", p.Findings, stepsOf(p), p.InSync)
			}
		})
	}
}

// TestUnsentBoundsTheLag: everything before the oldest unsent message is there,
// so an idle channel's old checkpoint is no lag.
func TestUnsentBoundsTheLag(t *testing.T) {
	b := unsent(idle(standbyOf("a", "b")), 20*time.Second)
	p := world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), b}}.plan(t)
	if !p.Has(CodeLagObjective) || *p.Clusters[1].Lag.Upper != 20*time.Second {
		t.Errorf("got %+v, %v", p.Clusters[1].Lag, codesOf(p, SeverityWarning))
	}
}

// TestCollectionsMissing is R43 of scenarios.md: what was seen on the standby and is not on the
// promoted cluster is told, and nothing else follows from it.
func TestCollectionsMissing(t *testing.T) {
	seen := recorded(3*time.Hour, nil, "default/orders", "default/invoices")
	had := func(ago time.Duration, promoted string) Memory {
		m := hadFailedOver("a", promoted)
		m.Progress, m.Failovers[0].At = seen.Progress, now.Add(-ago)
		return m
	}
	for _, c := range []struct {
		name   string
		b      View
		memory Memory
		want   string
	}{
		{"all are there", holding(primaryOf("b"), "default/invoices", "default/orders", "default/new"), had(time.Hour, "b"), ""},
		{"one is not", holding(primaryOf("b"), "default/orders"), had(time.Hour, "b"), "default/invoices"},
		{"nobody looked", primaryOf("b"), had(time.Hour, "b"), ""},
		{"long ago", holding(primaryOf("b"), "default/orders"), had(25*time.Hour, "b"), ""},
		{"another one was promoted", holding(primaryOf("b"), "default/orders"), had(time.Hour, "c"), ""},
		{"nothing was recorded", holding(primaryOf("b")), hadFailedOver("a", "b"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := world{t: failingOver("b", "a"), views: []View{down("a"), c.b}, memory: c.memory}.plan(t)
			f := find(p, CodeCollectionsMissing, "b")
			if (f != nil) != (c.want != "") || f != nil && !strings.Contains(f.Message, c.want) || p.Blocked(nil) {
				t.Errorf("got %+v, blocked by %v", f, codesOf(p, SeverityBlocking))
			}
			if f != nil && strings.Contains(f.Message, "default/orders") {
				t.Errorf("it misses what is there: %s", f.Message)
			}
		})
	}
}

func find(p TopologyPlan, code Code, cluster string) *Finding {
	for _, f := range p.Findings {
		if f.Code == code && f.Cluster == cluster {
			return &f
		}
	}
	return nil
}

// TestKnownIssues: a published defect is named where it matters, and nowhere else.
func TestKnownIssues(t *testing.T) {
	version := func(v View, tag string) View { v.Version = tag; return v }
	blind := version(standbyOf("a", "b"), "2.6.16")
	blind.ReadsConfiguration = SupportNo
	inferred := empty("b")
	inferred.Belief.Inferred = true
	restored := pairOf("a", "b")
	restored.Clusters[1].Provisioned = Provisioned{From: ProvisionedRestored, At: now.Add(-time.Hour)}
	failover := func(tag string) world {
		return world{t: failingOver("b", "a"), views: []View{down("a"), version(standbyOf("a", "b"), tag)}, evidence: []Evidence{lost("a", "b")}}
	}
	away := func(since time.Duration, waiting func(View, time.Duration) View) world {
		b := standbyOf("a", "b")
		b.Progress = progress("b", since, since)
		return world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), waiting(b, time.Hour)}}
	}
	doubted := failover("2.6.19")
	doubted.memory = begun(t, doubted, func(*Intent) {})
	switchover := world{t: pairOf("b", "a").after(pairOf("a", "b")), views: []View{primaryOf("a", "b"), standbyOf("a", "b")}}
	for _, c := range []struct {
		name    string
		world   world
		cluster string
		want    []string
	}{
		{"a healthy pair", world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), standbyOf("a", "b")}}, "b", nil},
		{"a standby that was away for longer than messages are kept", away(73*time.Hour, unsent), "b", []string{"#48779"}},
		{"one that was away for less", away(71*time.Hour, unsent), "b", nil},
		{"one whose source was idle for longer", away(73*time.Hour, func(v View, _ time.Duration) View { return v }), "b", nil},
		{"a failover to 2.6.18", failover("v2.6.18"), "b", []string{"#50344"}},
		{"a failover to 2.6.19", failover("2.6.19"), "b", nil},
		{"a failover to 3.0.1, whose log may be fenced for longer than the rules wait", failover("v3.0.1"), "b", []string{"#53118"}},
		{"a failover to 3.0.2", failover("3.0.2"), "b", nil},
		{"a failover to 3.0.0-beta", failover("v3.0.0-beta"), "b", []string{"#50344", "#53118"}},
		{"a failover to what is newer than the table", failover("3.0.9"), "b", nil},
		{"a failover to a build of master", failover("master-20260807-954c4e7"), "b", nil},
		{"a failover in doubt", doubted, "b", []string{"#50871"}},
		{"a standby that cannot say what it stores", world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), blind}}, "b", []string{"#49810"}},
		{"a cluster that was inferred to store nothing", world{t: pairOf("a", "b"), views: []View{primaryOf("a"), inferred}}, "b", []string{"#52686"}},
		{"a restored cluster joins", world{t: restored, views: []View{primaryOf("a"), holding(empty("b"), "default/c")}}, "b", []string{"#52727"}},
		{"an empty one joins", world{t: pairOf("a", "b"), views: []View{primaryOf("a"), empty("b")}}, "b", nil},
		{"a switchover, at the old primary", switchover, "a", []string{"#52734"}},
		{"a switchover, at the new one", switchover, "b", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			if f := find(c.world.plan(t), CodeKnownIssue, c.cluster); f != nil {
				for _, word := range strings.FieldsFunc(f.Message, func(r rune) bool { return r == ' ' || r == ':' || r == ';' }) {
					if strings.HasPrefix(word, "#") {
						got = append(got, word)
					}
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestUnreadable: with no transition, what could not be read is told by a code
// that blocks nothing.
func TestUnreadable(t *testing.T) {
	refused, old := unread("b"), unread("b")
	refused.Credential, old.ReadsConfiguration = CredentialRefused, SupportNo
	for name, b := range map[string]View{"its token is refused": refused, "its version cannot say": old, "some error": unread("b")} {
		p := world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), b}}.plan(t)
		if !p.Has(CodeClusterUnreadable) || p.Blocked(nil) || p.InSync || p.Has(CodeClusterUnreachable) {
			t.Errorf("%s: %v, in sync %t", name, p.Findings, p.InSync)
		}
	}
}

// TestTwoMembersProveOneIdentity: both are named, since nobody can tell which
// of the addresses is wrong.
func TestTwoMembersProveOneIdentity(t *testing.T) {
	renamed := primaryOf("a", "b")
	renamed.IdentityConflict, renamed.IdentityProven = "b", false
	p := world{t: failingOver("b", "a"), views: []View{renamed, primaryOf("b")}, memory: hadFailedOver("a", "b")}.plan(t)
	for _, id := range []string{"a", "b"} {
		f := find(p, CodeClusterIDMismatch, id)
		if f == nil || !strings.Contains(f.Message, "a and b") {
			t.Errorf("of %s it says %+v", id, f)
		}
	}
	foreign := primaryOf("a", "b")
	foreign.IdentityConflict = "x"
	if p := (world{t: pairOf("a", "b"), views: []View{foreign, standbyOf("a", "b")}}).plan(t); find(p, CodeClusterIDMismatch, "b") != nil {
		t.Error("b is what it should be, and is called a mismatch")
	}
}

// TestClusterMoved: a cluster stays with its topology, by Git or by the ledger;
// its marks go with its id.
func TestClusterMoved(t *testing.T) {
	views := []View{primaryOf("a", "b"), standbyOf("a", "b")}
	moved := pairOf("a", "b")
	moved.Moved = map[string]string{"b": "payments"}
	for name, w := range map[string]world{
		"by Git":        {t: moved, views: views},
		"by the ledger": {t: pairOf("a", "b"), views: views, memory: Memory{Homes: []Home{{Cluster: "a", Topology: "orders"}, {Cluster: "b", Topology: "payments"}}}},
	} {
		p := w.plan(t)
		if f := find(p, CodeClusterMoved, "b"); f == nil || !strings.Contains(f.Message, "payments") || find(p, CodeClusterMoved, "a") != nil {
			t.Errorf("%s: got %+v", name, p.Findings)
		}
		if !p.Blocked(nil) || p.Blocked([]Code{CodeClusterMoved}) {
			t.Errorf("%s: an approver cannot accept it", name)
		}
	}
	if p := (world{t: pairOf("a", "b"), views: views, memory: Memory{Homes: []Home{{Cluster: "a", Topology: "orders"}, {Cluster: "b", Topology: "orders"}}}}).plan(t); p.Has(CodeClusterMoved) {
		t.Error("clusters at home are called moved")
	}
}

// TestStandbyBecomesWritable: who lets a standby go is told what becomes of it.
func TestStandbyBecomesWritable(t *testing.T) {
	doc := document(8, cluster("a", RolePrimary), cluster("b", RoleDetached), cluster("c", RoleDetached)).after(pairOf("a", "b"))
	p := world{t: doc, views: []View{primaryOf("a", "b"), standbyOf("a", "b"), primaryOf("c")}}.plan(t)
	if find(p, CodeStandbyBecomesWritable, "b") == nil || find(p, CodeStandbyBecomesWritable, "c") != nil || p.Blocked(nil) {
		t.Errorf("got %+v", p.Findings)
	}
}
