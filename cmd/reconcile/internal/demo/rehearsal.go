// Package demo rehearses reconcile on simulated clusters: the failover that
// `reconcile demo` shows, and the world that `reconcile sim` starts, with a
// repository, a configuration and keys to go on by hand.
package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/schema"
)

// Command runs one command line of reconcile as Main does, and returns its exit
// code.
type Command func(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int

// The exit codes that the rehearsal waits for
// (docs/design/contract.md §5).
const (
	exitOK          = 0
	exitChanges     = 2
	exitNotApproved = 3
	exitBlocked     = 4
)

// Run shows a whole failover on out, in a temporary folder, by real commands that
// run executes. It fails at the first chapter that does not go as described.
func Run(ctx context.Context, out io.Writer, run Command) error {
	dir, err := os.MkdirTemp("", "reconcile-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	s := &rehearsal{out: out, run: run, dir: dir, world: milvussim.New(milvussim.Options{})}
	return s.runChapters(ctx)
}

const (
	demoOld = "cluster-a"
	demoNew = "cluster-b"
	// demoTimeout bounds every wait for the simulator.
	demoTimeout = 20 * time.Second
)

// rehearsal is the demo as it is told.
type rehearsal struct {
	out   io.Writer
	run   Command
	dir   string
	world *milvussim.World
	play  playground
	ports map[string]string
	lost  int // rows that only the old primary has
}

// runChapters runs the chapters in order and stops at the first that is not as told.
func (s *rehearsal) runChapters(ctx context.Context) error {
	defer s.world.Close()
	chapters := []struct {
		title string
		run   func(context.Context) error
	}{
		{"Two clusters replicate; Git says so", s.begin},
		{"Applications write; the standby follows", s.write},
		{"The primary's region is lost", s.lose},
		{"Somebody asks for a failover, without an approval", s.ask},
		{"An approver signs", s.approve},
		{"The promoted cluster takes writes", s.proveWrites},
		{"The old primary comes back", s.comeBack},
		{"What was lost, and why", s.account},
	}
	for i, c := range chapters {
		s.say("\n%d. %s\n", i+1, c.title)
		err := c.run(ctx)
		if ended := context.Cause(ctx); ended != nil {
			return fmt.Errorf("the demo ended early, at %q: %w", c.title, ended)
		}
		if err != nil {
			return fmt.Errorf("the demo did not go as described, at %q: %w", c.title, err)
		}
	}
	s.say("\nEvery step did what it should.\n")
	return nil
}

func (s *rehearsal) say(format string, args ...any) {
	fmt.Fprintf(s.out, format, args...)
}

// document is the topology file of one generation.
func (s *rehearsal) document(generation int, old, promoted plan.Role) []byte {
	return fmt.Appendf(nil, `apiVersion: reconcile/v1alpha1
kind: ReplicationTopology
metadata:
  name: orders
spec:
  generation: %d
  clusters:
    - id: cluster-a
      role: %s
      uri: http://%s
    - id: cluster-b
      role: %s
      uri: http://%s
  failover:
    unavailableFor: 2s   # 30s by default; a demo is in a hurry
    probes: 3
`, generation, old, s.ports[demoOld], promoted, s.ports[demoNew])
}

func (s *rehearsal) begin(ctx context.Context) error {
	s.ports = map[string]string{}
	for _, id := range []string{demoOld, demoNew} {
		port, err := freePort()
		if err != nil {
			return err
		}
		s.ports[id] = port
	}
	file := s.document(1, plan.RolePrimary, plan.RoleStandby)
	topologies, problems := schema.Parse("topologies/orders.yaml", file)
	if len(problems) > 0 {
		return problems
	}
	specs, err := simSpecs(topologies, "converged")
	if err != nil {
		return err
	}
	if err := s.world.Start(specs...); err != nil {
		return err
	}
	if s.play, err = newPlayground(s.dir, 1, nil, map[string][]byte{"topologies/orders.yaml": file}, topologies); err != nil {
		return err
	}
	s.say("Started cluster-a (primary) and cluster-b (standby), each a simulated Milvus %s behind\nits real gRPC interface, and a Git repository that says just that.\n\n", milvussim.DefaultProfile)
	out, err := s.command(ctx, exitOK, "plan")
	if err != nil {
		return err
	}
	return expect(out, "orders")
}

func (s *rehearsal) write(ctx context.Context) error {
	if err := s.writeRows(demoOld, 1000); err != nil { //nolint:contextcheck // inside the simulator nobody waits
		return err
	}
	if err := s.until(ctx, "cluster-b to hold 1000 rows", func() bool { return s.world.State(demoNew).Rows == 1000 }); err != nil {
		return err
	}
	s.say("Wrote 1000 rows to cluster-a; cluster-b has all 1000.\n")
	if accepted, _, err := s.world.Write(demoNew, 1); err != nil || accepted != 0 { //nolint:contextcheck // inside the simulator nobody waits
		return fmt.Errorf("the standby accepted %d rows (%v)", accepted, err)
	}
	s.say("Tried to write to cluster-b: refused, it is a read-only standby.\n")
	return nil
}

func (s *rehearsal) lose(ctx context.Context) error {
	if err := s.world.SetLag(demoOld, demoNew, time.Hour); err != nil {
		return err
	}
	if err := s.writeRows(demoOld, 37); err != nil { //nolint:contextcheck // inside the simulator nobody waits
		return err
	}
	if err := s.world.Stop(demoOld); err != nil {
		return err
	}
	s.say("The link slowed down, 37 more rows reached cluster-a only, then cluster-a stopped\nanswering. Nobody can write now.\n")
	return nil
}

func (s *rehearsal) ask(ctx context.Context) error {
	file := s.document(2, plan.RoleStale, plan.RolePrimary)
	_, err := s.play.tree.Commit(map[string][]byte{"topologies/orders.yaml": file},
		"Fail over orders to cluster-b\n", bob, bob, time.Now(), nil)
	if err != nil {
		return err
	}
	s.say("Bob sets cluster-a to stale and cluster-b to primary. This is the plan that CI shows on\nhis pull request:\n\n")
	out, err := s.command(ctx, exitOK, "plan")
	if err != nil {
		return err
	}
	if err := expect(out, "WAITS FOR APPROVAL", string(plan.CodeForcePromote), string(plan.CodeDataLossRisk)); err != nil {
		return err
	}
	s.say("It is planned but not approved. This applies it anyway:\n\n")
	if out, err = s.command(ctx, exitNotApproved, "apply"); err != nil {
		return err
	}
	if n := s.promotions(); n != 0 {
		return fmt.Errorf("%d force promotes were sent without an approval", n)
	}
	s.say("Refused, and nothing was sent to any cluster.\n")
	return expect(out, approval.CodeMissing)
}

func (s *rehearsal) approve(ctx context.Context) error {
	message := `Fail over orders to cluster-b

Failover-Approved: orders/cluster-b
Failover-Approved-By: ` + alice.String() + `
Failover-Reason: cluster-a's region lost power
`
	file := s.document(3, plan.RoleStale, plan.RolePrimary)
	_, err := s.play.tree.Commit(map[string][]byte{"topologies/orders.yaml": file},
		message, bob, alice, time.Now(), s.play.signers[alice.Email])
	if err != nil {
		return err
	}
	s.say("Alice, who did not write the change, merges it with a signed commit that carries:\n\n%s\n", indent(strings.SplitN(message, "\n\n", 2)[1]))
	s.say("\nNow the same command acts:\n\n")
	if _, err := s.command(ctx, exitOK, "apply"); err != nil {
		return err
	}
	if n := s.promotions(); n != 1 {
		return fmt.Errorf("%d force promotes were sent, want exactly 1", n)
	}
	return nil
}

func (s *rehearsal) proveWrites(ctx context.Context) error {
	if state := s.world.State(demoNew); !state.Writable || state.BelievedRole != "standalone" {
		return fmt.Errorf("cluster-b is %s, writable %t", state.BelievedRole, state.Writable)
	}
	if err := s.writeRows(demoNew, 10); err != nil { //nolint:contextcheck // inside the simulator nobody waits
		return err
	}
	s.say("cluster-b stores that it is the only primary, and accepted 10 new rows.\nApplying once more changes nothing:\n\n")
	_, err := s.command(ctx, exitOK, "apply")
	return err
}

func (s *rehearsal) comeBack(ctx context.Context) error {
	before := s.changesSent(demoOld)
	if err := s.world.Revive(demoOld); err != nil {
		return err
	}
	if state := s.world.State(demoOld); state.BelievedRole != "primary" || !state.Writable {
		return fmt.Errorf("cluster-a came back as %s, writable %t", state.BelievedRole, state.Writable)
	}
	s.say("cluster-a is back, still believes that it is the primary, and takes writes:\n\n")
	out, err := s.command(ctx, exitOK, "plan")
	if err != nil {
		return err
	}
	if err := expect(out, string(plan.CodeStalePrimary), string(plan.CodeSplitBrain)); err != nil {
		return err
	}
	if _, err := s.command(ctx, exitChanges, "drift"); err != nil {
		return err
	}
	if _, err := s.command(ctx, exitBlocked, "apply"); err != nil {
		return err
	}
	if after := s.changesSent(demoOld); after != before {
		return fmt.Errorf("cluster-a was sent %d changes", after-before)
	}
	s.say("It is flagged as stale, and nothing was sent to it: it never rejoins by itself.\n")
	return nil
}

func (s *rehearsal) account(ctx context.Context) error {
	old, promoted := s.world.State(demoOld), s.world.State(demoNew)
	s.lost = old.Rows - (promoted.Rows - 10)
	s.say("cluster-a holds %d rows that never reached cluster-b: they were written after the last\nreplicated time tick, while replication lagged. The plan said so before anybody approved\nit (DATA_LOSS_RISK). cluster-a still has them, which is why it must be kept until they are\nsalvaged, and rebuilt before it may be a standby again.\n", s.lost)
	if s.lost != 37 {
		return fmt.Errorf("%d rows were lost, want 37", s.lost)
	}
	return nil
}
