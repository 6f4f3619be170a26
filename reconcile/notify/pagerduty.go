package notify

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"milvus-reconcile/plan"
)

// The limits of PagerDuty's Events API v2, in characters.
const (
	pagerSummary = 1024
	pagerKey     = 255
)

// pagerEvent is an event of the Events API v2.
type pagerEvent struct {
	RoutingKey string        `json:"routing_key"`
	Action     string        `json:"event_action"`
	Key        string        `json:"dedup_key"`
	Client     string        `json:"client,omitempty"`
	ClientURL  string        `json:"client_url,omitempty"`
	Links      []pagerLink   `json:"links,omitempty"`
	Payload    *pagerPayload `json:"payload,omitempty"`
}

type pagerLink struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

type pagerPayload struct {
	Summary   string            `json:"summary"`
	Source    string            `json:"source"`
	Severity  string            `json:"severity"`
	Timestamp string            `json:"timestamp"`
	Component string            `json:"component,omitempty"`
	Group     string            `json:"group"`
	Class     string            `json:"class"`
	Details   map[string]string `json:"custom_details"` // each thing that happened, by number
}

// pagerSeverities are PagerDuty's words. What blocks a change is no outage by itself.
var pagerSeverities = map[plan.Severity]string{
	plan.SeverityInfo: "info", plan.SeverityWarning: "warning", plan.SeverityBlocking: "error", plan.SeverityCritical: "critical",
}

// pagerDuty are the events of a bundle: one that triggers for all findings, one for an
// approval that is wanted or an apply that failed, and one for each alert that is over.
func (t Target) pagerDuty(b bundle) ([]Message, error) {
	if t.Secret == nil {
		return nil, errors.New("there is no routing key (hint: write secretFrom)")
	}
	key, err := t.Secret()
	if err != nil {
		return nil, fmt.Errorf("read the routing key of PagerDuty: %w", err)
	}
	var out []Message
	wrong := slices.DeleteFunc(slices.Clone(b.events), func(e Event) bool { return !e.opensAlert() })
	for len(wrong) > 0 && err == nil {
		first := wrong[0]
		one := slices.DeleteFunc(slices.Clone(wrong), func(e Event) bool { return e.alert != first.alert })
		wrong = slices.DeleteFunc(wrong, func(e Event) bool { return e.alert == first.alert })
		out, err = appendJSON(out, first.ID, pagerTrigger(key, one))
	}
	for i, over := range b.over {
		if err == nil {
			out, err = appendJSON(out, fmt.Sprintf("%s-over-%d", b.first().ID, i), pagerEvent{RoutingKey: key, Action: "resolve", Key: over})
		}
	}
	return out, err
}

func appendJSON(to []Message, id string, v any) ([]Message, error) {
	m, err := jsonMessage(id, v)
	return append(to, m), err
}

func pagerTrigger(key string, wrong []Event) pagerEvent {
	first, n := wrong[0], noticeOf(wrong)
	out := pagerEvent{
		RoutingKey: key, Action: "trigger", Key: first.alert, Client: "reconcile", ClientURL: n.link,
		Payload: &pagerPayload{
			Summary: clip(n.title+pagerMessage(first), pagerSummary), Source: cmp.Or(first.Topology, "reconcile"), Severity: pagerSeverities[worst(wrong)],
			Timestamp: first.Time.UTC().Format("2006-01-02T15:04:05.000Z"),
			Component: first.Cluster, Group: first.Topology, Class: string(first.about().code),
			Details: map[string]string{"facts": strings.Join(n.footer(), " · ")},
		},
	}
	if n.link != "" {
		out.Links = []pagerLink{{n.link, "Status page"}}
	}
	for at, i := range n.items {
		out.Payload.Details[fmt.Sprintf("%02d %s", at+1, oneLine(plain(head(wrong[at]))))] = pagerDetail(i)
	}
	return out
}

// pagerDetail is what was seen, what to do, and the commands on lines of their own.
func pagerDetail(i item) string {
	lines := slices.DeleteFunc([]string{i.text, i.remedy}, func(l string) bool { return l == "" })
	if len(i.commands) > 0 {
		lines = append(append(lines, ""), i.commands...)
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// pagerMessage is the first line of what happened: a telephone shows no more.
func pagerMessage(e Event) string {
	first, _, _ := strings.Cut(plain(e.Message), "\n")
	if first == "" {
		return ""
	}
	return ": " + oneLine(first)
}

// worst is the greatest severity for PagerDuty, where critical is above blocking.
func worst(events []Event) plan.Severity {
	out := plan.SeverityInfo
	for _, e := range events {
		if e.Severity == plan.SeverityCritical || e.outage() {
			return plan.SeverityCritical
		}
		if ranks[e.Severity] > ranks[out] {
			out = e.Severity
		}
	}
	return out
}

// opensAlert says whether an event is something wrong that ends one day.
func (e Event) opensAlert() bool {
	switch e.Kind {
	case KindRaised, KindWanted, KindTest:
		return true
	case KindApplied:
		return e.Outcome != OutcomeDone
	default:
		return false
	}
}

// alertKey is the key of the alert that the event opens, the same after a restart. What
// grows worse opens a new one, since PagerDuty calls nobody again for one it knows.
func (e Event) alertKey() string {
	a := e.about()
	return clip(strings.Join([]string{"reconcile", a.topology, string(a.code), a.cluster, string(e.Severity)}, "/"), pagerKey)
}

// alertOf is the key of the alert that an event opens or joins; empty: it does neither. An
// outage, an approval that is wanted and an apply that failed open their own. Another
// finding joins the outage that stands if it is less grave, else the alert of the first in its
// message (leader). Nothing joins an alert that ends with the message.
func (m *mailbox) alertOf(e, leader Event, ending map[string]bool) string {
	switch {
	case !e.opensAlert():
		return ""
	case e.Kind != KindRaised:
		return e.alertKey()
	case leader.outage():
		return leader.alert
	case e.outage():
		return e.alertKey()
	}
	if ranks[e.Severity] <= ranks[plan.SeverityWarning] {
		if key := m.standingOutage(e.Topology); key != "" && !ending[key] {
			return key
		}
	}
	return cmp.Or(leader.alert, e.alertKey())
}

// leads reports whether findings that follow in a message join the alert of an event: that
// of an outage, else of an approval that is wanted, else of the first finding that has one of
// its own.
func (e Event) leads(before Event) bool {
	switch {
	case e.alert != e.alertKey() || before.outage():
		return false
	case e.outage(), e.Kind == KindWanted:
		return true
	default:
		return e.Kind == KindRaised && before.alert == ""
	}
}

// standingOutage is the key of the alert of the first outage that a topology is in; empty: it
// is in none.
func (m *mailbox) standingOutage(topology string) string {
	out, first := "", 0
	for about, r := range m.raised {
		spec, _ := plan.SpecOf(about.code)
		if about.topology == topology && spec.Urgent > 0 && (out == "" || spec.Urgent < first) {
			out, first = r.alert, spec.Urgent
		}
	}
	return out
}

// moveAlong lets what shares the alert of a finding follow it into the one that it opens by
// growing worse: the alert that was named after it ends.
func (m *mailbox) moveAlong(worse Event, was raised) {
	before := worse
	before.Severity = was.severity
	if was.alert == "" || was.alert != before.alertKey() || was.alert == worse.alert {
		return
	}
	for k, r := range m.raised {
		if k.topology == worse.Topology && r.alert == was.alert {
			r.alert = worse.alert
			m.raised[k] = r
		}
	}
}

// alerts are the keys of the alerts that are open in a topology.
func (m *mailbox) alerts(topology string) map[string]bool {
	out := map[string]bool{}
	for about, r := range m.raised {
		if about.topology == topology {
			out[r.alert] = true
		}
	}
	return out
}

// leaveEndingAlerts forgets what shares an alert with a finding, or an approval, that the
// alert is named after and that is over: the alert ends with it, and what still stands opens
// one of its own. The risk of a change that was approved calls nobody for a second time.
func (m *mailbox) leaveEndingAlerts(events []Event) (ending map[string]bool) {
	if m.target.Format != FormatPagerDuty {
		return nil
	}
	ending = map[string]bool{}
	for _, e := range events {
		over := e.Kind == KindResolved || e.Kind == KindSettled
		if known, stands := m.raised[e.about()]; stands && over && known.alert == e.alertKey() {
			ending[known.alert] = true
		}
	}
	for _, e := range events {
		known, stands := m.raised[e.about()]
		switch {
		case !stands || e.Kind != KindRaised || !ending[known.alert]:
		case messagesOf(e.Code) == plan.MessageNoEnd:
			known.alert = ""
			m.raised[e.about()] = known
		default:
			delete(m.raised, e.about())
		}
	}
	return ending
}

// ended are the alerts that a bundle ends: those in which nothing stands any more, and those
// whose end did not arrive. Each was opened by this process.
func (m *mailbox) ended(b bundle, before map[string]bool) []string {
	if m.target.Format != FormatPagerDuty {
		return nil
	}
	after := m.alerts(b.topology)
	over := m.owed[b.topology]
	delete(m.owed, b.topology)
	for key := range before {
		over = append(over, key)
	}
	over = slices.DeleteFunc(over, func(key string) bool { return key == "" || after[key] })
	slices.Sort(over)
	return slices.Compact(over)
}
