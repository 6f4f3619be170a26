package notify

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/explain"
)

// notice is what one message says to people, before it has a format. Its texts are
// plain: each format escapes them.
type notice struct {
	title  string
	tone   tone
	items  []item
	more   int // items that are left out
	link   string
	code   plan.Code // of what the title says; empty: it has none
	commit string
	at     time.Time
}

// tone is how a message is coloured where colours exist.
type tone string

const (
	toneBad  tone = "bad"
	toneWarn tone = "warning"
	toneGood tone = "good"
	toneInfo tone = "info"
)

// item is one thing that happened.
type item struct {
	head     string // empty: the title says it
	text     string
	remedy   string
	commands []string // to type, each alone on its line
}

const (
	longestText  = 1200 // runes of a text or remedy in a message
	mostItems    = 12
	mostCommands = 4 // of one item
	shortCommit  = 12
)

// noticeOf says in one message what the events of one topology are. They are sorted by
// importance.
func noticeOf(events []Event) notice {
	first := events[0]
	out := notice{title: title(events), tone: worstTone(events), at: first.Time}
	for _, e := range events {
		out.link, out.commit = cmp.Or(out.link, e.Link), cmp.Or(out.commit, e.Commit)
		if len(out.items) < mostItems {
			out.items = append(out.items, itemOf(e))
		}
	}
	out.items[0].head, out.code = "", first.Code // the title says it
	out.more = len(events) - len(out.items)
	return out
}

// title is the most important event, an outage that began with it, and how many more there
// are that somebody must know of.
func title(events []Event) string {
	first, more := events[0], 0
	out := head(first)
	if first.Topology != "" {
		out = first.Topology + ": " + out
	}
	named := false
	for _, e := range events[1:] {
		switch {
		case e.outage() && first.Kind != KindRaised && !named:
			out, named = out+"; "+sentence(e), true
		case e.Kind == first.Kind || e.Kind == KindRaised && first.Kind != KindResolved:
			more++
		}
	}
	if more > 0 {
		out += fmt.Sprintf(", and %d more", more)
	}
	return oneLine(plain(out))
}

// head says what happened in one sentence.
func head(e Event) string {
	switch e.Kind {
	case KindWanted:
		return "APPROVAL WANTED for the " + change(e)
	case KindRaised:
		return e.urgency() + sentence(e)
	case KindResolved:
		return "RESOLVED: " + sentence(e)
	case KindApplied:
		if e.Outcome == OutcomeDone && e.movesPrimary() {
			return "the " + e.Transition.String() + " is done: " + e.Cluster + " is the primary now"
		}
		return "the " + change(e) + outcomeWords(e.Outcome)
	case KindLapsed:
		if e.Cluster == "" {
			return "the approval lapsed"
		}
		return "the approval lapsed, since " + e.Cluster + " answers"
	case KindSettled:
		return "no approval is wanted any more"
	case KindSite, KindStopped:
		return e.Title
	case KindTest:
		return "a test message"
	default:
		return string(e.State)
	}
}

// urgency begins the sentence of a finding that somebody must not miss. What is blocking
// blocks a change only while one is open, and an outage is more than that.
func (e Event) urgency() string {
	switch {
	case e.Severity == plan.SeverityBlocking && e.Transition != plan.TransitionNone && !e.outage():
		return "the " + transitionWords(e.Transition) + " is blocked: "
	case e.Severity == plan.SeverityBlocking, e.Severity == plan.SeverityCritical:
		return "CRITICAL: "
	default:
		return ""
	}
}

// outage reports whether an event begins what stands before all else on a page: two
// clusters take writes, none does, or a change may still take effect.
func (e Event) outage() bool {
	spec, _ := plan.SpecOf(e.Code)
	return e.Kind == KindRaised && spec.Urgent > 0
}

// sentence is what a finding says, in the words of its explanation and with its cluster.
func sentence(e Event) string {
	if e.Title != "" {
		return lowered(e.Title)
	}
	known, ok := explain.Lookup(string(e.Code))
	title := known.Title
	if !ok {
		title = string(e.Code)
	}
	for _, noun := range []string{"A cluster ", "A standby ", "A stale cluster "} {
		if rest, ok := strings.CutPrefix(title, noun); ok && e.Cluster != "" {
			return strings.TrimPrefix(lowered(noun)[2:], "cluster ") + e.Cluster + " " + rest
		}
	}
	if e.Cluster != "" {
		title += " (" + e.Cluster + ")"
	}
	return lowered(title)
}

// lowered begins a text with a small letter, unless it begins with a name.
func lowered(text string) string {
	if text == "" || strings.HasPrefix(text, "Milvus") || strings.HasPrefix(text, "Git ") || strings.ToUpper(text) == text {
		return text
	}
	return strings.ToLower(text[:1]) + text[1:]
}

// changes are the words for what was to happen.
var changes = map[plan.Transition]string{
	plan.TransitionAddStandby: "attach of a standby", plan.TransitionGrowChannels: "growth of channels",
}

// change is what was to happen. Only two kinds of it give the work to another cluster.
func change(e Event) string {
	out := transitionWords(e.Transition)
	if e.movesPrimary() {
		out += " to " + e.Cluster
	}
	return out
}

func transitionWords(t plan.Transition) string {
	return cmp.Or(changes[t], strings.ReplaceAll(t.String(), "_", " "))
}

// movesPrimary says whether the change gives the work to another cluster.
func (e Event) movesPrimary() bool {
	return e.Cluster != "" && (e.Transition == plan.TransitionFailover || e.Transition == plan.TransitionSwitchover)
}

// outcomeWords say what came of a change.
func outcomeWords(outcome string) string {
	switch outcome {
	case OutcomeDone:
		return " is done"
	case outcomeUnverified:
		return " is NOT VERIFIED"
	case "error":
		return " FAILED"
	default:
		return " is " + outcome
	}
}

// headWithCode is the head of an item that stands below others. A title has its code in the
// footer.
func headWithCode(e Event) string {
	if e.Code == "" || e.Kind != KindRaised && e.Kind != KindResolved {
		return head(e)
	}
	return head(e) + " [" + string(e.Code) + "]"
}

// firstCommand is what a person types next; empty: nothing.
func (e Event) firstCommand() string {
	if commands := itemOf(e).commands; len(commands) > 0 && e.Kind != KindStatus {
		return commands[0]
	}
	return ""
}

func itemOf(e Event) item {
	text := plain(e.Message)
	if e.Kind != KindWanted { // others may have written it, and a line of theirs could look like a command
		text = oneLine(text)
	}
	out := item{head: oneLine(plain(headWithCode(e))), text: clip(text, longestText), remedy: clip(oneLine(plain(e.Remedy)), longestText)}
	if e.Command != "" {
		out.commands = append(out.commands, e.Command)
	}
	for _, m := range quotedCommand().FindAllStringSubmatch(e.Remedy, -1) {
		if !slices.Contains(out.commands, m[1]) && len(out.commands) < mostCommands {
			out.commands = append(out.commands, m[1])
		}
	}
	if len(out.commands) == 0 && e.asks() {
		out.commands = []string{e.whereToStart()}
	}
	if len(out.commands) == 1 {
		out.remedy = withoutLast(out.remedy, out.commands[0])
	}
	for i, c := range out.commands {
		out.commands[i] = clip(oneLine(plain(c)), longestText)
	}
	return out
}

// asks reports whether somebody has to do something. What to type is then never missing:
// a plan says it.
func (e Event) asks() bool {
	switch e.Kind {
	case KindWanted, KindLapsed:
		return true
	case KindRaised:
		return e.Severity != plan.SeverityInfo
	case KindSite, KindStopped:
		return e.Command != ""
	case KindApplied:
		return e.Outcome != OutcomeDone
	default:
		return false
	}
}

// whereToStart is the command that says what to do, where nothing else names one.
func (e Event) whereToStart() string {
	if e.Kind == KindApplied && e.Outcome == outcomeUnverified {
		return "reconcile status " + e.Topology + " --verify"
	}
	return strings.TrimSpace("reconcile plan " + e.Topology)
}

// withoutLast drops the command that a remedy ends with: it stands alone below.
func withoutLast(remedy, command string) string {
	for _, quote := range []string{"'", "`"} {
		if before, ok := strings.CutSuffix(strings.TrimSuffix(remedy, "."), quote+command+quote); ok {
			return strings.TrimSuffix(strings.TrimSpace(before), ":") + ":"
		}
	}
	return remedy
}

// quotedCommand finds the commands that a remedy quotes.
var quotedCommand = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("['`](reconcile [^'`\n]+)['`]") })

// worstTone is the tone of what is worst. Good news does not colour a message that tells
// trouble too.
func worstTone(events []Event) tone {
	out := toneOf(events[0])
	for _, e := range events[1:] {
		if t := toneOf(e); toneRanks[t] > toneRanks[out] {
			out = t
		}
	}
	return out
}

var toneRanks = map[tone]int{toneInfo: 1, toneWarn: 2, toneBad: 3}

func toneOf(e Event) tone {
	switch e.Kind {
	case KindResolved, KindSettled:
		return toneGood
	case KindApplied:
		if e.Outcome == OutcomeDone {
			return toneGood
		}
	default: // by severity
	}
	switch e.Severity {
	case plan.SeverityCritical, plan.SeverityBlocking:
		return toneBad
	case plan.SeverityWarning:
		return toneWarn
	default:
		return toneInfo
	}
}

// footer are the facts below the items.
func (n notice) footer() []string {
	var out []string
	if n.more > 0 {
		out = append(out, fmt.Sprintf("%d more are left out here", n.more))
	}
	if n.code != "" {
		out = append(out, plain(string(n.code)))
	}
	if n.commit != "" {
		out = append(out, "commit "+plain(n.commit)[:min(len(plain(n.commit)), shortCommit)])
	}
	return append(out, n.at.UTC().Format("2006-01-02 15:04:05Z"))
}

// plain drops what can hide or reorder text: control characters but the newline, and
// the format characters of Unicode.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Cf, r), r == '\u2028', r == '\u2029':
			return -1
		default:
			return r
		}
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.TrimSpace(s)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// clip cuts a text to at most n runes; the last one then is an ellipsis.
func clip(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}
