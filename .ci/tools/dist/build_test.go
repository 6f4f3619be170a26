package dist

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

var (
	platforms = flag.String("platforms", "linux/"+runtime.GOARCH, "what to build, as `GOOS/GOARCH…` parted by commas, or all")
	fresh     = flag.Bool("fresh", false, "compile everything again for the second build")
)

// version is that of the release which the test makes up.
const version = "v1.2.3"

// asked are the platforms to build.
func asked() []string {
	if *platforms == "all" {
		return []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64"}
	}
	return strings.Split(*platforms, ",")
}

// need finds a program; without it the test is skipped by name, except in CI.
func need(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is not installed", name)
			}
			t.Skipf("%s is not installed", name)
		}
	}
}

// run runs a program in a folder, with variables of its own in addition to ours, and
// returns what it printed.
func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, problems.String())
	}
	return strings.TrimSpace(string(out))
}

// commitOf copies the work tree as it is, and commits and tags it: the same
// commit wherever that is done.
func commitOf(t *testing.T, dir string) string {
	t.Helper()
	top, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, top, nil, "bash", "-o", "pipefail", "-c", `git ls-files -zco --exclude-standard --deduplicate | while IFS= read -rd '' f; do [ -e "$f" ] && printf '%s\0' "$f"; done | tar --null -T - -cf - | tar -C "$0" -xf -`, dir)
	who := []string{
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_AUTHOR_DATE=2026-11-01T09:00:00+01:00",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com", "GIT_COMMITTER_DATE=2026-11-01T10:00:00+01:00",
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "-A"}, {"commit", "-qm", "all"}, {"tag", version}} {
		run(t, dir, who, "git", args...)
	}
	return run(t, dir, who, "git", "rev-parse", "HEAD")
}

// build runs .ci/dist in a folder, with an environment of its own, and returns
// where the result lies.
func build(t *testing.T, dir string, env []string) string {
	t.Helper()
	run(t, dir, env, "bash", append([]string{"-c", `umask "$MASK"; exec .ci/dist "$@"`, "dist"}, asked()...)...)
	return filepath.Join(dir, "dist")
}

// buildTwice builds the same commit in two folders, by two users who have
// nothing in common but the machine.
func buildTwice(t *testing.T) (first, second, commit string) {
	t.Helper()
	need(t, "git", "bash", "tar", "gzip", "sha256sum")
	here, there := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "another user's", "much longer", "place")
	commit = commitOf(t, here)
	if again := commitOf(t, there); again != commit {
		t.Fatalf("the two folders hold %s and %s", commit, again)
	}
	other := []string{"MASK=077", "TZ=Asia/Tokyo", "LC_ALL=C.UTF-8", "GOFLAGS=-tags=nothing", "GOAMD64=v2"}
	if *fresh {
		other = append(other, "GOCACHE="+filepath.Join(t.TempDir(), "cache"))
	}
	return build(t, here, []string{"MASK=022", "TZ=UTC"}), build(t, there, other), commit
}
