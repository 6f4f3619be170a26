package render

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// Listing says which topologies a table of several lists. One topology has a page.
type Listing int

// The listings. The zero value lists what needs somebody and counts the rest.
const (
	ListTrouble  Listing = iota
	ListProblems         // only what is wrong, however much it is
	ListAll
)

// fleetRow is one topology of many: what is the matter, and the commands to type.
type fleetRow struct {
	name      string
	condition condition
	words     string
	more      int // further findings that only the page says
	commands  []string
}

// fleet prints many topologies: how many stand how, then a row for each that needs
// somebody, the worst first.
func (p *page) fleet(d Document) {
	topologies := d.topologies()
	rows := make([]fleetRow, 0, len(topologies))
	for _, t := range topologies {
		rows = append(rows, d.fleetRow(t))
	}
	p.fleetRows(d, "reconcile "+string(d.kind())+" NAME", rows)
}

func (p *page) fleetRows(d Document, details string, rows []fleetRow) {
	slices.SortStableFunc(rows, func(a, b fleetRow) int { return cmp.Compare(a.condition, b.condition) })
	head := plural(len(rows), "topology", "topologies") + ": " + countWords(conditions(rows))
	if n := len(d.Problems); n > 0 {
		head += " · " + plural(n, "problem in a file", "problems in files")
	}
	p.hanging(0, strong, head)
	if basis := d.basisWords(); basis != "" {
		p.hanging(0, faint, basis)
	}
	p.firstProblems(d.Problems)
	listed := slices.DeleteFunc(slices.Clone(rows), func(r fleetRow) bool { return !p.lists(r.condition) })
	if len(listed) > 0 {
		p.blank()
	}
	p.listRows(listed, p.drawRows(listed), func(left []fleetRow) string {
		return countWords(conditions(left))
	})
	p.fleetEnd(rows, details)
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
	p.note("… and " + number(more) + " more (`reconcile validate` lists them)")
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
			p.line("  ", p.paint(strong, cut("… and "+number(len(rows)-i)+" more (--problems lists them): "+leftOut(rows[i:]), p.width-2)))
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
		name = max(name, min(columns(Safe(r.name)), widestName))
	}
	out := make([][]string, 0, len(rows))
	for _, r := range rows {
		out = append(out, p.drawRow(r, name))
	}
	return out
}

// drawRow draws what is the matter with a topology in at most two lines, and below it each
// command on a line of its own. A long name has the first line for itself.
func (p *page) drawRow(r fleetRow, name int) []string {
	s := r.condition.style()
	left, indent, more := pad(Safe(r.name), name), 2+2+name+2, ""
	if columns(left) > p.width/2 {
		indent = 4
	}
	if r.more > 0 {
		more = " (and " + number(r.more) + " more)"
	}
	text := wrap(Safe(r.words)+more, p.width-indent)
	if len(text) > 2 {
		text = twoLines(Safe(r.words), p.width-indent-columns(more))
		text[1] += more
	}
	first := "  " + p.paint(s, s.mark()+" ") + p.paint(strong, strings.TrimRight(left, " "))
	var lines []string
	if indent == 4 {
		lines = append(lines, first)
	}
	for i, l := range text {
		before := pad("", indent)
		if i == 0 && indent > 4 {
			before = first + pad("", indent-4-columns(Safe(r.name)))
		}
		lines = append(lines, before+p.paint(s, l))
	}
	for _, command := range r.commands {
		if indent+columns(command) > p.width {
			indent = 4
		}
		lines = append(lines, pad("", indent)+Safe(command))
	}
	return lines
}

// cut shortens text to a number of columns.
func cut(text string, width int) string {
	if columns(text) <= width {
		return text
	}
	runes := []rune(text)
	return strings.TrimRight(string(runes[:max(width-1, 0)]), " ,;:(") + "…"
}

// fleetEnd says how many topologies have no row, and how to see one in full.
func (p *page) fleetEnd(rows []fleetRow, details string) {
	details = "details: " + details
	quiet := slices.DeleteFunc(conditions(rows), func(s condition) bool { return !s.quiet() })
	if p.listing != ListTrouble || len(quiet) == 0 {
		p.line("  ", p.paint(faint, details))
		return
	}
	s := quiet[0].style()
	counted, how := s.mark()+" "+countWords(quiet), " (--all lists them)"
	if 2+columns(counted+how+" · "+details) <= p.width {
		p.line("  ", p.paint(s, counted), p.paint(faint, how+" · "+details))
		return
	}
	p.line("  ", p.paint(s, counted), p.paint(faint, how))
	p.line("  ", p.paint(faint, details))
}

// fleetRow says what is the matter with a topology, and what to type.
func (d Document) fleetRow(t plan.TopologyPlan) fleetRow {
	r := fleetRow{name: t.Name, condition: d.condition(t)}
	switch s := r.condition; {
	case s == standsInSync, s == standsUnobserved:
		r.words = inSyncWords(t) + lagsWords(t)
	case s == standsWithoutPrimary, s == standsPrimaryUnknown:
		r.words, r.commands = d.outageWords(t, s)
	case s == standsSplit:
		r.words, r.more, r.commands = d.findingWords(t)
	case t.Transition != plan.TransitionNone:
		r.words, r.commands = d.headlineOf(t), d.changeCommands(t)
	case s == standsUnjudged:
		r.words = d.headlineOf(t)
	default:
		r.words, r.more, r.commands = d.findingWords(t)
	}
	return r
}

// headlineOf is the headline of the page of the topology, with the code of a denial.
func (d Document) headlineOf(t plan.TopologyPlan) string {
	words, _ := d.headline(t)
	if a := d.approval(t); d.observed() == ObservedLive && a.Verdict == approval.VerdictDenied && a.Code != "" && a.Code != approval.CodeMissing {
		words += ": " + a.Code
	}
	return words
}

// lagsWords says how far the standbys are behind, if that was observed.
func lagsWords(t plan.TopologyPlan) string {
	var lags []string
	for _, c := range t.Clusters {
		if c.DesiredRole == plan.RoleStandby && c.Lag != nil {
			lags = append(lags, lagWords(c))
		}
	}
	if len(lags) == 0 {
		return ""
	}
	return "; lag " + strings.Join(lags, ", ")
}

// outageWords says why no cluster takes writes, and what ends that.
func (d Document) outageWords(t plan.TopologyPlan, s condition) (string, []string) {
	label := map[condition]string{standsWithoutPrimary: "NO PRIMARY: ", standsPrimaryUnknown: "PRIMARY NOT KNOWN: "}[s]
	if t.Transition != plan.TransitionNone {
		return label + d.headlineOf(t), d.changeCommands(t)
	}
	lost, known := lostPrimary(t)
	why := "no cluster that answers takes writes"
	if known {
		why = whyLost(lost)
	}
	if d.blocked(t) {
		return label + why + "; " + d.headlineOf(t), d.remedyCommand(t)
	}
	if known && (lost.View.Reach == plan.ReachUnreachable || lost.View.Reach == plan.ReachDegraded) {
		if standby, ok := bestStandby(t); ok {
			return label + why, []string{"reconcile propose " + t.Name + "/" + standby + " --failover"}
		}
		return label + why + ", and no standby answers", nil
	}
	return label + why, d.remedyCommand(t)
}

// lostPrimary returns the member that should take writes.
func lostPrimary(t plan.TopologyPlan) (plan.ClusterPlan, bool) {
	for _, c := range t.Clusters {
		if c.DesiredRole == plan.RolePrimary {
			return c, true
		}
	}
	return plan.ClusterPlan{}, false
}

// whyLost says why a cluster does not serve as the primary.
func whyLost(c plan.ClusterPlan) string {
	switch v := c.View; {
	case v.Class == plan.ClassRefused:
		return c.ID + " refuses connections"
	case v.Class == plan.ClassDNS:
		return "the name of " + c.ID + " does not resolve"
	case v.Class == plan.ClassTLS:
		return "TLS with " + c.ID + " fails"
	case v.Class == plan.ClassNotCalled:
		return c.ID + " was not called"
	case v.Reach == plan.ReachUnreachable:
		return c.ID + " does not answer"
	case v.Reach == plan.ReachDegraded:
		return c.ID + " answers and does not serve"
	case v.Reach == plan.ReachUp && v.Belief.Kind == plan.BeliefUnknown:
		return c.ID + " does not tell its role"
	case v.Reach == plan.ReachUp:
		return c.ID + " is " + beliefWords(v)
	default:
		return "whether " + c.ID + " lives is not known"
	}
}

// bestStandby returns the standby that answers and is least behind. One whose lag is not
// known comes last.
func bestStandby(t plan.TopologyPlan) (string, bool) {
	var standbys []plan.ClusterPlan
	for _, c := range t.Clusters {
		if c.DesiredRole == plan.RoleStandby && c.View.Reach == plan.ReachUp && c.View.Belief.Kind == plan.BeliefStandby {
			standbys = append(standbys, c)
		}
	}
	if len(standbys) == 0 {
		return "", false
	}
	return slices.MinFunc(standbys, func(a, b plan.ClusterPlan) int {
		x, y := lagBound(a), lagBound(b)
		switch {
		case x == nil && y == nil:
			return 0
		case x == nil:
			return 1
		case y == nil:
			return -1
		default:
			return cmp.Compare(*x, *y)
		}
	}).ID, true
}

func lagBound(c plan.ClusterPlan) *time.Duration {
	if c.Lag == nil {
		return nil
	}
	return c.Lag.Upper
}

// changeCommands returns the command that carries a transition on.
func (d Document) changeCommands(t plan.TopologyPlan) []string {
	a := d.approval(t)
	switch {
	case d.observed() != ObservedLive:
		return nil
	case slices.ContainsFunc(t.Blocking(d.accepted(t)), func(f plan.Finding) bool { return !f.Acceptable }):
		return d.remedyCommand(t)
	case d.blocked(t):
		return nil // the page says what accepting it means
	case t.Resumed:
		return []string{"reconcile apply " + t.Name}
	case a.Verdict == approval.VerdictDenied:
		if _, howTo := splitDetail(a); howTo {
			return []string{approveCommand(t, a.Repository)}
		}
		return nil
	case t.Replication == plan.ReplicationBehind:
		return []string{"reconcile status " + t.Name + " --watch"}
	default:
		return []string{executeCommand(d, t)}
	}
}

// remedyCommand returns the first command of the findings that helps. What only shows the
// topology again is no help: the end of the listing names it.
func (d Document) remedyCommand(t plan.TopologyPlan) []string {
	for _, f := range append(urgentFirst(t.Blocking(d.accepted(t))), otherFindings(t, plan.SeverityCritical, plan.SeverityWarning)...) {
		command := firstCommand(t, f)
		if command != "" && command != "reconcile status "+t.Name && command != "reconcile plan "+t.Name {
			return []string{command}
		}
	}
	return nil
}

// findingWords says the gravest finding of a topology at rest, how many more there are,
// and what to type.
func (d Document) findingWords(t plan.TopologyPlan) (words string, more int, commands []string) {
	f, ok := worstFinding(t)
	if !ok {
		return d.headlineOf(t), 0, nil
	}
	more = -1
	for _, other := range t.Findings {
		more += one(other.Severity != plan.SeverityInfo && !other.Accepted)
	}
	words = findingInShort(t, f)
	t.Findings = []plan.Finding{f}
	return words, more, d.remedyCommand(t)
}

// findingInShort says a finding on one line.
func findingInShort(t plan.TopologyPlan, f plan.Finding) string {
	switch f.Code {
	case plan.CodeClusterUnreachable:
		if c, ok := member(t, f.Cluster); ok && c.DesiredRole == plan.RoleStandby {
			return "standby " + whyLost(c) + ": no failover to it"
		}
	case plan.CodeLagObjective:
		return f.Message
	}
	return string(f.Code) + ": " + f.Message
}

func member(t plan.TopologyPlan, id string) (plan.ClusterPlan, bool) {
	for _, c := range t.Clusters {
		if c.ID == id {
			return c, true
		}
	}
	return plan.ClusterPlan{}, false
}
