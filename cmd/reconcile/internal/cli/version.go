package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Version, Commit and Date are set by the build; a build without them says so.
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
			_, err := fmt.Fprintf(g.std.Out, "reconcile %s (commit %s, %s, %s/%s)\n", Version, revisionOfBuild(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// revisionOfBuild is the commit that was built, with its date where known.
func revisionOfBuild() string {
	commit, date := Commit, Date
	if info, ok := debug.ReadBuildInfo(); ok && commit == "" {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				commit = s.Value
			case "vcs.time":
				date = s.Value
			}
		}
	}
	switch {
	case commit == "":
		return "unknown"
	case date == "":
		return commit
	}
	return commit + " of " + date
}
