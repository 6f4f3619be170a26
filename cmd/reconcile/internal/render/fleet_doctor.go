package render

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/safetext"
	"milvus-reconcile/plan"
)

// diagnosedFleet prints what is wrong with many topologies, one row for each cause, and
// counts the rest.
func (p *page) diagnosedFleet(d Diagnosis) {
	words, s := d.fleetHeadline()
	p.title("doctor", s, words)
	could, of := d.Score()
	p.note(fmt.Sprintf("%d of %s could be promoted · commit %s · %s", could, plural(of, "standby", "standbys"), short(d.Commit), timeOfDay(d.At)))
	p.upgradesOfMany(d)
	if rows := d.causes(); len(rows) > 0 {
		p.blank()
		p.listCauses(rows)
	}
	p.diagnosedEnd(d)
}

func (p *page) listCauses(rows []fleetRow) {
	drawn := make([][]string, 0, len(rows))
	for _, r := range rows {
		drawn = append(drawn, p.drawCause(r))
	}
	p.listRows(rows, drawn, func(left []fleetRow) string { return "the first is " + left[0].name })
}

// fleetHeadline counts the topologies by what a failover of them would come to.
func (d Diagnosis) fleetHeadline() (string, style) {
	n := d.count()
	var parts []string
	for _, count := range []struct {
		n     int
		words string
	}{
		{n.split, conditionWords[standsSplit].words},
		{n.changing, conditionWords[standsChangesPrimary].words},
		{n.lost, "WHOSE PRIMARY DOES NOT SERVE NOW AND THAT COULD NOT FAIL OVER"},
		{n.down, "WHOSE PRIMARY DOES NOT SERVE NOW"},
		{n.never, "could NOT fail over"},
		{n.running, conditionWords[standsUnderWay].words},
		{n.badly, "would END BADLY"},
		{n.accepted, "could fail over only if an approver accepts its findings"},
		{n.ready, "could fail over"},
	} {
		if count.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count.n, count.words))
		}
	}
	s := good
	switch {
	case d.Stopped(), len(d.Topologies) == 0, n.split+n.lost+n.never+n.accepted+n.badly > 0:
		s = bad
	case n.running+n.changing+n.down > 0 || slices.ContainsFunc(d.Topologies, func(t DiagnosedTopology) bool { return !t.wellReady() }):
		s = attention
	}
	return plural(len(d.Topologies), "topology", "topologies") + ": " + strings.Join(parts, " · "), s
}

// diagnosedCounts says how many topologies are in each state. Each is counted once.
type diagnosedCounts struct{ split, lost, down, never, accepted, badly, ready, running, changing int }

func (d Diagnosis) count() (n diagnosedCounts) {
	for _, t := range d.Topologies {
		switch {
		case t.TwoWriters != nil:
			n.split++
		case t.UnderWay != nil && t.Outage != nil:
			n.changing++
		case t.UnderWay != nil:
			n.running++
		case t.PrimaryDown && t.Ready() && !d.Stopped():
			n.down++
		case t.PrimaryDown:
			n.lost++
		case t.Ready() && !d.Stopped():
			n.ready++
		case t.Acceptable() && !d.Stopped():
			n.accepted++
		case t.Promotes() && !d.Stopped():
			n.badly++
		default:
			n.never++
		}
	}
	return n
}

// causes returns a row for each thing that is wrong, the most urgent first. What is wrong
// with several topologies, standbys or clusters in the same way is one row.
func (d Diagnosis) causes() []fleetRow {
	c := causes{same: d.sameness(), at: map[string]int{}}
	for _, t := range d.Topologies {
		if t.TwoWriters != nil {
			c.add(remedied(fleetRow{name: t.Name, condition: standsSplit, words: string(t.TwoWriters.Code) + ": " + t.TwoWriters.Message, command: "reconcile plan " + t.Name}, t.TwoWriters.Remedy))
		}
		if t.UnderWay != nil {
			r := fleetRow{name: t.Name, condition: standsUnderWay, style: attention, words: underWayWords(*t.UnderWay), remedy: "wait, and do nothing else meanwhile:", command: watchCommand(t.Name)}
			if t.Outage != nil {
				r.condition, r.style, r.words = standsChangesPrimary, bad, "NO PRIMARY, "+r.words
			}
			c.add(r)
			continue
		}
		if t.PrimaryDown {
			c.add(fleetRow{name: t.Name, condition: standsWithoutPrimary, words: t.downWords(), command: "reconcile plan " + t.Name})
		}
	}
	c.obstacles(d)
	c.checks(d.Checks)
	slices.SortStableFunc(c.rows, func(a, b fleetRow) int { return cmp.Compare(a.condition, b.condition) })
	return c.rows
}

// causes collects rows; at finds the row of a cause again.
type causes struct {
	same *strings.Replacer
	at   map[string]int
	rows []fleetRow
	told map[string]bool // messages of obstacles, which a check may say too
}

var digits = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[0-9]+`) })

// sameness returns what makes texts equal that differ only in the names that they mention.
func (d Diagnosis) sameness() *strings.Replacer {
	var names []string
	for _, t := range d.Topologies {
		names = append(names, t.Name, t.Primary)
		for _, s := range t.Standbys {
			names = append(names, s.Cluster)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	var pairs []string
	for _, n := range slices.Compact(names) {
		if n != "" {
			pairs = append(pairs, n, "\x00")
		}
	}
	return strings.NewReplacer(pairs...)
}

func (c *causes) add(r fleetRow) {
	text := r.words + "\n" + r.remedy + "\n" + r.command
	key := number(int(r.condition)) + digits().ReplaceAllString(c.same.Replace(text), "\x01")
	if i, ok := c.at[key]; ok {
		c.rows[i].more++
		return
	}
	c.at[key] = len(c.rows)
	c.rows = append(c.rows, r)
}

func (c *causes) obstacles(d Diagnosis) {
	c.told = map[string]bool{}
	for _, t := range d.Topologies {
		condition := standsWarned // another standby could be promoted
		if !t.Ready() {
			condition = standsBlocked
		}
		if len(t.Standbys) == 0 && t.UnderWay == nil {
			c.add(fleetRow{name: t.Name, condition: standsBlocked, words: "it has no standby to fail over to", remedy: "add a standby", command: "reconcile doctor " + t.Name})
		}
		for _, s := range t.Standbys {
			for _, o := range s.Obstacles {
				words := o.Message
				if o.Code != "" {
					words = string(o.Code) + ": " + words
				}
				c.told[o.Message] = true
				c.add(remedied(fleetRow{name: t.Name + "/" + s.Cluster, condition: condition, words: words, command: "reconcile doctor " + t.Name}, o.Remedy))
			}
		}
	}
}

func (c *causes) checks(checks []Check) {
	for _, x := range checks {
		if x.Verdict == CheckOK || x.Verdict == CheckUnknown || c.told[x.Message] {
			continue
		}
		r := fleetRow{name: strings.TrimSpace(x.Area + " " + x.Subject), words: x.Message}
		switch {
		case x.Verdict == CheckFailed && x.Blocks:
			r.condition, r.words = standsFailed, "STOPS EVERY FAILOVER: "+r.words
		case x.Verdict == CheckFailed:
			r.condition, r.style = standsCritical, bad
		default:
			r.condition = standsWarned
		}
		c.add(remedied(r, x.Remedy))
	}
}

// remedied adds the first clauses of a remedy, and its command if it has one.
func remedied(r fleetRow, remedy string) fleetRow {
	a := actionOf(plan.TopologyPlan{}, firstClauses(plan.TopologyPlan{}, strings.Split(remedy, "; ")))
	r.remedy, r.command = a.words, orElse(a.command, r.command)
	return r
}

// noBreak is a space at which no line is broken.
const noBreak = "\u00a0"

// unbroken keeps a remark at the end of a text on one line.
func unbroken(remark string) string {
	return strings.Replace(strings.ReplaceAll(remark, " ", noBreak), noBreak, " ", 1)
}

// drawCause draws a cause, and below it what to do, the command on a line of its own.
func (p *page) drawCause(r fleetRow) []string {
	s := r.condition.style()
	if r.style != plain {
		s = r.style
	}
	more := ""
	if r.more > 0 {
		more = " (and " + number(r.more) + " more alike)"
	}
	var lines []string
	for i, l := range wrap(safetext.Safe(r.name+": "+r.words)+unbroken(more), p.width-4) {
		mark := "  "
		if i == 0 {
			mark = s.mark() + " "
		}
		lines = append(lines, "  "+p.paint(s, mark+strings.ReplaceAll(l, noBreak, " ")))
	}
	mark := "→ "
	for _, l := range wrap(safetext.Safe(r.remedy), p.width-6) {
		if r.remedy != "" {
			lines = append(lines, "    "+mark+l)
			mark = "  "
		}
	}
	if r.command != "" {
		lines = append(lines, "    "+safetext.Safe(r.command))
	}
	return lines
}

// diagnosedEnd says what is well, and how to see everything.
func (p *page) diagnosedEnd(d Diagnosis) {
	ready, waiting := 0, 0
	var most *time.Duration
	mark := good
	for _, t := range d.Topologies {
		if !t.Ready() || d.Stopped() || t.PrimaryDown {
			continue
		}
		ready++
		waiting += one(t.readyWith(func(s DiagnosedStandby) bool { return s.Waiting > 0 }))
		for _, s := range t.Standbys {
			if s.Verdict() == StandbyReady && (s.losesTooMuch() || s.waitsLong()) {
				mark = attention
			}
			if s.Verdict() == StandbyReady && s.Loss != nil && s.Loss.Upper != nil && (most == nil || *s.Loss.Upper > *most) {
				most = s.Loss.Upper
			}
		}
	}
	if ready > 0 {
		words := number(ready) + " could fail over"
		if most != nil {
			words += "; up to " + plan.UpperBoundText(*most) + " of writes would be lost"
		}
		if waiting > 0 {
			words += "; messages wait in " + number(waiting)
		}
		for i, l := range wrap(mark.mark()+" "+words, p.width-4) {
			p.line(pad("", 2+2*one(i > 0)), p.paint(mark, l))
		}
	}
	if unknown := countAreas(d.Checks, CheckUnknown); unknown != "" {
		p.line("  ", p.paint(plain, plain.mark()+" not known: "+unknown))
	}
	p.note("details: reconcile doctor NAME · --all lists all, and how to act without Git")
}
