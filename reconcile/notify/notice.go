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
)

// notice is what one message says to people, before it has a format. Its texts are
// plain: each format escapes them.
type notice struct {
	title  string
	tone   tone
	items  []item
	more   int // items that are left out
	link   string
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
	out := notice{title: title(events), tone: toneOf(first), at: first.Time}
	for _, e := range events {
		out.link, out.commit = cmp.Or(out.link, e.Link), cmp.Or(out.commit, e.Commit)
		if len(out.items) < mostItems {
			out.items = append(out.items, itemOf(e))
		}
	}
	out.items[0].head = "" // the title says it
	out.more = len(events) - len(out.items)
	return out
}

// title is the most important event, and how many more there are of its kind.
func title(events []Event) string {
	first := events[0]
	out := first.Topology + ": " + head(first)
	same := 0
	for _, e := range events[1:] {
		if e.Kind == first.Kind || first.Kind == KindWanted && e.Kind == KindRaised {
			same++
		}
	}
	if same > 0 {
		out += fmt.Sprintf(", and %d more", same)
	}
	return oneLine(plain(out))
}

// head says what happened in a few words.
func head(e Event) string {
	on := ""
	if e.Cluster != "" {
		on = " on " + e.Cluster
	}
	switch e.Kind {
	case KindWanted:
		return "APPROVAL WANTED for the " + change(e)
	case KindRaised:
		return fmt.Sprintf("%s %s%s", e.Code, e.Severity, on)
	case KindResolved:
		return fmt.Sprintf("over: %s%s", e.Code, on)
	case KindApplied:
		return change(e) + " " + outcomeWords(e.Outcome)
	case KindLapsed:
		if e.Cluster == "" {
			return "the approval lapsed"
		}
		return "the approval lapsed, since " + e.Cluster + " answers"
	case KindSettled:
		return "no approval is wanted any more"
	case KindTest:
		return "a test message"
	default:
		return string(e.State)
	}
}

// change is what was to happen. Only two kinds of it give the work to another cluster.
func change(e Event) string {
	out := strings.ReplaceAll(e.Transition.String(), "_", " ")
	if e.Transition == plan.TransitionFailover || e.Transition == plan.TransitionSwitchover {
		out += " to " + e.Cluster
	}
	return out
}

func outcomeWords(outcome string) string {
	switch outcome {
	case OutcomeDone:
		return "done"
	case "unverified":
		return "NOT VERIFIED"
	case "error":
		return "FAILED"
	default:
		return outcome
	}
}

func itemOf(e Event) item {
	text := plain(e.Message)
	if e.Kind != KindWanted { // others may have written it, and a line of theirs could look like a command
		text = oneLine(text)
	}
	out := item{head: oneLine(plain(head(e))), text: clip(text, longestText), remedy: clip(oneLine(plain(e.Remedy)), longestText)}
	if e.Command != "" {
		out.commands = append(out.commands, e.Command)
	}
	for _, m := range quotedCommand().FindAllStringSubmatch(e.Remedy, -1) {
		if !slices.Contains(out.commands, m[1]) && len(out.commands) < mostCommands {
			out.commands = append(out.commands, m[1])
		}
	}
	if len(out.commands) == 0 && e.asks() {
		out.commands = []string{"reconcile plan " + e.Topology}
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
	case KindApplied:
		return e.Outcome != OutcomeDone
	default:
		return false
	}
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
