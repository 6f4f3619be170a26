package scenarios

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// commandExits are the exit codes of the commands in one situation. apply changes
// something in a situation of its own only: in the others it has nothing to do, or refuses.
type commandExits struct{ plan, status, drift, doctor, apply int }

// TestExitCodesAndSymbols is the table of docs/exit-codes.md, held against the program:
// each command in each situation of a pair, with its exit code, and whether it may mark the
// topology as good.
func TestExitCodesAndSymbols(t *testing.T) {
	t.Parallel()
	d := testkit.NewHealthyReplicas(t, 0)
	token := filepath.Join(d.Play, "token")
	good, err := os.ReadFile(token)
	if err != nil {
		t.Fatal(err)
	}
	post := func(path, body string) func() { return func() { d.Post(t, path, body) } }
	write := func(text string) func() { return func() { testkit.Write(t, token, text) } }
	clear := func(cluster string) func() {
		return func() {
			if _, err := testkit.Request("DELETE", d.Control+"/clusters/"+cluster+"/faults", ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	none := func() {}
	for _, c := range []struct {
		name       string
		begin, end func()
		want       commandExits
		code       string // of the finding that drift and status name
		inSync     bool   // by drift
		good       bool   // ✓ may stand at the topology
	}{
		{"a healthy pair", none, none, commandExits{0, 0, 0, 0, 0}, "", true, true},
		{"a token that is refused", write("root:wrong"), write(string(good)), commandExits{0, 0, 1, 4, 0}, "CLUSTER_UNREADABLE", false, false},
		{"the standby is down", post("/clusters/b/stop", ""), post("/clusters/b/start", ""), commandExits{0, 0, 1, 4, 0}, "CLUSTER_UNREACHABLE", false, false},
		{"the primary is down", post("/clusters/a/stop", ""), post("/clusters/a/start", ""), commandExits{0, 0, 2, 0, 4}, "NO_PRIMARY", false, false},
		{
			"the progress cannot be read", post("/clusters/b/faults", `{"method":"GetReplicateInfo","kind":"error","code":"Internal"}`), clear("b"),
			commandExits{0, 0, 1, 0, 0},
			"LAG_UNKNOWN", false, false,
		},
		{
			"the link is cut and rows wait", func() { d.Post(t, "/links/a/b", `{"up":false}`); d.Post(t, "/clusters/a/write", `{"rows":50}`) }, post("/links/a/b", `{"up":true}`),
			commandExits{0, 0, 2, 0, 0},
			"REPLICATION_STALLED", false, false,
		},
	} {
		c.begin()
		s := situation{t, d, c.name}
		s.hold(c.want, c.code, c.inSync, c.good)
		out := s.run(c.want.doctor, "doctor")
		s.checkMark(out, []string{"doctor"}, c.good)
		if bad := strings.HasPrefix(out, "✗"); bad != (c.want.doctor != 0) {
			t.Errorf("%s: doctor ends with %d under its symbol:\n%s", c.name, c.want.doctor, out)
		}
		s.run(c.want.apply, "apply")
		c.end()
		d.Await(t, "the pair to be well after "+c.name, func() bool {
			return exec.CommandContext(d.Ctx, "reconcile", "drift", "--config", filepath.Join(d.Play, "reconcile.yaml")).Run() == nil
		})
	}
}

// TestExitCodesOfAFailover goes through a failover, from the outage to a primary that is
// back: no step of it is marked as good.
func TestExitCodesOfAFailover(t *testing.T) {
	t.Parallel()
	d := testkit.NewHealthyReplicas(t, 0)
	d.Post(t, "/clusters/a/stop", "")
	d.FailOver(t)
	s := situation{t, d, "an approved failover"}
	s.hold(commandExits{drift: 2}, "FORCE_PROMOTE", false, false)
	s.run(0, "apply")
	s.name = "a failover that is done, and the old primary away"
	s.hold(commandExits{}, "STALE_PRIMARY", true, false)
	s.run(0, "apply")
	d.Post(t, "/clusters/a/start", "")
	s.name = "the old primary is back"
	s.hold(commandExits{drift: 2}, "SPLIT_BRAIN", false, false)
	s.run(4, "apply", "orders")
	for _, args := range [][]string{{"doctor"}, {"doctor", "--all"}} {
		if out := s.run(4, args...); !strings.Contains(out, "MORE THAN ONE CLUSTER TAKES WRITES") {
			t.Errorf("%v does not say that two clusters take writes:\n%s", args, out)
		}
	}
}

// situation is one state of the pair.
type situation struct {
	t    *testing.T
	d    *testkit.Replicas
	name string
}

// hold checks what only looks: plan, status and drift, in the forms for people and in JSON.
func (s situation) hold(want commandExits, code string, inSync, good bool) {
	s.t.Helper()
	s.checkJSON(s.run(want.drift, "drift", "-o", "json"), code, inSync)
	for _, args := range [][]string{{"plan"}, {"status"}, {"drift"}, {"plan", "-o", "markdown"}, {"drift", "-o", "markdown"}, {"status", "-o", "markdown"}} {
		exit := map[string]int{"plan": want.plan, "status": want.status, "drift": want.drift}[args[0]]
		atRest := args[0] == "plan" && code == "LAG_UNKNOWN" || args[0] == "plan" && code == "REPLICATION_STALLED"
		out := s.run(exit, args...)
		s.checkMark(out, args, good || atRest) // plan does not ask standbys at rest
		if exit == 0 && args[0] == "plan" && strings.Contains(out, "Blocked") && !strings.Contains(out, "by nothing") {
			s.t.Errorf("%s: %v says that it is blocked and ends with 0:\n%s", s.name, args, out)
		}
	}
}

// run runs a command and checks how it ends.
func (s situation) run(want int, args ...string) string {
	s.t.Helper()
	out, err := exec.CommandContext(s.d.Ctx, "reconcile", append(args, "--config", filepath.Join(s.d.Play, "reconcile.yaml"))...).Output()
	code := 0
	if exit := (&exec.ExitError{}); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		s.t.Fatal(err)
	}
	if code != want {
		s.t.Errorf("%s: %v ended with %d, want %d:\n%s", s.name, args, code, want, out)
	}
	return string(out)
}

// checkMark says whether the topology is marked as good, where it may not be.
func (s situation) checkMark(out string, args []string, good bool) {
	s.t.Helper()
	for _, mark := range []string{"✓ orders", "✓ **orders", "✓ 1 in sync", "✓ doctor"} {
		if strings.Contains(out, mark) && !good {
			s.t.Errorf("%s: %v marks it as good:\n%s", s.name, args, out)
		}
	}
}

// checkJSON checks what drift says of the topology in JSON.
func (s situation) checkJSON(out, code string, inSync bool) {
	s.t.Helper()
	var doc struct {
		Summary    struct{ InSync int }
		Topologies []struct {
			InSync   bool
			Findings []struct{ Code string }
		}
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		s.t.Fatal(err)
	}
	if len(doc.Topologies) != 1 || doc.Topologies[0].InSync != inSync || doc.Summary.InSync == 1 != inSync {
		s.t.Errorf("%s: in sync must be %t:\n%s", s.name, inSync, out)
		return
	}
	for _, f := range doc.Topologies[0].Findings {
		if f.Code == code {
			return
		}
	}
	if code != "" {
		s.t.Errorf("%s: it does not say %s:\n%s", s.name, code, out)
	}
}
