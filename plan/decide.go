package plan

import (
	"fmt"
	"slices"
	"strings"
)

// pair is the desired primary beside one other member, as it was decided.
type pair struct {
	member  Cluster
	p, o    state
	verdict verdict
}

// decision is what the table says of one topology, before the safety pass.
type decision struct {
	primary    Cluster
	pairs      []pair
	transition Transition
	findings   []Finding
	source     string // the cluster that the desired primary replicates from, if any
	lost       string // the cluster that a failover replaces
}

// decide reads the decision table for the desired primary and each other
// member. The strictest answer wins.
func (s situation) decide() decision {
	primary, ok := s.t.Primary()
	if !ok {
		return decision{findings: []Finding{NewFinding(CodeRoleUnknown, "",
			"the document does not name exactly one primary", "give exactly one cluster 'role: primary', and check it with 'reconcile validate'")}}
	}
	d := decision{primary: primary, source: s.view(primary.ID).Belief.Source}
	for _, c := range s.t.Clusters {
		if c.ID == primary.ID {
			continue
		}
		p, o := s.pairState(primary.ID, primary.ID, c.ID), s.pairState(c.ID, primary.ID, c.ID)
		v := lookup(c.Role, p, o)
		if c.Role == RoleStale && p == stateUp && s.supersedes(primary.ID, c.ID) {
			v = staleLives()
		}
		d.pairs = append(d.pairs, pair{member: c, p: p, o: o, verdict: v})
	}
	d.transition = d.leading()
	s.refine(&d)
	d.transition = d.leading()
	if s.growing(d) {
		d.transition = TransitionGrowChannels
	}
	d.lost = d.replaced()
	for _, p := range d.pairs {
		d.findings = append(d.findings, s.pairFindings(d, p)...)
	}
	d.findings = append(d.findings, d.mixed()...)
	d.findings = append(d.findings, s.mixedGrowth(d)...)
	return d
}

// supersedes says whether the ledger holds that primary was promoted in
// the place of stale, and took effect. It stands in where a server before
// 2.6.17 cannot say which configuration it stores: nothing is planned then.
func (s situation) supersedes(primary, stale string) bool {
	mark, ok := s.m.staleMark(stale)
	return ok && mark.Effected && mark.Promoted == primary
}

// transitionRank orders transitions when pairs disagree; the first wins and
// the disagreement is a finding.
var transitionRank = []Transition{
	TransitionFailover, TransitionSwitchover,
	TransitionBootstrap, TransitionAddStandby, TransitionDetach,
}

// leading is the transition that the pairs ask for. While the desired primary
// replicates from a member, that member's pair leads.
func (d decision) leading() Transition {
	for _, p := range d.pairs {
		if p.member.ID == d.source && p.verdict.transition != TransitionNone {
			return p.verdict.transition
		}
	}
	for _, t := range transitionRank {
		for _, p := range d.pairs {
			if p.verdict.transition == t {
				return t
			}
		}
	}
	return TransitionNone
}

// replaced is the cluster whose place the desired primary takes in a failover:
// its source, or the one that was promoted instead of it.
func (d decision) replaced() string {
	if d.transition != TransitionFailover || d.source != "" {
		return d.source
	}
	for _, p := range d.pairs {
		if p.verdict.probe {
			return p.member.ID
		}
	}
	return ""
}

// mixed refuses a change that asks for two transitions at once.
func (d decision) mixed() []Finding {
	var asked []string
	for _, p := range d.pairs {
		t := p.verdict.transition
		if t != TransitionNone && !slices.Contains(asked, t.String()) {
			asked = append(asked, t.String())
		}
	}
	if len(asked) < 2 {
		return nil
	}
	slices.Sort(asked)
	return []Finding{NewFinding(CodeMixedChange, "",
		"the change asks for several transitions at once: "+strings.Join(asked, ", "),
		"split it into one commit for each transition, each with its own 'spec.generation' and approval")}
}

// pairFindings turns one cell into findings.
func (s situation) pairFindings(d decision, p pair) []Finding {
	switch {
	case p.verdict.code != "":
		f := s.tableFinding(d, p)
		f.Severity = SeverityBlocking
		return []Finding{f}
	case p.verdict.probe:
		return s.lossFindings(d, p)
	case p.verdict.join:
		return s.joinFindings(d.primary, p.member)
	case p.verdict.stale && p.o != stateNone:
		return []Finding{s.staleFinding(d.primary, p.member)}
	default:
		return nil
	}
}

// tableFinding words the block of one cell.
func (s situation) tableFinding(d decision, p pair) Finding {
	o, prim := p.member.ID, d.primary.ID
	text, ok := tableTexts[p.verdict.code]
	if !ok {
		text = tableText{"the state of {P} and {O} is not one that may be acted on", "read both with 'reconcile status {T}' and resolve it by hand"}
	}
	if v := s.view(o); p.verdict.code == CodePrimaryReachable && v.Reach == ReachUp && !v.Belief.Configuration.HasEdge(o, prim) {
		text.remedy = noSwitchover
	}
	cluster := o
	if p.verdict.code == CodeNotAStandby || p.verdict.code == CodeCandidateUnreachable {
		cluster = prim
	}
	seen := fmt.Sprintf(" (%s %s; %s %s)", prim, s.describe(prim), o, s.describe(o))
	names := strings.NewReplacer("{P}", prim, "{O}", o, "{T}", s.t.Name, "{S}", s.otherStandbys(prim))
	return NewFinding(p.verdict.code, cluster, names.Replace(text.message)+seen, names.Replace(text.remedy))
}

// describe says in a few words how a cluster answered.
func (s situation) describe(id string) string {
	v := s.view(id)
	if s.offline {
		return "was not observed"
	}
	if v.Reach != ReachUp {
		if v.Class == ClassNone {
			return "is " + v.Reach.String()
		}
		return fmt.Sprintf("is %s: %s", v.Reach, v.Class)
	}
	switch v.Belief.Kind {
	case BeliefStandby:
		return "believes it is a standby of " + v.Belief.Source
	case BeliefUnknown:
		return "is up, its role could not be read"
	case BeliefUnconfigured:
		return "stores no configuration"
	default:
		return "believes it is " + v.Belief.Kind.String()
	}
}
