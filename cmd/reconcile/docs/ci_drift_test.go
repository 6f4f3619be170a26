package docs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// unreachableGit writes the configuration of a playground again, as a runner has
// it: git.url is one that it has no key for, and that does not resolve.
func unreachableGit(t *testing.T, play string) string {
	t.Helper()
	config, err := os.ReadFile(filepath.Join(play, "reconcile.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(config), "\n")
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "  url: ") })
	lines[i] = "  url: ssh://git@git.invalid/team/topologies.git"
	path := filepath.Join(t.TempDir(), "reconcile.yaml")
	testkit.Write(t, path, strings.Join(lines, "\n"))
	return path
}

// TestDriftKeepsAnIssue holds that the scheduled job opens one issue when the
// live clusters differ from Git, and closes it when they do not any more.
func TestDriftKeepsAnIssue(t *testing.T) {
	forge, env := startForge(t, "github")
	const issues = "/repos/team/topologies/issues"
	control := freeport.Address(t)
	play := testkit.StartPair(t, control)
	env = append(env, "OUT="+t.TempDir(), "RECONCILE_CONFIG="+unreachableGit(t, play), "REPO="+filepath.Join(play, "repo"))

	runCI(t, env, "drift-issue.sh")
	if n := len(forge.lists[issues]); n > 0 {
		t.Fatalf("%d issues while all is in sync", n)
	}
	if _, err := testkit.Request("POST", "http://"+control+"/clusters/cluster-a/stop", ""); err != nil {
		t.Fatal(err)
	}
	runCI(t, env, "drift-issue.sh")
	runCI(t, env, "drift-issue.sh")
	all := forge.lists[issues]
	if len(all) != 1 || all[0].State != "open" || !strings.Contains(all[0].Body, "cluster-a") {
		t.Fatalf("issues while a cluster is down: %+v", all)
	}
	if _, err := testkit.Request("POST", "http://"+control+"/clusters/cluster-a/start", ""); err != nil {
		t.Fatal(err)
	}
	runCI(t, env, "drift-issue.sh")
	if all[0].State != "closed" {
		t.Errorf("the issue is %s after the cluster is back", all[0].State)
	}
}
