package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"milvus-reconcile/plan/explain"
)

func newExplain(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:     "explain CODE",
		Short:   "Cause, risk and remedy of a finding or denial",
		Example: "  reconcile explain PRIMARY_REACHABLE",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				_, err := fmt.Fprintln(g.std.Out, strings.Join(explain.Codes(), "\n"))
				return err
			}
			e, ok := explain.Lookup(strings.ToUpper(args[0]))
			if !ok {
				return fmt.Errorf("there is no code %q (hint: 'reconcile explain' lists them all)", args[0])
			}
			return explainText(g, e)
		},
	}
}

func explainText(g *globals, e explain.Entry) error {
	_, err := fmt.Fprintf(g.std.Out, "%s: %s\n", e.Code, e.Title)
	for _, part := range []struct{ name, text string }{
		{"What was seen", e.Cause}, {"Why it matters", e.Risk}, {"What to do", e.Remedy}, {"Example", e.Example},
	} {
		if err == nil && part.text != "" {
			_, err = fmt.Fprintf(g.std.Out, "\n%s\n%s\n", part.name, indent(part.text))
		}
	}
	return err
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n  ")
}
