package render

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"milvus-reconcile/plan"
)

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
}

type wireDiagnosedStandby struct {
	Cluster   string         `json:"cluster"`
	Verdict   string         `json:"verdict"`
	DataLoss  *wireLag       `json:"dataLoss"`
	Obstacles []wireObstacle `json:"obstacles"`
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
			return wireDiagnosed{Name: t.Name, Primary: t.Primary, Ready: t.Ready() && !d.Stopped(), Standbys: mapList(t.Standbys, encodeStandby)}
		}),
		Checks: mapList(d.Checks, func(c Check) wireCheck {
			return wireCheck{Area: c.Area, Subject: textOrNil(c.Subject), Verdict: c.Verdict.String(), Message: c.Message, Remedy: textOrNil(c.Remedy), Blocks: c.Blocks}
		}),
	}
}

func encodeStandby(s DiagnosedStandby) wireDiagnosedStandby {
	return wireDiagnosedStandby{
		Cluster: s.Cluster, Verdict: s.Verdict(), DataLoss: encodeLag(s.Loss),
		Obstacles: mapList(s.Obstacles, func(o Obstacle) wireObstacle {
			return wireObstacle{Code: textOrNil(string(o.Code)), Message: o.Message, Remedy: textOrNil(o.Remedy), Acceptable: o.Acceptable, After: o.After}
		}),
	}
}

// Doctor writes a diagnosis as "table", "json" or "yaml".
func Doctor(w io.Writer, form string, d Diagnosis, o TableOptions) error {
	return answer{name: "doctor", page: func(p *page) { p.diagnosis(d) }, value: func() any { return encodeDiagnosis(d) }}.write(w, form, o)
}

// mostFixes is how much of a list a person reads at once; JSON has all of it.
const mostFixes = 5

func (p *page) diagnosis(d Diagnosis) {
	could, of := d.Score()
	words, s, each := "a failover would work now", good, "could be promoted"
	if !d.Ready() {
		words, s = "a failover would be BLOCKED now", bad
		if !d.Stopped() && !slices.ContainsFunc(d.Topologies, func(t DiagnosedTopology) bool { return !t.Ready() && !t.Promotes() }) {
			words, each = "a failover would END BADLY now", "ready"
		}
	}
	p.title("doctor", s, fmt.Sprintf("%s: %d of %s %s", words, could, plural(of, "standby", "standbys"), each))
	p.note("commit " + short(d.Commit) + " · " + clockTime(d.At))
	if fixes := d.FixFirst(); len(fixes) > 0 {
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
	p.blank()
	label := "Break glass"
	for _, text := range d.BreakGlass {
		p.field(label, plain, "→", text)
		label = ""
	}
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
	if len(t.Standbys) == 0 {
		p.title(t.Name, bad, "no standby to fail over to, should "+t.Primary+" be lost")
		return
	}
	s, words := good, "could fail over now"
	switch {
	case t.Ready():
	case slices.ContainsFunc(t.Standbys, func(b DiagnosedStandby) bool { return b.Verdict() == "acceptable" }):
		s, words = attention, "could fail over only if an approver accepts what is below"
	case t.Promotes():
		s, words = bad, "could fail over now, but not to its end"
	default:
		s, words = bad, "could not fail over now"
	}
	p.title(t.Name, s, words+", should "+t.Primary+" be lost")
	for _, b := range t.Standbys {
		p.diagnosedStandby(b)
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
	label, name := b.Cluster, ""
	if columns(label) > labelWidth-4 { // no room before the text: it begins with it
		label, name = "", b.Cluster+" "
	}
	switch verdict := b.Verdict(); {
	case verdict == "excluded":
		p.field(label, faint, plain.mark(), name+"is marked 'promotable: false'")
	case verdict == "ready":
		p.field(label, good, good.mark(), name+"could be promoted"+lost)
	case verdict == "acceptable":
		p.field(label, attention, attention.mark(), name+"could be promoted if an approver accepts what stands against it"+lost)
	case b.Promoted():
		p.field(label, bad, bad.mark(), name+"could be promoted, but what follows would fail, and apply ends with 5"+lost)
	default:
		p.field(label, bad, bad.mark(), name+"could not be promoted")
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

// checks prints what is not well in full, and of the rest how many there are.
func (p *page) checks(checks []Check) {
	var well []string
	count := map[string]int{}
	for _, c := range checks {
		if c.Verdict == CheckOK {
			if count[c.Area]++; count[c.Area] == 1 {
				well = append(well, c.Area)
			}
			continue
		}
		s := checkStyles[c.Verdict]
		p.field(c.Area, s, s.mark(), strings.TrimPrefix(c.Subject+": "+c.Verdict.String()+": "+c.Message, ": "))
		if c.Remedy != "" {
			p.field("", plain, "→", c.Remedy)
		}
	}
	slices.Sort(well)
	for i, area := range well {
		well[i] = fmt.Sprintf("%s (%d)", area, count[area])
	}
	if len(well) > 0 {
		p.field("well", good, good.mark(), strings.Join(well, ", "))
	}
}
