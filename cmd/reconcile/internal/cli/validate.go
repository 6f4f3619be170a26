package cli

import (
	"cmp"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/schema"
)

func newValidate(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "validate [PATH…]",
		Short: "Check topology files offline, without credentials",
		Example: `  reconcile validate                 # everything below topologies/
  reconcile validate topologies/orders.yaml`,
		RunE: func(_ *cobra.Command, args []string) error { return runValidate(g, args) },
	}
}

// runValidate reports every problem of every file.
func runValidate(g *globals, paths []string) error {
	if len(paths) == 0 {
		paths = []string{cmp.Or(g.path, "topologies")}
	}
	var problems schema.Problems
	count := 0
	for _, path := range paths {
		done := g.Doing("checking " + path)
		n, found, err := validatePath(path)
		done()
		if err != nil {
			return err
		}
		count += n
		problems = append(problems, found...)
	}
	if len(problems) > 0 {
		g.exit = ExitError
	}
	v := render.Validation{Topologies: count}
	for _, p := range problems {
		v.Problems = append(v.Problems, render.Problem(p))
	}
	return g.emit(func(w io.Writer, form string) error { return render.Validate(w, form, v, g.tableOptions()) })
}

func validatePath(path string) (int, schema.Problems, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, nil, fmt.Errorf("read the topology files: %w", err)
	}
	if info.IsDir() {
		topologies, problems := schema.Load(os.DirFS(path), ".")
		return len(topologies), problems.Below(path), nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, nil, fmt.Errorf("read the topology file: %w", err)
	}
	topologies, problems := schema.Parse(path, data)
	return len(topologies), problems, nil
}
