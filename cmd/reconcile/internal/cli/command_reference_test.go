package cli

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "renew the reference of the commands")

// docs is where pages for users lie.
var docs = filepath.Join("..", "..", "..", "..", "docs")

// commandTree is the tree of commands as a user has it.
func commandTree() *cobra.Command {
	return newRoot(newGlobals(Stdio{}, nil))
}

// everyCommand lists a command and all below it that a user can see.
func everyCommand(c *cobra.Command) []*cobra.Command {
	out := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			out = append(out, everyCommand(sub)...)
		}
	}
	return out
}

// TestReference holds docs/cli.md and the manual pages to the commands.
func TestReference(t *testing.T) {
	current(t, filepath.Join(docs, "cli.md"), []byte(referencePage(commandTree())))
	want := map[string]bool{}
	for name, page := range manualPages(t) {
		want[name] = true
		current(t, filepath.Join(docs, "man", name), page)
	}
	files, err := filepath.Glob(filepath.Join(docs, "man", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no manual pages: %v", err)
	}
	for _, f := range files {
		if !want[filepath.Base(f)] {
			t.Errorf("%s is the page of no command: remove it", f)
		}
	}
}

// current demands that a file holds what it should, or writes it.
func current(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the commands say (renew it with 'go test ./cmd/reconcile/internal/cli -run TestReference -update'): %v", path, err)
	}
}

// dated is the date in the heading of a manual page, which would make each
// month's pages others.
var dated = regexp.MustCompile(`(?m)^(\.TH "[^"]*" "1") "[^"]*"`)

func manualPages(t *testing.T) map[string][]byte {
	out := map[string][]byte{}
	for _, c := range everyCommand(commandTree()) {
		c.DisableAutoGenTag = true
		var b bytes.Buffer
		if err := doc.GenMan(c, &doc.GenManHeader{Title: strings.ToUpper(dashed(c)), Section: "1", Source: "reconcile", Manual: "reconcile"}, &b); err != nil {
			t.Fatal(err)
		}
		if !dated.Match(b.Bytes()) {
			t.Fatalf("the heading of %s has no date to leave out", c.CommandPath())
		}
		out[dashed(c)+".1"] = dated.ReplaceAll(b.Bytes(), []byte(`$1 ""`))
	}
	return out
}

func dashed(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// referencePage is docs/cli.md.
func referencePage(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# Commands\n\nWritten from the program's own help by `go test ./cmd/reconcile/internal/cli -run TestReference -update`.\n" +
		"The option `--help` of each command prints the same; `man docs/man/reconcile-plan.1` shows a manual page.\n\n" +
		"## Options of every command\n\n" + fenced(root.PersistentFlags().FlagUsages()) + exitCodes)
	for _, c := range everyCommand(root)[1:] {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n%s", c.CommandPath(), sentence(c), fenced(c.UseLine()))
		if c.Example != "" {
			b.WriteString("Examples:\n\n" + fenced(unindented(c.Example)))
		}
		if own := c.NonInheritedFlags(); own.HasAvailableFlags() {
			b.WriteString("Options:\n\n" + fenced(own.FlagUsages()))
		}
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

const exitCodes = "## Exit codes\n\n" + `| | 0 | 1 | 2 | 3 | 4 | 5 |
|---|---|---|---|---|---|---|
| ` + "`validate`" + ` | valid | problems | – | – | – | – |
| ` + "`plan`" + ` | planned, approved or not | error | changes, with ` + "`--detailed-exitcode`" + ` | – | a wanted transition is blocked | – |
| ` + "`apply`, `fence`" + ` | nothing to do, or done and verified | error, nothing sent | – | not approved | blocked, stale plan, lock held, suspended, or nothing to do in an outage | may have changed something, not verified |
| ` + "`drift`" + ` | in sync | error, or not judged | drift | – | – | – |
| ` + "`doctor`" + ` | ready | error | – | – | a failover would be blocked now, or would end with 5, or two clusters take writes | – |
| others | done | error | – | – | – | – |

If several topologies differ, the first of 5, 1, 4, 3, 2, 0 wins, except that drift outranks "not judged".

Options are checked first: if the command does not have a form, or an ` + "`--output-file`" + ` cannot be written, the exit code is 1 and nothing was sent. If the result of ` + "`apply` or `fence`" + ` cannot be written later, for example since the disk is full, stderr says so and the exit code stays that of the change.

`

// sentence is what a command does: its long text, or the short one as a sentence.
func sentence(c *cobra.Command) string {
	if c.Long != "" {
		return strings.TrimSpace(c.Long)
	}
	return strings.TrimSuffix(c.Short, ".") + "."
}

func fenced(text string) string {
	return "```\n" + strings.TrimRight(text, "\n ") + "\n```\n\n"
}

// unindented takes away the two columns that help indents examples by.
func unindented(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimPrefix(l, "  ")
	}
	return strings.Join(lines, "\n")
}

// TestEveryCommandTeaches: each command has an example, and each of its options
// a text.
func TestEveryCommandTeaches(t *testing.T) {
	for _, c := range everyCommand(commandTree()) {
		if !strings.Contains(c.Example, "reconcile") {
			t.Errorf("%s has no example", c.CommandPath())
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s has no text", c.CommandPath(), f.Name)
			}
		})
	}
}
