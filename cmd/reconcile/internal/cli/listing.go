package cli

import (
	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/render"
)

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
"orders-". Quote a pattern, so that the shell does not expand it. If one topology is
selected, you get its page. If several are, you get a table: it counts them by state, and
lists those with problems, the worst first, at most as many as the terminal has lines.
--problems lists all of those, --all every topology. The other forms (-o) always hold
everything.`

// addListing gives a command the options of a table of several topologies.
func (r *resultWriter) addListing(cmd *cobra.Command) {
	if cmd.Long == "" {
		cmd.Long = cmd.Short + "."
	}
	cmd.Long += listingHelp
	cmd.Flags().BoolVar(&r.listing.problems, "problems", false, "of several topologies, list all that have a problem, and only them")
	cmd.Flags().BoolVar(&r.listing.all, "all", false, "of several topologies, list all")
	cmd.MarkFlagsMutuallyExclusive("problems", "all")
}
