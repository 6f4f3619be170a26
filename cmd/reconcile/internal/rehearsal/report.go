// Package rehearsal writes what came of rehearsals of a switchover: as a table, as JSON, and as
// the lines that doctor and the status page show. It acts on nothing.
package rehearsal

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/jsonyaml"
	"milvus-reconcile/cmd/reconcile/internal/safetext"
	"milvus-reconcile/plan"
)

// Report is what came of the rehearsals of one topology.
type Report struct {
	Topology string
	Outcome  string // of the run that the report is about; empty: nothing was carried out
	Detail   string
	Kept     []plan.RehearsalRecord // the newest last
}

// shown is how many earlier rehearsals the table compares with.
const shown = 5

// Write writes the report as "table", "json" or "yaml".
func Write(w io.Writer, form string, r Report) error {
	switch form {
	case "json":
		return jsonyaml.WriteJSON(w, encode(r))
	case "yaml":
		return jsonyaml.WriteYAML(w, encode(r))
	case "table":
		if _, err := io.WriteString(w, table(r)); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
		return nil
	}
	return fmt.Errorf("a report of rehearsals has no form %q", form)
}

// table is the report as people read it: the newest rehearsal in full, then the ones before it.
func table(r Report) string {
	if len(r.Kept) == 0 {
		return safetext.Safe(r.Topology) + ": no rehearsal was carried out\n"
	}
	last := r.Kept[len(r.Kept)-1]
	var b strings.Builder
	fmt.Fprintf(&b, "%s  rehearsal of generation %d, %s: %s\n", safetext.Safe(r.Topology), last.Generation, moment(last.Ended), Verdict(last))
	fmt.Fprintf(&b, "  %s → %s → %s, approved by %s, commit %.12s\n", last.From, last.To, last.From, safetext.Safe(cmp.Or(strings.Join(last.By, ", "), "nobody that is known")), last.Commit)
	b.WriteString("\n")
	rows := [][3]string{{"", "to " + last.To, "back to " + last.From}}
	for _, part := range parts(last) {
		rows = append(rows, [3]string{strings.ReplaceAll(part, "_", " "), partTime(last.There, part), partTime(last.Back, part)})
	}
	rows = append(rows, [3]string{"in all", wayTime(last.There), wayTime(last.Back)},
		[3]string{"gap of writes", gapText(last.There.Gap, last.There.Measured), gapText(last.Back.Gap, last.Back.Measured)})
	writeRows(&b, rows)
	b.WriteString("\n")
	for _, line := range notes(last) {
		b.WriteString("  " + safetext.Safe(line) + "\n")
	}
	earlier := slices.Clone(r.Kept[:len(r.Kept)-1])
	slices.Reverse(earlier)
	if len(earlier) > 0 {
		b.WriteString("\n  earlier:\n")
	}
	for _, e := range earlier[:min(shown, len(earlier))] {
		gap, measured := e.Gap()
		fmt.Fprintf(&b, "  %s  to %s: there %s, back %s, gap %s, %s\n", moment(e.Ended), e.To, wayTime(e.There), wayTime(e.Back), gapText(gap, measured), Verdict(e))
	}
	return b.String()
}

// notes are what the table of times does not say.
func notes(r plan.RehearsalRecord) []string {
	var out []string
	for _, way := range []struct {
		to string
		plan.RehearsalWay
	}{{r.To, r.There}, {r.From, r.Back}} {
		if way.Failed != "" {
			out = append(out, "on the way to "+way.to+": "+way.Failed)
		}
		if way.Traffic != "" {
			out = append(out, "traffic: "+way.Traffic)
		}
		if way.Resumed {
			out = append(out, "the way to "+way.to+" was resumed: its times are of the process that ended it")
		}
	}
	if r.Lost != nil && r.Written != nil {
		return append(out, fmt.Sprintf("lost: %d of %d rows that the probe client wrote", *r.Lost, *r.Written))
	}
	return append(out, "lost: not measured, since no probe client counted rows; a switchover waits until the new primary has every write")
}

// writeRows writes columns of equal width.
func writeRows(b *strings.Builder, rows [][3]string) {
	var width [3]int
	for _, row := range rows {
		for i, text := range row {
			width[i] = max(width[i], len([]rune(text)))
		}
	}
	for _, row := range rows {
		line := fmt.Sprintf("  %-*s  %-*s  %s", width[0], row[0], width[1], row[1], row[2])
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// parts are the parts of both ways, in their order.
func parts(r plan.RehearsalRecord) []string {
	var out []string
	for _, s := range slices.Concat(r.There.Steps, r.Back.Steps) {
		if !slices.Contains(out, s.Step) {
			out = append(out, s.Step)
		}
	}
	return out
}

func partTime(w plan.RehearsalWay, part string) string {
	i := slices.IndexFunc(w.Steps, func(s plan.StepTime) bool { return s.Step == part })
	if i < 0 {
		return "-"
	}
	return plan.DurationText(w.Steps[i].Took)
}

func wayTime(w plan.RehearsalWay) string {
	if w.Took == 0 {
		return "-"
	}
	return plan.DurationText(w.Took)
}

// gapText says how long no write was acknowledged, and that steps bound it if nobody measured it.
func gapText(gap *time.Duration, measured bool) string {
	switch {
	case gap == nil:
		return "not known"
	case measured:
		return plan.DurationText(*gap)
	default:
		return "at most " + plan.UpperBoundText(*gap)
	}
}

// Verdict is one word or two about a rehearsal.
func Verdict(r plan.RehearsalRecord) string {
	switch {
	case r.Passed():
		return "passed"
	case r.Result == "applied":
		return "NOT PASSED"
	default:
		return "NOT FINISHED (" + safetext.Safe(r.Result) + ")"
	}
}

// Line says in one line when the newest rehearsal was, and by how much the promised times were
// met: catchUpWithin for the proof of replication, timeout for a way.
func Line(r plan.RehearsalRecord, promised plan.Switchover, now time.Time) string {
	gap, measured := r.Gap()
	longest := max(r.There.Took, r.Back.Took)
	text := fmt.Sprintf("the last rehearsal, to %s, %s ago, %s: the longer way took %s", r.To, plan.DurationText(now.Sub(r.Ended)), Verdict(r), plan.DurationText(longest))
	if promised.Timeout > 0 {
		text += fmt.Sprintf(" of the %s that switchover.timeout allows", plan.DurationText(promised.Timeout))
	}
	if proof := max(proofOf(r.There), proofOf(r.Back)); proof > 0 {
		text += fmt.Sprintf(", replication was proven in %s of %s", plan.DurationText(proof), plan.DurationText(promised.CatchUpWithin))
	}
	return text + ", gap of writes " + gapText(gap, measured)
}

func proofOf(w plan.RehearsalWay) time.Duration {
	i := slices.IndexFunc(w.Steps, func(s plan.StepTime) bool { return s.Step == plan.PartProof })
	if i < 0 {
		return 0
	}
	return w.Steps[i].Took
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }
