// Package render turns one finished report into bytes: the plan's JSON and
// YAML, the table that an on-call engineer reads, the Markdown of a
// pull-request comment, JUnit and SARIF for other tools.
//
// It decides nothing. plan.TopologyPlan.Blocked says what blocks, and the caller says what
// is approved; without that, a topology is shown as not approved. It opens no file, reads
// no clock and knows no terminal: width and colour are options. Package safetext makes
// text from a repository or a server safe to print.
package render

import (
	"slices"
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/sitepage"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// Kind says which command a document answers.
type Kind string

// The kinds of documents. The zero value is read as KindPlan.
const (
	KindPlan   Kind = "plan"
	KindDrift  Kind = "drift"
	KindStatus Kind = "status" // what is believed, without steps
)

// Observation says which process observed the clusters. The zero value is read as
// ObservedLive.
type Observation string

// The ways in which a document came to know the clusters.
const (
	ObservedLive      Observation = "live"
	ObservedNone      Observation = "none"      // plan --offline: no cluster was called
	ObservedElsewhere Observation = "elsewhere" // plan --observed: somebody else's status
)

// Problem is what is wrong with a topology file; its document is left out.
type Problem struct {
	File    string
	Line    int // from 1; 0 is not known
	Column  int
	Path    string // inside the document, such as spec.clusters[1].uri
	Message string
	Hint    string
}

// Approval is the decision about one topology.
type Approval struct {
	Verdict approval.Verdict
	Code    string // the denial code, empty unless denied
	By      []string
	Commit  string // that carries the approval, or whose approval is missing
	Detail  string
	// Repository is what approvals must be for; empty: the operator names none.
	Repository string
	// Needed is how many people must approve, and Given how many did; 0: not known.
	Needed, Given int
	Until         time.Time   // when an approval ends; zero: there is none
	Accepted      []plan.Code // counted only when Verdict is approval.VerdictApproved
}

// Document is everything that one command found out, in neutral words.
type Document struct {
	Plan        plan.Plan
	Problems    []Problem
	Approvals   map[string]Approval // by topology
	GeneratedAt time.Time           // zero: Plan.At
	Kind        Kind
	Observed    Observation
	Holders     []plan.LockHolder // who else holds the lock of a topology; not kept in JSON
	Folder      string            // of the topology files, from the top of the repository; not kept in JSON
	Site        *sitepage.Site    // of the moves of a site; nil: none was asked for, or nothing moves
	Swept       bool              // by a daemon, which compares its reads: what stands still is a finding; not kept in JSON
}

func (d Document) observed() Observation {
	switch {
	case d.Plan.Offline:
		return ObservedNone
	case d.Observed == "":
		return ObservedLive
	default:
		return d.Observed
	}
}

// Applicable reports whether `apply --plan` may use the document: only if its own process
// observed the clusters.
func (d Document) Applicable() bool { return d.observed() == ObservedLive }

// Summary counts topologies; it stands first in every form.
type Summary struct {
	Topologies     int `json:"topologies"`
	InSync         int `json:"inSync"`
	Changed        int `json:"changed"`
	Blocked        int `json:"blocked"`
	ForcePromote   int `json:"forcePromote"`
	StalePrimaries int `json:"stalePrimaries"`
	// Well and Trouble count the topologies whose page has ✓ and ✗.
	Well    int `json:"well"`
	Trouble int `json:"trouble"`
}

// Summary counts the document's topologies. A cluster that two findings call
// a stale primary is counted once.
func (d Document) Summary() Summary {
	s := Summary{Topologies: len(d.Plan.Topologies)}
	stale := map[string]bool{}
	for _, t := range d.Plan.Topologies {
		s.InSync += one(t.InSync)
		symbol := d.symbol(t)
		s.Well, s.Trouble = s.Well+one(symbol == good), s.Trouble+one(symbol == bad)
		s.Changed += one(t.Transition != plan.TransitionNone)
		s.Blocked += one(t.Blocked(d.accepted(t)))
		for _, step := range t.Steps {
			s.ForcePromote += one(step.ForcePromote())
		}
		for _, f := range t.Findings {
			if f.Code == plan.CodeStalePrimary {
				stale[t.Name+"/"+f.Cluster] = true
			}
		}
	}
	s.StalePrimaries = len(stale)
	return s
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func (d Document) kind() Kind {
	if d.Kind == "" {
		return KindPlan
	}
	return d.Kind
}

func (d Document) generatedAt() time.Time {
	if d.GeneratedAt.IsZero() {
		return d.Plan.At
	}
	return d.GeneratedAt
}

// approval returns the approval of a topology. A transition without a decision is denied.
func (d Document) approval(t plan.TopologyPlan) Approval {
	a, ok := d.Approvals[t.Name]
	if !ok && t.Transition == plan.TransitionNone {
		a.Verdict = approval.VerdictNotRequired
		return a
	}
	if a.Verdict == approval.VerdictDenied && a.Code == "" && a.Detail == "" {
		a.Detail = "the approval was not checked"
	}
	return a
}

// accepted returns the codes that a valid approval accepts.
func (d Document) accepted(t plan.TopologyPlan) []plan.Code {
	if a := d.approval(t); a.Verdict == approval.VerdictApproved {
		return a.Accepted
	}
	return nil
}

// blocking returns the findings that block what Git asks for. If it asks for no change, two
// writers block nothing: they are an outage (contract.md §5).
func (d Document) blocking(t plan.TopologyPlan) []plan.Finding {
	return slices.DeleteFunc(slices.Clone(t.Blocking(d.accepted(t))), func(f plan.Finding) bool { return d.blocksNothing(t, f) })
}

// stops returns the findings that block, without the probes that status and drift leave to
// others, and without a freeze.
func (d Document) stops(t plan.TopologyPlan) []plan.Finding {
	return slices.DeleteFunc(slices.Clone(t.Blocking(d.accepted(t))), func(f plan.Finding) bool {
		return f.Code != plan.CodeSplitBrain && d.blocksNothing(t, f)
	})
}

// blocksNothing reports whether a finding does not hold back what Git asks for: it asks for
// nothing, only probes are missing, which status and drift leave to others, or it is in order
// and waits.
func (d Document) blocksNothing(t plan.TopologyPlan, f plan.Finding) bool {
	switch f.Code {
	case plan.CodeSplitBrain:
		return t.Transition == plan.TransitionNone
	case plan.CodePrimaryNotProbed:
		return d.kind() == KindStatus || d.kind() == KindDrift
	case plan.CodeChangeFrozen, plan.CodeRebuildWaits:
		return d.inOrder(t, f)
	default:
		return false
	}
}

// frozen reports whether a change is in order and waits for the end of a freeze.
func (d Document) frozen(t plan.TopologyPlan) bool { return t.WaitsForFreeze(d.accepted(t)) }

// waits reports whether a change is in order and waits: for the end of a freeze, or for the next
// proof of a rebuild.
func (d Document) waits(t plan.TopologyPlan) bool { return t.Waits(d.accepted(t)) }

func (d Document) blocked(t plan.TopologyPlan) bool { return len(d.blocking(t)) > 0 }

// topologies returns the topologies with what is accepted marked, and
// without steps where the kind has none.
func (d Document) topologies() []plan.TopologyPlan {
	out := make([]plan.TopologyPlan, 0, len(d.Plan.Topologies))
	for _, t := range d.Plan.Topologies {
		t = t.Accept(d.accepted(t))
		if d.kind() == KindStatus {
			t.Steps = nil
		}
		out = append(out, t)
	}
	return out
}

// TopologyCondition is the state of one topology of many, in the words of the table of
// several.
type TopologyCondition struct {
	Rank     int    // the lower, the worse
	Label    string // of a count, such as WITHOUT A PRIMARY
	Words    string // what is the matter
	More     int    // further findings that Words does not name
	Symbol   string // of its page and its row in a table of several
	Bad      bool   // the symbol is that of a fault
	Good     bool   // nothing is wrong, and nothing is to be done
	NoWriter bool   // no cluster takes writes
	Judged   bool   // another process holds the lock of its change, and has sent nothing
}

// ConditionOf returns the state of a topology.
func (d Document) ConditionOf(t plan.TopologyPlan) TopologyCondition {
	r := d.fleetRow(t)
	if r.condition == standsInRoles {
		r.condition = standsInSync // columns say what is known of the lag
	}
	if r.condition == standsInSync { // the label says that it is in sync, and columns say the lag
		r.words = strings.TrimPrefix(strings.TrimPrefix(d.inSyncWords(t), "in sync by role: "), "in sync: ")
	}
	return TopologyCondition{
		Rank: int(r.condition), Label: conditionWords[r.condition].words, Words: r.words, More: r.more,
		Symbol: r.style.mark(), Bad: r.style == bad, Good: r.style == good && r.condition.style() == good, NoWriter: r.condition == standsWithoutPrimary || r.condition == standsChangesPrimary,
		Judged: d.judgedBy(t) != "",
	}
}

// Unjudged is the condition of a topology about which a document does not say enough.
func Unjudged(label, words string) TopologyCondition {
	return TopologyCondition{Rank: int(standsUnjudged), Label: label, Words: words, Symbol: attention.mark()}
}

// Brief is the content of the page of one topology, for pages of another form. It leaves
// out the findings.
type Brief struct {
	Headline string
	Rows     []BriefRow
	Actions  []BriefAction
}

// BriefRow is one labelled paragraph. Several in a row may share a label.
type BriefRow struct {
	Label, Text    string
	Bad, Attention bool
}

// BriefAction is one thing to do, with the command that does it; empty: no command does.
type BriefAction struct{ Label, Words, Command string }

// Brief says what happens to a topology, what may be lost, what blocks it and what to type.
func (d Document) Brief(t plan.TopologyPlan) Brief {
	d.Kind = KindPlan
	b := d.brief(t, detail{})
	out := Brief{Headline: b.headline}
	for _, r := range b.rows {
		if r.label != "Beware" {
			out.Rows = append(out.Rows, BriefRow{Label: r.label, Text: r.text, Bad: r.style == bad, Attention: r.style == attention})
		}
	}
	for _, a := range b.actions {
		out.Actions = append(out.Actions, BriefAction{a.label, a.words, a.command})
	}
	return out
}
