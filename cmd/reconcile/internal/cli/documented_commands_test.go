package cli

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestCommandsOfTheDocumentation: each command line that the documentation
// shows, in a block or within a sentence, is one that the program has.
func TestCommandsOfTheDocumentation(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(docs, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, f := range append(files, filepath.Join(docs, "..", "README.md")) {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range shownCommands(string(data)) {
			checked++
			if err := cmp.Or(exists(c), namesClone(c)); err != nil {
				t.Errorf("%s shows 'reconcile %s': %v", filepath.Base(f), strings.Join(c.words, " "), err)
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d command lines were found", checked)
	}
}

// TestCommandsOfThePages: each command that the page of a topology gives to type is one
// that the program has, with all its arguments.
func TestCommandsOfThePages(t *testing.T) {
	const pages = "../render/testdata"
	files, err := filepath.Glob(filepath.Join(pages, "*.table"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(pages, "codes", "*.table"))
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, f := range append(files, more...) {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			command, found := strings.CutPrefix(strings.TrimSpace(line), "reconcile ")
			if !found || !strings.HasPrefix(line, "        reconcile ") {
				continue
			}
			checked++
			if err := exists(shown{split(command), true}); err != nil {
				t.Errorf("%s says to type %q: %v", filepath.Base(f), "reconcile "+command, err)
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d commands were found", checked)
	}
}

// shown is one command line of a page.
type shown struct {
	words []string
	whole bool // it stands in a block, hence with all its arguments
}

var (
	inBlock   = regexp.MustCompile(`^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\./bin/)?reconcile (.*)$`)
	inText    = regexp.MustCompile("`reconcile ([^`]*)`")
	comment   = regexp.MustCompile(`\s+#.*$`)
	shellEnd  = regexp.MustCompile(`\s+(?:&&?|\||\|\||;|>{1,2}|2>).*$|\s*&$|;.*$`)
	shellWord = regexp.MustCompile(`(?:[^\s"']+|"[^"]*"|'[^']*')+`)
)

// shownCommands finds the command lines of a page.
func shownCommands(page string) []shown {
	var out []shown
	page = strings.ReplaceAll(page, "\\\n", " ")
	fenced := false
	var text strings.Builder
	for line := range strings.SplitSeq(page, "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
			continue
		}
		if !fenced {
			text.WriteString(line + " ")
			continue
		}
		if m := inBlock.FindStringSubmatch(line); m != nil && !strings.HasSuffix(line, "[flags]") { // that is a synopsis
			out = append(out, shown{split(m[1]), true})
		}
	}
	for _, m := range inText.FindAllStringSubmatch(text.String(), -1) {
		out = append(out, shown{split(m[1]), false})
	}
	return out
}

func split(line string) []string {
	line = comment.ReplaceAllString(line, "")
	line = shellEnd.ReplaceAllString(line, "")
	var out []string
	for _, w := range shellWord.FindAllString(line, -1) {
		out = append(out, strings.Trim(w, `"'`))
	}
	return out
}

// exists says why a command line is none: no such command, no such option, or
// arguments that it does not take.
func exists(c shown) error {
	cmd, rest, err := commandTree().Find(c.words)
	if err != nil {
		return err
	}
	placeholders(cmd.Flags())
	placeholders(cmd.InheritedFlags())
	if err := cmd.ParseFlags(rest); err != nil && !strings.Contains(err.Error(), "help requested") {
		return err
	}
	if !c.whole {
		return nil
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		return err
	}
	return cmd.ValidateFlagGroups()
}

// namesClone says that a plan of a commit would read the remote, which lacks the commits and
// refs of a clone.
func namesClone(c shown) error {
	clone := slices.ContainsFunc(c.words, func(w string) bool { return w == "--repo" || w == "--offline" || w == "--observed" })
	if c.words[0] == "plan" && !clone && (slices.Contains(c.words, "--commit") || slices.Contains(c.words, "--base")) {
		return errors.New("it names a commit, and no clone: --repo is missing")
	}
	return nil
}

// placeholders lets an option take any word for its value, as D for a duration.
func placeholders(flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Value.Type() != "bool" {
			f.Value = anyWord{}
		}
	})
}

type anyWord struct{}

func (anyWord) String() string   { return "" }
func (anyWord) Set(string) error { return nil }
func (anyWord) Type() string     { return "string" }

// TestShownCommands: what is not there is told.
func TestShownCommands(t *testing.T) {
	for line, wrong := range map[string]bool{
		"plan orders --commit HEAD --repo .":      false,
		"approve orders/cluster-b --reason WHY":   false,
		"plan --no-such-option":                   true,
		"promote orders":                          true,
		"propose orders/cluster-b --expires 1h":   true,
		"status orders --watch --interval PERIOD": false,
		"history one two":                         true,
	} {
		found := shownCommands("```\nreconcile " + line + "  # why\n```\n")
		if len(found) != 1 {
			t.Fatalf("%q gives %v", line, found)
		}
		if err := exists(found[0]); (err != nil) != wrong {
			t.Errorf("%q: %v", line, err)
		}
	}
}
