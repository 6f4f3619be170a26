package render

import (
	"io"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/safetext"
	"milvus-reconcile/plan"
)

// HistoryRow is one record of the ledger, or what happened that no record tells.
type HistoryRow struct {
	Seq        uint64 // 0: no record tells it
	At         time.Time
	Kind       string
	Topology   string
	Commit     string
	By         []string
	Reasons    []string // why, for each of By
	ProposedBy []string
	Generation int64
	Transition string
	Result     string
	PrevHash   string
	Hash       string
	Detail     string
	// Lines explains the record to a person: what happened, then who asked for it.
	Lines    []string
	FailedAt time.Time // when the old primary was first seen to fail; zero: the record does not tell
	// Loss is what was counted of a failover; nil: nothing.
	Loss *plan.CountedLoss
	// ReplayDigest names the replay of lost rows that it approves or begins; empty: none.
	ReplayDigest string
	// Replayed is how a replay of lost rows ended; nil: it is of none.
	Replayed *plan.Replayed
	// Denial is the code why an approval does not count; empty: it did.
	Denial string
}

type wireRow struct {
	Seq        *uint64  `json:"seq"`
	At         *string  `json:"at"`
	Kind       string   `json:"kind"`
	Topology   *string  `json:"topology"`
	Commit     *string  `json:"commit"`
	By         []string `json:"by"`
	Transition *string  `json:"transition"`
	Result     *string  `json:"result"`
	PrevHash   *string  `json:"prevHash"`
	Hash       *string  `json:"hash"`
	Detail     *string  `json:"detail"`
	Reasons    []string `json:"reasons"`
	ProposedBy []string `json:"proposedBy"`
	Generation *int64   `json:"generation"`
	FailedAt   *string  `json:"failedAt"`
	Story      []string `json:"story"`

	Loss     *wireCountedLoss `json:"loss"`
	Replay   *string          `json:"replay"`
	Replayed *wireReplayed    `json:"replayed"`
	Denial   *string          `json:"denial"`
}

// HistoryEvent is what happened at one time, in words.
type HistoryEvent struct {
	At       time.Time
	Topology string
	Lines    []string
	Mark     Mark
}

// Mark says what an event means to a reader.
type Mark string

// The marks of events. The zero value is none.
const (
	MarkBegun   Mark = "begun"
	MarkDone    Mark = "done"
	MarkTrouble Mark = "trouble"
)

// History writes the records of a ledger with what happened between them, in the order given,
// as "json" or "yaml", and the same as a story as "table" or "markdown".
func History(w io.Writer, form string, rows []HistoryRow, story []HistoryEvent, o TableOptions) error {
	return answer{
		name: "history", page: func(p *page) { p.history(story) }, value: func() any { return mapList(rows, encodeRow) },
		markdown: func() string { return historyMarkdown(story) },
	}.write(w, form, o)
}

func encodeRow(r HistoryRow) wireRow {
	return wireRow{
		Seq: numberOrNil(r.Seq), At: timeOrNil(r.At), Kind: r.Kind, Topology: textOrNil(r.Topology), Commit: textOrNil(r.Commit),
		By: mapList(r.By, same), Transition: textOrNil(r.Transition), Result: textOrNil(r.Result),
		PrevHash: textOrNil(r.PrevHash), Hash: textOrNil(r.Hash), Detail: textOrNil(r.Detail),
		Reasons: mapList(r.Reasons, same), ProposedBy: mapList(r.ProposedBy, same), Generation: numberOrNil(r.Generation),
		FailedAt: timeOrNil(r.FailedAt), Story: mapList(r.Lines, same), Loss: encodeCountedLossOrNil(r.Loss),
		Replay: textOrNil(r.ReplayDigest), Replayed: encodeReplayedOrNil(r.Replayed), Denial: textOrNil(r.Denial),
	}
}

func numberOrNil[T int64 | uint64](n T) *T {
	if n == 0 {
		return nil
	}
	return &n
}

// style marks what a reader looks for.
func (e HistoryEvent) style() style {
	switch e.Mark {
	case MarkBegun:
		return strong
	case MarkDone:
		return good
	case MarkTrouble:
		return attention
	default:
		return plain
	}
}

// history prints the story: each day, and each topology if there are several, is a title,
// and each event begins with its time.
func (p *page) history(story []HistoryEvent) {
	if len(story) == 0 {
		p.line("The ledger holds no record.")
		return
	}
	several, day := topologiesOf(story) > 1, ""
	for _, e := range story {
		if d := e.At.UTC().Format("2006-01-02"); d != day {
			if day != "" {
				p.blank()
			}
			p.line(p.paint(strong, d))
			day = d
		}
		for i, text := range e.Lines {
			p.event(e, i, text, several)
		}
	}
}

// event prints one line of an event; the lines after its first stand below it.
func (p *page) event(e HistoryEvent, i int, text string, named bool) {
	at, s := timeOfDay(e.At), e.style()
	if named && i == 0 && e.Topology != "" {
		text = e.Topology + ": " + text
	}
	hang := 2 + len(at) + 2
	if i > 0 {
		hang, at, s = hang+2, "", plain
	}
	for j, l := range wrap(safetext.Safe(text), p.prose()-hang-2) {
		start := strings.Repeat(" ", hang)
		if j == 0 && i == 0 {
			start = "  " + p.paint(faint, at) + "  "
		} else if j > 0 {
			start += "  "
		}
		p.line(start, p.paint(s, l))
	}
}

func topologiesOf(story []HistoryEvent) int {
	seen := map[string]bool{}
	for _, r := range story {
		if r.Topology != "" {
			seen[r.Topology] = true
		}
	}
	return len(seen)
}

func historyMarkdown(story []HistoryEvent) string {
	var b strings.Builder
	b.WriteString(markdownRow("at", "topology", "what"))
	b.WriteString("|---|---|---|\n")
	for _, e := range story {
		lines := make([]string, len(e.Lines))
		for i, text := range e.Lines {
			lines[i] = safetext.Markdown(text)
		}
		b.WriteString(markdownRow(clockTime(e.At), safetext.Markdown(orElse(e.Topology, "-")), strings.Join(lines, "<br>")))
	}
	return cutMarkdown(b.String())
}

// endedShownFor is how long a status tells of an outage that ended.
const endedShownFor = 24 * time.Hour

// rememberedRows say in a status what was seen before it: what the newest drift found, an
// outage that ended without a failover, and when standbys were last proven equal. None is said
// to hold now.
func (d Document) rememberedRows(t plan.TopologyPlan) []row {
	if d.kind() != KindStatus || t.Transition != plan.TransitionNone {
		return nil
	}
	var out []row
	if m := t.LastDrift; m != nil {
		r := row{label: "Drift", text: "in sync, when drift last compared: " + d.whenSeen(m.At)}
		if !m.InSync {
			r.text, r.style = d.driftWords(*m)+"; this status does not tell whether that still holds", attention
		}
		if now, known := driftNow(t); known {
			r.text = d.driftWords(*m) + now
		}
		out = append(out, r)
	}
	if e := t.LastOutage; e != nil && d.generatedAt().Sub(e.UpAt) < endedShownFor {
		out = append(out, row{label: "Was down", text: e.Cluster + ", from " + d.whenSeen(e.Since) + " to " + d.whenSeen(e.UpAt) + "; no failover was made"})
	}
	return append(out, equalRows(t)...)
}

// driftNow says what a status sees by itself now of what the newest drift found; known is
// false if something of it can be seen only by another drift.
func driftNow(t plan.TopologyPlan) (words string, known bool) {
	m := t.LastDrift
	if m == nil || m.InSync || len(m.Codes) == 0 {
		return "", false
	}
	var holds []string
	for _, code := range m.Codes {
		switch {
		case t.Has(code):
			holds = append(holds, string(code))
		case !readByStatus(code) || slices.ContainsFunc(t.Clusters, unread):
			return "", false
		}
	}
	switch len(holds) {
	case 0:
		return ", which is over: this status does not find it", true
	case len(m.Codes):
		return ", and it still holds", true
	default:
		return "; still there: " + list(holds), true
	}
}

// readByStatus says of a finding that a status makes it by itself if it reads all clusters.
func readByStatus(code plan.Code) bool {
	spec, _ := plan.SpecOf(code)
	return spec.FromRoles
}

// unread reports whether the role of a cluster was not read.
func unread(c plan.ClusterPlan) bool {
	return c.View.Reach != plan.ReachUp || c.View.Belief.Kind == plan.BeliefUnknown
}

// driftWords say what a drift found that did not find a topology in sync.
func (d Document) driftWords(m plan.DriftMark) string {
	words := make([]string, len(m.Codes))
	for i, code := range m.Codes {
		words[i] = string(code)
	}
	what := list(words)
	switch {
	case what == "" && m.Drifted:
		what = "a difference"
	case what == "":
		what = "something that could not be judged"
	}
	return "drift found " + what + " at " + d.whenSeen(m.At)
}

// whenSeen is a time of day, with the day if that is long before the document.
func (d Document) whenSeen(at time.Time) string {
	const today = 12 * time.Hour
	if d.generatedAt().Sub(at) > today {
		return clockTime(at)
	}
	return timeOfDay(at)
}

// driftUnseen names what the newest drift found and a status, which reads once, cannot see
// by itself; "" if there is nothing. That a standby stands still is over once nothing waits.
func (d Document) driftUnseen(t plan.TopologyPlan, waiting bool) string {
	m := t.LastDrift
	if m == nil || m.InSync {
		return ""
	}
	unseen := func(code plan.Code) bool {
		return code == plan.CodeReplicationStalled && waiting || code == plan.CodePChannelMismatch
	}
	if !slices.ContainsFunc(m.Codes, func(code plan.Code) bool { return unseen(code) && !t.Has(code) }) {
		return ""
	}
	return d.driftWords(*m)
}

// driftAgain is what to type while only a new drift tells whether messages move, or whether
// what an old one found still holds.
func (d Document) driftAgain(t plan.TopologyPlan) []action {
	compare := action{label: labelNow, command: "reconcile drift " + t.Name}
	_, known := driftNow(t)
	switch {
	case d.kind() != KindStatus || t.Transition != plan.TransitionNone:
		return nil
	case t.LastDrift != nil && !t.LastDrift.InSync && !known:
		compare.words = "see whether what drift found still holds:"
	case d.unprovenLag(t) != "":
		compare.words = "see whether the messages that wait move:"
	default:
		return nil
	}
	return []action{compare}
}

func encodeDrift(m *plan.DriftMark) *wireDrift {
	if m == nil {
		return nil
	}
	out := &wireDrift{At: timeOrNil(m.At), Verdict: "unjudged", Codes: mapList(m.Codes, func(c plan.Code) string { return string(c) })}
	switch {
	case m.Drifted:
		out.Verdict = "drifted"
	case m.InSync:
		out.Verdict = "in_sync"
	}
	return out
}

func encodeEnded(e *plan.EndedOutage) *wireEnded {
	if e == nil {
		return nil
	}
	return &wireEnded{Cluster: e.Cluster, FirstSeenDown: timeOrNil(e.Since), LastSeenDown: timeOrNil(e.Until), SeenUpAgain: timeOrNil(e.UpAt)}
}

func (r *decodeReader) lastDrift(topology string, w *wireDrift) *plan.DriftMark {
	if w == nil {
		return nil
	}
	out := &plan.DriftMark{Topology: topology, At: r.time(w.At), InSync: w.Verdict == "in_sync", Drifted: w.Verdict == "drifted"}
	for _, code := range w.Codes {
		out.Codes = append(out.Codes, plan.Code(code))
	}
	return out
}

func (r *decodeReader) lastOutage(topology string, w *wireEnded) *plan.EndedOutage {
	if w == nil {
		return nil
	}
	return &plan.EndedOutage{
		Cluster: w.Cluster, Topology: topology,
		Since: r.time(w.FirstSeenDown), Until: r.time(w.LastSeenDown), UpAt: r.time(w.SeenUpAgain),
	}
}
