package redirect_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/redirect"
)

func exec(name string, argv ...string) redirect.Target {
	return redirect.Target{Name: name, Exec: &redirect.Exec{Command: argv}}
}

func TestTargetsServeTheirTopologies(t *testing.T) {
	for _, c := range []struct {
		name       string
		topologies []string
		want       []plan.TrafficState
	}{
		{"all", nil, []plan.TrafficState{{Topology: "orders", Target: "t", OK: true}}},
		{"this one", []string{"catalog", "orders"}, []plan.TrafficState{{Topology: "orders", Target: "t", OK: true}}},
		{"another", []string{"catalog"}, nil},
	} {
		target := exec("t", "true")
		target.Topologies = c.topologies
		r, _ := made(t, target)
		if d := cmp.Diff(c.want, r.Set(t.Context(), "orders", "cluster-b", nil)); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

// TestOneTargetNeverHidesAnother: every state is there, by name.
func TestOneTargetNeverHidesAnother(t *testing.T) {
	r, _ := made(t, exec("z", "true"), exec("m", "false"), exec("a", "true"))
	got := r.Set(t.Context(), "orders", "cluster-b", nil)
	if len(got) != 3 || !got[0].OK || got[1].OK || !got[2].OK || got[1].Target != "m" || !strings.Contains(got[1].Detail, "exit status 1") {
		t.Errorf("got %+v", got)
	}
}

// TestUnknownClustersAreNotSpokenOf: a topology cannot make a target point at
// what the operator's configuration does not hold, nor name it.
func TestUnknownClustersAreNotSpokenOf(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	r, _ := made(t, exec("t", script(t, `echo "$RECONCILE_PRIMARY_ADDRESS|$RECONCILE_STALE|$RECONCILE_STALE_ADDRESSES" > "$1"`), out))
	got := only(t, r.Set(t.Context(), "orders", "evil", nil))
	if got.OK || !strings.Contains(got.Detail, "holds no address of evil") {
		t.Errorf("got %+v", got)
	}
	if got := only(t, r.Set(t.Context(), "orders", "cluster-b", []string{"evil", "cluster-c", "cluster-a"})); !got.OK {
		t.Errorf("got %+v", got)
	}
	if got, want := read(t, out), "b.example:19530|cluster-a cluster-c|a.example:19530 c.example:19530\n"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
}

func TestNewRefuses(t *testing.T) {
	_, err := redirect.New([]redirect.Target{
		{Name: "nothing"},
		{Name: "empty", Exec: &redirect.Exec{}},
		{Name: "twice", HAProxy: &redirect.HAProxy{Servers: map[string]string{"cluster-a": "s", "cluster-b": "s"}}},
	}, redirect.Options{})
	for _, want := range []string{"nothing: it does not say how", "empty: it does not say how", "twice: cluster-a and cluster-b have the same server s"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
}
