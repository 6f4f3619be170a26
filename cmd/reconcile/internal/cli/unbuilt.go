package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// unbuilt are the commands of the contract that this version does not have,
// with what does their job meanwhile.
var unbuilt = []struct{ use, short, instead string }{
	{"doctor", "Would a failover work right now?", "'reconcile status' shows reach, roles and lag; 'reconcile plan' of a failover commit on a branch shows what would block it"},
}

// newUnbuilt answers for a command that is not part of this version.
func newUnbuilt(use, short, instead string) *cobra.Command {
	cmd := &cobra.Command{
		Use:                use,
		Short:              short + " (not part of this version)",
		Long:               short + ".\n\nThis command is not part of this version. Instead: " + instead + ".",
		Example:            "  reconcile help",
		DisableFlagParsing: true,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 && (args[0] == "--help" || args[0] == "-h") {
			return cmd.Help()
		}
		return fmt.Errorf("%s is not part of this version; nothing was done (hint: %s)", cmd.Name(), instead)
	}
	return cmd
}
