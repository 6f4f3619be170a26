package conformance

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// outside is a target that the suite knows by its addresses only.
func outside(t *testing.T, specs []milvussim.ClusterSpec, w *milvussim.World) Target {
	t.Helper()
	if err := w.Start(specs...); err != nil {
		t.Fatal(err)
	}
	target := Target{Patience: simulatedPatience, limits: &simulatedLimits, C: &Cluster{}}
	for id, c := range map[string]*Cluster{"a": &target.A, "b": &target.B, "c": target.C} {
		if w.Address(id) == "" {
			target.C = nil
			continue
		}
		var err error
		if *c, err = ParseCluster("id=" + id + ",address=" + w.Address(id)); err != nil {
			t.Fatal(err)
		}
	}
	return target
}

func three() []milvussim.ClusterSpec {
	return append(milvussim.Pair("a", "b"), milvussim.ClusterSpec{ID: "c", Role: milvussim.Standby})
}

// TestTargetPath runs the cases for real clusters against clusters that the
// suite knows by their addresses only, so that the way to real ones is not walked
// for the first time on them.
func TestTargetPath(t *testing.T) {
	t.Run("a pair that matters", func(t *testing.T) {
		w := milvussim.New(milvussim.Options{})
		defer w.Close()
		RunTarget(t, outside(t, milvussim.Converged(milvussim.Pair("a", "b")), w))
	})
	t.Run("a pair that was never configured", func(t *testing.T) {
		w := milvussim.New(milvussim.Options{})
		defer w.Close()
		target := outside(t, milvussim.Unconfigured(milvussim.Pair("a", "b")), w)
		target.Expendable = true
		RunTarget(t, target)
	})
	t.Run("three expendable clusters, with hands to break them", func(t *testing.T) {
		w := milvussim.New(milvussim.Options{})
		defer w.Close()
		target := outside(t, milvussim.Converged(three()), w)
		target.Expendable, target.Breaker = true, simulatedBreaker(w)
		RunTarget(t, target)
	})
}

// TestWhatNeedsTheSimulator lists the cases that no real clusters can run,
// whatever they are given; docs/conformance.md names them too.
func TestWhatNeedsTheSimulator(t *testing.T) {
	target := Target{Expendable: true, C: &Cluster{}, Breaker: simulatedBreaker(milvussim.New(milvussim.Options{}))}
	var never []string
	for _, c := range Cases() {
		if c.skipped(target) != "" {
			never = append(never, c.ID+" "+c.Title)
		}
	}
	want := []string{
		"I04 and so it does when the edge is told again before the link heals (milvus.md §4.2)",
		"I04 unless the source skips what predates its task (#52728)",
		"I08 a removal from before the task is replayed to the end of replication (#52727, milvus.md §4.1)",
		"I08 which the source skips with the fix (#52728)",
		"S06 the force flag is ignored on a standby", "S06 and removes every standby on a primary",
		"S09 promoted although the deadline passed",
		"S35 blank tokens are filled in, wrong ones refused",
		"S38 growth together with a removal",
		"S39 clears replication on a few builds of master",
		"S43 a deadline in the wait for the lock", "S44 the caller cancels", "S45 a restart in the middle",
		"S46 an unconfigured cluster blocks", "S47 an unconfigured cluster answers with the fix",
		"S48 2.6.16 does not forward the read", "S48 nor does 3.0-beta", "S49 2.6.0 knows none of it",
		"S53 a primary waits before 2.6.19", "S55 and are from 2.6.23 on", "S56 resource groups on a standby",
		"S59 channels disagree in the middle of a switchover",
		"S62 longer away than retention",
	}
	if !slices.Equal(never, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(never, "\n"), strings.Join(want, "\n"))
	}
	doc, err := os.ReadFile("../../../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range never {
		if id, _, _ := strings.Cut(c, " "); !strings.Contains(string(doc), id) {
			t.Errorf("docs/conformance.md does not say that %s needs the simulator", id)
		}
	}
}

// TestSkipsByName: what is missing is named.
func TestSkipsByName(t *testing.T) {
	for _, tc := range []struct {
		name   string
		c      Case
		target Target
		want   string
	}{
		{"nothing", Case{}, Target{Expendable: true}, ""},
		{"a case that matters", Case{}, Target{}, "expendable"},
		{"read only", Case{readOnly: true}, Target{}, ""},
		{"a third cluster", Case{start: wide}, Target{Expendable: true}, "MILVUS_C"},
		{"commands", Case{needs: needsCut}, Target{Expendable: true}, "MILVUS_CUT, MILVUS_HEAL"},
		{"half of the commands", Case{needs: needsStop}, Target{Expendable: true, Breaker: Breaker{Stop: func(string) error { return nil }}}, "a cluster: MILVUS_START"},
		{"a version", Case{version: "2.6.0"}, Target{Expendable: true}, "2.6.0"},
		{"queries", Case{queries: true}, Target{Expendable: true, ControlOnly: true}, "MILVUS_CONTROL_ONLY"},
		{"queries where they work", Case{queries: true}, Target{Expendable: true}, ""},
		{"the simulator", Case{simulated: true}, Target{Expendable: true}, "simulator"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.c.skipped(tc.target); !strings.Contains(got, tc.want) || (got == "") != (tc.want == "") {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestCommandBreaker(t *testing.T) {
	file := filepath.Join(t.TempDir(), "done")
	t.Setenv("DONE", file)
	env := map[string]string{
		"MILVUS_STOP": `echo "stop $CLUSTER" >> "$DONE"`, "MILVUS_CUT": `echo "cut $FROM $TO" >> "$DONE"`,
		"MILVUS_GROW": `echo no such cluster; exit 3`,
	}
	b := CommandBreaker(func(name string) string { return env[name] })
	if b.Start != nil || b.Heal != nil {
		t.Error("a variable that is not set is no command")
	}
	if err := b.Stop("a"); err != nil {
		t.Error(err)
	}
	if err := b.Cut("a", "b; touch x"); err != nil {
		t.Error(err)
	}
	if err := b.Grow("a"); err == nil || !strings.Contains(err.Error(), "MILVUS_GROW with CLUSTER=a") || !strings.Contains(err.Error(), "no such cluster") {
		t.Errorf("got %v", err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "stop a\ncut a b; touch x\n" {
		t.Errorf("did %q, %v", got, err)
	}
}

func TestParseCluster(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     Cluster
		err      string
	}{
		{"defaults", "id=a,address=h:1", Cluster{ID: "a", Address: "h:1", URI: "http://h:1", Token: "root:Milvus", PChannels: 16}, ""},
		{"all", "id=a, address=h:1, uri=https://h:2, token=u:p, pchannels=4", Cluster{ID: "a", Address: "h:1", URI: "https://h:2", Token: "u:p", PChannels: 4}, ""},
		{"over TLS", "id=a,address=https://h:1", Cluster{ID: "a", Address: "h:1", Secured: true, URI: "https://h:1", Token: "root:Milvus", PChannels: 16}, ""},
		{"with a scheme", "id=a,address=http://h:1", Cluster{ID: "a", Address: "h:1", URI: "http://h:1", Token: "root:Milvus", PChannels: 16}, ""},
		{"no address", "id=a", Cluster{}, "id and address are needed"},
		{"nothing", "", Cluster{}, "is not key=value"},
		{"unknown key", "id=a,address=h:1,colour=red", Cluster{}, "unknown key"},
		{"bad number", "id=a,address=h:1,pchannels=many", Cluster{}, "is not a number"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseCluster(tc.in)
			if tc.err == "" && (err != nil || got != tc.want) || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestTargetFromEnv(t *testing.T) {
	env := map[string]string{"MILVUS_A": "id=a,address=h:1", "MILVUS_C": "id=c", "MILVUS_CA": "/no/such/file", "MILVUS_LIMIT": "soon"}
	_, err := TargetFromEnv(func(name string) string { return env[name] })
	for _, want := range []string{"MILVUS_B: ", "MILVUS_C: ", "certificate authority", `MILVUS_LIMIT: "soon"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}
