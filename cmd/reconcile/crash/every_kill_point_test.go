package crash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// points are all the named points of an apply of a failover.
var points = []string{
	"before lock", "after lock", "before begin", "after begin", "before sent", "after sent", "before execute", "before send",
	"after execute", "before effected", "after effected", "before verify", "after verify", "before finish", "after finish",
	"before release", "after release",
}

// pointFaults widen what a kill can hit.
var pointFaults = []string{
	"", delayed, `{"method":"UpdateReplicateConfiguration","kind":"drop_reply","times":1}`,
	`{"method":"UpdateReplicateConfiguration","kind":"error","times":1,"code":"Unavailable"}`,
}

// crashRounds multiplies the crash matrix: each round kills at every point
// once more, with another fault, and at a second point while it is carried on.
const crashRounds = "RECONCILE_CRASH_ROUNDS"

// TestKilledAtEveryPoint kills the real process between any two effects of a
// failover, on a ledger of each sort; the next one carries on, as another
// machine.
func TestKilledAtEveryPoint(t *testing.T) {
	rounds := 1
	if given := os.Getenv(crashRounds); given != "" {
		var err error
		if rounds, err = strconv.Atoi(given); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range []string{"embedded", "etcd"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rounds)*testkit.FleetPatience)
			defer cancel()
			etcd := ""
			if kind == "etcd" {
				etcd = "http://" + testkit.StartEtcd(t)
			}
			n := rounds * len(points)
			d := newLostDrill(ctx, t, n, etcd)
			d.Each(n, func(i int) { d.killAt(t, i) })
			if code, out := d.Reconcile("history"); code != 0 {
				t.Errorf("history ended with %d after the crashes:\n%s", code, out)
			}
			for i := range n {
				d.Judge(t, strings.Join(killsOf(i), ", then "), testkit.TopologyName(i))
			}
		})
	}
}

// killsOf are the points of one failover: one by its number and, from the
// second round on, another that is further on with every round.
func killsOf(i int) []string {
	round := i / len(points)
	if round == 0 {
		return points[i : i+1 : i+1]
	}
	return []string{points[i%len(points)], points[(i*5+7*round)%len(points)]}
}

func (d drill) killAt(t *testing.T, i int) {
	topology := testkit.TopologyName(i)
	if fault := pointFaults[(i+i/len(points))%len(pointFaults)]; fault != "" {
		d.Post(t, "/clusters/"+testkit.Candidate(topology)+"/faults", fault)
	}
	var told []string
	for machine, point := range append(killsOf(i), make([]string, testkit.Runs)...) {
		code, out := d.apply(t, topology, testkit.EnvKillAt+"="+point, fmt.Sprintf("%s=machine-%d", testkit.EnvHost, machine))
		if code == 0 && point == "" {
			return
		}
		told = append(told, fmt.Sprintf("killed at %q, exit code %d:\n%s", point, code, out))
	}
	t.Errorf("%s was not finished:\n%s", topology, strings.Join(told, "\n"))
}

// apply runs one apply from a folder of its own and waits for its end.
func (d drill) apply(t *testing.T, topology string, env ...string) (int, string) {
	var out bytes.Buffer
	cmd := d.Command(d.Ctx, "apply", topology, "--lock-timeout", "30s")
	cmd.Dir, cmd.Stdout, cmd.Stderr = t.TempDir(), &out, &out
	cmd.Env = append(cmd.Env, env...)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return -1, err.Error()
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// stopped starts an apply that stops itself at a point, and waits until it did.
func (d drill) stopped(t *testing.T, topology, point string) (resume func() (int, string)) {
	t.Helper()
	var out bytes.Buffer
	mark := filepath.Join(t.TempDir(), "stopped")
	cmd := d.Command(d.Ctx, "apply", topology)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = append(cmd.Env, testkit.EnvStopAt+"="+point, testkit.EnvMarkFile+"="+mark, testkit.EnvHost+"=machine-1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it may have ended
	d.Await(t, "the process to stop "+point, func() bool { _, err := os.Stat(mark); return err == nil })
	return func() (int, string) {
		if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // its exit code is what counts
		return cmd.ProcessState.ExitCode(), out.String()
	}
}

// TestTwoReconcilersRace: one acts, the other says who holds the lock since
// when.
func TestTwoReconcilersRace(t *testing.T) {
	for _, kind := range []string{"embedded", "etcd"} {
		t.Run(kind, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), testkit.FleetPatience)
			defer cancel()
			etcd := ""
			if kind == "etcd" {
				etcd = "http://" + testkit.StartEtcd(t)
			}
			d := newLostDrill(ctx, t, 1, etcd)
			if etcd != "" { // the holder outlives the time that it is stopped
				testkit.KeepInEtcd(t, filepath.Join(d.Play, "reconcile.yaml"), etcd, time.Minute)
			}
			resume := d.stopped(t, "t000", "after lock")
			code, out := d.Reconcile("apply", "t000")
			out = strings.Join(strings.Fields(out), " ") // the table breaks lines
			year := strconv.Itoa(time.Now().UTC().Year())
			if code != 4 || !strings.Contains(out, "is locked by") || !strings.Contains(out, "on machine-1) since "+year) {
				t.Errorf("exit code %d: %s", code, out)
			}
			if code, out := resume(); code != 0 {
				t.Errorf("exit code %d: %s", code, out)
			}
			d.Judge(t, "the race", "t000")
		})
	}
}

// TestStoppedBeforeItSends is R42 of scenarios.md: a process is stopped between its look at
// the lease and the call, and wakes up when another has finished its work.
func TestStoppedBeforeItSends(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), testkit.FleetPatience)
	defer cancel()
	d := newLostDrill(ctx, t, 1, "http://"+testkit.StartEtcd(t))
	resume := d.stopped(t, "t000", "before send")
	if code, out := d.apply(t, "t000", testkit.EnvHost+"=machine-2"); code != 0 {
		t.Fatalf("exit code %d: %s", code, out)
	}
	code, out := resume()
	if code == 0 || !strings.Contains(out, "lock") {
		t.Errorf("exit code %d: %s", code, out)
	}
	now, err := d.Read()
	if err != nil {
		t.Fatal(err)
	}
	sent := 0
	for _, c := range now.Calls {
		if c.ForcePromote {
			sent++
		}
	}
	if sent != 1 {
		t.Errorf("%d force promotes were sent, want the other's only", sent)
	}
	d.Judge(t, "R42", "t000")
}
