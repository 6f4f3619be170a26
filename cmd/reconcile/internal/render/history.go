package render

import (
	"io"
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
	// Lines says what the record means to a person: what happened, then who wanted it.
	Lines    []string
	FailedAt time.Time // when the old primary was first seen to fail; zero: the record does not tell
	// Loss is what was counted of a failover; nil: nothing.
	Loss *plan.CountedLoss
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

	Loss   *wireCountedLoss `json:"loss"`
	Denial *string          `json:"denial"`
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
		Denial: textOrNil(r.Denial),
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
