package render

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"milvus-reconcile/plan"
)

// Doctor writes a diagnosis as "table", "json" or "yaml".
func Doctor(w io.Writer, form string, d Diagnosis, o TableOptions) error {
	return answer{name: "doctor", page: func(p *page) { p.diagnosis(d) }, value: func() any { return encodeDiagnosis(d) }}.write(w, form, o)
}

// mostFixes is how much of a list a person reads at once; JSON has all of it.
const mostFixes = 5

func (p *page) diagnosis(d Diagnosis) {
	if len(d.Topologies) > 1 && p.listing != ListAll {
		p.diagnosedFleet(d)
		return
	}
	could, of := d.Score()
	words, each, s := d.headline()
	if of > 0 {
		words += fmt.Sprintf(": %d of %s %s", could, plural(of, "standby", "standbys"), each)
	}
	p.title("doctor", s, words)
	p.note("commit " + short(d.Commit) + " · " + clockTime(d.At))
	if fixes := d.FixFirst(); len(fixes) > 0 && p.listing == ListAll {
		p.blank()
		p.fixes(fixes)
	}
	for _, t := range d.Topologies {
		p.blank()
		p.diagnosedTopology(t)
	}
	for _, u := range d.Upgrades {
		p.blank()
		p.upgrade(u)
	}
	p.blank()
	p.checks(d.Checks)
	if p.listing != ListAll && !d.Stopped() {
		p.note("--all also lists what is not known, and how to act without Git")
		return
	}
	p.blank()
	label := "Break glass"
	for _, text := range d.BreakGlass {
		p.field(label, plain, "→", text)
		label = ""
	}
}

// headline says what a failover would come to now, and what the score counts.
func (d Diagnosis) headline() (words, each string, s style) {
	some := func(holds func(DiagnosedTopology) bool) bool { return slices.ContainsFunc(d.Topologies, holds) }
	running := func(t DiagnosedTopology) bool { return t.UnderWay != nil }
	words, each, s = "a failover would work now", "could be promoted", good
	switch {
	case !d.Stopped() && some(running) && !some(func(t DiagnosedTopology) bool { return !t.Ready() && !running(t) }):
		words, s = "a change is UNDER WAY", attention
	case !d.Ready() && !d.Stopped() && !some(func(t DiagnosedTopology) bool { return !t.Ready() && !t.Promotes() }):
		words, each, s = "a failover would END BADLY now", "ready", bad
	case !d.Ready():
		words, s = "a failover would be BLOCKED now", bad
	case some(func(t DiagnosedTopology) bool { return !t.wellReady() || t.PrimaryDown }):
		s = attention
	}
	if some(func(t DiagnosedTopology) bool { return t.TwoWriters != nil }) {
		words = "MORE THAN ONE CLUSTER TAKES WRITES; " + words
	}
	return words, each, s
}

func (p *page) fixes(fixes []string) {
	label := "Fix first"
	for i, text := range fixes[:min(len(fixes), mostFixes)] {
		p.field(label, attention, fmt.Sprintf("%d", i+1), text)
		label = ""
	}
	if more := len(fixes) - mostFixes; more > 0 {
		p.field("", faint, "", fmt.Sprintf("and %d more; see below, or 'fixFirst' of -o json", more))
	}
}

func (p *page) diagnosedTopology(t DiagnosedTopology) {
	if t.UnderWay != nil {
		s := attention
		if t.Outage != nil {
			s = bad
		}
		p.title(t.Name, s, "UNDER WAY, and no failover can begin before it ends")
		p.field("", plain, "", underWayWords(*t.UnderWay))
		p.field("", plain, "→", "wait, and do nothing else meanwhile: '"+watchCommand(t.Name)+"'")
		return
	}
	if t.TwoWriters != nil {
		p.title(t.Name, bad, "MORE THAN ONE CLUSTER TAKES WRITES")
		p.field("", bad, bad.mark(), string(t.TwoWriters.Code)+": "+t.TwoWriters.Message)
		p.field("", plain, "→", t.TwoWriters.Remedy)
	}
	if len(t.Standbys) == 0 {
		p.title(t.Name, bad, "no standby to fail over to if "+t.Primary+" is lost")
		return
	}
	s, words := good, "could fail over now"
	switch {
	case t.Ready() && t.PrimaryDown:
		s = bad // nobody can write, and the exit code says that a failover would mend it
	case t.wellReady() && t.TwoWriters == nil:
	case t.Ready() && t.readyWith(func(s DiagnosedStandby) bool { return !s.losesTooMuch() }):
		s, words = attention, "could fail over now, but messages wait for long"
	case t.Ready():
		s, words = attention, "could fail over now, but would lose more than the objective allows"
	case t.Acceptable() && t.TwoWriters == nil:
		s, words = attention, "could fail over only if an approver accepts the findings below"
	case t.TwoWriters != nil:
		s, words = bad, "no failover while two clusters take writes"
	case t.Promotes():
		s, words = bad, "could fail over now, but would not finish"
	default:
		s, words = bad, "could not fail over now"
	}
	when := ", should " + t.Primary + " be lost"
	if t.PrimaryDown {
		when = "; " + t.downWords()
	}
	p.title(t.Name, s, words+when)
	for _, b := range t.Standbys {
		p.diagnosedStandby(b)
	}
	if slices.ContainsFunc(t.Standbys, func(s DiagnosedStandby) bool { return s.Waiting > 0 }) && !t.PrimaryDown {
		p.field("", plain, "→", "whether they move: 'reconcile drift "+t.Name+"'")
	}
}

func (p *page) diagnosedStandby(b DiagnosedStandby) {
	lost := ""
	if b.Loss != nil {
		lost = "; how much would be lost is not known"
		if b.Loss.Upper != nil {
			lost = "; up to " + plan.UpperBoundText(*b.Loss.Upper) + " of writes would be lost"
		}
	}
	well := good
	if b.waitsLong() {
		well = attention
	}
	if b.losesTooMuch() {
		well = attention
		if b.Loss.Upper != nil {
			lost += ", and the objective is " + plan.DurationText(b.Objective)
		}
	}
	label, name := b.Cluster, ""
	if columns(label) > labelWidth-4 { // no room before the text: it begins with it
		label, name = "", b.Cluster+" "
	}
	switch verdict := b.Verdict(); {
	case verdict == StandbyExcluded:
		p.field(label, faint, plain.mark(), name+"is marked 'promotable: false'")
	case verdict == StandbyReady:
		p.field(label, well, well.mark(), name+"could be promoted"+lost)
	case verdict == StandbyAcceptable:
		p.field(label, attention, attention.mark(), name+"could be promoted if an approver accepts its findings"+lost)
	case b.Promoted():
		p.field(label, bad, bad.mark(), name+"could be promoted, but a later step would fail, and apply would end with 5"+lost)
	default:
		p.field(label, bad, bad.mark(), name+"could not be promoted")
	}
	if words := b.waitingWords(); words != "" {
		p.field("", plain, "", words)
	}
	for _, o := range b.Obstacles {
		text := o.Message
		if o.Code != "" {
			text = string(o.Code) + ": " + text
		}
		p.field("", plain, "", text)
		if o.Remedy != "" {
			p.field("", plain, "→", o.Remedy)
		}
	}
}

var checkStyles = map[CheckState]style{CheckOK: good, CheckUnknown: plain, CheckWarning: attention, CheckFailed: bad}

// checks prints what is not well in full, what stops a failover first, and counts the
// rest.
func (p *page) checks(checks []Check) {
	checks = slices.Clone(checks)
	slices.SortStableFunc(checks, func(a, b Check) int { return a.rank() - b.rank() })
	for _, c := range checks {
		if c.Verdict == CheckOK && !c.Told || c.Verdict == CheckUnknown && p.listing != ListAll {
			continue
		}
		s := checkStyles[c.Verdict]
		p.field(c.Area, s, s.mark(), strings.TrimPrefix(c.Subject+": "+c.Verdict.String()+": "+c.Message, ": "))
		if c.Remedy != "" {
			p.field("", plain, "→", c.Remedy)
		}
	}
	if unknown := countAreas(checks, CheckUnknown); unknown != "" && p.listing != ListAll {
		p.field("not known", plain, plain.mark(), unknown)
	}
	if well := countAreas(checks, CheckOK); well != "" {
		p.field("well", good, good.mark(), well)
	}
}

// rank orders checks, the gravest first.
func (c Check) rank() int {
	if c.Blocks && c.Verdict == CheckFailed {
		return 0
	}
	return 1 + slices.Index([]CheckState{CheckFailed, CheckWarning, CheckUnknown, CheckOK}, c.Verdict)
}

// countAreas counts the checks of a verdict, by area.
func countAreas(checks []Check, verdict CheckState) string {
	var areas []string
	count := map[string]int{}
	for _, c := range checks {
		if c.Verdict == verdict {
			if count[c.Area]++; count[c.Area] == 1 {
				areas = append(areas, c.Area)
			}
		}
	}
	slices.Sort(areas)
	for i, area := range areas {
		areas[i] = fmt.Sprintf("%s (%d)", area, count[area])
	}
	return strings.Join(areas, ", ")
}

type wireDiagnosis struct {
	FormatVersion string          `json:"formatVersion"`
	Commit        *string         `json:"commit"`
	GeneratedAt   *string         `json:"generatedAt"`
	Ready         bool            `json:"ready"`
	Score         wireScore       `json:"score"`
	FixFirst      []string        `json:"fixFirst"`
	Topologies    []wireDiagnosed `json:"topologies"`
	Checks        []wireCheck     `json:"checks"`
	BreakGlass    []string        `json:"breakGlass"`
	Upgrades      []wireUpgrade   `json:"upgrades,omitempty"`
}

type wireScore struct {
	Promotable int `json:"promotable"`
	Standbys   int `json:"standbys"`
}

type wireDiagnosed struct {
	Name     string                 `json:"name"`
	Primary  string                 `json:"primary"`
	Ready    bool                   `json:"ready"`
	Standbys []wireDiagnosedStandby `json:"standbys"`
	UnderWay *wireUnderWay          `json:"underWay"`
	Outage   *wireOutage            `json:"outage"`
}

type wireDiagnosedStandby struct {
	Cluster   string         `json:"cluster"`
	Verdict   string         `json:"verdict"`
	DataLoss  *wireLag       `json:"dataLoss"`
	Obstacles []wireObstacle `json:"obstacles"`
	// Waiting are the messages of the primary that wait for it; null: none was seen.
	Waiting *wireWaiting `json:"waiting"`
}

// wireWaiting says on how many channels messages wait, and how long the oldest at most.
type wireWaiting struct {
	Channels     int      `json:"channels"`
	OfChannels   int      `json:"ofChannels"`
	UpperSeconds *float64 `json:"upperSeconds"` // null: not known
}

type wireObstacle struct {
	Code       *string `json:"code"`
	Message    string  `json:"message"`
	Remedy     *string `json:"remedy"`
	Acceptable bool    `json:"acceptable"`
	After      bool    `json:"afterPromotion"`
}

type wireCheck struct {
	Area    string  `json:"area"`
	Subject *string `json:"subject"`
	Verdict string  `json:"verdict"`
	Message string  `json:"message"`
	Remedy  *string `json:"remedy"`
	Blocks  bool    `json:"blocks"`
}

func encodeDiagnosis(d Diagnosis) wireDiagnosis {
	could, of := d.Score()
	return wireDiagnosis{
		FormatVersion: answerFormat, Commit: textOrNil(d.Commit), GeneratedAt: timeOrNil(d.At), Ready: d.Ready(),
		Score: wireScore{could, of}, FixFirst: mapList(d.FixFirst(), same), BreakGlass: mapList(d.BreakGlass, same),
		Upgrades: mapList(d.Upgrades, encodeUpgrade),
		Topologies: mapList(d.Topologies, func(t DiagnosedTopology) wireDiagnosed {
			return wireDiagnosed{
				Name: t.Name, Primary: t.Primary, Ready: t.Ready() && !d.Stopped(), Standbys: mapList(t.Standbys, encodeStandby),
				UnderWay: encodeUnderWay(t.UnderWay), Outage: encodeOutage(t.Outage),
			}
		}),
		Checks: mapList(d.Checks, func(c Check) wireCheck {
			return wireCheck{Area: c.Area, Subject: textOrNil(c.Subject), Verdict: c.Verdict.String(), Message: c.Message, Remedy: textOrNil(c.Remedy), Blocks: c.Blocks}
		}),
	}
}

func encodeStandby(s DiagnosedStandby) wireDiagnosedStandby {
	var waiting *wireWaiting
	if s.Waiting > 0 {
		waiting = &wireWaiting{s.Waiting, s.Channels, secondsOrNil(s.Waited)}
	}
	return wireDiagnosedStandby{
		Waiting: waiting,
		Cluster: s.Cluster, Verdict: string(s.Verdict()), DataLoss: encodeLag(s.Loss),
		Obstacles: mapList(s.Obstacles, func(o Obstacle) wireObstacle {
			return wireObstacle{Code: textOrNil(string(o.Code)), Message: o.Message, Remedy: textOrNil(o.Remedy), Acceptable: o.Acceptable, After: o.After}
		}),
	}
}
