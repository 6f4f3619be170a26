package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

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

// runValidate reports every problem of every file at once.
func runValidate(g *globals, paths []string) error {
	if len(paths) == 0 {
		paths = []string{g.pathOr("topologies")}
	}
	var problems schema.Problems
	count := 0
	for _, path := range paths {
		n, found, err := validatePath(path)
		if err != nil {
			return err
		}
		count += n
		problems = append(problems, found...)
	}
	if len(problems) > 0 {
		g.exit = ExitError
	}
	return g.emit(func(w io.Writer, kind string) error { return writeProblems(w, kind, count, problems) })
}

func (g *globals) pathOr(fallback string) string {
	if g.path != "" {
		return g.path
	}
	return fallback
}

func validatePath(path string) (int, schema.Problems, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, nil, fmt.Errorf("read the topology files: %w", err)
	}
	if info.IsDir() {
		topologies, problems := schema.Load(os.DirFS(path), ".")
		return len(topologies), prefixed(problems, path), nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, nil, fmt.Errorf("read the topology file: %w", err)
	}
	topologies, problems := schema.Parse(path, data)
	return len(topologies), problems, nil
}

func prefixed(problems schema.Problems, dir string) schema.Problems {
	for i := range problems {
		problems[i].File = filepath.Join(dir, problems[i].File)
	}
	return problems
}

func writeProblems(w io.Writer, kind string, count int, problems schema.Problems) error {
	switch kind {
	case "table":
		for _, p := range problems {
			if _, err := fmt.Fprintln(w, printable(p.String())); err != nil {
				return err
			}
		}
		_, err := fmt.Fprintf(w, "%s valid, %s\n", counted(count, "topology is", "topologies are"), counted(len(problems), "problem", "problems"))
		return err
	case "json":
		return writeJSON(w, map[string]any{"valid": len(problems) == 0, "topologies": count, "problems": problemRows(problems)})
	default:
		return fmt.Errorf("validate has no form %q (hint: table or json)", kind)
	}
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
