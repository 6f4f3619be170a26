package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan/release"
)

// restFindings describe a topology for which nothing is to be done: who does not
// answer, drift, lag, replication that does not move, and collections that are missing.
func (s situation) restFindings(d decision) []Finding {
	out := append(s.unreachableFindings(d), s.missingFindings(d)...)
	for _, p := range d.pairs {
		if p.member.Role != RoleStandby || !p.cell.settled {
			continue
		}
		out = append(out, s.driftFindings(d, d.primary)...)
		out = append(out, s.driftFindings(d, p.member)...)
		out = append(out, s.lagFindings(p.member)...)
		out = append(out, s.stalledFindings(d.primary.ID, p.member)...)
	}
	return out
}

// unreachableFindings name the members that do not answer, and those that answer and do
// not tell what they believe. Stale ones and ones that may not be called are left out.
func (s situation) unreachableFindings(d decision) []Finding {
	var out []Finding
	for _, c := range s.topology.Clusters {
		v := s.view(c.ID)
		if v.Class == ClassNotCalled || c.Role == RoleStale || v.IdentityConflict != "" {
			continue
		}
		if v.Reach == ReachUp {
			out = append(out, s.unreadableFindings(c, v)...)
			continue
		}
		message, remedy := c.ID+" "+s.describe(c.ID), s.unreachableRemedy(c.ID, v.Class)+"; no change is planned because of it"
		if gone := s.lostToRetention(d.primary.ID, v); c.Role == RoleStandby && gone != "" {
			message, remedy = message+"; "+gone, rebuildGap(c.ID)
		}
		out = append(out, NewFinding(CodeClusterUnreachable, c.ID, message, remedy))
	}
	return out
}

// unreachableRemedy says what to do about a cluster that does not answer: restart it, or
// correct how it is called.
func (s situation) unreachableRemedy(id string, class ErrorClass) string {
	doctor := "'reconcile doctor " + s.topology.Name + "'"
	switch class {
	case ClassTLS:
		return "correct the TLS settings of " + id + " in the operator's configuration, or the certificate that it shows; see why TLS fails: " + doctor
	case ClassDNS:
		return "correct the host name of " + id + ", or let it resolve here; check it: " + doctor
	default:
		return "bring " + id + " back, or repair the network to it; watch it: 'reconcile status " + s.topology.Name + " --watch'"
	}
}

// unreadableFindings: a cluster is alive, but its stored configuration could not be read.
func (s situation) unreadableFindings(c Cluster, v View) []Finding {
	if v.Belief.Kind != BeliefUnknown {
		return nil
	}
	why := "its role could not be read: " + wordOr(v.Error, "no error was given")
	remedy := "let its token call GetReplicateConfiguration; see which privilege it lacks: 'reconcile doctor " + s.topology.Name + "'"
	switch {
	case v.Credential == CredentialRefused:
		why, remedy = "it refused our token", "correct its token in the operator's configuration, and check it: 'reconcile doctor "+s.topology.Name+"'"
	case v.ReadsConfiguration == SupportNo:
		why, remedy = "its version cannot say which configuration it stores", "upgrade it to "+v.version().Since(release.FeatureReadConfiguration)+"; see what works until then: 'reconcile doctor "+s.topology.Name+"'"
	}
	return []Finding{NewFinding(CodeClusterUnreadable, c.ID, c.ID+" is up, and "+why, remedy+"; until then it is not known whether it is as Git wants it")}
}

// driftFindings compare what a settled member stores with what the document would send.
// Another order of the lists is information; other content is drift.
func (s situation) driftFindings(d decision, c Cluster) []Finding {
	v := s.view(c.ID)
	stored := v.Belief.Configuration
	if len(stored.Clusters) == 0 {
		return nil
	}
	if rejected := s.rejections(c, v); len(rejected) > 0 {
		return rejected
	}
	want := star(d.primary, s.topology.withRole(RoleStandby))
	switch {
	case stored.Equal(want):
		return nil
	case stored.SameSet(want):
		return []Finding{NewFinding(CodeConfigOrder, c.ID,
			c.ID+" stores the topology of the document in another order of its lists", "nothing: the live order is kept")}
	default:
		return []Finding{NewFinding(CodeUnmanagedDrift, c.ID,
			c.ID+" stores a configuration that the document would not give: it was changed outside Git",
			"see what reconcile changed, then correct it by a new change: 'reconcile history "+s.topology.Name+"'; else, after a failover by hand, write the live roles into the file: 'reconcile adopt "+s.topology.Name+"'")}
	}
}

// lagFindings compare the lag of a standby with the objective. The checkpoint of an
// idle channel stands still, so a channel counts as lagging only if it was once shown
// that nothing was unsent on it (milvus.md §6).
func (s situation) lagFindings(c Cluster) []Finding {
	v := s.view(c.ID)
	if len(v.Progress) == 0 || s.topology.MaxLag <= 0 {
		return nil
	}
	var out []Finding
	if source := v.Belief.Source; v.Belief.Kind == BeliefStandby && s.view(source).DumpDenied {
		out = append(out, NewFinding(CodeLagUnknown, c.ID,
			fmt.Sprintf("the lag of %s is unknown: our user lacks the privilege %s on %s", c.ID, release.PrivilegeDump, source),
			"on "+source+" grant it to its role: "+release.GrantOf(release.PrivilegeDump)+"; check it: 'reconcile doctor "+s.topology.Name+"'; docs/setup.md says what else it allows"))
	}
	record, _ := s.memory.progress(c.ID)
	free := record.backlogFree(v.Belief.Source)
	var worst time.Duration
	unknown := 0
	at, counts := s.lagAt(c.ID)
	for _, p := range v.Progress {
		w := channelWindow(p, free(p.Channel), at)
		switch {
		case !p.Known:
			unknown++
		case v.unanswered(p), !counts:
		case w.Upper != nil && (p.Unsent != nil || p.CaughtUpAt != nil || !free(p.Channel).IsZero()):
			worst = max(worst, *w.Upper)
		}
	}
	if unknown > 0 {
		out = append(out, NewFinding(CodeLagUnknown, c.ID,
			fmt.Sprintf("the progress of %d of %d channels of %s could not be read", unknown, len(v.Progress), c.ID),
			"let its token call GetReplicateInfo, and check it: 'reconcile doctor "+s.topology.Name+"'"))
	}
	if silent := s.unansweredAgain(v); silent > 0 {
		out = append(out, NewFinding(CodeLagUnknown, c.ID,
			fmt.Sprintf("%s was asked several times what %s lacks, and gave no answer for %d of %d channels", v.Belief.Source, c.ID, silent, len(v.Progress)),
			"check that "+v.Belief.Source+" answers DumpMessages, and run this again: 'reconcile doctor "+s.topology.Name+"'"))
	}
	if worst > s.topology.MaxLag {
		out = append(out, NewFinding(CodeLagObjective, c.ID,
			fmt.Sprintf("%s is up to %s behind; the objective is %s", c.ID, UpperBoundText(worst), DurationText(s.topology.MaxLag)),
			"check CDC on the primary and the network between, and watch it: 'reconcile status "+s.topology.Name+" --watch'; a failover now may lose that much"))
	}
	return out
}

// trafficFindings name the redirect targets that do not send traffic to the primary.
// Before a failover this is a warning and delays nothing.
func (s situation) trafficFindings(d decision) []Finding {
	var wrong []string
	for _, t := range s.observed.Traffic {
		if t.Topology == s.topology.Name && !t.OK {
			wrong = append(wrong, t.Target+": "+wordOr(t.Detail, "no detail"))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	f := NewFinding(CodeTrafficNotRedirected, "",
		"traffic may not go to the primary: "+strings.Join(wrong, "; "),
		"set it again, as the daemon does by itself: 'reconcile apply "+s.topology.Name+"'; if that fails, point it at "+d.primary.ID+" by hand")
	if d.transition == TransitionFailover {
		f.Severity = SeverityWarning
	}
	return []Finding{f}
}

// stallWithoutRecord is how long a message must have waited before replication counts
// as stalled where no record shows whether the checkpoint moved meanwhile.
const stallWithoutRecord = time.Minute

// stalledFindings: the edge is there, the source holds messages, and the checkpoint
// does not move (milvus.md S60). No step follows from it: to send the same
// configuration again would change nothing. It is a warning where the messages were
// watched and have not waited for longer than the objective allows.
func (s situation) stalledFindings(source string, c Cluster) []Finding {
	v := s.view(c.ID)
	_, watched := s.viewBefore(v)
	var longest, longestYet time.Duration
	stalled, still := 0, 0
	for _, p := range v.Progress {
		waited, limit, stands := s.standsStill(v, p)
		switch {
		case !stands:
		case waited > limit:
			stalled++
			longest = max(longest, waited)
		case watched:
			still++
			longestYet = max(longestYet, waited)
		}
	}
	switch {
	case stalled > 0:
		return []Finding{s.stalledFinding(source, v, stalled, longest)}
	case still > 0:
		f := s.stalledFinding(source, v, still, longestYet)
		f.Severity = SeverityWarning
		f.Message += fmt.Sprintf("; the objective is %s, so this is not judged yet", DurationText(s.topology.MaxLag))
		return []Finding{f}
	default:
		return nil
	}
}

// stalledFinding says how many channels of a standby stand still, and for how long the
// messages for them have waited.
func (s situation) stalledFinding(source string, v View, stalled int, longest time.Duration) Finding {
	message := fmt.Sprintf("%d of %d channels of %s stand still, while %s holds messages for them that have waited for %s",
		stalled, len(v.Progress), v.Cluster, source, DurationText(longest))
	if stalled == len(v.Progress) {
		message += "; " + noReplicationCause(source, v.Cluster)
	}
	remedy := "check whether the cdc component of " + source + " runs and what it logs, then the link, and watch it: 'reconcile status " + s.topology.Name + " --watch'; sending the same configuration again does nothing"
	if gone := s.lostToRetention(source, v); gone != "" {
		message, remedy = message+"; "+gone, rebuildGap(v.Cluster)
	}
	return NewFinding(CodeReplicationStalled, v.Cluster, message, remedy)
}

// standsStill says for how long the oldest unsent message of a channel has waited and for
// how long it may, and whether nothing shows that the channel moved: its checkpoint is
// where it was before, or nobody knows where it was. That it stands still is then only
// likely, and takes longer to be believed.
func (s situation) standsStill(v View, p ChannelProgress) (waited, limit time.Duration, stands bool) {
	if !p.Lacks() {
		return 0, 0, false
	}
	waited = v.sourceTime().Sub(*p.Unsent)
	before, known := s.channelBefore(v, p.Channel)
	if !known {
		return waited, max(s.topology.MaxLag, stallWithoutRecord), true
	}
	return waited, s.topology.MaxLag, before.TimeTick == p.TimeTick && before.MessageID == p.MessageID
}

// channelBefore returns how far a channel of a standby was at an earlier time.
func (s situation) channelBefore(v View, channel string) (ChannelProgress, bool) {
	earlier, _ := s.progressBefore(v)
	i := slices.IndexFunc(earlier, func(p ChannelProgress) bool { return p.Channel == channel })
	if i < 0 || !earlier[i].Known {
		return ChannelProgress{}, false
	}
	return earlier[i], true
}

// progressBefore returns how far a standby had replicated the same source at an earlier
// time: as this process saw it, or else as was recorded. known is false where nobody knows.
func (s situation) progressBefore(v View) (channels []ChannelProgress, known bool) {
	if b, ok := s.viewBefore(v); ok {
		return b.Progress, true
	}
	record, recorded := s.memory.progress(v.Cluster)
	if !recorded || record.Source != v.Belief.Source || !record.At.Before(v.At) {
		return nil, false
	}
	return record.Channels, true
}

// viewBefore is the view of the same standby that was made a while before. ok: it was
// watched since.
func (s situation) viewBefore(v View) (before View, ok bool) {
	before = Observed{Views: s.observed.Before}.View(v.Cluster)
	return before, before.Belief.Kind == BeliefStandby && before.Belief.Source == v.Belief.Source && before.At.Before(v.At)
}

// unansweredAgain counts the channels about which the source did not say what they lack,
// although it was asked again.
func (s situation) unansweredAgain(v View) int {
	before, watched := s.viewBefore(v)
	if !watched {
		return 0
	}
	count := 0
	for _, p := range v.Progress {
		i := slices.IndexFunc(before.Progress, func(b ChannelProgress) bool { return b.Channel == p.Channel })
		if v.unanswered(p) && i >= 0 && before.unanswered(before.Progress[i]) {
			count++
		}
	}
	return count
}

// missingCollectionsFor is how long after a promotion collections are missed. Later
// they come and go by themselves.
const missingCollectionsFor = 24 * time.Hour

// missingFindings name the collections that were seen on the promoted cluster while it
// was a standby, and are not there now.
func (s situation) missingFindings(d decision) []Finding {
	id := d.primary.ID
	v := s.view(id)
	if promoted, recent := s.memory.Promoted(s.topology.Name); !recent || promoted != id || !v.Contents.Known {
		return nil
	}
	last, _ := s.memory.lastFailover(s.topology.Name)
	record, _ := s.memory.progress(id)
	var missing []string
	for _, name := range record.Collections {
		if !slices.Contains(v.Contents.Collections, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return []Finding{NewFinding(CodeCollectionsMissing, id,
		fmt.Sprintf("%s was promoted at %s, and these collections, seen on it before, are missing: %s",
			id, last.At.UTC().Format(time.RFC3339), strings.Join(slices.Compact(missing), ", ")),
		"ask their owners whether they were dropped on purpose; "+s.whereMissing(id)+"; or take them from a backup")}
}

// whereMissing says where collections may be that did not come with a promotion: in the log
// of the old primary, which can be read while that one answers.
func (s situation) whereMissing(promoted string) string {
	old := s.replacedBy(promoted)
	if old != "" && s.view(old).Reach != ReachUp {
		return "if not, salvage " + old + " once it answers; watch it: 'reconcile status " + s.topology.Name + " --watch'"
	}
	return "if not, see what the old primary still holds: '" + salvageCommand(s.topology.Name, old) + "'"
}

// replacedBy is the cluster that was the primary before a promotion: of those that it made
// stale the one that stores no other source. Empty: not known.
func (s situation) replacedBy(promoted string) string {
	for _, c := range s.topology.withRole(RoleStale) {
		mark, ok := s.memory.staleMark(c.ID)
		record, _ := s.memory.progress(promoted)
		if ok && mark.Promoted == promoted && record.Source == c.ID {
			return c.ID
		}
	}
	return ""
}

// Promoted names the cluster that the newest failover of a topology promoted. ok: the
// failover is recent and the memory knows collections of that cluster, so its contents
// should be read.
func (m Memory) Promoted(topology string) (cluster string, ok bool) {
	last, found := m.lastFailover(topology)
	record, recorded := m.progress(last.Promoted)
	return last.Promoted, found && recorded && len(record.Collections) > 0 && m.Now.Sub(last.At) <= missingCollectionsFor
}

// ReplicationState is what a plan says of replication before a switchover.
type ReplicationState string

// The states of replication; the zero value is that of a plan without a
// switchover. Whatever a plan says, apply proves it before it sends anything.
const (
	ReplicationNotAsked ReplicationState = ""
	ReplicationMoving   ReplicationState = "moving"   // every channel was read, nothing waits too long, and something moved within catchUpWithin
	ReplicationBehind   ReplicationState = "behind"   // messages wait for longer than catchUpWithin
	ReplicationUnproven ReplicationState = "unproven" // nothing proves that it flows: an idle source looks like a dead link
)

// replication judges whether the writes of the old primary of a switchover reach the
// new one.
func (s situation) replication(d decision) ReplicationState {
	if d.transition != TransitionSwitchover || s.offline {
		return ReplicationNotAsked
	}
	v := s.view(d.primary.ID)
	within, unknown, moved := s.topology.Switchover.CatchUpWithin, len(v.Progress) == 0, false
	for _, p := range v.Progress {
		switch {
		case !p.Known || p.SourceCluster != d.source:
			unknown = true
		case p.Unsent != nil && v.At.Sub(*p.Unsent) > within:
			return ReplicationBehind
		default:
			moved = moved || p.TimeTick > 0 && v.At.Sub(TickTime(p.TimeTick)) <= within
		}
	}
	if moved && !unknown {
		return ReplicationMoving
	}
	return ReplicationUnproven
}
