package render

import (
	"fmt"
	"slices"
	"strings"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/explain"
	"milvus-reconcile/reconcile/approval"
)

// stateWords says in a few words how a topology stands.
func (d Document) stateWords(t plan.TopologyPlan) (string, style) {
	stops := d.blocking(t)
	blocking := len(stops)
	denied := d.approval(t).Verdict == approval.VerdictDenied
	none := t.Transition == plan.TransitionNone
	if half := d.halfDoneWords(t); half != "" {
		return half, bad
	}
	switch {
	case t.UnderWay != nil:
		return "UNDER WAY", attention
	case none && blocking == 0 && t.Has(plan.CodeSplitBrain):
		return "MORE THAN ONE CLUSTER TAKES WRITES", bad
	case unobserved(t) && blocking == 0 && none:
		return "no change intended, not observed", plain
	case unobserved(t) && blocking == 0:
		return "intended, not observed", attention
	case d.observed() == ObservedElsewhere && blocking == 0 && !none:
		return "approval not checked", attention
	case d.rebuildWaits(t) != "":
		return d.rebuildWaits(t), attention
	case blocking > 0 && denied && !none && d.observed() == ObservedLive:
		return "BLOCKED by " + codeWords(stops) + ", and not approved", bad
	case blocking > 0:
		return "BLOCKED by " + codeWords(stops), bad
	case d.frozen(t):
		return d.frozenWords(t), attention
	case t.InSync && hasTrouble(t):
		return "in sync, but beware: " + codeWords(worst(t)), attention
	case t.InSync && d.unprovenLag(t) != "":
		return "in sync by role; " + d.unprovenLag(t), attention
	case t.InSync:
		return "in sync", good
	case none:
		return strings.TrimSuffix("not in sync: "+codeWords(worst(t)), ": "), attention
	case denied:
		return "NOT APPROVED", attention
	case t.Resumed:
		return "BEGUN, apply continues it", attention
	case t.Replication == plan.ReplicationBehind:
		return "approved, but replication is BEHIND", attention
	case t.Has(plan.CodeForcePromote):
		return "approved, PROMOTES BY FORCE", attention
	case hasTrouble(t):
		return "approved, but beware: " + codeWords(worst(t)), attention
	default:
		return "approved, ready to apply", good
	}
}

// symbol is the style of a topology's symbol, on its page and in its row of a table of
// several.
func (d Document) symbol(t plan.TopologyPlan) style {
	if d.oneLineOnly(t) {
		if d.unprovenLag(t) != "" {
			return attention
		}
		return restStyle(t)
	}
	_, s := d.headline(t)
	return s
}

// restStyle is the style of a topology in one line.
func restStyle(t plan.TopologyPlan) style {
	switch {
	case hasTrouble(t):
		return attention
	case unobserved(t):
		return plain
	default:
		return good
	}
}

// hasTrouble says whether something was found that a person has to know of. Where it is,
// nothing is marked as good: ✓ promises that there is no such finding (contract.md §5).
func hasTrouble(t plan.TopologyPlan) bool {
	return slices.ContainsFunc(t.Findings, func(f plan.Finding) bool { return f.Severity != plan.SeverityInfo })
}

// underWayWords says which change another process carries out, when it began, and what it
// does.
func underWayWords(u plan.UnderWay) string {
	s := fmt.Sprintf("the %s, by %s since %s: %s", u.Transition, u.By, clockTime(u.Since), u.Step)
	if !u.StepSince.IsZero() && clockTime(u.StepSince) != clockTime(u.Since) {
		s += ", since " + clockTime(u.StepSince)
	}
	return s
}

// codeWords names what was found, each code once.
func codeWords(findings []plan.Finding) string {
	return list(codesOf(findings))
}

// codesOf returns each code once.
func codesOf(findings []plan.Finding) []string {
	var codes []string
	for _, f := range urgentFirst(findings) {
		if !slices.Contains(codes, string(f.Code)) {
			codes = append(codes, string(f.Code))
		}
	}
	return codes
}

// worst are the critical findings of a topology that is not in sync, or else
// its warnings.
func worst(t plan.TopologyPlan) []plan.Finding {
	for _, severity := range []plan.Severity{plan.SeverityCritical, plan.SeverityWarning} {
		found := otherFindings(t, severity)
		if t.Transition == plan.TransitionNone { // nothing else stands for them
			found = atSeverity(t, severity)
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// headline is what a transition does and what it waits for, or how a topology without a
// transition stands.
func (d Document) headline(t plan.TopologyPlan) (string, style) {
	state, s := d.stateWords(t)
	c, outage := writerCondition(t)
	if outage && c == standsWithoutPrimary { // nobody can write, whatever waits or is under way
		s = bad
	}
	switch {
	case t.UnderWay != nil && t.UnderWay.Transition != t.Transition:
		return splitFirst(t, strings.ToUpper(t.UnderWay.Transition.String())+" · "+state, s)
	case t.UnderWay != nil:
		return splitFirst(t, d.transitionHeadline(t)+" · "+state, s)
	case t.Transition == plan.TransitionNone && t.Has(plan.CodeSplitBrain):
		return splitFirst(t, writersWords(t), bad)
	case t.Transition == plan.TransitionNone && outage && (c == standsWithoutPrimary || !d.blocked(t)):
		return outageLabels[c] + " · " + outageCause(t), c.style()
	case t.Transition == plan.TransitionNone && t.Has(plan.CodeVerificationFailed):
		return "PRIMARY FAILS ITS CHECKS · " + t.Primary, bad
	case t.Transition == plan.TransitionNone && d.blocked(t):
		return "BLOCKED" + titleOf(urgentFirst(d.blocking(t))), bad
	case t.Transition == plan.TransitionNone && !t.InSync && !unobserved(t):
		return "NOT IN SYNC" + titleOfWorst(t), s
	case t.Transition == plan.TransitionNone:
		return state, s
	}
	words := d.transitionHeadline(t) + " · " + d.waitsFor(t, state)
	if outage && c == standsWithoutPrimary && t.Transition != plan.TransitionFailover {
		return outageLabels[c] + " · " + words, bad
	}
	return splitFirst(t, words, s)
}

// writersWords name the clusters that take writes.
func writersWords(t plan.TopologyPlan) string {
	for _, f := range t.Findings {
		if names, _, found := strings.Cut(f.Message, " can take writes at the same time"); found && f.Code == plan.CodeSplitBrain {
			return names + " take writes at the same time"
		}
	}
	return "more than one cluster takes writes"
}

// titleOfWorst says what the gravest finding means; of a standby that is down, which and why.
func titleOfWorst(t plan.TopologyPlan) string {
	found := worst(t)
	if len(found) > 0 {
		c, _ := member(t, found[0].Cluster)
		if found[0].Code == plan.CodeClusterUnreachable || found[0].Code == plan.CodeClusterUnreadable && refusesToken(c.View) {
			return " · " + findingInShort(t, found[0])
		}
	}
	return titleOf(found)
}

// titleOf says what the first of some findings means.
func titleOf(findings []plan.Finding) string {
	if len(findings) == 0 {
		return ""
	}
	e, ok := explain.Lookup(string(findings[0].Code))
	if !ok {
		return ""
	}
	return " · " + e.Title
}

// transitionHeadline is the transition in capitals, with its cluster as it is written.
func (d Document) transitionHeadline(t plan.TopologyPlan) string {
	name := transitionName(t)
	return strings.ToUpper(name) + strings.TrimPrefix(transitionWords(t), name)
}

// waitsFor says what has to come before a transition is carried out.
func (d Document) waitsFor(t plan.TopologyPlan, state string) string {
	a := d.approval(t)
	denied := a.Verdict == approval.VerdictDenied && d.observed() == ObservedLive
	switch {
	case d.halfDoneWords(t) != "":
		return state
	case d.judgedBy(t) != "":
		return "BEING JUDGED"
	case d.rebuildWaits(t) != "":
		return d.rebuildWaits(t)
	case d.blocked(t) && denied && !needsCommit(t.Blocking(nil)):
		return "BLOCKED, and not approved"
	case d.blocked(t):
		return "BLOCKED"
	case d.frozen(t):
		return d.frozenWords(t)
	case a.Verdict == approval.VerdictApproved && !t.Resumed && t.Replication == plan.ReplicationBehind:
		return "APPROVED, replication BEHIND"
	case a.Verdict == approval.VerdictApproved && !t.Resumed:
		return "APPROVED, waits for apply"
	case a.Verdict == approval.VerdictNotRequired && !t.Resumed:
		return "READY, needs no approval"
	case !denied:
		return state
	case a.Code == approval.CodeMissing || a.Code == approval.CodeQuorumNotMet:
		if a.Needed > 1 {
			return fmt.Sprintf("WAITS FOR %d APPROVALS (%d so far)", a.Needed, a.Given)
		}
		return "WAITS FOR APPROVAL"
	default:
		return "NOT APPROVED"
	}
}

// rebuildWaits says what a rebuild that was begun waits for, as its finding does; empty: it was
// not begun, or something else blocks it too.
func (d Document) rebuildWaits(t plan.TopologyPlan) string {
	if !t.WaitsForRebuild(d.accepted(t)) {
		return ""
	}
	_, words, _ := strings.Cut(t.Blocking(d.accepted(t))[0].Message, " waits ")
	words, _, _ = strings.Cut(words, ": ")
	return "WAITS " + words
}

func needsCommit(findings []plan.Finding) bool {
	return slices.ContainsFunc(findings, func(f plan.Finding) bool { return plan.NeedsCommit(f.Code) })
}

// changeWords is the transition, or how a topology without one stands.
func (d Document) changeWords(t plan.TopologyPlan) string {
	if t.Transition != plan.TransitionNone {
		return transitionWords(t)
	}
	state, _ := d.stateWords(t)
	return state
}

// lagNotRead reports whether a plan did not ask a standby how far it has replicated: what it
// then knows is the roles and configurations.
func (d Document) lagNotRead(t plan.TopologyPlan) bool {
	return d.kind() == KindPlan && !unobserved(t) && slices.ContainsFunc(t.Clusters, func(c plan.ClusterPlan) bool {
		return c.DesiredRole == plan.RoleStandby && c.Lag == nil
	})
}

// inSyncWords is all that is worth saying about a topology that is in sync.
func (d Document) inSyncWords(t plan.TopologyPlan) string {
	var standbys []string
	for _, c := range t.Clusters {
		if c.DesiredRole == plan.RoleStandby {
			standbys = append(standbys, c.ID)
		}
	}
	s := "in sync"
	if unobserved(t) {
		s = "no change intended, not observed"
	}
	if d.lagNotRead(t) || d.unprovenLag(t) != "" {
		s = "in sync by role"
	}
	if t.Primary != "" {
		s += ": " + t.Primary
		if len(standbys) > 0 {
			s += " → " + strings.Join(standbys, ", ")
		}
	}
	if d.lagNotRead(t) {
		s += "; lag not read"
	}
	if unproven := d.unprovenLag(t); unproven != "" {
		s += "; " + unproven
	}
	if hasTrouble(t) {
		s += "; but beware: " + codeWords(worst(t))
	}
	return s
}

// unobserved reports whether no cluster of the topology was observed.
func unobserved(t plan.TopologyPlan) bool {
	for _, c := range t.Clusters {
		if !notObserved(c.View) {
			return false
		}
	}
	return len(t.Clusters) > 0
}

// oneLineOnly reports whether one line suffices for a topology.
func (d Document) oneLineOnly(t plan.TopologyPlan) bool {
	return (t.InSync || unobserved(t)) && t.Transition == plan.TransitionNone && !d.blocked(t)
}

// summaryWords is the first line of every form: what the document is about
// and how many topologies need somebody.
func (d Document) summaryWords() string {
	s := d.Summary()
	beware := 0 // in sync as far as roles go, and somebody has to know of something
	for _, t := range d.Plan.Topologies {
		beware += one(t.InSync && d.symbol(t) != good)
	}
	parts := []string{fmt.Sprintf("%d in sync", s.InSync-beware)}
	if slices.ContainsFunc(d.Plan.Topologies, func(t plan.TopologyPlan) bool { return t.InSync && d.lagNotRead(t) }) {
		parts[0] += " by role"
	}
	if d.observed() == ObservedNone {
		parts[0] = "not observed"
	}
	if beware > 0 {
		parts = append(parts, fmt.Sprintf("%d in sync with findings", beware))
	}
	if outages := d.outageCounts(); outages != "" {
		parts = append([]string{outages}, parts...)
	}
	parts = append(parts, d.changeCounts()...)
	if n := len(d.Problems); n > 0 {
		parts = append(parts, plural(n, "problem in a file", "problems in files"))
	}
	return plural(s.Topologies, "topology", "topologies") + ": " + strings.Join(parts, ", ")
}

// clockWords is the time of the document.
func (d Document) clockWords() string {
	if at := d.generatedAt(); !at.IsZero() {
		return timeOfDay(at)
	}
	return ""
}

// basisWords says what the document was made from and when.
func (d Document) basisWords() string {
	var parts []string
	if d.Plan.Commit != "" {
		parts = append(parts, "commit "+short(d.Plan.Commit))
	}
	if at := d.generatedAt(); !at.IsZero() {
		parts = append(parts, clockTime(at))
	}
	if d.Plan.Ledger == plan.LedgerNone {
		parts = append(parts, "no ledger")
	}
	switch d.observed() {
	case ObservedNone:
		parts = append(parts, "offline: no cluster was asked")
	case ObservedElsewhere:
		parts = append(parts, "observed by somebody else: this plan cannot be applied")
	case ObservedLive:
	}
	return strings.Join(parts, " · ")
}

// otherFindings returns the findings of these severities that no other part shows.
func otherFindings(t plan.TopologyPlan, severities ...plan.Severity) []plan.Finding {
	var out []plan.Finding
	for _, f := range t.Findings {
		if slices.Contains(severities, f.Severity) && !ownPlace(t, f) {
			out = append(out, f)
		}
	}
	return out
}
