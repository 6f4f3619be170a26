package render

import (
	"slices"
	"strings"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// fleetRow says what is the matter with a topology, and what to type.
func (d Document) fleetRow(t plan.TopologyPlan) fleetRow {
	r := fleetRow{name: t.Name, condition: d.condition(t)}
	switch s := r.condition; {
	case s == standsInSync, s == standsUnobserved:
		r.words = inSyncWords(t) + lagsWords(t)
	case s == standsWithoutPrimary, s == standsPrimaryUnknown:
		r.words, r.commands = d.outageWords(t, s)
	case s == standsSplit:
		r.words, r.more, r.commands = d.findingWords(t)
	case t.Transition != plan.TransitionNone:
		r.words, r.commands = d.headlineOf(t), d.changeCommands(t)
	case s == standsUnjudged:
		r.words = d.headlineOf(t)
	default:
		r.words, r.more, r.commands = d.findingWords(t)
	}
	return r
}

// headlineOf is the headline of the page of the topology, with the codes of what blocks it,
// or of a denial.
func (d Document) headlineOf(t plan.TopologyPlan) string {
	words, _ := d.headline(t)
	if stops := t.Blocking(d.accepted(t)); len(stops) > 0 {
		return words + ": " + codeWords(stops)
	}
	if a := d.approval(t); d.observed() == ObservedLive && a.Verdict == approval.VerdictDenied && a.Code != "" && a.Code != approval.CodeMissing {
		words += ": " + a.Code
	}
	return words
}

// lagsWords says how far the standbys are behind, if that was observed.
func lagsWords(t plan.TopologyPlan) string {
	var lags []string
	for _, c := range t.Clusters {
		if c.DesiredRole == plan.RoleStandby && c.Lag != nil {
			lags = append(lags, lagWords(c))
		}
	}
	if len(lags) == 0 {
		return ""
	}
	return "; lag " + strings.Join(lags, ", ")
}

// outageWords says why no cluster takes writes, and what ends that.
func (d Document) outageWords(t plan.TopologyPlan, s condition) (string, []string) {
	label := map[condition]string{standsWithoutPrimary: "NO PRIMARY: ", standsPrimaryUnknown: "PRIMARY NOT KNOWN: "}[s]
	if t.Transition != plan.TransitionNone {
		return label + d.headlineOf(t), d.changeCommands(t)
	}
	lost, known := lostPrimary(t)
	why := "no cluster that answers takes writes"
	if known {
		why = whyLost(lost)
	}
	if d.blocked(t) {
		return label + why + "; " + d.headlineOf(t), d.remedyCommand(t)
	}
	if known && (lost.View.Reach == plan.ReachUnreachable || lost.View.Reach == plan.ReachDegraded) {
		if slices.ContainsFunc(t.Clusters, standsBy) {
			return label + why, []string{"reconcile propose " + t.Name + " --failover"}
		}
		return label + why + ", and no standby answers", nil
	}
	return label + why, d.remedyCommand(t)
}

// lostPrimary returns the member that should take writes.
func lostPrimary(t plan.TopologyPlan) (plan.ClusterPlan, bool) {
	for _, c := range t.Clusters {
		if c.DesiredRole == plan.RolePrimary {
			return c, true
		}
	}
	return plan.ClusterPlan{}, false
}

// whyLost says why a cluster does not serve as the primary.
func whyLost(c plan.ClusterPlan) string {
	switch v := c.View; {
	case v.Class == plan.ClassRefused:
		return c.ID + " refuses connections"
	case v.Class == plan.ClassDNS:
		return "the name of " + c.ID + " does not resolve"
	case v.Class == plan.ClassTLS:
		return "TLS with " + c.ID + " fails"
	case v.Class == plan.ClassNotCalled:
		return c.ID + " was not called"
	case v.Reach == plan.ReachUnreachable:
		return c.ID + " does not answer"
	case v.Reach == plan.ReachDegraded:
		return c.ID + " answers and does not serve"
	case v.Reach == plan.ReachUp && v.Belief.Kind == plan.BeliefUnknown:
		return c.ID + " does not tell its role"
	case v.Reach == plan.ReachUp:
		return c.ID + " is " + beliefWords(v)
	default:
		return "whether " + c.ID + " lives is not known"
	}
}

// standsBy reports whether a standby answers.
func standsBy(c plan.ClusterPlan) bool {
	return c.DesiredRole == plan.RoleStandby && c.View.Reach == plan.ReachUp && c.View.Belief.Kind == plan.BeliefStandby
}

// changeCommands returns the command that carries a transition on.
func (d Document) changeCommands(t plan.TopologyPlan) []string {
	a := d.approval(t)
	switch {
	case d.observed() != ObservedLive:
		return nil
	case slices.ContainsFunc(t.Blocking(d.accepted(t)), func(f plan.Finding) bool { return !f.Acceptable }):
		return d.remedyCommand(t)
	case d.blocked(t):
		return nil // the page says what accepting it means
	case t.Resumed:
		return []string{"reconcile apply " + t.Name}
	case a.Verdict == approval.VerdictDenied:
		if _, howTo := splitDetail(a); howTo {
			return []string{approveCommand(t, a.Repository, "")}
		}
		return nil
	case t.Replication == plan.ReplicationBehind:
		return []string{"reconcile status " + t.Name + " --watch"}
	default:
		return []string{executeCommand(t)}
	}
}

// remedyCommand returns the first command of the findings that helps. What only shows the
// topology again is no help: the end of the listing names it.
func (d Document) remedyCommand(t plan.TopologyPlan) []string {
	for _, f := range append(urgentFirst(t.Blocking(d.accepted(t))), otherFindings(t, plan.SeverityCritical, plan.SeverityWarning)...) {
		command := firstCommand(t, f)
		if command != "" && command != "reconcile status "+t.Name && command != "reconcile plan "+t.Name {
			return []string{command}
		}
	}
	return nil
}

// findingWords says the gravest finding of a topology at rest, how many more there are,
// and what to type.
func (d Document) findingWords(t plan.TopologyPlan) (words string, more int, commands []string) {
	f, ok := worstFinding(t)
	if !ok {
		return d.headlineOf(t), 0, nil
	}
	more = -1
	for _, other := range t.Findings {
		more += one(other.Severity != plan.SeverityInfo && !other.Accepted)
	}
	words = findingInShort(t, f)
	t.Findings = []plan.Finding{f}
	return words, more, d.remedyCommand(t)
}

// findingInShort says a finding on one line.
func findingInShort(t plan.TopologyPlan, f plan.Finding) string {
	if c, ok := member(t, f.Cluster); ok && f.Code == plan.CodeClusterUnreachable && c.DesiredRole == plan.RoleStandby {
		return "standby " + whyLost(c) + ": no failover to it"
	}
	if f.Code == plan.CodeLagObjective {
		return f.Message
	}
	return string(f.Code) + ": " + f.Message
}

func member(t plan.TopologyPlan, id string) (plan.ClusterPlan, bool) {
	for _, c := range t.Clusters {
		if c.ID == id {
			return c, true
		}
	}
	return plan.ClusterPlan{}, false
}
