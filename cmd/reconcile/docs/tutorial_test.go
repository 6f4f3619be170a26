package docs

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// TestTutorial runs every line of the tutorial, in its order and in one shell,
// as a newcomer would who has no identity in git yet.
func TestTutorial(t *testing.T) {
	t.Parallel()
	walk{page: "docs/tutorial.md", endings: []ending{
		{line: "./bin/reconcile validate topologies", says: "2 topologies are valid"},
		{line: "./bin/reconcile status", says: "2 in sync"},
		{line: "./bin/reconcile plan", says: "2 in sync"},
		{line: "./bin/reconcile drift", code: 2, says: "NO PRIMARY"},
		{line: "./bin/reconcile propose orders/cluster-b --failover --commit --repo try/repo", says: "git -C try/repo push"},
		{line: "./bin/reconcile plan", says: "WAITS FOR APPROVAL"},
		{line: "./bin/reconcile apply", code: 3, says: "APPROVAL_MISSING"},
		{line: "./bin/reconcile approve orders/cluster-b --repo try/repo --reason INC-4211", says: "signed failover/orders/2/alice@example.com"},
		{line: "./bin/reconcile apply", says: "done and verified"},
		{line: "./bin/reconcile apply", says: "nothing was to be done"},
		{line: "./bin/reconcile history orders", says: "alice@example.com"},
		{line: "./bin/reconcile plan", says: "SPLIT_BRAIN"},
		{line: "./bin/reconcile explain STALE_PRIMARY", says: "A cluster is stale"},
		{line: "./bin/reconcile fence orders/cluster-a", says: "cluster-a"},
		{line: "./bin/reconcile status orders", says: "fenced"},
		{line: "./bin/reconcile drift"},
	}}.run(t, newcomer(t))
}

// TestReadmeByHand runs what the README lets people try.
func TestReadmeByHand(t *testing.T) {
	t.Parallel()
	walk{page: "README.md", sections: []string{"Try it by hand"}, endings: []ending{
		{line: "./bin/reconcile status", says: "2 in sync"},
	}}.run(t, newcomer(t))
}

// newcomer makes a folder that looks like a clone of this repository, but that
// its clusters have ports of their own and that a primary counts as lost after
// a second.
func newcomer(t *testing.T) place {
	t.Helper()
	p := newPlace(t)
	binary, err := exec.LookPath("reconcile")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(p.dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(p.dir, "bin", "reconcile")); err != nil {
		t.Fatal(err)
	}
	moved := map[string]string{}
	for _, name := range []string{"orders.yaml", "catalog.yaml"} {
		text, err := os.ReadFile(filepath.Join(testkit.Repository(), "topologies", name))
		if err != nil {
			t.Fatal(err)
		}
		changed := regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllStringFunc(string(text), func(address string) string {
			if moved[address] == "" {
				moved[address] = freeport.Address(t)
			}
			return moved[address]
		})
		if name == "orders.yaml" {
			changed += "  failover: {unavailableFor: 1s, probes: 3}\n"
		}
		testkit.Write(t, filepath.Join(p.dir, "topologies", name), changed)
	}
	if len(slices.Compact(slices.Sorted(maps.Values(moved)))) != len(moved) {
		t.Fatalf("two clusters got one port: %v", moved)
	}
	p.other = []string{
		"127.0.0.1:9650", p.control, "/tmp/try", filepath.Join(p.dir, "try"),
		"make build", "test -x bin/reconcile", "reconcile sim ", "reconcile sim --control " + p.control + " ",
	}
	return p
}
