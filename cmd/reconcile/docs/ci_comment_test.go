package docs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/needs"
)

// TestACommentIsCutByWholeParts holds that a plan far larger than a comment is
// told as one that a forge takes: the notice that something was left out is
// there, and no character is cut.
func TestACommentIsCutByWholeParts(t *testing.T) {
	t.Parallel()
	needs.Program(t, "bash")
	repo, out := t.TempDir(), t.TempDir()
	mustRun(t, repo, "git", "init", "-q", "-b", "main")
	commit := []string{"-c", "user.name=Zoë", "-c", "user.email=zoe@example.com", "commit", "-q", "-m", "change"}
	manyTopologies(t, repo, 1, "primary", "standby")
	mustRun(t, repo, "git", "add", "-A")
	mustRun(t, repo, "git", commit...)
	manyTopologies(t, repo, 2, "standby", "primary")
	mustRun(t, repo, "git", append(commit, "-a")...)

	cmd := exec.Command("bash", mustAbs(t, ci("plan.sh")), "main~1", "main", "offline")
	cmd.Env = append(os.Environ(), "REPO="+repo, "OUT="+out, "RECONCILE_CONFIG=/nowhere")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	raw, err := os.ReadFile(filepath.Join(out, "comment.md"))
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) >= 65536 || len(raw) < 60000 || !utf8.Valid(raw) {
		t.Errorf("the comment has %d bytes, UTF-8: %v", len(raw), utf8.Valid(raw))
	}
	lines := strings.Split(strings.TrimRight(string(raw), "\n"), "\n")
	if first, last := lines[0], lines[len(lines)-1]; first != "<!-- reconcile plan -->" || !strings.HasPrefix(last, "> **Cut:** ") || !strings.HasSuffix(last, "shows all of it.") {
		t.Errorf("the comment begins with %q and ends with %q", first, last)
	}
	if opened, closed := strings.Count(string(raw), "<details>"), strings.Count(string(raw), "</details>"); opened != closed {
		t.Errorf("%d details are opened, %d closed", opened, closed)
	}
}

// manyTopologies writes more topologies than a comment can tell of.
func manyTopologies(t *testing.T, repo string, generation int, roleA, roleB string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(repo, "topologies"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 1200 {
		name := fmt.Sprintf("orders-%04d", i)
		testkit.Write(t, filepath.Join(repo, "topologies", name+".yaml"), fmt.Sprintf(`apiVersion: reconcile/v1alpha1
kind: ReplicationTopology
metadata: {name: %[1]s}
spec:
  generation: %[2]d
  clusters:
    - {id: %[1]s-a, role: %[3]s, uri: "https://%[1]s-a.example:19530"}
    - {id: %[1]s-b, role: %[4]s, uri: "https://%[1]s-b.example:19530"}
`, name, generation, roleA, roleB))
	}
}
