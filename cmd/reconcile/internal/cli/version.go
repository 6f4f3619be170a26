package cli

import (
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/render"
)

// Version, Commit and Date are set by the linker flags of a release build.
var (
	Version = "dev"
	Commit  = "" // else what the Go toolchain recorded
	Date    = "" // of the commit, RFC 3339
)

func newVersion(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  reconcile version",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return g.emit(func(w io.Writer, form string) error { return render.Version(w, form, built(), g.tableOptions()) })
		},
	}
}

// built returns what is known of this build.
func built() render.Build {
	out := render.Build{Version: Version, Commit: Commit, Date: Date, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok && Commit == "" {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				out.Commit = s.Value
			case "vcs.time":
				out.Date = s.Value
			}
		}
	}
	return out
}
