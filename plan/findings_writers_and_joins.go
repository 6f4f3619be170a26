package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan/release"
)

// writerFindings tell more than one cluster that can take writes (SPLIT_BRAIN) and none
// that can (NO_PRIMARY).
func (s situation) writerFindings(d decision) []Finding {
	var writers, stale []string
	up := false
	for _, c := range s.topology.Clusters {
		v := s.view(c.ID)
		up = up || v.Reach == ReachUp
		if canWrite(v) && !s.writesRightly(d, c, v) {
			writers = append(writers, c.ID)
			if c.Role == RoleStale {
				stale = append(stale, c.ID)
			}
		}
	}
	switch {
	case len(writers) > 1:
		names := strings.Join(writers, " and ")
		return []Finding{NewFinding(CodeSplitBrain, "", names+" can take writes at the same time", s.splitRemedy(d, stale))}
	case len(writers) > 0 && len(writers) == len(stale) && d.transition == TransitionNone && s.rolesKnown():
		return []Finding{NewFinding(CodeNoPrimary, "", "only "+writers[0]+", which is stale, takes writes, and "+d.primary.ID+", the primary, does not",
			s.noPrimaryRemedy(d.primary.ID))}
	case len(writers) == 0 && up && d.transition != TransitionFailover && d.primary.ID != "" && s.rolesKnown():
		return []Finding{NewFinding(CodeNoPrimary, "", "no cluster that answers can take writes",
			s.noPrimaryRemedy(d.primary.ID))}
	}
	return nil
}

// noPrimaryRemedy is how to get a primary again, by what is known of the one that Git
// names: it is gone, nobody can say whether it lives, or it answers and waits in a
// switchover that is stuck.
func (s situation) noPrimaryRemedy(primary string) string {
	failover := "'reconcile propose " + s.topology.Name + " --failover'"
	if last := s.lastCopy(); last != "" && len(s.topology.withRole(RoleStandby)) == 0 && s.view(primary).Reach != ReachUp {
		return "bring " + primary + " back; watch it: 'reconcile status " + s.topology.Name + " --watch'; else, if it is lost for good, ask for " + last + ", the last copy, in a clone: 'reconcile propose " + s.topology.Name + "/" + last + " --failover'"
	}
	then, orElse := "; if that fails, propose a failover, in a clone: "+failover, "; else fail over, in a clone: "+failover
	if !s.mayBeReplaced(primary) {
		then, orElse = "; see what keeps its standbys from being promoted: 'reconcile doctor "+s.topology.Name+"'", ""
	}
	switch s.view(primary).Reach {
	case ReachUp:
		return "restore the link between the clusters and watch the switchover end: 'reconcile status " + s.topology.Name + " --watch'" + orElse
	case ReachUnknown:
		return "find out whether " + primary + " lives: 'reconcile doctor " + s.topology.Name + "'" + strings.Replace(orElse, "else fail", "else, if it is lost for good, fail", 1)
	default:
		return "bring " + primary + " back" + then
	}
}

// mayBeReplaced says whether a standby of a cluster answers that a failover may promote, as
// far as it was read.
func (s situation) mayBeReplaced(primary string) bool {
	return slices.ContainsFunc(s.topology.Clusters, func(c Cluster) bool {
		v := s.view(c.ID)
		_, stale := s.memory.staleMark(c.ID)
		return c.ID != primary && c.Promotable && c.Role != RoleDetached && !stale && v.Reach == ReachUp && v.ForcePromotes != SupportNo && s.follows(c.ID, primary)
	})
}

// writesRightly says whether a writable cluster other than the primary is as it should
// be: detached and on its own, wiped, or joining under the join rules.
func (s situation) writesRightly(d decision, c Cluster, v View) bool {
	if c.ID == d.primary.ID {
		return false
	}
	switch c.Role {
	case RoleDetached:
		return v.Belief.Kind != BeliefPrimary
	case RoleStale:
		return v.Belief.Kind == BeliefUnconfigured
	case RoleStandby:
		return v.Belief.Kind == BeliefUnconfigured || s.joinPasses(d, c)
	default:
		return false
	}
}

// joinPasses says whether a cluster joins and the join rules allow it.
func (s situation) joinPasses(d decision, c Cluster) bool {
	for _, p := range d.pairs {
		if p.member.ID == c.ID && p.cell.join {
			for _, f := range s.joinFindings(d.primary, c) {
				if f.Severity == SeverityBlocking {
					return false
				}
			}
			return true
		}
	}
	return false
}

// rolesKnown says whether every member that answers told what it believes. Else "no
// cluster can take writes" would be a guess.
func (s situation) rolesKnown() bool {
	for _, v := range s.views {
		if v.Reach == ReachUp && v.Belief.Kind == BeliefUnknown {
			return false
		}
	}
	return true
}

// StaleLog is what the log of a stale cluster that takes writes was found to hold
// behind its salvage checkpoints: no other cluster has it. The zero value says that it
// was not read.
type StaleLog struct {
	Cluster  string
	Known    bool      // every channel could be read, from its checkpoint on, and all rows were counted
	Messages int       // that were counted; the counting is bounded
	Rows     int64     // that those messages insert or delete
	More     bool      // there are more than were counted
	Newest   time.Time // of those counted, by the cluster's own ticks; zero: none
}

// Salvage is the command that shows what only a stale cluster holds.
func (t TopologyPlan) Salvage(stale string) string { return salvageCommand(t.Name, stale) }

// Replaced is the cluster that the primary took over from: the old primary of a failover,
// or else the only stale cluster. Empty: not known.
func (t TopologyPlan) Replaced() string {
	if t.OldPrimary != "" {
		return t.OldPrimary
	}
	var stale []string
	for _, c := range t.Clusters {
		if c.DesiredRole == RoleStale {
			stale = append(stale, c.ID)
		}
	}
	if len(stale) != 1 {
		return ""
	}
	return stale[0]
}

// salvageCommand names the cluster too, if it is known: which one is meant must not depend
// on how many are stale.
func salvageCommand(topology, stale string) string {
	if stale == "" {
		return "reconcile salvage " + topology
	}
	return "reconcile salvage " + topology + " --from " + stale
}

// staleFinding flags a cluster that is stale, or becomes stale by this plan: how it
// answers, what only it holds, and the command that makes it refuse writes.
func (s situation) staleFinding(d decision, stale Cluster) Finding {
	v, primary := s.view(stale.ID), d.primary
	state, remedy := s.staleState(d, stale)
	told, save, known := s.lossState(stale.ID)
	state += told
	if known && v.Belief.Kind == BeliefStandby {
		remedy = save + "wipe it, restore it from " + primary.ID + ", and write that into the file: 'reconcile explain STALE_REJOIN'"
	}
	if r, ok := s.memory.openReplay(s.topology.Name, stale.ID); ok && !s.offline {
		state += "; " + r.Words()
		remedy = r.remedy()
	}
	return NewFinding(CodeStalePrimary, stale.ID,
		fmt.Sprintf("%s is stale%s, and %s is the primary: %s %s", stale.ID, s.staleSince(stale.ID), primary.ID, stale.ID, state), remedy)
}

// orphaned says whether a stale cluster is a standby that lost its source in a failover to
// another one. It was never fenced, so it was no primary, and took no writes of its own.
func (s situation) orphaned(stale string) bool {
	b := s.view(stale).Belief
	mark, marked := s.memory.staleMark(stale)
	source, listed := s.topology.Cluster(b.Source)
	return b.Kind == BeliefStandby && !b.Inferred && marked && !mark.Fenced && listed && source.Role == RoleStale
}

// staleSince continues the words "… is stale": when that was recorded, and who did it.
func (s situation) staleSince(cluster string) string {
	mark, ok := s.memory.staleMark(cluster)
	if !ok {
		return ", now or after this plan"
	}
	text := " since " + mark.Since.UTC().Format(time.RFC3339)
	if mark.SeenBy != "" {
		text += " (recorded by " + mark.SeenBy + ")"
	}
	return text
}

// divergingWrites says, to continue "it takes writes", what a stale cluster took that
// the primary never got, and whether it goes on: a message that is younger than the
// stale mark was written since.
func (s situation) divergingWrites(primary, stale string) string {
	i := slices.IndexFunc(s.observed.Logs, func(l StaleLog) bool { return l.Cluster == stale })
	if i < 0 {
		return ""
	}
	l := s.observed.Logs[i]
	mark, marked := s.memory.staleMark(stale)
	counted, isCounted := s.memory.countedLoss(stale)
	switch {
	case isCounted && int64(l.Messages) > LossTotal(counted.Lost).Messages+LossTotal(counted.Later).Messages:
		return ", and has taken more since it was counted"
	case isCounted:
		return ""
	case l.Messages == 0 && !l.Known:
		return ", and its writes could not be read"
	case l.Messages == 0:
		return ", and holds nothing so far that " + primary + " never got"
	}
	text := fmt.Sprintf(", and holds %s that %s never got, the newest of %s", l.amount(), primary, l.Newest.UTC().Format(time.RFC3339))
	if l.More || !l.Known {
		text = fmt.Sprintf(", and holds at least %s that %s never got, one of %s", l.amount(), primary, l.Newest.UTC().Format(time.RFC3339))
	}
	switch {
	case marked && l.Newest.After(mark.Since):
		text += ": applications have written to it since it became stale"
	case marked && l.Known && !l.More:
		text += ": these are exactly what the failover lost"
	}
	return text
}

// amount says how much was counted.
func (l StaleLog) amount() string {
	if l.Rows == 0 {
		return fmt.Sprintf("%d messages", l.Messages)
	}
	return fmt.Sprintf("%d rows in %d messages", l.Rows, l.Messages)
}

// joinFindings are the join rules of contract.md §2. A cluster that joins must be seen
// to be empty, or be attested as restored. One that stores a configuration of its own,
// or was stale, needs an attestation that is newer than what made it so. What is not
// known is not empty.
func (s situation) joinFindings(primary, c Cluster) []Finding {
	v := s.view(c.ID)
	out := s.emptyPrimary(primary, c)
	if k := v.Belief.Kind; k == BeliefStandalone || k == BeliefPrimary || s.wasStale(c) {
		return append(out, s.rejoinFindings(c)...)
	}
	if seenEmpty(v) {
		return nil
	}
	if c.Provisioned.From == ProvisionedRestored && s.attested(c) {
		return out
	}
	message := c.ID + " joins, but nothing shows that it is empty"
	if v.Contents.Hidden != "" {
		message += ": " + v.Contents.Hidden
	}
	if v.Contents.Known {
		message = c.ID + " joins but holds collections; replication carries only changes from now on"
	}
	return append(out, NewFinding(CodeJoinNotEmpty, c.ID, message,
		"empty "+c.ID+"; see whether its token may list every database: 'reconcile doctor "+s.topology.Name+"'; else restore it from the primary, say so by a new 'provisioned: {from: restored, at: …}' in the file, and check it: 'reconcile validate'"))
}

// emptyPrimary refuses to make a cluster with data the standby of one without.
func (s situation) emptyPrimary(primary, c Cluster) []Finding {
	v := s.view(c.ID)
	if !v.Contents.Known || len(v.Contents.Collections) == 0 || !seenEmpty(s.view(primary.ID)) {
		return nil
	}
	return []Finding{NewFinding(CodeWouldDemoteWriter, c.ID,
		c.ID+" holds collections and would become a standby of "+primary.ID+", which is empty",
		"give 'role: primary' to "+c.ID+", which has the data, or restore "+primary.ID+" first; raise 'generation', and check the file: 'reconcile validate'")}
}

// seenEmpty says whether a cluster was seen to hold no collection. False when it could
// not be seen.
func seenEmpty(v View) bool {
	return v.Contents.Known && len(v.Contents.Collections) == 0
}

// rejoinFindings judge a cluster that was stale, or takes writes of its own.
func (s situation) rejoinFindings(c Cluster) []Finding {
	why, wasStale := s.unattested(c), s.wasStale(c)
	switch {
	case why == "" && !wasStale:
		return nil
	case why == "":
		return []Finding{NewFinding(CodeRebuildUnverified, c.ID,
			c.ID+" was stale and joins on its 'provisioned' alone; nothing proves that it was rebuilt",
			"check the 'evidence' in the file before you approve ("+wordOr(c.Provisioned.Evidence, "it names none")+"); see when it became stale: 'reconcile history "+s.topology.Name+"'")}
	case wasStale:
		return []Finding{NewFinding(CodeStaleRejoin, c.ID,
			c.ID+" is stale and is brought back without proof that it was rebuilt after it became stale: "+why,
			"see what only it holds: '"+salvageCommand(s.topology.Name, c.ID)+"'; then wipe and restore it, and give it a new 'provisioned: {from: restored, at: …}' with the time of the restore")}
	default:
		return []Finding{NewFinding(CodeJoinNotEmpty, c.ID,
			c.ID+" stores a configuration of its own and takes writes; as a standby it would lose them: "+why,
			"rebuild it, then give it a new 'provisioned: {from: restored, at: …}' in the file, raise 'generation', and check it: 'reconcile validate'")}
	}
}

// rejoinedFindings warn of a switchover to a cluster that was stale and came back on an
// attestation alone. Unless it was wiped, its log holds the change that fenced it, and
// replays that to the other cluster once it is primary again (seen on master 954c4e7).
func (s situation) rejoinedFindings(d decision) []Finding {
	if d.transition != TransitionSwitchover {
		return nil
	}
	at := s.memory.rejoinedAt(d.primary.ID)
	if at.IsZero() {
		return nil
	}
	return []Finding{NewFinding(CodeRejoinedWithoutRebuild, d.primary.ID,
		fmt.Sprintf("%s was stale and joined again on its 'provisioned' of %s alone; if it was not wiped, its log still holds its fence, and seconds after this switchover %s becomes a second primary",
			d.primary.ID, at.UTC().Format(time.RFC3339), wordOr(d.source, "the previous primary")),
		"approve only if "+d.primary.ID+" was wiped, its log and metadata too; else rebuild it first: 'reconcile explain "+string(CodeRejoinedWithoutRebuild)+"'")}
}

// fenceInLogFindings refuse to attach a cluster to a primary that was stale and was
// promoted again. Its log may hold the change that fenced it, and replays that to
// every cluster that is attached, which then takes writes too (seen on master 954c4e7). A
// wipe of the cluster that joins does not help: the change is in the primary's log.
func (s situation) fenceInLogFindings(d decision) []Finding {
	mark, wasStale := s.memory.staleMark(d.primary.ID)
	joins := slices.ContainsFunc(d.pairs, func(p pair) bool { return p.cell.join || p.cell.rebuild })
	dropped := s.view(d.primary.ID).version().Provides(release.FeatureStaleDropped)
	if !wasStale || !joins || dropped {
		return nil
	}
	return []Finding{NewFinding(CodeFenceInLog, d.primary.ID,
		fmt.Sprintf("%s was stale since %s and is the primary again: its log may hold the change that fenced it, and once a cluster is attached %s becomes a second primary",
			d.primary.ID, mark.Since.UTC().Format(time.RFC3339), wordOr(mark.Promoted, "the cluster that was promoted then")),
		fmt.Sprintf("attach when the log of %s holds nothing from before its promotion (%.0f h by default); see when that was: 'reconcile history %s'; or build a new primary from a backup; an approver who knows that it was never fenced, or that its log no longer holds the fence, accepts with 'Failover-Accept: FENCE_IN_LOG'",
			d.primary.ID, walRetention.Hours(), s.topology.Name))}
}

// attested says whether this change brings a usable attestation that a cluster was
// rebuilt.
func (s situation) attested(c Cluster) bool { return s.unattested(c) == "" }

// unattested says why this change brings no usable attestation for a cluster; empty: it
// brings one. The attestation must be new in the document, later than what made the
// cluster stale, detached or promoted, not in the future, and not used before. That it
// is new is checked without a ledger too: an old line of the file never serves a second
// join.
func (s situation) unattested(c Cluster) string {
	at := c.Provisioned.At
	given := "its 'provisioned' of " + at.UTC().Format(time.RFC3339)
	mark, stale := s.memory.staleMark(c.ID)
	freed := s.memory.freedAt(c.ID)
	switch {
	case c.Provisioned.From == ProvisionedUnsaid || at.IsZero():
		return "it has no 'provisioned'"
	case at.After(s.memory.Now):
		return given + " is in the future"
	case s.memory.provisionUsed(c.ID, at):
		return given + " was used for a join before"
	case stale && !at.After(mark.Since):
		return given + " is not later than " + mark.Since.UTC().Format(time.RFC3339) + ", when it became stale"
	case !freed.IsZero() && !at.After(freed):
		return given + " is not later than " + freed.UTC().Format(time.RFC3339) + ", when it was promoted or detached"
	case s.provisionedBefore(c):
		return given + " is not new in this change"
	default:
		return ""
	}
}

// provisionedBefore says whether the document before this change gave the cluster the
// same attestation.
func (s situation) provisionedBefore(c Cluster) bool {
	if s.topology.Previous == nil {
		return false
	}
	before, listed := s.topology.Previous.Cluster(c.ID)
	return listed && before.Provisioned.At.Equal(c.Provisioned.At)
}
