package plan

import (
	"slices"
	"strings"
	"testing"
	"time"
)

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
