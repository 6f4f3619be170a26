package scenarios

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// TestManyTopologiesFitOneScreen: of thirty topologies one has lost its primary and one
// its standby. Every command lists these two and counts the others; --all lists all, a
// pattern selects, and JSON holds everything.
func TestManyTopologiesFitOneScreen(t *testing.T) {
	t.Parallel()
	const topologies = 30
	ctx, cancel := context.WithTimeout(t.Context(), testkit.FleetPatience)
	defer cancel()
	d, _ := testkit.NewFleet(ctx, t, topologies)
	d.Post(t, "/clusters/t011-a/stop", "")
	d.Post(t, "/clusters/t023-b/stop", "")
	for _, c := range []struct {
		command string
		exit    int
		want    []string
	}{
		{"plan", 0, []string{"30 topologies: 1 WITHOUT A PRIMARY", "28 in sync", "reconcile propose t011 --failover"}},
		{"drift", 2, []string{"30 topologies: 1 WITHOUT A PRIMARY", "28 in sync"}},
		{"status", 0, []string{"30 topologies: 1 WITHOUT A PRIMARY", "28 in sync"}},
		{"apply", 4, []string{"30 topologies: 1 WITHOUT A PRIMARY", "28 in sync", "nothing was to be done"}},
		{"doctor", 4, []string{"30 topologies: 1 WHOSE PRIMARY DOES NOT SERVE NOW · 1 could NOT fail", "CANDIDATE_UNREACHABLE", "28 could fail over"}},
		{"status --problems", 0, []string{"30 topologies: 1 WITHOUT A PRIMARY", "28 in sync"}},
		{"status t01*", 0, []string{"10 topologies: 1 WITHOUT A PRIMARY", "9 in sync"}},
	} {
		code, out := d.Page(t, strings.Fields(c.command)...)
		if code != c.exit {
			t.Errorf("%s ended with %d, want %d:\n%s", c.command, code, c.exit, out)
		}
		for _, want := range append(c.want, "t011") {
			if !strings.Contains(out, want) {
				t.Errorf("%s: there is no %q in:\n%s", c.command, want, out)
			}
		}
		if strings.Contains(out, "t005") && c.command != "doctor" {
			t.Errorf("%s lists a topology that is well:\n%s", c.command, out)
		}
		if n := strings.Count(out, "\n"); n > 23 {
			t.Errorf("%s: %d lines do not fit one screen:\n%s", c.command, n, out)
		}
		for _, l := range strings.Split(out, "\n") {
			if utf8.RuneCountInString(l) > 80 {
				t.Errorf("%s: a line does not fit one screen: %s", c.command, l)
			}
		}
	}
	for _, command := range []string{"status", "plan", "drift", "apply", "doctor"} {
		if _, out := d.Page(t, command, "--all"); strings.Count(out, "t0") < topologies {
			t.Errorf("%s --all does not list all:\n%s", command, out)
		}
	}
	if _, out := d.Page(t, "plan", "t011"); !strings.Contains(out, "t011-a") || strings.Contains(out, "details:") {
		t.Errorf("one topology has no page:\n%s", out)
	}
	if code, out := d.Reconcile("plan", "x0*"); code != 1 || !strings.Contains(out, "x0*") || !strings.Contains(out, "hint") {
		t.Errorf("a pattern that selects nothing ended with %d: %s", code, out)
	}
	saved := filepath.Join(t.TempDir(), "plan.json")
	d.Reconcile("plan", "--output-file", "json="+saved)
	if _, out := d.Page(t, "show", saved); !strings.Contains(out, "1 WITHOUT A PRIMARY") || !strings.Contains(out, "reconcile show "+saved+" NAME") {
		t.Errorf("a saved plan is shown as:\n%s", out)
	}
	if code, out := d.Page(t, "show", saved, "t01?", "--all"); code != 0 || !strings.Contains(out, "10 topologies: 1 WITHOUT A PRIMARY") {
		t.Errorf("a part of a saved plan is shown as:\n%s", out)
	}
	code, out := d.Page(t, "plan", "-o", "json", "--problems")
	var document struct{ Topologies []struct{ Name string } }
	if err := json.Unmarshal([]byte(out), &document); code != 0 || err != nil || len(document.Topologies) != topologies {
		t.Errorf("JSON holds %d topologies, %v", len(document.Topologies), err)
	}
}
