package render

import (
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// fleetRow says what is the matter with a topology, and what to type: the first command of
// its page.
func (d Document) fleetRow(t plan.TopologyPlan) fleetRow {
	r := fleetRow{name: t.Name, condition: d.condition(t), style: d.symbol(t), waits: mostWaiting(t)}
	switch s := r.condition; {
	case s.quiet():
		r.words = d.inSyncWords(t) + lagsWords(t)
		return r
	case outageLabels[s] != "":
		r.words = d.outageWords(t, outageLabels[s])
		r.refused = refusingOnly(t)
	case s != standsSplit && (t.Transition != plan.TransitionNone || t.UnderWay != nil || s == standsUnjudged):
		r.words = d.headlineOf(t)
	default:
		r.words, r.more = d.findingWords(t)
		r.refused = refusingOnly(t)
	}
	if r.condition == standsUnjudged && d.unprovenLag(t) != "" {
		r.command = "reconcile drift " + t.Name
		return r
	}
	d.Kind = KindPlan
	r.command = commandOf(t.Name, d.actions(t))
	return r
}

// commandOf is the one command of a row: that of the first action, or else the one that
// shows the topology. What is to be done only under a condition is read first.
func commandOf(name string, actions []action) string {
	if len(actions) > 0 && strings.HasPrefix(actions[0].command, "reconcile ") && !strings.HasPrefix(actions[0].words, "if ") && actions[0].command != "reconcile validate" {
		return actions[0].command
	}
	return "reconcile plan " + name
}

// headlineOf is the headline of the page of the topology, with the codes of what blocks it,
// or of a denial.
func (d Document) headlineOf(t plan.TopologyPlan) string {
	words, _ := d.headline(t)
	if half, stuck := d.halfDone(t); stuck {
		return words + ": " + halfDoneInShort(half)
	}
	if by := d.judgedBy(t); by != "" {
		return words + " by " + by
	}
	if stops := d.stops(t); len(stops) > 0 && t.UnderWay == nil {
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

var outageLabels = map[condition]string{
	standsWithoutPrimary: "NO PRIMARY", standsChangesPrimary: "NO PRIMARY", standsPrimaryUnknown: "PRIMARY NOT KNOWN",
}

// outageWords say that no cluster takes writes, and why or what is done about it.
func (d Document) outageWords(t plan.TopologyPlan, label string) string {
	switch {
	case t.Transition != plan.TransitionNone || t.UnderWay != nil:
		return label + ": " + strings.TrimPrefix(d.headlineOf(t), label+" · ")
	case d.blocked(t):
		return label + ": " + outageCause(t) + "; BLOCKED: " + codeWords(t.Blocking(d.accepted(t)))
	default:
		return label + d.sinceWords(t) + ": " + outageCause(t) + apartFromToken(t)
	}
}

// apartFromToken names what was found of a topology whose clusters refuse our token, other
// than that and what [outageCause] says.
func apartFromToken(t plan.TopologyPlan) string {
	rest := slices.DeleteFunc(slices.Clone(t.Findings), func(f plan.Finding) bool {
		return fromToken(t, f) || f.Code == plan.CodeClusterUnreachable || f.Code == plan.CodeNoPrimary
	})
	if refusing(t) == 0 || len(rest) == 0 {
		return ""
	}
	return "; " + codeWords(rest)
}

// sinceWords say when the primary was first seen down, with the day if that is long ago.
func (d Document) sinceWords(t plan.TopologyPlan) string {
	const today = 12 * time.Hour
	switch {
	case t.Outage == nil:
		return ""
	case d.generatedAt().Sub(t.Outage.Since) > today:
		return " since " + clockTime(t.Outage.Since)
	default:
		return " since " + timeOfDay(t.Outage.Since)
	}
}

// outageCause says why no cluster takes writes.
func outageCause(t plan.TopologyPlan) string {
	lost, known := lostPrimary(t)
	stray := slices.IndexFunc(t.Clusters, func(c plan.ClusterPlan) bool { return writes(c) && strayWriter(t, c) })
	switch {
	case known && stray >= 0:
		return whyLost(lost) + ", and " + t.Clusters[stray].ID + ", which is stale, takes writes"
	case !known:
		return "no cluster that answers takes writes"
	case (lost.View.Reach == plan.ReachUnreachable || lost.View.Reach == plan.ReachDegraded) && !slices.ContainsFunc(t.Clusters, standsBy):
		return whyLost(lost) + ", and no standby answers"
	case refusesToken(lost.View):
		return strings.Join(append([]string{whyLost(lost)}, silentStandbys(t)...), ", and ")
	default:
		return whyLost(lost)
	}
}

// silentStandbys say which standbys do not answer, and how.
func silentStandbys(t plan.TopologyPlan) []string {
	var out []string
	for _, c := range t.Clusters {
		if c.DesiredRole == plan.RoleStandby && (c.View.Reach == plan.ReachUnreachable || c.View.Reach == plan.ReachDegraded) {
			out = append(out, "standby "+whyLost(c))
		}
	}
	return out
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
		return c.ID + " answers but does not serve"
	case refusesToken(v):
		return c.ID + " refuses our token"
	case v.Reach == plan.ReachUp && v.Belief.Kind == plan.BeliefUnknown:
		return c.ID + " does not report its role"
	case v.Reach == plan.ReachUp:
		return c.ID + " is " + beliefWords(v)
	default:
		return "it is not known whether " + c.ID + " is alive"
	}
}

// refusesToken says whether a cluster answers and refuses the token of the configuration.
func refusesToken(v plan.View) bool {
	return v.Reach == plan.ReachUp && (v.Credential == plan.CredentialRefused || v.Class == plan.ClassUnauthenticated)
}

// standsBy reports whether a standby answers.
func standsBy(c plan.ClusterPlan) bool {
	return c.DesiredRole == plan.RoleStandby && c.View.Reach == plan.ReachUp && c.View.Belief.Kind == plan.BeliefStandby
}

// findingWords says the gravest finding of a topology at rest, and how many more there are.
func (d Document) findingWords(t plan.TopologyPlan) (words string, more int) {
	f, ok := worstFinding(t)
	if !ok {
		return d.headlineOf(t), 0
	}
	more = -1
	for _, other := range t.Findings {
		more += one(other.Severity != plan.SeverityInfo && !other.Accepted)
	}
	return findingInShort(t, f), more
}

// findingInShort says a finding on one line.
func findingInShort(t plan.TopologyPlan, f plan.Finding) string {
	if c, ok := member(t, f.Cluster); ok && f.Code == plan.CodeClusterUnreachable && c.DesiredRole == plan.RoleStandby {
		return "standby " + whyLost(c) + ": no failover to it"
	}
	if c, ok := member(t, f.Cluster); ok && f.Code == plan.CodeClusterUnreadable && refusesToken(c.View) {
		return whyLost(c)
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
