package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/plan/suggest"
	"milvus-reconcile/reconcile/ledger"
)

func newHistory(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "history [TOPOLOGY]",
		Short: "Show what was done, by whom and why, from the ledger and Git",
		Long: `history shows the events of one topology, or of all, the oldest first: when
the old primary fell silent, who proposed a change, who approved it and why, who
withdrew an approval or took the change back, when a request was sent and took effect,
whether the new primary was verified and traffic redirected, and what was lost. Of an
approval that does not count it says why. It reads the ledger and the topology repository,
and calls no cluster. If it cannot read the repository, it shows only the steps that were carried out. The JSON form
has the same, with every record of the ledger and its hash.`,
		Example: `  reconcile history orders
  reconcile history orders -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runHistory(cmd.Context(), g, strings.Join(args, ""))
		},
	}
}

// runHistory reads only the ledger. It shows a damaged ledger up to the damage, with the
// error.
func runHistory(ctx context.Context, g *globals, topology string) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	e, l, err := g.openLedger()
	if err != nil {
		return err
	}
	snapshot, damaged := e.Recall(ctx, l)
	records := snapshot.History(topology)
	if len(records) == 0 && topology != "" && damaged == nil {
		if err := g.withoutRecords(ctx, topology, snapshot.History("")); err != nil {
			return err
		}
	}
	outages := slices.DeleteFunc(slices.Clone(snapshot.Memory().Outages), func(o plan.Outage) bool { return topology != "" && o.Topology != topology })
	others := append(g.gitEvents(ctx, snapshot.History(""), topology), auditEvents(snapshot.Memory().Audits, topology)...)
	others = append(others, ledger.EndedOutages(snapshot.Memory().Ended, topology)...)
	timeline := ledger.Timeline(records, outages, others)
	err = g.emit(func(w io.Writer, form string) error {
		return render.History(w, form, historyRows(records, timeline), historyEvents(timeline), g.tableOptions())
	})
	if damaged != nil {
		damaged = fmt.Errorf("read the ledger: %w", damaged)
	}
	return errors.Join(damaged, err)
}

// auditEvents tells the newest audit of each standby.
func auditEvents(audits []plan.AuditMark, topology string) []ledger.Event {
	var out []ledger.Event
	for _, m := range audits {
		if topology == "" || m.Topology == topology {
			out = append(out, ledger.Event{At: m.At, Topology: m.Topology, Kind: ledger.Audited, Lines: m.Lines()})
		}
	}
	return out
}

// gitEventsWithin is how long a Git that does not answer keeps the timeline of the ledger waiting.
const gitEventsWithin = 15 * time.Second

// gitEvents returns what Git tells and the ledger does not. Without Git the ledger alone
// tells the timeline, and that is said.
func (g *globals) gitEvents(ctx context.Context, records []ledger.Record, topology string) []ledger.Event {
	o := g.options()
	config, err := o.ReadConfig()
	if err != nil || o.GitConfig(config).URL == "" {
		return nil // what is wrong with the configuration was said when the ledger was opened
	}
	ctx, cancel := context.WithTimeout(ctx, gitEventsWithin)
	defer cancel()
	e, err := o.OpenToRead(ctx)
	if err == nil {
		defer e.Close()
		var events []ledger.Event
		if events, err = e.GitEvents(ctx, records, topology); err == nil {
			return events
		}
	}
	o.Messages.Warn("git", fmt.Sprintf("%v; proposals, approvals and withdrawals of changes that were not carried out are left out", err))
	return nil
}

// historyEvents marks what a reader looks for in a timeline.
func historyEvents(events []ledger.Event) []render.HistoryEvent {
	out := make([]render.HistoryEvent, len(events))
	for i, t := range events {
		mark := render.Mark("")
		switch {
		case t.Kind == ledger.KindIntent, t.Kind == ledger.KindReplay:
			mark = render.MarkBegun
		case t.Kind == ledger.KindResult && t.Result == "applied", t.Kind == ledger.KindReplayed:
			mark = render.MarkDone
		case t.Kind == ledger.KindResult, t.Kind == ledger.KindReversed, t.Kind == ledger.KindLapsed, t.Kind == ledger.Silence:
			mark = render.MarkTrouble
		}
		out[i] = render.HistoryEvent{At: t.At, Topology: t.Topology, Lines: t.Lines, Mark: mark}
	}
	return out
}

// withoutRecords fails for a topology that neither the ledger nor a repository on this
// machine knows.
func (g *globals) withoutRecords(ctx context.Context, topology string, all []ledger.Record) error {
	known := map[string]bool{}
	for _, t := range (completer{g.options}).knownTopologies(ctx) {
		known[t.Name] = true
	}
	if known[topology] {
		return nil
	}
	for _, r := range all {
		if r.Topology != "" {
			known[r.Topology] = true
		}
	}
	return errors.New(suggest.WithHint(
		fmt.Sprintf("the ledger holds no record of a topology %q", topology),
		suggest.Hint(topology, slices.Sorted(maps.Keys(known)), ""),
	))
}

// historyRows are the records in their order, and between them by its time what no record
// tells.
func historyRows(records []ledger.Record, timeline []ledger.Event) []render.HistoryRow {
	others := slices.DeleteFunc(slices.Clone(timeline), func(e ledger.Event) bool { return e.Seq != 0 })
	rows := make([]render.HistoryRow, 0, len(records)+len(others))
	for _, r := range records {
		for len(others) > 0 && others[0].At.Before(r.At) {
			rows, others = append(rows, otherRow(others[0])), others[1:]
		}
		rows = append(rows, render.HistoryRow{
			Seq: r.Seq, At: r.At, Kind: string(r.Kind), Topology: r.Topology, Commit: r.Commit, By: r.By,
			Transition: r.TransitionText(), Result: r.Result, Detail: r.Detail, PrevHash: r.PrevHash, Hash: r.Hash,
			Reasons: r.Reasons, ProposedBy: r.ProposedBy, Generation: r.Generation, Lines: r.Lines(), FailedAt: r.FailedAt, Loss: r.Loss,
			ReplayDigest: r.ReplayDigest, Replayed: r.Replayed,
		})
	}
	for _, e := range others {
		rows = append(rows, otherRow(e))
	}
	return rows
}

// otherRow is what no record of the ledger tells.
func otherRow(e ledger.Event) render.HistoryRow {
	out := render.HistoryRow{
		At: e.At, Kind: string(e.Kind), Topology: e.Topology, Commit: e.Commit, By: e.By, Generation: e.Generation,
		Denial: e.Denial, Lines: e.Lines, ReplayDigest: e.ReplayDigest,
	}
	switch e.Kind {
	case ledger.Silence:
		out.FailedAt = e.At
	case ledger.Proposed, ledger.TakenBack:
		out.By, out.ProposedBy = nil, e.By
	case ledger.Approved:
		out.Reasons = []string{e.Reason}
	default: // it has no more fields
	}
	return out
}
