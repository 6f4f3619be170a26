package render

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/safetext"
	"milvus-reconcile/plan"
)

// Listing says which topologies a table of several lists. One topology has a page.
type Listing int

// The listings. The zero value lists what needs somebody and counts the rest.
const (
	ListTrouble  Listing = iota
	ListProblems         // only what is wrong, however much it is
	ListAll
)

// fleetRow is one topology of many: what is the matter, and the command to type.
type fleetRow struct {
	name      string
	condition condition
	style     style // of the symbol, as on the page of the topology
	words     string
	waits     time.Duration // how long the oldest message waits for a standby at most; 0: none was seen
	more      int           // further findings that only the page says
	remedy    string        // what to do before, or without a command
	command   string
	refused   int // clusters that refuse our token, if that is what is the matter
}

// fleet prints many topologies: how many stand how, then a row for each that needs
// somebody, the worst first.
func (p *page) fleet(d Document) {
	topologies := d.topologies()
	rows := make([]fleetRow, 0, len(topologies))
	for _, t := range topologies {
		rows = append(rows, d.fleetRow(t))
	}
	p.fleetRows(d, "details: "+orElse(p.details, "reconcile "+string(d.kind())+" NAME"), rows, "")
}

// fleetRows prints a headline and rows. The topology whose page follows is counted and has
// no row.
func (p *page) fleetRows(d Document, details string, rows []fleetRow, follows string) {
	slices.SortStableFunc(rows, func(a, b fleetRow) int { return cmp.Compare(a.condition, b.condition) })
	p.hanging(0, strong, d.fleetWords(conditions(rows)))
	if basis := d.basisWords(); basis != "" {
		p.hanging(0, faint, basis)
	}
	p.firstProblems(d.Problems)
	listed := slices.DeleteFunc(slices.Clone(rows), func(r fleetRow) bool { return !p.lists(r.condition) || r.name == follows })
	if p.listing == ListTrouble {
		listed = refusedOnce(listed)
	}
	if len(listed) > 0 {
		p.blank()
	}
	p.listRows(listed, p.drawRows(listed), func(left []fleetRow) string {
		return countWords(conditions(left))
	})
	p.fleetEnd(rows, details)
}

// fleetWords are the headline of several topologies: how many of them stand how.
func (d Document) fleetWords(conditions []condition) string {
	words := plural(len(conditions), "topology", "topologies") + ": " + countWords(conditions)
	if n := len(d.Problems); n > 0 {
		words += " · " + plural(n, "problem in a file", "problems in files")
	}
	return words
}

// mostProblems is how many problems of files stand before the rows.
const mostProblems = 3

// firstProblems prints the problems of files, but leaves most of them to 'validate' if the
// page is bounded.
func (p *page) firstProblems(problems []Problem) {
	more := len(problems) - mostProblems
	if more <= 0 || p.height == 0 || p.listing != ListTrouble {
		p.problems(problems)
		return
	}
	p.problems(problems[:mostProblems])
	p.note("… and " + number(more) + " more; to list them: `reconcile validate`")
}

func conditions(rows []fleetRow) []condition {
	out := make([]condition, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.condition)
	}
	return out
}

func (p *page) lists(s condition) bool {
	switch p.listing {
	case ListAll:
		return true
	case ListProblems:
		return s.problem()
	default:
		return !s.quiet()
	}
}

// rowsEnd is how many lines follow the rows: the end and the prompt.
const rowsEnd = 2

// listRows prints rows as drawn. If they do not fit into the height of the page, the last
// line counts those that are left out.
func (p *page) listRows(rows []fleetRow, drawn [][]string, leftOut func([]fleetRow) string) {
	left := 0
	for _, lines := range drawn {
		left += len(lines)
	}
	bounded := p.height > 0 && p.listing == ListTrouble
	room := p.height - strings.Count(p.b.String(), "\n") - rowsEnd
	for i, lines := range drawn {
		if bounded && left > room && i > 0 && len(lines) >= room {
			line := "… and " + number(len(rows)-i) + " more (--problems lists them)"
			if all := line + ": " + leftOut(rows[i:]); 2+columns(all) <= p.width {
				line = all
			}
			p.line("  ", p.paint(strong, line))
			return
		}
		for _, l := range lines {
			p.line(l)
		}
		left -= len(lines)
		room -= len(lines)
	}
}

// widestName is how wide the column of names may be.
const widestName = 30

// drawRows draws rows with the names in a column.
func (p *page) drawRows(rows []fleetRow) [][]string {
	name := 0
	for _, r := range rows {
		name = max(name, min(columns(safetext.Safe(r.name)), widestName))
	}
	out := make([][]string, 0, len(rows))
	for _, r := range rows {
		out = append(out, p.drawRow(r, name))
	}
	return out
}

// drawRow draws what is the matter with a topology, and below it the command on a line of
// its own. A long name has the first line for itself.
func (p *page) drawRow(r fleetRow, name int) []string {
	s := r.style
	left, indent, more := pad(safetext.Safe(r.name), name), 2+2+name+2, ""
	if columns(left) > p.width/2 {
		indent = 4
	}
	if r.more > 0 {
		more = " (and " + number(r.more) + " more)"
	}
	text := clipped(wrap(safetext.Safe(r.words)+more, p.width-indent), rowLines, p.width-indent)
	first := "  " + p.paint(s, s.mark()+" ") + p.paint(strong, strings.TrimRight(left, " "))
	var lines []string
	if indent == 4 {
		lines = append(lines, first)
	}
	for i, l := range text {
		before := pad("", indent)
		if i == 0 && indent > 4 {
			before = first + pad("", indent-4-columns(safetext.Safe(r.name)))
		}
		lines = append(lines, before+p.paint(s, l))
	}
	if r.command != "" {
		if indent+columns(r.command) > p.width {
			indent = 4
		}
		lines = append(lines, pad("", indent)+safetext.Safe(r.command))
	}
	return lines
}

// rowLines is how many lines a row has for what is the matter. Only an error that a server
// gave is longer; the page of the topology says it whole.
const rowLines = 4

// fleetEnd says how many topologies have no row, and how to see one in full.
func (p *page) fleetEnd(rows []fleetRow, details string) {
	quiet := slices.DeleteFunc(conditions(rows), func(s condition) bool { return !s.quiet() })
	if p.listing != ListTrouble || len(quiet) == 0 {
		p.line("  ", p.paint(faint, details))
		return
	}
	s := quiet[0].style()
	for _, r := range rows {
		if r.condition.quiet() && r.style == attention {
			s = attention
		}
	}
	counted, how := s.mark()+" "+countWords(quiet)+mostLagWords(rows), " (--all lists them)"
	if 2+columns(counted+how+" · "+details) <= p.width {
		p.line("  ", p.paint(s, counted), p.paint(faint, how+" · "+details))
		return
	}
	if 2+columns(counted+how) > p.width {
		for i, l := range wrap(counted+how, p.width-4) {
			p.line(pad("", 2+2*one(i > 0)), p.paint(s, l))
		}
	} else {
		p.line("  ", p.paint(s, counted), p.paint(faint, how))
	}
	p.line("  ", p.paint(faint, details))
}

// mostLagWords say how long a message waits for a standby at most, among the topologies
// that have no row.
func mostLagWords(rows []fleetRow) string {
	var most time.Duration
	waiting := 0
	for _, r := range rows {
		if r.condition.quiet() && r.waits > 0 {
			most, waiting = max(most, r.waits), waiting+1
		}
	}
	if waiting == 0 {
		return ""
	}
	return "; messages wait in " + number(waiting) + ", up to " + plan.UpperBoundText(most)
}

// refusedOnce makes one row of all topologies whose only trouble is that clusters refuse our
// token: one wrong token is often that of many clusters. It stands after the rows that are in
// the condition of the worst: they have more than that.
func refusedOnce(rows []fleetRow) []fleetRow {
	var out, refused []fleetRow
	place, clusters := 0, 0
	for _, r := range rows {
		if r.refused == 0 {
			out = append(out, r)
			if len(refused) == 0 || r.condition == refused[0].condition {
				place = len(out)
			}
			continue
		}
		refused, clusters = append(refused, r), clusters+r.refused
	}
	if len(refused) < 2 {
		return rows
	}
	one := refused[0]
	one.words = refusedTokens(clusters, len(refused)) + "; doctor tells which token each of them refuses"
	one.name, one.more, one.command = one.name+" …", 0, "reconcile doctor"
	return slices.Insert(out, place, one)
}

// refusedTokens says how many clusters of how many topologies refuse our token.
func refusedTokens(clusters, topologies int) string {
	return plural(clusters, "cluster", "clusters") + " of " + plural(topologies, "topology", "topologies") + " refuse our token: one cause, if they share a token"
}

// RefusedTokens says that clusters of several topologies refuse our token; "" if it is one
// topology at most.
func RefusedTokens(all []plan.TopologyPlan) string {
	clusters, topologies := 0, 0
	for _, t := range all {
		n := refusing(t)
		clusters, topologies = clusters+n, topologies+one(n > 0)
	}
	if topologies < 2 {
		return ""
	}
	return refusedTokens(clusters, topologies)
}

// refusingOnly is as refusing, and 0 if a topology has anything else that a person must know
// of: a change, a cluster that does not answer, or another finding.
func refusingOnly(t plan.TopologyPlan) int {
	if t.Transition != plan.TransitionNone || t.Resumed || t.UnderWay != nil || t.Outage != nil {
		return 0
	}
	if slices.ContainsFunc(t.Findings, func(f plan.Finding) bool { return !fromToken(t, f) }) {
		return 0
	}
	if slices.ContainsFunc(t.Clusters, func(c plan.ClusterPlan) bool {
		return c.View.Reach == plan.ReachUnreachable || c.View.Reach == plan.ReachDegraded
	}) {
		return 0
	}
	return refusing(t)
}

// fromToken reports whether a finding is no more than that a cluster refuses our token.
func fromToken(t plan.TopologyPlan, f plan.Finding) bool {
	if f.Severity == plan.SeverityInfo || f.Code == plan.CodeLagUnknown {
		return true
	}
	c, ok := member(t, f.Cluster)
	return f.Code == plan.CodeClusterUnreadable && ok && refusesToken(c.View)
}

// refusing counts the clusters of a topology that refuse our token.
func refusing(t plan.TopologyPlan) int {
	n := 0
	for _, c := range t.Clusters {
		n += one(refusesToken(c.View))
	}
	return n
}
