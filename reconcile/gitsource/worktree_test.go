package gitsource

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/reconciletest/needs"
)

// TestWrittenRepositoryIsGits has the real git judge what Worktree makes.
func TestWrittenRepositoryIsGits(t *testing.T) {
	needs.Program(t, "git")
	needs.Program(t, "ssh-keygen")
	dir := t.TempDir()
	signer, line := newSigner(t)
	allowed := filepath.Join(t.TempDir(), "allowed")
	if err := os.WriteFile(allowed, []byte(AllowedSignersLine(alice.Email, line)), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := Init(dir)
	if err != nil {
		t.Fatal(err)
	}
	first, err := w.Commit(map[string][]byte{"topologies/a.yaml": []byte(doc("orders", 1)), "README": []byte("x"), "topologies/old.yaml": []byte(doc("old", 1))}, "Begin", bob, bob, noon, nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := w.Commit(map[string][]byte{"topologies/a.yaml": []byte(doc("orders", 2)), "topologies/old.yaml": nil}, approve(alice), bob, alice, noon, signer)
	if err != nil {
		t.Fatal(err)
	}
	git := func(args ...string) string {
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "gpg.ssh.allowedSignersFile=" + allowed}, args...)...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1"}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	git("fsck", "--strict", "--no-dangling")
	git("verify-commit", second)
	if out := git("status", "--porcelain"); out != "" {
		t.Errorf("the work tree differs from the commit:\n%s", out)
	}
	if out := strings.TrimSpace(git("log", "--format=%H %an %cn")); out != second+" Bob Jones Alice Smith\n"+first+" Bob Jones Bob Jones" {
		t.Errorf("log:\n%s", out)
	}
	if _, err := os.Stat(filepath.Join(dir, "topologies/old.yaml")); !os.IsNotExist(err) {
		t.Errorf("a removed file is still there: %v", err)
	}
}

// TestWorktreeTakesPushes: git pushes from a clone to the branch that is checked out, and
// the files follow.
func TestWorktreeTakesPushes(t *testing.T) {
	needs.Program(t, "git")
	dir, clone := t.TempDir(), filepath.Join(t.TempDir(), "clone")
	w, err := Init(dir)
	if err == nil {
		err = w.TakePushes()
	}
	if err == nil {
		_, err = w.Commit(map[string][]byte{"topologies/a.yaml": []byte(doc("orders", 1))}, "Begin", bob, bob, noon, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-ec", `git clone -q "$0" "$1"; cd "$1"; echo pushed >topologies/a.yaml; git commit -qam pushed; git push -q`, dir, clone)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=bob", "GIT_AUTHOR_EMAIL=bob@example.com", "GIT_COMMITTER_NAME=bob", "GIT_COMMITTER_EMAIL=bob@example.com",
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "topologies/a.yaml")); err != nil || string(got) != "pushed\n" {
		t.Errorf("the file is %q, %v", got, err)
	}
}

func TestWriteRefuses(t *testing.T) {
	w, err := Init(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, try := range map[string]func() error{
		"a path out of the repository": func() error {
			_, err := w.Commit(map[string][]byte{"../x": []byte("x")}, "m", bob, bob, noon, nil)
			return err
		},
		"a path into git's own folder": func() error {
			_, err := w.Commit(map[string][]byte{".Git/hooks/x": []byte("x")}, "m", bob, bob, noon, nil)
			return err
		},
		"a name with a line break": func() error {
			_, err := w.Commit(nil, "m", approval.Person{Name: "a\nb", Email: "x@y"}, bob, noon, nil)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := try(); err == nil {
				t.Error("no error")
			}
		})
	}
	if _, err := Init(w.dir); err == nil {
		t.Error("a repository was made over another")
	}
}
