package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan/suggest"
)

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
	"apply": answerForms, "fence": answerForms, "salvage": answerForms, "doctor": answerForms, "validate": answerForms,
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
