// Package cli is the command line. Each file holds one command: its flags, one call, the
// output and the exit code.
//
// It decides nothing about topologies. The packages that it calls plan, approve and
// block, and render writes the output. Results go to stdout, everything else to stderr.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/console"
	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/wire"
)

// Stdio holds what a command reads from and writes to.
type Stdio struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
	// TestHooks lets tests stop or kill the process at a named point; nil outside tests.
	TestHooks *wire.TestHooks
}

// queuedLines is how many lines wait for a slow reader of Err.
func (s Stdio) queuedLines() int {
	if s.TestHooks != nil && s.TestHooks.QueuedLines > 0 {
		return s.TestHooks.QueuedLines
	}
	return console.QueuedLines
}

// Main runs one command line and returns its exit code.
func Main(ctx context.Context, args []string, std Stdio) int {
	desired.DropCallersGit()
	console.IgnoreSIGPIPE()
	console.DiscardGRPCLogs()
	lines := console.NewQueue(std.Err, std.queuedLines())
	defer func() { lines.Close(time.After(console.ExitFlushTimeout)) }()
	out := console.NewResults(std.Out, lines)
	std.Err, std.Out = lines, out
	g := newGlobals(std, lines)
	lines.OnDropped(g.DroppedNotice, nil)
	root := newRoot(g) //nolint:contextcheck // each command has its own
	root.SetArgs(args)
	root.SetIn(std.In)
	root.SetOut(std.Out)
	root.SetErr(std.Err)
	err := withSuggestion(root, root.ExecuteContext(ctx))
	g.endTracing(ctx)
	if errors.Is(err, console.ErrReaderGone) { // the reader closed the pipe and does not want the rest
		err = nil
	}
	if err == nil && out.Err() != nil && !g.acted {
		err = fmt.Errorf("write the result: %w", out.Err())
	}
	if err != nil {
		g.Fail(err)
		return int(ExitError)
	}
	return int(g.exit)
}

func newRoot(g *globals) *cobra.Command {
	root := &cobra.Command{
		Use:   "reconcile",
		Short: "GitOps for the replication topology of Milvus clusters",
		Long: `reconcile compares the replication topology that Git wants with what each live
Milvus cluster stores, and shows the difference as a plan. It applies the plan only if
the change has a signed approval.`,
		Example: `  reconcile demo                          # the whole failover story, on simulated clusters
  reconcile validate topologies/          # check topology files, offline
  reconcile plan --commit HEAD --repo .   # what would this commit do?
  reconcile apply                         # apply what is approved`,
		SilenceUsage:  true,
		SilenceErrors: true,
		// withSuggestion and unknownFlag propose names in the one form of all errors.
		DisableSuggestions: true,
	}
	root.SetFlagErrorFunc(unknownFlag)
	g.flags(root)
	root.AddCommand(
		newValidate(g), newPlan(g), newApply(g), newFence(g), newRehearse(g), newSalvage(g), newRun(g), newDrift(g), newStatus(g), newAudit(g),
		newExplain(g), newSchema(g), newVersion(g), newSim(g), newDemo(g),
		newHistory(g), newLedger(g), newShow(g), newApprove(g), newPropose(g), newAdopt(g), newImport(g), newInit(g), newBreakGlass(g), newDoctor(g), newNotify(g),
	)
	documentForms(root)
	completer{g.options}.complete(root)
	addBuiltInExamples(root, g.std.Out)
	return root
}

// addBuiltInExamples adds examples to the commands that cobra provides. They print to out.
func addBuiltInExamples(root *cobra.Command, out io.Writer) {
	root.SetOut(out)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for path, example := range map[string]string{
		"help":                  "  reconcile help plan",
		"completion":            "  source <(reconcile completion bash)    # in this shell, until it ends",
		"completion bash":       "  reconcile completion bash | sudo tee /etc/bash_completion.d/reconcile >/dev/null",
		"completion zsh":        "  reconcile completion zsh | sudo tee /usr/local/share/zsh/site-functions/_reconcile >/dev/null",
		"completion fish":       "  reconcile completion fish > ~/.config/fish/completions/reconcile.fish",
		"completion powershell": "  reconcile completion powershell | Out-String | Invoke-Expression",
	} {
		if cmd, _, err := root.Find(strings.Fields(path)); err == nil {
			cmd.Example = example
		}
	}
	askForKnownNames(root)
}
