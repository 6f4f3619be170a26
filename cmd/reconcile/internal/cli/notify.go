package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/console"
	"milvus-reconcile/cmd/reconcile/internal/wire"
)

func newNotify(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "notify",
		Short: "Try the receivers of notifications",
		Long: `notify has the commands for the receivers below 'notify' in the configuration. The
daemon and apply send messages to them; docs/notifications.md says which.`,
		Example: "  reconcile notify test",
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "test [RECEIVER…]",
		Short: "Send a test message to each receiver, and show what came back",
		Long: `test sends a test message to each receiver of the configuration, or to those that you
name. minSeverity does not matter here. It tries once, and prints the answer of the
receiver. It never prints a secret, and prints only the host of a URL.

The message says that it is a test. PagerDuty gets an alert that is resolved at once. A
forge gets the status reconcile/notify-test on the newest commit of the tracked branch.

Exit code 0: every receiver took the message. 1: one did not.`,
		Example: `  reconcile notify test
  reconcile notify test chat page`,
		RunE:              func(cmd *cobra.Command, names []string) error { return runNotifyTest(cmd.Context(), g, names) },
		ValidArgsFunction: completer{g.options}.receivers,
	})
	return cmd
}

// receivers offers the receivers that the command line does not name yet.
func (c completer) receivers(_ *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var out []cobra.Completion
	if config, err := c.options().ReadConfig(); err == nil {
		for _, t := range config.Notify {
			if strings.HasPrefix(t.Name, prefix) && !slices.Contains(args, t.Name) {
				out = append(out, cobra.CompletionWithDesc(t.Name, wire.NotifyWhere(t)))
			}
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

func runNotifyTest(ctx context.Context, g *globals, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	e, err := g.options().ForNotify()
	if err != nil {
		return err
	}
	var known []string
	for _, t := range e.Config.Notify {
		known = append(known, t.Name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return unknownName("receiver", name, known, "'reconcile notify test' tries all of them")
		}
	}
	failed := 0
	var unwritten error
	e.TryNotify(ctx, names, func(t wire.Tried) {
		line := fmt.Sprintf("✓ %s: %s answered %s", t.Target, t.Where, t.Answer)
		if t.Err != nil {
			failed++
			line = fmt.Sprintf("✗ %s: %s: %s", t.Target, t.Where, t.Err)
		}
		unwritten = errors.Join(unwritten, g.print([]byte(console.Printable(line)+"\n")))
	})
	if failed > 0 {
		g.exit = ExitError
	}
	return unwritten
}
