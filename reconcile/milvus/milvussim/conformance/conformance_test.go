package conformance

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestConformance runs the suite: on the simulator, or on the pair of clusters
// that MILVUS_A and MILVUS_B describe.
func TestConformance(t *testing.T) {
	a, b := os.Getenv("MILVUS_A"), os.Getenv("MILVUS_B")
	if a == "" && b == "" {
		RunSimulated(t)
		return
	}
	target := Target{Expendable: os.Getenv("MILVUS_EXPENDABLE") == "yes"}
	var err error
	if target.A, err = ParseCluster(a); err != nil {
		t.Fatalf("MILVUS_A: %v", err)
	}
	if target.B, err = ParseCluster(b); err != nil {
		t.Fatalf("MILVUS_B: %v", err)
	}
	RunTarget(t, target)
}

// TestTargetPath runs the cases for real clusters against a pair that the suite
// knows by its addresses only, so that the way to a real pair is not walked for
// the first time on one.
func TestTargetPath(t *testing.T) {
	for _, expendable := range []bool{false, true} {
		t.Run(fmt.Sprintf("expendable %v", expendable), func(t *testing.T) {
			w := milvussim.New(milvussim.Options{})
			defer w.Close()
			if err := w.Start(milvussim.Converged(milvussim.Pair("a", "b"))...); err != nil {
				t.Fatal(err)
			}
			target := Target{Expendable: expendable, Patience: simulatedPatience}
			for id, c := range map[string]*Cluster{"a": &target.A, "b": &target.B} {
				var err error
				if *c, err = ParseCluster("id=" + id + ",address=" + w.Address(id)); err != nil {
					t.Fatal(err)
				}
			}
			RunTarget(t, target)
		})
	}
}

// TestScenariosAreComplete holds the two sides together: every scenario is
// listed once, and those of the server are exactly the cases of the suite.
func TestScenariosAreComplete(t *testing.T) {
	cases := map[string]bool{}
	for _, c := range Cases() {
		cases[c.ID] = true
		if c.run == nil || c.Title == "" {
			t.Errorf("case %s is empty", c.ID)
		}
	}
	for i, s := range Scenarios() {
		if want := fmt.Sprintf("S%02d", i+1); s.ID != want {
			t.Fatalf("scenario %d is %s, want %s", i, s.ID, want)
		}
		if s.Side == 0 || s.Title == "" {
			t.Errorf("%s speaks of nobody", s.ID)
		}
		if (s.Side&Server != 0) != cases[s.ID] {
			t.Errorf("%s: of the server %v, has a case %v", s.ID, s.Side&Server != 0, cases[s.ID])
		}
		delete(cases, s.ID)
	}
	if n := len(Scenarios()); n != 63 {
		t.Errorf("%d scenarios, want 63", n)
	}
	for id := range cases {
		if !strings.HasPrefix(id, "I") {
			t.Errorf("case %s is no scenario", id)
		}
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
