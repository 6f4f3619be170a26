package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// needProgram skips a test by name where a program is missing, except in CI.
func needProgram(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
}

// makeImage does what an engine would do with the Dockerfile, on this machine:
// the folders of the build stage lie below one of ours, programs and the roots
// of TLS are this machine's. It returns the root of the final stage.
func makeImage(t *testing.T) string {
	t.Helper()
	needProgram(t, "make")
	needProgram(t, "git")
	all := stages(t)
	build, final := t.TempDir(), t.TempDir()
	workdir := build
	for _, c := range all[0].Commands {
		switch c := c.(type) {
		case *instructions.WorkdirCommand:
			workdir = filepath.Join(build, c.Path)
		case *instructions.CopyCommand:
			if c.SourcePaths[0] == "." {
				copyTree(t, workdir)
			}
		case *instructions.RunCommand:
			if c.CmdLine[0] == "go mod download" {
				continue // it only fills a cache that we have
			}
			script := strings.ReplaceAll(c.CmdLine[0], "/root-of-image", filepath.Join(build, "root-of-image"))
			shell(t, workdir, []string{"VERSION=v1.2.3", "COMMIT=c0ffee", "DATE="}, script)
		}
	}
	for _, c := range all[1].Commands {
		if c, ok := c.(*instructions.CopyCommand); ok {
			from := filepath.Join(build, c.SourcePaths[0])
			if _, err := os.Stat(from); err != nil {
				from = c.SourcePaths[0] // what the base image brings
			}
			if strings.HasSuffix(c.SourcePaths[0], "/") {
				from += "/." // a folder gives what is in it
			}
			to := filepath.Join(final, c.DestPath)
			shell(t, final, []string{"FROM=" + from, "TO=" + to}, `mkdir -p "$(dirname "$TO")" && cp -RT "$FROM" "$TO"`)
		}
	}
	return final
}

// copyTree copies what git tracks, or would, of the work tree.
func copyTree(t *testing.T, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	shell(t, "../../..", []string{"TO=" + to},
		`git ls-files -zco --exclude-standard --deduplicate | xargs -0 sh -c 'for f; do [ ! -e "$f" ] || printf "%s\0" "$f"; done' sh | tar --null -T - -cf - | tar -C "$TO" -xf -`)
}

func shell(t *testing.T, dir string, env []string, script string) {
	t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}
