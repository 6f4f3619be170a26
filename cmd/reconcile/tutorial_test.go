package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// ending is what a line of a page must come to.
type ending struct {
	line string
	code int
	says string
}

// TestTutorial runs every line of the tutorial, in its order and in one shell,
// as a newcomer would who has no identity in git yet.
func TestTutorial(t *testing.T) {
	t.Parallel()
	walk(t, "docs/tutorial.md", "", []ending{
		{"./bin/reconcile validate topologies", 0, "2 topologies are valid"},
		{"./bin/reconcile status", 0, "2 in sync"},
		{"./bin/reconcile plan", 0, "2 in sync"},
		{"./bin/reconcile drift", 2, "NO_PRIMARY"},
		{"./bin/reconcile propose orders/cluster-b --failover --commit --repo try/repo", 0, "git -C try/repo push"},
		{"./bin/reconcile plan", 0, "NOT APPROVED"},
		{"./bin/reconcile apply", 3, "APPROVAL_MISSING"},
		{"./bin/reconcile approve orders/cluster-b --repo try/repo --reason INC-4211", 0, "signed failover/orders/2/alice@example.com"},
		{"./bin/reconcile apply", 0, "done and verified"},
		{"./bin/reconcile apply", 0, "nothing to do"},
		{"./bin/reconcile history orders", 0, "alice@example.com"},
		{"./bin/reconcile plan", 0, "SPLIT_BRAIN"},
		{"./bin/reconcile explain STALE_PRIMARY", 0, "A stale old primary exists"},
		{"./bin/reconcile fence orders/cluster-a", 0, "cluster-a"},
		{"./bin/reconcile status orders", 0, "fenced"},
		{"./bin/reconcile drift", 0, ""},
	})
}

// TestReadmeByHand runs what the README lets people try.
func TestReadmeByHand(t *testing.T) {
	t.Parallel()
	walk(t, "README.md", "Try it by hand", []ending{{"./bin/reconcile status", 0, "2 in sync"}})
}

// walk runs the lines of the blocks of a page, or of one of its sections, and
// demands that each ends well, but for those of which endings tell otherwise;
// these must all come, in their order.
func walk(t *testing.T, page, section string, endings []ending) {
	t.Helper()
	for _, program := range []string{"bash", "git", "curl", "ssh-keygen"} {
		needProgram(t, program)
	}
	lines := typed(t, page, section)
	dir, control := newcomer(t)
	out := shellOf(t, dir, control, lines)
	for i, line := range lines {
		want := ending{line: line}
		if len(endings) > 0 && endings[0].line == line {
			want, endings = endings[0], endings[1:]
		}
		said, code, ok := answerTo(out, i)
		if !ok || code != want.code || !strings.Contains(said, want.says) {
			t.Fatalf("%s: %q ended with %d, want %d and %q; it was said:\n%s", page, line, code, want.code, want.says, said)
		}
	}
	if len(endings) > 0 {
		t.Errorf("%s does not show %q", page, endings[0].line)
	}
}

// typed are the lines of the blocks without a language.
func typed(t *testing.T, page, section string) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(repository, page))
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	if section != "" {
		_, text, _ = strings.Cut(text, "\n## "+section+"\n")
		text, _, _ = strings.Cut(text, "\n## ")
	}
	var out []string
	for _, block := range regexp.MustCompile("(?ms)^```\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		out = append(out, strings.Split(strings.TrimSpace(block[1]), "\n")...)
	}
	if len(out) < 4 {
		t.Fatalf("%s shows only %q", page, out)
	}
	return out
}

// newcomer makes a folder that looks like a clone of this repository, but that
// its clusters have ports of their own and that a primary counts as lost after
// a second; and the address of the simulator's control API.
func newcomer(t *testing.T) (dir, control string) {
	t.Helper()
	dir = t.TempDir()
	for _, folder := range []string{"bin", "topologies", "home"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	binary, err := exec.LookPath("reconcile")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(dir, "bin", "reconcile")); err != nil {
		t.Fatal(err)
	}
	moved := map[string]string{}
	for _, name := range []string{"orders.yaml", "catalog.yaml"} {
		text, err := os.ReadFile(filepath.Join(repository, "topologies", name))
		if err != nil {
			t.Fatal(err)
		}
		changed := regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllStringFunc(string(text), func(address string) string {
			if moved[address] == "" {
				moved[address] = freeAddresses(t, 1)[0]
			}
			return moved[address]
		})
		if name == "orders.yaml" {
			changed += "  failover: {unavailableFor: 1s, probes: 3}\n"
		}
		write(t, filepath.Join(dir, "topologies", name), changed)
	}
	return dir, freeAddresses(t, 1)[0]
}

// shellOf types lines into one shell, and returns all that was said, with a
// mark and the exit code after each line.
func shellOf(t *testing.T, dir, control string, lines []string) string {
	t.Helper()
	var script strings.Builder
	script.WriteString("trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n")
	for i, line := range lines {
		line = strings.ReplaceAll(strings.ReplaceAll(line, "127.0.0.1:9650", control), "/tmp/try", dir+"/try")
		line = strings.Replace(line, "reconcile sim ", "reconcile sim --control "+control+" ", 1)
		line = strings.Replace(line, "make build", "test -x bin/reconcile", 1)
		fmt.Fprintf(&script, "%s\necho \"<<%d:$?>>\"\n", line, i)
		if strings.HasSuffix(line, "&") {
			fmt.Fprintf(&script, "until curl -sf -o /dev/null http://%s/world; do sleep 0.05; done\n", control)
		}
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script.String())
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(dir, "home"), "TMPDIR=" + t.TempDir()}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Logf("the shell: %v", err) // the lines tell
	}
	return string(out)
}

// answerTo cuts out what one line said, and its exit code.
func answerTo(out string, i int) (said string, code int, ok bool) {
	if i > 0 {
		_, out, _ = strings.Cut(out, fmt.Sprintf("<<%d:", i-1))
		_, out, _ = strings.Cut(out, ">>\n")
	}
	said, rest, found := strings.Cut(out, fmt.Sprintf("<<%d:", i))
	number, _, _ := strings.Cut(rest, ">>")
	code, err := strconv.Atoi(number)
	return said, code, found && err == nil
}
