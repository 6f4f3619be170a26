package conformance

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestConformance runs the suite: on the simulator, or on the clusters that
// MILVUS_A, MILVUS_B and MILVUS_C describe.
func TestConformance(t *testing.T) {
	if os.Getenv("MILVUS_A") == "" && os.Getenv("MILVUS_B") == "" {
		deliver(t, RunSimulated(t))
		return
	}
	target, err := TargetFromEnv(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	deliver(t, RunTarget(t, target))
}

// deliver logs the table, and writes JUnit to the file that MILVUS_JUNIT names.
func deliver(t *testing.T, r *Report) {
	t.Helper()
	var table strings.Builder
	if err := r.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	t.Log(table.String())
	name := os.Getenv("MILVUS_JUNIT")
	if name == "" {
		return
	}
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.WriteJUnit(f), f.Close()); err != nil {
		t.Fatal(err)
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
