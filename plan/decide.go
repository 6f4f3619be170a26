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
}

// decide reads the decision table for the desired primary and each other
// member. The strictest answer wins.
func (s situation) decide() decision {
	primary, ok := s.t.Primary()
	if !ok {
		return decision{findings: []Finding{NewFinding(CodeRoleUnknown, "",
			"the document does not name exactly one primary", "give exactly one cluster the role primary")}}
	}
	d := decision{primary: primary, source: s.view(primary.ID).Belief.Source}
	for _, c := range s.t.Clusters {
		if c.ID == primary.ID {
			continue
		}
		p, o := s.pairState(primary.ID, primary.ID, c.ID), s.pairState(c.ID, primary.ID, c.ID)
		d.pairs = append(d.pairs, pair{member: c, p: p, o: o, verdict: lookup(c.Role, p, o)})
	}
	d.transition = d.leading()
	s.starRules(&d)
	for _, p := range d.pairs {
		d.findings = append(d.findings, s.pairFindings(d, p)...)
	}
	d.findings = append(d.findings, d.mixed()...)
	return d
}

// transitionRank orders transitions when pairs disagree; the first wins and
// the disagreement is a finding.
var transitionRank = []Transition{TransitionFailover, TransitionSwitchover,
	TransitionBootstrap, TransitionAddStandby, TransitionDetach}

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

// starRules replaces verdicts that only make sense beside the leading pair: a
// failover orphans the other standbys of the lost source, a switchover takes
// them along.
func (s situation) starRules(d *decision) {
	for i, p := range d.pairs {
		if p.member.ID == d.source || p.p != stateSibling {
			continue
		}
		switch {
		case d.transition == TransitionFailover && p.member.Role == RoleStandby:
			d.pairs[i].verdict = blocks(TransitionFailover, CodeOrphanedStandby)
		case d.transition == TransitionSwitchover && p.member.Role == RoleStale:
			d.pairs[i].verdict = blocks(TransitionSwitchover, CodeStaleNotFailed)
		}
	}
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
		"split it into one commit for each transition, each with its own generation and approval")}
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
		return s.joinFindings(p.member)
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
		text = tableText{"the state of %[1]s and %[2]s is not one that may be acted on", "read both with 'reconcile status' and resolve it by hand"}
	}
	cluster := o
	if p.verdict.code == CodeNotAStandby || p.verdict.code == CodeCandidateUnreachable {
		cluster = prim
	}
	seen := fmt.Sprintf(" (%s %s; %s %s)", prim, s.describe(prim), o, s.describe(o))
	return NewFinding(p.verdict.code, cluster, fmt.Sprintf(text.message, prim, o)+seen, fmt.Sprintf(text.remedy, prim, o, s.t.Name))
}

// describe says in a few words how a cluster answered.
func (s situation) describe(id string) string {
	v := s.view(id)
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

type tableText struct{ message, remedy string }

// tableTexts are the sentences of blocked cells: %[1]s is the desired
// primary, %[2]s the other member, %[3]s the topology.
var tableTexts = map[Code]tableText{
	CodeSplitBrain:           {"%[1]s and %[2]s can both take writes", "stop writes to %[2]s by network or load balancer, then rebuild it; no call to Milvus can undo this"},
	CodeClusterUnlisted:      {"a stored configuration of %[1]s or %[2]s names a cluster that the document lacks", "list it in %[3]s as detached or stale first; absence is never an intent"},
	CodeClusterNeeded:        {"%[1]s and %[2]s must both answer for this change", "bring back the one that does not answer, or check its credential, and plan again"},
	CodeStaleRejoin:          {"%[2]s stores an edge with %[1]s that %[1]s does not store: joining it would hide the data that differs", "rebuild %[2]s, then give it 'provisioned: {from: restored, at: …}'"},
	CodeOutOfBandFailover:    {"%[2]s was promoted outside Git; making it a standby would destroy its writes", "run 'reconcile adopt %[3]s' to bring Git in line with what happened"},
	CodeNoPrimary:            {"no cluster takes writes: %[1]s and %[2]s are both read-only", "restore the link between them so that the switchover completes, or fail over to %[1]s by setting %[2]s to stale"},
	CodeStalePromotion:       {"%[1]s is a read-only former primary and %[2]s holds the newer data", "make %[2]s primary in Git instead, or let an approver accept STALE_PROMOTION if %[1]s is the last copy"},
	CodeRoleUnknown:          {"what %[1]s and %[2]s believe does not add up to a state that may be acted on", "check both with 'reconcile status %[3]s'; a token that may read the replicate configuration is needed"},
	CodeSwitchoverNeedsBoth:  {"a switchover needs %[1]s and %[2]s up and storing the same edge", "wait for both; if the old primary is lost for good, set it to stale, which is a failover"},
	CodeNotAStandby:          {"%[1]s does not replicate from %[2]s, so it cannot be promoted in its place", "check with 'reconcile status %[3]s' which cluster is a standby, and promote that one"},
	CodeStaleNotFailed:       {"only the source that failed, or a standby that it orphaned, may become stale; %[2]s is neither while %[1]s is the primary", "set %[2]s to detached to let it go"},
	CodePrimaryReplaced:      {"the address of %[2]s answers as unconfigured and empty: another cluster may stand there now", "make sure that the old primary is gone; an approver may accept it with 'Failover-Accept: PRIMARY_REPLACED'"},
	CodePrimaryReachable:     {"%[2]s answers, so it is not lost: a failover to %[1]s would split the brain and may lose data", "use a switchover (swap the roles primary and standby); if %[2]s cannot write, cut it off by network and the same approved commit applies"},
	CodeCandidateUnreachable: {"%[1]s, the cluster to promote in place of %[2]s, does not answer", "bring %[1]s back, or promote another standby"},
	CodeOrphanedStandby:      {"%[2]s would lose its source when %[1]s is promoted", "set %[2]s to stale in the same commit; it must be rebuilt from %[1]s afterwards"},
	CodeDetachNeedsBoth:      {"%[2]s does not answer: it would become writable by itself on its return, while %[1]s writes on", "wait for it, or isolate it and accept with 'Failover-Accept: DETACH_NEEDS_BOTH'"},
	CodeMixedChange:          {"%[2]s joins while %[1]s changes its role", "make the change of roles and the new standby %[2]s two commits"},
}
