package cli

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan/explain"
)

func newExplain(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "explain CODE",
		Short: "Print cause, risk and remedy of a finding or denial",
		Example: `  reconcile explain PRIMARY_REACHABLE
  reconcile explain                   # lists every code
  reconcile explain -o json           # all of them, for programs`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return g.emit(func(w io.Writer, form string) error { return render.Codes(w, form, everyCode(), g.tableOptions()) })
			}
			e, ok := explain.Lookup(strings.ToUpper(args[0]))
			if !ok {
				return unknownName("code", args[0], explain.Codes(), "'reconcile explain' lists them all")
			}
			return g.emit(func(w io.Writer, form string) error { return render.Explain(w, form, e, g.tableOptions()) })
		},
	}
}

func everyCode() []explain.Entry {
	var out []explain.Entry
	for _, code := range explain.Codes() {
		if e, ok := explain.Lookup(code); ok {
			out = append(out, e)
		}
	}
	return out
}
