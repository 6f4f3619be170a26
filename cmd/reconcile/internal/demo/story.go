// Package demo rehearses reconcile on simulated clusters: the story that
// `reconcile demo` tells, and the world that `reconcile sim` starts, with a
// repository, a configuration and keys to go on by hand.
package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/schema"
)

// Command runs one command line of reconcile as Main does, and returns its exit
// code.
type Command func(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int

// The exit codes that the story waits for
// (docs/design/contract.md §5).
const (
	exitOK          = 0
	exitChanges     = 2
	exitNotApproved = 3
)

// Tell tells the whole story on out, in a temporary folder, by real commands that
// run executes. It fails at the first chapter that is not as told.
func Tell(ctx context.Context, out io.Writer, run Command) error {
	dir, err := os.MkdirTemp("", "reconcile-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	s := &story{out: out, run: run, dir: dir, world: milvussim.New(milvussim.Options{})}
	return s.tell(ctx)
}

const (
	demoOld = "cluster-a"
	demoNew = "cluster-b"
	// demoPatience bounds every wait for the simulator.
	demoPatience = 20 * time.Second
)

// story is the demo as it is told.
type story struct {
	out   io.Writer
	run   Command
	dir   string
	world *milvussim.World
	play  playground
	ports map[string]string
	lost  int // rows that only the old primary has
}

// tell runs the chapters in order and stops at the first that is not as told.
func (s *story) tell(ctx context.Context) error {
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
		if err := c.run(ctx); err != nil {
			return fmt.Errorf("the demo is not as told, at %q: %w", c.title, err)
		}
	}
	s.say("\nEverything was as told.\n")
	return nil
}

func (s *story) say(format string, args ...any) {
	fmt.Fprintf(s.out, format, args...)
}

// document is the topology file of one generation.
func (s *story) document(generation int, old, promoted plan.Role) []byte {
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

func (s *story) begin(ctx context.Context) error {
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
	if s.play, err = newPlayground(s.dir, map[string][]byte{"topologies/orders.yaml": file}, topologies); err != nil {
		return err
	}
	s.say("Started cluster-a (primary) and cluster-b (standby), each a simulated Milvus %s behind\nits real gRPC interface, and a Git repository that says just that.\n\n", milvussim.DefaultProfile)
	out, err := s.command(ctx, exitOK, "plan")
	if err != nil {
		return err
	}
	return expect(out, "orders")
}
