package render

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// HistoryRow is one record of the ledger.
type HistoryRow struct {
	Seq        uint64
	At         time.Time
	Kind       string
	Topology   string
	Commit     string
	By         []string
	Transition string
	Result     string
	PrevHash   string
	Hash       string
	Detail     string
}

type wireRow struct {
	Seq        uint64   `json:"seq"`
	At         *string  `json:"at"`
	Kind       string   `json:"kind"`
	Topology   *string  `json:"topology"`
	Commit     *string  `json:"commit"`
	By         []string `json:"by"`
	Transition *string  `json:"transition"`
	Result     *string  `json:"result"`
	PrevHash   *string  `json:"prevHash"`
	Hash       string   `json:"hash"`
	Detail     *string  `json:"detail"`
}

// History writes the records of a ledger, in the order given, as "table",
// "json", "yaml" or "markdown".
func History(w io.Writer, form string, rows []HistoryRow, o TableOptions) error {
	return answer{
		name: "history", page: func(p *page) { p.history(rows) }, value: func() any { return mapList(rows, encodeRow) },
		markdown: func() string { return historyMarkdown(rows) },
	}.write(w, form, o)
}

func encodeRow(r HistoryRow) wireRow {
	return wireRow{
		Seq: r.Seq, At: timeOrNil(r.At), Kind: r.Kind, Topology: textOrNil(r.Topology), Commit: textOrNil(r.Commit),
		By: mapList(r.By, same), Transition: textOrNil(r.Transition), Result: textOrNil(r.Result),
		PrevHash: textOrNil(r.PrevHash), Hash: r.Hash, Detail: textOrNil(r.Detail),
	}
}

var historyHead = []string{"record", "at", "topology", "what", "result, commit, approvers"}

func (p *page) history(rows []HistoryRow) {
	if len(rows) == 0 {
		p.line("The ledger holds no record.")
		return
	}
	g := grid{head: historyHead, least: 20}
	for _, r := range rows {
		var cells []cell
		for _, text := range r.columns() {
			cells = append(cells, cell{text: text})
		}
		g.add(cells...)
	}
	p.grid(g)
}

func (r HistoryRow) columns() []string {
	what := r.Kind
	if r.Transition != "" && r.Transition != "none" {
		what = r.Transition + ", " + r.Kind
	}
	result := r.Result
	if r.Detail != "" {
		result = strings.TrimPrefix(result+": "+r.Detail, ": ")
	}
	var last []string
	for _, part := range []struct{ before, text string }{{"", result}, {"commit ", short(r.Commit)}, {"by ", list(r.By)}} {
		if part.text != "" {
			last = append(last, part.before+part.text)
		}
	}
	return []string{fmt.Sprint(r.Seq), clockTime(r.At), orElse(r.Topology, "-"), what, strings.Join(last, "; ")}
}

func historyMarkdown(rows []HistoryRow) string {
	var b strings.Builder
	b.WriteString(markdownRow(historyHead...))
	b.WriteString(strings.Repeat("|---", len(historyHead)) + "|\n")
	for _, r := range rows {
		cells := r.columns()
		for i := range cells {
			cells[i] = escapeMarkdown(cells[i])
		}
		b.WriteString(markdownRow(cells...))
	}
	return cutMarkdown(b.String())
}
