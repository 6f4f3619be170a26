package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"milvus-reconcile/cmd/reconcile/internal/console"
	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/cmd/reconcile/internal/wholefile"
	"milvus-reconcile/plan/suggest"
	"milvus-reconcile/reconcile"
)

// resultWriter writes what a command found out or did: to stdout in the form of --output, and to
// the files of --output-file.
type resultWriter struct {
	stdout      io.Writer
	output      string
	outputFiles []string
	color       string
	listing     listing
	parts       render.Parts // of the page of a topology
	fitWidth    int          // of a table on a screen that is redrawn; 0: none is
	toTerminal  func(io.Writer) bool
}

// writer renders a result in one form.
type writer func(w io.Writer, kind string) error

// emit writes the result to stdout in the form of --output, and to the files of
// --output-file. If a file cannot be written, stdout still gets the result.
func (r *resultWriter) emit(write writer) error {
	out, err := r.renderOutputs(write)
	for _, piece := range out.All {
		if printed := r.print(piece); printed != nil {
			return errors.Join(err, printed)
		}
	}
	return err
}

// print writes to stdout. A closed pipe is no error: its reader does not want the rest.
func (r *resultWriter) print(out []byte) error {
	if _, err := r.stdout.Write(out); err != nil && !errors.Is(err, console.ErrReaderGone) {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// renderOutputs returns the result for stdout and writes the files of --output-file.
func (r *resultWriter) renderOutputs(write writer) (out console.Pieces, err error) {
	if err := write(&out, r.output); err != nil {
		return console.Pieces{}, err
	}
	return out, r.writeFiles(write)
}

// writeFiles writes the files of --output-file.
func (r *resultWriter) writeFiles(write writer) error {
	var unwritten []error
	for _, spec := range r.outputFiles {
		form, path, _ := strings.Cut(spec, "=") // checkForms has refused others
		var b bytes.Buffer
		if err := write(&b, form); err != nil {
			return err
		}
		if err := wholefile.Replace(path, b.Bytes()); err != nil {
			unwritten = append(unwritten, fmt.Errorf("write the result: %w", err))
		}
	}
	return errors.Join(unwritten...)
}

// colored reports whether the table may use colour.
func (r *resultWriter) colored() bool {
	switch r.color {
	case "always":
		return true
	case "never":
		return false
	}
	switch force := os.Getenv("CLICOLOR_FORCE"); {
	case os.Getenv("NO_COLOR") != "":
		return false
	case force != "" && force != "0":
		return true
	case os.Getenv("CLICOLOR") == "0" || os.Getenv("TERM") == "dumb":
		return false
	}
	return r.toTerminal(r.stdout)
}

// checkForms returns an error for each unknown form and each file that cannot be written.
// It runs before the command acts, so that the command can say what it did.
func (r *resultWriter) checkForms(cmd *cobra.Command) []string {
	forms := formsOf(cmd)
	var bad []string
	if forms == nil {
		for _, name := range []string{"output", "output-file"} {
			if cmd.Flags().Changed(name) {
				bad = append(bad, fmt.Sprintf("%s has one form only and takes no --%s", cmd.CommandPath(), name))
			}
		}
		return bad
	}
	if err := hasForm(cmd, r.output); err != nil {
		bad = append(bad, err.Error())
	}
	for _, spec := range r.outputFiles {
		form, path, ok := strings.Cut(spec, "=")
		if !ok || path == "" {
			bad = append(bad, fmt.Sprintf("--output-file %q is not KIND=PATH (hint: %s=PATH)", spec, strings.Join(forms, "=PATH or ")))
			continue
		}
		if err := hasForm(cmd, form); err != nil {
			bad = append(bad, fmt.Sprintf("--output-file %q: %v", spec, err))
		}
		if err := writable(path); err != nil {
			bad = append(bad, fmt.Sprintf("--output-file %q cannot be written: %v", spec, err))
		}
	}
	return bad
}

func (r *resultWriter) tableOptions() render.TableOptions {
	width, height := r.size()
	width = max(width, minWidth)
	if r.fitWidth > 0 { // a screen scrolls
		width, height = r.fitWidth, 0
	}
	return render.TableOptions{Width: width, Color: r.colored(), Height: height, Listing: r.listing.chosen(), Parts: r.parts}
}

// pageFlags adds the options that show what the page of a topology leaves out.
func (r *resultWriter) pageFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&r.parts.Findings, "findings", false, "also show every finding in full, with its remedy")
	if cmd.Name() != "status" {
		f.BoolVar(&r.parts.Steps, "steps", false, "also show every step of the plan")
		f.BoolVar(&r.parts.Trailers, "trailers", false, "also show the lines that approve the change by a commit instead of a tag")
	}
	f.BoolVarP(&r.parts.All, "verbose", "v", false, "also show all of these parts, and the answer of each cluster")
}

// size returns $COLUMNS, else the width of the terminal, and the height of the terminal; 0
// for what is not known.
func (r *resultWriter) size() (width, height int) {
	if f, ok := console.FileOf(r.stdout); ok {
		width, height, _ = term.GetSize(int(f.Fd())) // 0 if it is no terminal
	}
	if columns, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && columns > 0 {
		width = columns
	}
	return width, height
}

// separated returns a document with what separates it from the one before; in YAML each is
// a document of its own.
func (r *resultWriter) separated(document []byte, n int) []byte {
	switch {
	case n > 0 && r.output == "yaml":
		return append([]byte("---\n"), document...)
	case n > 0 && r.output != "json":
		return append([]byte("\n"), document...)
	}
	return document
}

// listing says which of several topologies a table lists.
type listing struct{ problems, all bool }

func (l listing) chosen() render.Listing {
	switch {
	case l.problems:
		return render.ListProblems
	case l.all:
		return render.ListAll
	default:
		return render.ListTrouble
	}
}

// listingHelp is the part of a command's help about several topologies.
const listingHelp = `

TOPOLOGY is a name or a pattern: 'orders-*' selects every topology whose name begins with
"orders-". Quote a pattern, so that the shell does not expand it. If you select one
topology, you get its page. If you select several, you get a table: it counts them by
state, and lists those with problems, the worst first, at most as many as the terminal has
lines. --problems lists all topologies with problems, --all lists every topology. The
other forms (-o) always hold everything.`

// addListing gives a command the options of a table of several topologies.
func (r *resultWriter) addListing(cmd *cobra.Command) {
	if cmd.Long == "" {
		cmd.Long = cmd.Short + "."
	}
	cmd.Long += listingHelp
	cmd.Flags().BoolVar(&r.listing.problems, "problems", false, "if several topologies are selected, list exactly those with a problem")
	cmd.Flags().BoolVar(&r.listing.all, "all", false, "if several topologies are selected, list all of them")
	cmd.MarkFlagsMutuallyExclusive("problems", "all")
}

// minWidth is the width of a table if the terminal is narrower or its width is not known.
const minWidth = 80

// documentOf converts a report for the renderers.
func documentOf(report reconcile.Report, rev desired.Revision, kind render.Kind, at time.Time) render.Document {
	d := render.Document{
		Plan: report.Plan, Kind: kind, GeneratedAt: at.UTC(), Folder: rev.Folder,
		Approvals: map[string]render.Approval{},
	}
	for name, dec := range report.Decisions {
		d.Approvals[name] = render.Approval{
			Verdict: dec.Verdict, Code: dec.Code, By: dec.By,
			Commit: dec.Commit, Detail: dec.Detail, Repository: dec.Repository, Accepted: dec.Accepted,
			Needed: dec.Needed, Given: dec.Given, Until: dec.Until,
		}
	}
	for _, p := range rev.Problems {
		d.Problems = append(d.Problems, render.Problem(p))
	}
	return d
}

// writeApply renders what an apply did, with the plan that it carried out. ended says what
// ended it before its own end; empty: nothing did.
func (r *resultWriter) writeApply(w io.Writer, form string, d render.Document, report reconcile.Report, ended string) error {
	results := make([]render.Result, 0, len(report.Results))
	for _, done := range report.Results {
		out := render.Result{Topology: done.Topology, Outcome: done.Outcome, Detail: done.Detail, Waits: done.Waits, DataLoss: done.DataLoss, Missing: done.Missing, Silent: done.Silent, Ended: ended, SentTo: sortedOnce(report.SentTo(done))}
		for _, s := range done.Steps {
			out.Steps = append(out.Steps, render.StepResult{
				ID: s.Step.ID, Action: s.Step.Action, Cluster: s.Step.Cluster, Status: s.Status, Detail: s.FullDetail(),
			})
		}
		results = append(results, out)
	}
	return render.Apply(w, form, d, results, r.tableOptions())
}

// sortedOnce returns each name once.
func sortedOnce(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// writeDocument renders a plan, drift or status in one form.
func (r *resultWriter) writeDocument(w io.Writer, kind string, d render.Document) error {
	switch kind {
	case "table":
		return render.Table(w, d, r.tableOptions())
	case "json":
		return render.JSON(w, d)
	case "yaml":
		return render.YAML(w, d)
	case "markdown":
		return render.Markdown(w, d)
	case "junit":
		return render.JUnit(w, d)
	case "sarif":
		return render.SARIF(w, d)
	default:
		return fmt.Errorf("there is no form %q (hint: table, json, yaml, markdown, junit or sarif)", kind)
	}
}

// The output forms of a plan, of other results, and of the history.
var (
	planForms    = []string{render.FormTable, render.FormJSON, render.FormYAML, render.FormMarkdown, render.FormJUnit, render.FormSARIF}
	answerForms  = []string{render.FormTable, render.FormJSON, render.FormYAML}
	historyForms = append(slices.Clone(answerForms), render.FormMarkdown)
)

// commandForms lists the output forms of each command. A command that is not listed has
// one form only, and takes neither -o nor --output-file.
var commandForms = map[string][]string{
	"plan": planForms, "drift": planForms, "status": planForms, "show": planForms, "propose": planForms, "adopt": planForms,
	"apply": answerForms, "fence": answerForms, "rehearse": answerForms, "salvage": answerForms, "doctor": answerForms, "validate": answerForms,
	"explain": answerForms, "version": answerForms,
	"history": historyForms, "audit": historyForms,
}

// formsOf returns the output forms of a top-level command; nil if it has one form only.
func formsOf(cmd *cobra.Command) []string {
	if !cmd.HasParent() || cmd.Parent().HasParent() {
		return nil
	}
	return commandForms[cmd.Name()]
}

// documentForms adds the output forms to the help of each command.
func documentForms(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		forms := formsOf(cmd)
		if forms == nil {
			continue
		}
		if cmd.Long == "" {
			cmd.Long = strings.TrimSuffix(cmd.Short, ".") + "."
		}
		cmd.Long += "\n\nForms of the result (-o, --output-file): " + suggest.List(forms, "and") + "."
	}
}

// completeForms offers the output forms of the command.
func completeForms(cmd *cobra.Command, _ []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var out []cobra.Completion
	for _, form := range formsOf(cmd) {
		if strings.HasPrefix(form, prefix) {
			out = append(out, form)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

func hasForm(cmd *cobra.Command, form string) error {
	if forms := formsOf(cmd); !slices.Contains(forms, form) {
		return errors.New(suggest.WithHint(fmt.Sprintf("%s has no form %q", cmd.Name(), form), suggest.Hint(form, forms, "")))
	}
	return nil
}

// writable returns why a file could not be written. It changes nothing. It does not open
// a pipe or a device, since its reader could notice, and takes it to be writable.
func writable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return creatable(path)
	case err != nil:
		return err
	case info.IsDir():
		return errors.New("it is a folder")
	case !info.Mode().IsRegular():
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// creatable creates the file and removes it.
func creatable(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(path))
}
