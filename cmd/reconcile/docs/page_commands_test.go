package docs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/freeport"
	"milvus-reconcile/reconcile/reconciletest/needs"
)

// walk runs the lines that a page shows in its blocks without a language, one
// after the other in one shell. Each must end well, but for those for which an
// ending tells otherwise; the endings must all come, in their order.
type walk struct {
	page     string
	sections []string // their headings; none: the whole page
	prelude  string   // what is so before the first line
	endings  []ending
}

// ending is what a line comes to.
type ending struct {
	line   string // as the page shows it
	before string // what somebody else does first, as the text says
	code   int
	says   string
}

// place is where a walk is made.
type place struct {
	dir     string
	control string   // address of the simulator's control API
	other   []string // pairs: what a line says, and what it is here
}

// newPlace is a folder with room for topologies, and a home that is empty.
func newPlace(t *testing.T) place {
	t.Helper()
	p := place{dir: t.TempDir(), control: freeport.Address(t)}
	for _, folder := range []string{"topologies", "home"} {
		if err := os.Mkdir(filepath.Join(p.dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (w walk) run(t *testing.T, p place) {
	t.Helper()
	for _, program := range []string{"bash", "git", "curl", "ssh-keygen"} {
		needs.Program(t, program)
	}
	lines, rest := w.lines(t), w.endings
	if len(lines) == 0 {
		t.Fatalf("%s shows no line", w.page)
	}
	wanted := make([]ending, len(lines))
	for i, line := range lines {
		wanted[i] = ending{line: line}
		if len(rest) > 0 && rest[0].line == line {
			wanted[i], rest = rest[0], rest[1:]
		}
	}
	if len(rest) > 0 {
		t.Fatalf("%s does not show %q", w.page, rest[0].line)
	}
	out := w.enter(t, p, wanted)
	for i, want := range wanted {
		said, code, ok := answerTo(out, i)
		if !ok || code != want.code || !strings.Contains(said, want.says) {
			t.Fatalf("%s: %q ended with %d, want %d and %q; it was said:\n%s", w.page, want.line, code, want.code, want.says, said)
		}
	}
}

// lines are what the page shows in its blocks without a language.
func (w walk) lines(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(testkit.Repository(), w.page))
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for i, section := range w.sections {
		_, part, found := strings.Cut(string(raw), "\n## "+section+"\n")
		if !found {
			t.Fatalf("%s has no section %q", w.page, section)
		}
		part, _, _ = strings.Cut(part, "\n## ")
		if i == 0 {
			text = ""
		}
		text += part + "\n"
	}
	var out []string
	fence, ours := false, false
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\\\n", " "), "\n") {
		line = strings.TrimSpace(line)
		switch language, marks := strings.CutPrefix(line, "```"); {
		case marks:
			fence = !fence
			ours = fence && language == ""
		case ours && line != "":
			out = append(out, line)
		}
	}
	return out
}

// enter types the lines into one shell, and returns all that was said, with a
// mark and the exit code after each line.
func (w walk) enter(t *testing.T, p place, lines []ending) string {
	t.Helper()
	var script strings.Builder
	fmt.Fprintf(&script, "trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\nready() { until curl -sf -o /dev/null http://%s/world; do sleep 0.05; done; }\nset -e\n%s\nset +e\n", p.control, w.prelude)
	other := strings.NewReplacer(p.other...)
	for i, e := range lines {
		line := other.Replace(e.line)
		if e.before != "" {
			fmt.Fprintf(&script, "set -e\n%s\nset +e\n", e.before)
		}
		fmt.Fprintf(&script, "%s\necho \"<<%d:$?>>\"\n", line, i)
		if strings.HasSuffix(line, "&") {
			script.WriteString("ready\n")
		}
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script.String())
	cmd.Dir = p.dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(p.dir, "home"), "TMPDIR=" + t.TempDir(),
		"PLAY=" + filepath.Join(p.dir, "play"), "CONTROL=" + p.control,
	}
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
