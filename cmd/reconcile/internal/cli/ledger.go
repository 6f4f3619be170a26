package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/console"
	"milvus-reconcile/cmd/reconcile/internal/doctor"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/ledger"
)

func newLedger(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Show where the ledger is, and whether records are missing",
		Long: `ledger reads the whole ledger. It says where the ledger is, when it was created, which
record is the newest, and what proves that no newer record is missing. It changes
nothing. If the ledger is damaged, missing, or an older copy, it fails and says what to
do.`,
		Example: "  reconcile ledger",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.withLedger(cmd.Context(), g.showLedger)
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "accept",
		Short: "Accept the ledger as it is, although newer records are lost",
		Long: `Use accept if every command refuses the ledger because its last records are missing, or
after you restored it from a backup. It accepts the ledger as it is. If the ledger is
missing or cannot be read, it starts a new one; a damaged file is kept under another
name.

The ledger does not know the events after its last record. So no approval that was
signed before now counts any more: approve again with 'reconcile approve'. Git still
shows which clusters are stale.

If there is a backup, restore the newest one first.`,
		Example: "  reconcile ledger accept",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.withLedger(cmd.Context(), g.acceptLedger)
		},
	})
	return cmd
}

// openLedger opens the ledger, and neither Git nor a cluster.
func (g *globals) openLedger() (*wire.Environment, *ledger.Ledger, error) {
	e, err := g.options().ForLedger()
	if err != nil {
		return nil, nil, err
	}
	l, err := e.Ledger()
	return e, l, err
}

// withLedger opens only the ledger, neither Git nor a cluster, and calls do.
func (g *globals) withLedger(ctx context.Context, do func(ctx context.Context, l *ledger.Ledger, where string) error) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	e, l, err := g.openLedger()
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, l, e.LedgerPlace()), l.Close())
}

func (g *globals) showLedger(ctx context.Context, l *ledger.Ledger, where string) error {
	defer g.Doing("reading the ledger")()
	s, err := l.Read(ctx)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	lines := [][2]string{{"ledger", where}}
	if born, exists := s.Born(); exists {
		lines = append(lines, [2]string{"made", formatTime(born)},
			[2]string{"records", fmt.Sprintf("%d, the newest of %s", len(s.History("")), formatTime(s.Newest()))})
	} else {
		lines = append(lines, [2]string{"records", "none: the first apply or run creates it"})
	}
	if at, accepted := s.Accepted(); accepted {
		lines = append(lines, [2]string{"accepted", formatTime(at) + ": an approval dated before that no longer counts"})
	}
	proof, _ := s.Proof()
	lines = append(lines, [2]string{"proof", proof})
	if ahead := s.Newest().Sub(g.Clock()); ahead > doctor.MaxClockDifference {
		lines = append(lines, [2]string{"clock", fmt.Sprintf("the newest record is %s ahead of our clock", plan.DurationText(ahead))})
	}
	var out strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&out, "%-9s %s\n", l[0], console.Printable(l[1]))
	}
	return g.print([]byte(out.String()))
}

func (g *globals) acceptLedger(ctx context.Context, l *ledger.Ledger, where string) error {
	done, err := l.Accept(ctx)
	if err != nil {
		return fmt.Errorf("accept the ledger: %w", err)
	}
	var out strings.Builder
	if done.Why != "" {
		fmt.Fprintf(&out, "Why it was refused: %s\n", console.Printable(done.Why))
	}
	if done.MovedTo != "" {
		fmt.Fprintf(&out, "The file that could not be read is kept as %s\n", console.Printable(done.MovedTo))
	}
	fmt.Fprintf(&out, "The ledger %s is accepted as it is: %d records.\n", console.Printable(where), done.Records)
	fmt.Fprintln(&out, "An approval dated before now no longer counts. Approve again:\n  reconcile approve TOPOLOGY/CLUSTER --reason \"WHY\" --push")
	return g.print([]byte(out.String()))
}

func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }
