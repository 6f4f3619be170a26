package render

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// doesWords say what a transition does, a line for each thing. Of one that is held back
// they say so first.
func (d Document) doesWords(t plan.TopologyPlan) []string {
	lines := transitionDoes(t)
	switch {
	case promotionDone(t):
		return []string{t.Primary + " is promoted; what is left: verify it and redirect traffic", lines[1]}
	case t.UnderWay != nil:
	case d.rebuildWaits(t) != "":
		lines[0] = "once that is proven, " + lines[0]
	case d.blocked(t):
		lines[0] = "once unblocked, " + lines[0]
	case d.frozen(t):
		lines[0] = "once the freeze is over, " + lines[0]
	case t.Resumed:
		lines[0] = "continues what was begun: " + lines[0]
	}
	return lines
}

func transitionDoes(t plan.TopologyPlan) []string {
	switch t.Transition {
	case plan.TransitionFailover:
		return failoverDoes(t)
	case plan.TransitionSwitchover:
		return []string{fmt.Sprintf("swaps the roles: %s becomes the primary, %s its read-only standby; writes pause for a moment",
			t.Primary, orElse(t.OldPrimary, orElse(only(t, plan.RoleStandby), "the present primary")))}
	case plan.TransitionRehearsal:
		return rehearsalDoes(t)
	case plan.TransitionBootstrap:
		return []string{fmt.Sprintf("sets replication up: %s becomes the primary, %s", t.Primary, becomeStandbys(t))}
	case plan.TransitionAddStandby:
		joins := joining(t)
		if len(joins) > 1 {
			return []string{"attaches " + list(joins) + " as read-only standbys of " + t.Primary}
		}
		return []string{"attaches " + orElse(list(joins), "a cluster") + " as a read-only standby of " + t.Primary}
	case plan.TransitionRebuild:
		return []string{"brings " + orElse(list(joining(t)), "a stale cluster") + " back as a standby of " + t.Primary, "wiped, filled and attached, each proven before the next"}
	case plan.TransitionDetach:
		return []string{fmt.Sprintf("ends replication from %s to %s, which becomes an independent, writable cluster%s",
			t.Primary, orElse(list(leaving(t)), "a standby"), noStandbyWords(t))}
	case plan.TransitionGrowChannels:
		return []string{"gives all clusters more channels" + growth(t) + "; the roles stay"}
	case plan.TransitionFence:
		return []string{fmt.Sprintf("makes %s, a stale old primary, refuse writes, so that only %s takes them",
			orElse(list(fenced(t)), "the cluster to fence"), t.Primary)}
	default:
		return []string{"carries out the transition " + t.Transition.String()}
	}
}

func rehearsalDoes(t plan.TopologyPlan) []string {
	if goesBack(t) {
		return []string{"swaps the roles back: " + t.Primary + " becomes the primary again; writes pause for a moment"}
	}
	return []string{
		fmt.Sprintf("rehearses a switchover: %s becomes the primary, then %s again", t.Primary, orElse(t.OldPrimary, orElse(only(t, plan.RolePrimary), "the present primary"))),
		"writes pause for a moment each time; one approval covers both ways",
	}
}

func failoverDoes(t plan.TopologyPlan) []string {
	how := "BY FORCE; this cannot be undone"
	if len(t.Steps) > 0 && !t.Has(plan.CodeForcePromote) {
		how = "without asking " + orElse(t.OldPrimary, "the old primary")
	}
	stale := clustersWhere(t, func(c plan.ClusterPlan) bool { return c.DesiredRole == plan.RoleStale })
	second := orElse(list(stale), "the old primary")
	switch {
	case len(stale) > 3:
		second = fmt.Sprintf("%s and %d others become stale", orElse(t.OldPrimary, stale[0]), len(stale)-1)
	case len(stale) > 1:
		second += " become stale"
	default:
		second += " becomes stale"
	}
	return []string{"promotes " + t.Primary + " " + how, second + noStandbyWords(t)}
}

func noStandbyWords(t plan.TopologyPlan) string {
	if !t.Has(plan.CodeNoStandbyLeft) {
		return ""
	}
	return "; no standby is left"
}

func toCluster(cluster string) string {
	if cluster == "" {
		return ""
	}
	return " to " + cluster
}

// splitLoses is what two writers lose.
const splitLoses = "the writes to all but one of them: they reach no other cluster"

// mayLose says what a transition may lose, in one line where that is possible.
func (d Document) mayLose(t plan.TopologyPlan) (string, style) {
	switch {
	case t.Has(plan.CodeSplitBrain) && d.blocked(t):
		return splitLoses, bad
	case d.rebuildWaits(t) != "":
		return rebuildLoses(t)
	case t.Transition != plan.TransitionFailover && d.blocked(t) && t.UnderWay == nil:
		return "nothing while it is blocked", plain
	case t.Has(plan.CodePromotionHalfDone) && !unobserved(t) && (t.DataLoss == nil || t.DataLoss.Upper == nil):
		return lostNotMeasured(t), bad
	case t.Transition == plan.TransitionFailover:
		return failoverLoses(t), bad
	case t.Has(plan.CodeRejoinedWithoutRebuild):
		return "nothing if " + t.Primary + " was wiped; otherwise all later writes to one of two primaries", bad
	case t.Transition == plan.TransitionRehearsal:
		return "nothing: each time the new primary first receives all writes", plain
	case t.Transition == plan.TransitionSwitchover:
		return "nothing: " + t.Primary + " first receives all writes", plain
	case t.Transition == plan.TransitionFence:
		return "nothing more: writes to " + orElse(list(fenced(t)), "the stale cluster") + " since the failover stay there, not merged", attention
	case t.Transition == plan.TransitionRebuild:
		return rebuildLoses(t)
	default:
		return "nothing: no data is dropped", plain
	}
}

func failoverLoses(t plan.TopologyPlan) string {
	w, old := t.DataLoss, orElse(t.OldPrimary, "the old primary")
	switch {
	case unobserved(t):
		return "NOT OBSERVED: only a plan against the clusters shows how many of the last writes to " + old + " would be lost"
	case w == nil || w.Upper == nil:
		return "UNKNOWN how many of the last writes" + toCluster(t.OldPrimary) + unknownChannels(w)
	case *w.Upper == 0 && t.Has(plan.CodePrimaryReachable):
		return "nothing known so far; " + old + " serves, and later writes to it would be lost"
	case *w.Upper == 0:
		return "nothing known: " + t.Primary + " has every write that " + old + " took before it was first seen down" + unwatchedWords(w, old)
	}
	s := "up to " + plan.UpperBoundText(*w.Upper) + " of writes"
	if w.Lower != nil && *w.Lower > 0 {
		s = "between " + plan.DurationText(*w.Lower) + " and " + strings.TrimPrefix(s, "up to ")
	}
	if !w.ReplicatedUpTo.IsZero() {
		s += ": " + t.Primary + " has every write up to " + timeOfDay(w.ReplicatedUpTo)
	}
	return s + unwatchedWords(w, old)
}

// lostNotMeasured says of a failover that is done and whose loss was not measured how it will
// be known.
func lostNotMeasured(t plan.TopologyPlan) string {
	old := orElse(t.OldPrimary, "the old primary")
	return "not known yet: which of the last writes to " + old + " are missing on " + orElse(t.Primary, "the promoted cluster") + "; 'salvage' counts them once " + old + " answers"
}

// restLoses says what may be lost while no change is planned and a primary serves.
func (d Document) restLoses(t plan.TopologyPlan) (string, style) {
	stray := clustersWhere(t, func(c plan.ClusterPlan) bool {
		return c.DesiredRole == plan.RoleStale && c.View.Reach == plan.ReachUp && c.View.Belief.Kind == plan.BeliefUnknown
	})
	switch {
	case d.blocked(t):
		return "nothing by waiting", plain
	case t.Has(plan.CodeCollectionsMissing):
		return "the collections below, unless they were dropped on purpose", bad
	case t.Has(plan.CodeTrafficNotRedirected):
		return "what applications write to a cluster that is not the primary", attention
	case len(stray) > 0:
		return "what applications write to " + list(stray) + ": it reaches no other cluster", attention
	case t.Has(plan.CodeContentDiverged):
		return "nothing now; a failover would lose what the standby does not hold", attention
	default:
		return "nothing now", plain
	}
}

// underWayLoss says that a change under way, other than the one that Git wants now, tells its
// loss when it ends.
func underWayLoss(u plan.UnderWay) row {
	if u.Transition != plan.TransitionFailover {
		return row{label: "May lose", text: "nothing by waiting"}
	}
	return row{label: "May lose", text: "the last writes to the old primary; the result of the failover says how many", style: attention}
}

// unwatchedWords say what the bound does not cover.
func unwatchedWords(w *plan.Window, old string) string {
	if w.Unwatched == 0 {
		return ""
	}
	return "; nobody watched " + old + " for " + plan.UpperBoundText(w.Unwatched) + " since: writes in that time are lost as well"
}

// memberRows are the clusters: what each is and becomes, and how it answers. left is how
// many are not shown; those that change or have trouble come first.
func memberRows(t plan.TopologyPlan, level detail, said string) (g grid, left int) {
	g.most, g.least = min(level.lines, 1), 12
	clusters, most := t.Clusters, level.members
	if most > 0 && len(clusters) > most {
		left = len(clusters) - most
		clusters = slices.Clone(clusters)
		slices.SortStableFunc(clusters, func(a, b plan.ClusterPlan) int { return importance(t, b) - importance(t, a) })
		clusters = clusters[:most]
	}
	for _, c := range clusters {
		reach, s := reachWords(c.View)
		g.add(cell{text: c.ID}, cell{text: roleWords(t, c)}, cell{text: reach, style: s}, cell{text: memberNote(t, c, said)})
	}
	return g, left
}

func importance(t plan.TopologyPlan, c plan.ClusterPlan) int {
	return 4*one(c.ID == t.Primary || c.ID == t.OldPrimary) + 2*one(c.View.Reach != plan.ReachUp) + one(c.DesiredRole != plan.RoleStandby)
}

// memberNote is the site, the version and the lag of a cluster that answers, or why it does
// not, unless that was said.
func memberNote(t plan.TopologyPlan, c plan.ClusterPlan, said string) string {
	var parts []string
	told := strings.Contains(said, whyLost(c)) || strings.Contains(said, c.ID+": ") && strings.Contains(said, "("+classText(c.View.Class)+")")
	if c.View.Reach != plan.ReachUp && c.View.Class != plan.ClassNone && !told {
		parts = append(parts, classText(c.View.Class))
	}
	if refusesToken(c.View) {
		parts = append(parts, classText(plan.ClassUnauthenticated))
	}
	if c.Site != "" {
		parts = append(parts, c.Site)
	}
	if c.View.Version != "" {
		parts = append(parts, c.View.Version)
	}
	if lag := lagIn(t, c); lag != "" && !strings.Contains(said, c.ID+" is up to "+strings.TrimPrefix(lag, "≤ ")+" behind") {
		parts = append(parts, "lag "+lag)
	}
	return strings.Join(parts, ", ")
}

// roleWords say what a cluster is and what it becomes. Without a transition nothing
// becomes anything: a cluster that is not as Git wants it says both.
func roleWords(t plan.TopologyPlan, c plan.ClusterPlan) string {
	is, wanted := presentRole(t, c), c.DesiredRole.String()
	if is != "" && c.View.Belief.Inferred {
		is += " (inferred)"
	}
	switch {
	case is == wanted, notObserved(c.View):
		return wanted
	case is == "" && c.View.Reach == plan.ReachUp:
		return wanted + " (not read)"
	case is == "":
		return wanted
	case c.DesiredRole == plan.RoleStale && is == plan.RoleStandby.String() && t.Transition != plan.TransitionFailover:
		return "stale, read-only"
	case t.Transition == plan.TransitionNone:
		return is + ", Git wants " + wanted
	default:
		return is + " → " + wanted
	}
}

// presentRole is the role that a cluster is seen to have; empty: not known.
func presentRole(t plan.TopologyPlan, c plan.ClusterPlan) string {
	b := c.View.Belief
	switch b.Kind {
	case plan.BeliefPrimary:
		return "primary"
	case plan.BeliefStandalone:
		if c.DesiredRole == plan.RolePrimary || c.ID == t.OldPrimary {
			return "primary"
		}
		return "standalone"
	case plan.BeliefStandby:
		if b.Source != "" && b.Source != t.Primary && b.Source != t.OldPrimary {
			return "standby of " + b.Source
		}
		return "standby"
	case plan.BeliefUnconfigured:
		return "unconfigured"
	case plan.BeliefUnknown:
		if c.ID == t.OldPrimary && t.Transition == plan.TransitionFailover {
			return "primary"
		}
	}
	return ""
}

func reachWords(v plan.View) (string, style) {
	if notObserved(v) {
		return "· not asked", faint
	}
	s := map[plan.Reach]style{plan.ReachUp: good, plan.ReachUnreachable: bad}[v.Reach]
	if s == plain {
		s = attention
	}
	return s.mark() + " " + v.Reach.String(), s
}

var classWords = map[plan.ErrorClass]string{
	plan.ClassRefused:         "connection refused",
	plan.ClassTimeout:         "no answer in time",
	plan.ClassDNS:             "its name does not resolve",
	plan.ClassTLS:             "TLS fails",
	plan.ClassUnauthenticated: "token refused",
	plan.ClassOther:           "another error",
}

func classText(c plan.ErrorClass) string {
	return orElse(classWords[c], strings.ReplaceAll(string(c), "_", " "))
}

// frozenWords say until when a change waits, and whether it is approved.
func (d Document) frozenWords(t plan.TopologyPlan) string {
	s := "FROZEN"
	if !t.Frozen.Until.IsZero() {
		s += " until " + minuteTime(t.Frozen.Until)
	}
	if d.approval(t).Verdict == approval.VerdictDenied && d.observed() == ObservedLive {
		s += ", not approved"
	}
	return s
}

// inOrder reports whether a finding that blocks says only that a change waits, as it is meant to.
func (d Document) inOrder(t plan.TopologyPlan, f plan.Finding) bool {
	return f.Code == plan.CodeChangeFrozen && d.frozen(t) || f.Code == plan.CodeRebuildWaits && d.rebuildWaits(t) != ""
}

// minuteTime is a moment to the minute, and one that is none to the second.
func minuteTime(t time.Time) string {
	if t.Truncate(time.Minute).Equal(t) {
		return t.UTC().Format("2006-01-02 15:04Z")
	}
	return clockTime(t)
}

// frozenActions are what to do about a change that a freeze holds back: approve it if the
// approval then counts when the freeze is over, and wait.
func (d Document) frozenActions(t plan.TopologyPlan) []action {
	a, now, f := d.approval(t), d.generatedAt(), *t.Frozen
	wait := action{label: labelThen, words: "wait; a running daemon carries it out when the freeze is over:", command: watchCommand(t.Name)}
	approve := action{label: labelNow, words: approversWords(a), command: approveCommand(t, a.Repository, "")}
	ends := a.Verdict == approval.VerdictApproved && !a.Until.IsZero() && f.Outlasts(a.Until)
	switch {
	case f.Until.IsZero(), a.Verdict == approval.VerdictDenied && !d.approvalHelps(t):
		return d.frozenRemedy(t)
	case a.Verdict != approval.VerdictDenied && !ends:
		wait.label = labelNow
		return []action{wait, {label: labelThen, words: "without a daemon, once it is over:", command: executeCommand(t)}}
	case now.Before(f.ApproveFrom):
		wait.label, wait.words = labelNow, "wait, and approve it after "+minuteTime(f.ApproveFrom)+": what is approved sooner ends before the freeze does"
		return []action{wait}
	case ends:
		approve.words = "who approved approves again, since the approval ends before the freeze does:"
	}
	return []action{approve, wait}
}

// approvalHelps reports whether a first approval, or one more, ends a denial.
func (d Document) approvalHelps(t plan.TopologyPlan) bool {
	a := d.approval(t)
	_, howTo := splitDetail(a)
	return howTo || strings.Contains(a.Detail, approveAgain)
}

// frozenRemedy is the remedy of the freeze itself.
func (d Document) frozenRemedy(t plan.TopologyPlan) []action {
	for _, f := range t.Findings {
		if f.Code == plan.CodeChangeFrozen {
			return remedyActions(t, f)
		}
	}
	return nil
}

// endsFrozenWords say that an approval ends before the freeze that it waits for; empty: it
// does not.
func endsFrozenWords(t plan.TopologyPlan, a Approval) string {
	if t.Frozen == nil || a.Until.IsZero() || !t.Frozen.Outlasts(a.Until) {
		return ""
	}
	return "; that is before the freeze ends, so it must be approved again"
}
