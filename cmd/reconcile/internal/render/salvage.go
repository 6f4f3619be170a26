package render

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// SalvageReport is what a stale primary holds that was never replicated.
type SalvageReport struct {
	Topology string
	Stale    string
	Promoted string
	Until    time.Time // up to when the stale cluster was read, by its own ticks
	Counts   []SalvageCount
	Channels []SalvageChannel
	Export   string // the file; empty: none
	Exported int64  // its lines
	NotExact string // why the counts may not be all; empty: they are exactly that
	NotKept  string // why exact counts are not kept in the ledger; empty: they are
}

// MostSalvagedKeys is how many keys a count names. An export has all.
const MostSalvagedKeys = 5

// SalvageCount counts the messages of one kind in one partition of a collection.
type SalvageCount struct {
	Database     string
	Collection   string // empty: its name is not known, or it concerns none
	CollectionID int64  // 0: it concerns none
	Partition    string // empty: not known, or they concern none, or all
	Kind         string
	Messages     int64
	Rows         int64
	First        time.Time
	Newest       time.Time
	Keys         []string // the first primary keys, as far as they are known
}

// Compare orders by collection, partition, then kind.
func (c SalvageCount) Compare(o SalvageCount) int {
	return cmp.Or(cmp.Compare(c.Database, o.Database), cmp.Compare(c.Collection, o.Collection),
		cmp.Compare(c.CollectionID, o.CollectionID), cmp.Compare(c.Partition, o.Partition), cmp.Compare(c.Kind, o.Kind))
}

// SalvageChannel is one channel as it was read.
type SalvageChannel struct {
	Channel        string
	Promoted       string
	ReplicatedUpTo time.Time
	Messages       int64
	First          time.Time
	Last           time.Time
	Untouched      bool   // nothing was ever replicated on it: it was read from where replication began
	Problem        string // why it may hold more; empty: it does not
}

// Whole reports whether every channel was read from its checkpoint to its end.
func (r SalvageReport) Whole() bool {
	for _, c := range r.Channels {
		if c.Problem != "" {
			return false
		}
	}
	return len(r.Channels) > 0
}

// Salvage writes the report as "table", "json" or "yaml".
func Salvage(w io.Writer, form string, r SalvageReport, o TableOptions) error {
	return answer{name: "salvage", page: func(p *page) { p.salvage(r) }, value: func() any { return encodeSalvage(r) }}.write(w, form, o)
}

type wireSalvage struct {
	FormatVersion string               `json:"formatVersion"`
	Topology      string               `json:"topology"`
	Stale         string               `json:"stale"`
	Promoted      string               `json:"promoted"`
	Until         *string              `json:"until"`
	Whole         bool                 `json:"whole"`
	Counts        []wireSalvageCount   `json:"counts"`
	Channels      []wireSalvageChannel `json:"channels"`
	NotKnown      []string             `json:"notKnown"`
	Export        *string              `json:"export"`
	Exported      int64                `json:"exportedLines"`
	Exact         bool                 `json:"exact"`
	NotExact      *string              `json:"notExact"`
	InLedger      bool                 `json:"inLedger"`
	NotInLedger   *string              `json:"notInLedger"`
}

type wireSalvageCount struct {
	Database     *string  `json:"database"`
	Collection   *string  `json:"collection"`
	CollectionID *string  `json:"collectionId"`
	Partition    *string  `json:"partition"`
	Kind         string   `json:"kind"`
	Messages     int64    `json:"messages"`
	Rows         int64    `json:"rows"`
	First        *string  `json:"first"`
	Newest       *string  `json:"newest"`
	Keys         []string `json:"keys"`
}

type wireSalvageChannel struct {
	Channel        *string `json:"channel"`
	Promoted       string  `json:"promotedChannel"`
	ReplicatedUpTo *string `json:"replicatedUpTo"`
	Messages       int64   `json:"messages"`
	First          *string `json:"first"`
	Last           *string `json:"last"`
	Untouched      bool    `json:"untouched"`
	Problem        *string `json:"problem"`
}

func encodeSalvage(r SalvageReport) wireSalvage {
	return wireSalvage{
		FormatVersion: answerFormat, Topology: r.Topology, Stale: r.Stale, Promoted: r.Promoted, Until: timeOrNil(r.Until), Whole: r.Whole(),
		Counts: mapList(r.Counts, func(c SalvageCount) wireSalvageCount {
			id := ""
			if c.CollectionID != 0 {
				id = strconv.FormatInt(c.CollectionID, 10)
			}
			return wireSalvageCount{
				Database: textOrNil(c.Database), Collection: textOrNil(c.Collection), CollectionID: textOrNil(id), Partition: textOrNil(c.Partition),
				Kind: c.Kind, Messages: c.Messages, Rows: c.Rows, First: timeOrNil(c.First), Newest: timeOrNil(c.Newest), Keys: mapList(c.Keys, same),
			}
		}),
		Channels: mapList(r.Channels, func(c SalvageChannel) wireSalvageChannel {
			return wireSalvageChannel{
				Channel: textOrNil(c.Channel), Promoted: c.Promoted, ReplicatedUpTo: timeOrNil(c.ReplicatedUpTo),
				Messages: c.Messages, First: timeOrNil(c.First), Last: timeOrNil(c.Last), Untouched: c.Untouched, Problem: textOrNil(c.Problem),
			}
		}),
		NotKnown: mapList(r.notKnown(), same), Export: textOrNil(r.Export), Exported: r.Exported,
		Exact: r.NotExact == "", NotExact: textOrNil(r.NotExact),
		InLedger: r.NotExact == "" && r.NotKept == "", NotInLedger: textOrNil(r.NotKept),
	}
}

// notKnown is what no reading of a log can tell.
func (r SalvageReport) notKnown() []string {
	return []string{
		"whether the rows are still wanted: " + r.Promoted + " may hold newer ones under the same keys, written since it was promoted",
		"which of them were confirmed to an application: the log holds every accepted write, confirmed or not",
		"transactions that were not committed: the stream leaves them out",
		"data that came by bulk import: it is in object storage, not in the log",
		"what " + r.Stale + " takes after " + clockTime(r.Until) + ", unless it is fenced",
	}
}

// neverWritten counts the channels on which nothing was replicated, since nothing
// was written.
func (r SalvageReport) neverWritten() int {
	n := 0
	for _, c := range r.Channels {
		n += one(c.Untouched && c.Problem == "" && c.Messages == 0)
	}
	return n
}

func (p *page) salvage(r SalvageReport) {
	var rows, messages int64
	for _, c := range r.Counts {
		rows, messages = rows+c.Rows, messages+c.Messages
	}
	words, s := fmt.Sprintf("%d rows in %d messages that %s never got", rows, messages, r.Promoted), attention
	if messages == 0 {
		words, s = "nothing that "+r.Promoted+" never got", good
	}
	if !r.Whole() {
		words, s = "at least "+words+"; not everything could be read", bad
	}
	p.title(r.Topology+"/"+r.Stale, s, words)
	p.blank()
	p.salvageProblems(r)
	if n := r.neverWritten(); n > 0 {
		p.field("Untouched", good, "✓", fmt.Sprintf("nothing was written to %s since replication to %s began: their logs were read from there", plural(n, "channel", "channels"), r.Promoted))
	}
	if r.Export != "" {
		p.field("Export", good, "✓", fmt.Sprintf("%d lines in %s", r.Exported, r.Export))
	}
	p.salvageKept(r)
	for i, text := range r.notKnown() {
		label := "Not known"
		if i > 0 {
			label = ""
		}
		p.field(label, attention, "!", text)
	}
	if len(r.Counts) == 0 {
		return
	}
	p.blank()
	g := grid{head: []string{"collection", "kind", "count", "first and last", "keys"}, least: 12}
	for _, c := range byCollection(r.Counts) {
		name := c.name()
		if c.Partition != "" && c.Partition != "_default" {
			name += " (" + c.Partition + ")"
		}
		g.add(cell{text: name}, cell{text: c.Kind}, cell{text: c.count()}, cell{text: c.span(r.Until)}, cell{text: orElse(c.firstKeys(), "-")})
	}
	p.grid(g)
}

// count is how many rows, or messages without rows.
func (c SalvageCount) count() string {
	if c.Rows == 0 {
		return plural(int(c.Messages), "message", "messages")
	}
	return plural(int(c.Rows), "row", "rows")
}

// span is when the first and the last message were written: without the day if both are of the
// day of until.
func (c SalvageCount) span(until time.Time) string {
	form := "2006-01-02 15:04:05Z"
	if c.Newest.IsZero() {
		return "-"
	}
	if day := until.UTC().Format(time.DateOnly); c.First.UTC().Format(time.DateOnly) == day && c.Newest.UTC().Format(time.DateOnly) == day {
		form = "15:04:05Z"
	}
	first, last := c.First.UTC().Format(form), c.Newest.UTC().Format(form)
	if first == last {
		return last
	}
	return first + "–" + last
}

// firstKeys names the first keys, and says that there are more.
func (c SalvageCount) firstKeys() string {
	text := strings.Join(c.Keys, ", ")
	if len(c.Keys) > 0 && int64(len(c.Keys)) < c.Rows {
		text += ", …"
	}
	return text
}

// mostPartitions is how many partitions of a collection a page shows one by one. The server
// divides a collection with a partition key into many.
const mostPartitions = 8

// byCollection returns the counts as a page shows them: those of a collection with many
// partitions become one for each kind. They are in order, so that what is added up is adjacent
// but for its kind.
func byCollection(counts []SalvageCount) []SalvageCount {
	type of struct {
		database, collection string
		id                   int64
		kind                 string
	}
	partitions, at := map[of]int{}, map[of]int{}
	for _, c := range counts {
		partitions[of{c.Database, c.Collection, c.CollectionID, c.Kind}]++
	}
	var out []SalvageCount
	for _, c := range counts {
		key := of{c.Database, c.Collection, c.CollectionID, c.Kind}
		i, begun := at[key]
		switch {
		case partitions[key] <= mostPartitions:
			out = append(out, c)
		case !begun:
			at[key] = len(out)
			c.Partition = plural(partitions[key], "partition", "partitions")
			out = append(out, c)
		default:
			out[i] = out[i].plus(c)
		}
	}
	return out
}

// plus adds what another partition holds.
func (c SalvageCount) plus(o SalvageCount) SalvageCount {
	c.Messages, c.Rows = c.Messages+o.Messages, c.Rows+o.Rows
	if o.First.Before(c.First) {
		c.First = o.First
	}
	if o.Newest.After(c.Newest) {
		c.Newest = o.Newest
	}
	return c
}

func (c SalvageCount) name() string {
	switch {
	case c.Collection != "":
		return orElse(c.Database, "?") + "/" + c.Collection
	case c.CollectionID != 0:
		return "id " + strconv.FormatInt(c.CollectionID, 10)
	default:
		return "-"
	}
}

// salvageKept says whether the counts are exact, and then whether the ledger keeps them.
func (p *page) salvageKept(r SalvageReport) {
	switch {
	case r.NotExact != "" && r.Whole():
		p.field("Not exact", attention, "!", r.NotExact)
	case r.NotExact == "" && r.NotKept != "":
		p.field("Not kept", attention, "!", "the count is exact and not in the ledger: "+r.NotKept)
	case r.NotExact == "":
		p.field("Exact", good, "✓", "nothing is missing; the ledger keeps the count; to see it: 'reconcile history "+r.Topology+"'")
	}
}

// salvageProblems prints each problem once, with the channels that it is of.
func (p *page) salvageProblems(r SalvageReport) {
	of := map[string]int{}
	for _, c := range r.Channels {
		of[c.Problem]++
	}
	for _, c := range r.Channels {
		if n := of[c.Problem]; c.Problem != "" && n > 0 {
			p.field("Incomplete", bad, "✗", fmt.Sprintf("%s, %s: %s", plural(n, "channel", "channels"), orElse(c.Channel, c.Promoted), c.Problem))
			of[c.Problem] = 0
		}
	}
}
