package plan

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// betterStandby compares the candidate with the other standbys of the same source,
// channel by channel. One that is ahead on any channel, or that cannot be compared,
// blocks until an approver accepts. The finding names the best of all.
func (s situation) betterStandby(d decision) []Finding {
	mine := standbyProgress{d.primary, s.withRecordedProof(d.primary.ID, s.candidateProgress(d.primary.ID))}
	comparable, incomparable := []standbyProgress{mine}, []string(nil)
	for _, c := range s.topology.Clusters {
		v := s.view(c.ID)
		if c.ID == mine.ID || v.Reach != ReachUp || v.Belief.Kind != BeliefStandby || v.Belief.Source != d.source {
			continue
		}
		other := standbyProgress{c, s.withRecordedProof(c.ID, v.Progress)}
		if _, _, known := compareProgress(mine.progress, other.progress); known {
			comparable = append(comparable, other)
		} else {
			incomparable = append(incomparable, c.ID)
		}
	}
	rival, found := rivalOf(comparable)
	switch {
	case found:
		f := s.rivalFinding(mine, rival, len(comparable))
		if len(incomparable) > 0 {
			f.Message += "; the progress of " + strings.Join(incomparable, " and ") + " is not known"
		}
		return []Finding{f}
	case len(incomparable) > 0:
		return []Finding{NewFinding(CodeNotMostCaughtUp, incomparable[0],
			fmt.Sprintf("%s and %s cannot be compared: the progress of one is not known", mine.ID, strings.Join(incomparable, " and ")),
			"let the tokens of all call GetReplicateInfo, or accept with 'Failover-Accept: NOT_MOST_CAUGHT_UP'")}
	default:
		return nil
	}
}

// standbyProgress is a standby with how far it has replicated.
type standbyProgress struct {
	Cluster
	progress []ChannelProgress
}

// rivalOf returns the standby that stands against the first of some: the best of all,
// or, if the first is the best, one that is ahead of it on some channel.
func rivalOf(all []standbyProgress) (standbyProgress, bool) {
	mine := all[0]
	if best := mostCaughtUp(all); best.ID != mine.ID {
		if _, behind, _ := compareProgress(mine.progress, best.progress); behind > 0 {
			return best, true
		}
	}
	for _, other := range all[1:] {
		if _, behind, _ := compareProgress(mine.progress, other.progress); behind > 0 {
			return other, true
		}
	}
	return standbyProgress{}, false
}

// mostCaughtUp returns the standby that would lose the least: its worst channel is the
// least behind the furthest of that channel. Of equals it is the first, and one that may
// be promoted comes before one that may not.
func mostCaughtUp(all []standbyProgress) standbyProgress {
	behind := func(s standbyProgress) time.Duration {
		var worst time.Duration
		for _, other := range all {
			worst = max(worst, timeAhead(other.progress, s.progress))
		}
		return worst
	}
	return slices.MinFunc(all, func(a, b standbyProgress) int {
		switch x, y := behind(a), behind(b); {
		case x != y && x < y:
			return -1
		case x != y:
			return 1
		case a.Promotable != b.Promotable && a.Promotable:
			return -1
		case a.Promotable != b.Promotable:
			return 1
		default:
			return 0
		}
	})
}

// timeAhead is how far a is ahead of b on the channel on which it is the furthest ahead.
func timeAhead(a, b []ChannelProgress) time.Duration {
	var lead time.Duration
	for i := range min(len(a), len(b)) {
		lead = max(lead, a[i].leadOver(b[i]))
	}
	return lead
}

// leadText says how far a is ahead of b. What a channel lacks that never got anything is
// no length of time.
func leadText(a, b []ChannelProgress) string {
	for i := range min(len(a), len(b)) {
		if a[i].leadOver(b[i]) > 0 && b[i].TimeTick == 0 {
			return ""
		}
	}
	return " by " + DurationText(timeAhead(a, b))
}

func (s situation) rivalFinding(mine, rival standbyProgress, compared int) Finding {
	ahead, behind, _ := compareProgress(mine.progress, rival.progress)
	if ahead > 0 {
		return NewFinding(CodeNotMostCaughtUp, rival.ID,
			fmt.Sprintf("%s is ahead of %s on %d of %d channels%s and behind on %d%s: either choice loses something",
				mine.ID, rival.ID, ahead, len(mine.progress), leadText(mine.progress, rival.progress), behind, leadText(rival.progress, mine.progress)),
			"choose by the collections that matter, and accept with 'Failover-Accept: NOT_MOST_CAUGHT_UP'")
	}
	message := fmt.Sprintf("%s has replicated further than %s%s, on %d of %d channels", rival.ID, mine.ID,
		leadText(rival.progress, mine.progress), behind, len(mine.progress))
	if compared > 2 {
		message += fmt.Sprintf("; it has the most data of %d standbys", compared)
	}
	if !rival.Promotable {
		message += "; but 'promotable: false' forbids its promotion"
	}
	return NewFinding(CodeNotMostCaughtUp, rival.ID, message, s.betterChoice(rival.Cluster))
}

// betterChoice is the remedy where another standby has replicated further.
func (s situation) betterChoice(c Cluster) string {
	if !c.Promotable {
		return "accept with 'Failover-Accept: NOT_MOST_CAUGHT_UP'"
	}
	return "promote " + c.ID + " instead, in a clone, then commit and push that: 'reconcile propose " + s.topology.Name + " --failover', or accept with 'Failover-Accept: NOT_MOST_CAUGHT_UP'"
}

// compareProgress counts the channels on which a is ahead of b, and behind it. Channels
// pair by index, as Milvus maps them (milvus.md §2.2). known is false when the lists
// differ in length or a channel could not be read.
func compareProgress(a, b []ChannelProgress) (ahead, behind int, known bool) {
	if len(a) == 0 || len(a) != len(b) {
		return 0, 0, false
	}
	for i := range a {
		if !a[i].Known || !b[i].Known {
			return 0, 0, false
		}
		switch {
		case a[i].leadOver(b[i]) > 0:
			ahead++
		case b[i].leadOver(a[i]) > 0:
			behind++
		}
	}
	return ahead, behind, true
}

// lastCopy names the stale cluster that is to be promoted if there is no standby: one that
// answers, and of these one that took writes itself, else the one that replicated most.
// Empty: no cluster is stale.
func (s situation) lastCopy() string {
	copies := s.topology.withRole(RoleStale)
	if len(copies) == 0 {
		return ""
	}
	return slices.MaxFunc(copies, func(a, b Cluster) int {
		va, vb := s.view(a.ID), s.view(b.ID)
		return cmp.Or(
			trueLast(va.Reach == ReachUp, vb.Reach == ReachUp),
			trueLast(canWrite(va), canWrite(vb)),
			newestTick(s.candidateProgress(a.ID)).Compare(newestTick(s.candidateProgress(b.ID))),
		)
	}).ID
}

// trueLast orders false before true.
func trueLast(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// ProposeBestFailover chooses the standby with which a failover loses the least, and
// returns the roles of the document after it, as [ProposeFailover] does. why says how
// the choice was made. It uses the observed roles of the clusters, so a failover that
// was merged and not carried out can be changed to a better standby.
//
// The error says why no standby can be chosen, with a hint: the primary answers, no
// standby does, or their progress cannot be compared.
func ProposeBestFailover(t Topology, o Observed, m Memory) (to, why string, roles map[string]Role, err error) {
	s := newSituation(Desired{}, t.AsLive(o), o, m)
	old, _ := s.topology.Primary()
	able, passed := s.promotableStandbys(old.ID)
	switch {
	case len(able) == 0 && len(t.withRole(RoleStandby)) == 0 && len(t.withRole(RoleStale)) > 0:
		return "", "", nil, fmt.Errorf("%s has no standby (hint: if %s is lost for good, name the last copy: reconcile propose %s/%s --failover)", t.Name, old.ID, t.Name, s.lastCopy())
	case len(able) == 0:
		return "", "", nil, fmt.Errorf("no standby of %s can be promoted%s (hint: 'reconcile doctor %s' says what prevents it)", t.Name, becauseOf(passed), t.Name)
	case canWrite(s.view(old.ID)):
		return "", "", nil, fmt.Errorf("%s answers, so it is not lost: a failover would make two primaries (hint: reconcile propose %s/%s --switchover)", old.ID, t.Name, able[0].ID)
	}
	for _, c := range able[1:] {
		if _, _, known := compareProgress(able[0].progress, c.progress); !known {
			return "", "", nil, fmt.Errorf("%s and %s cannot be compared: the progress of one is not known (hint: name the one to promote: reconcile propose %s/%s --failover)", able[0].ID, c.ID, t.Name, able[0].ID)
		}
	}
	best := mostCaughtUp(able)
	wanted, _ := t.Primary()
	return best.ID, whyBest(best, able, passed), s.rolesAfter(best.ID, old.ID, wanted.ID), nil
}

// rolesAfter are the roles after a failover from one cluster to another, of a document that
// wants a third as primary, or one of the two.
func (s situation) rolesAfter(to, from, wanted string) map[string]Role {
	roles := map[string]Role{from: RoleStale, wanted: RoleStale}
	for _, c := range s.topology.Clusters {
		if c.Role == RoleStandby || s.follows(c.ID, from) {
			roles[c.ID] = RoleStale
		}
	}
	roles[to] = RolePrimary
	return roles
}

// promotableStandbys are the standbys of a cluster that answer and may be promoted, and
// those that were passed over, each with the reason.
func (s situation) promotableStandbys(source string) (able []standbyProgress, passed []error) {
	for _, c := range s.topology.Clusters {
		_, stale := s.memory.staleMark(c.ID)
		v := s.view(c.ID)
		switch {
		case c.ID == source, c.Role == RoleDetached, stale, c.Role == RoleStale && !s.follows(c.ID, source):
		case v.Reach != ReachUp:
			passed = append(passed, fmt.Errorf("%s %s", c.ID, s.describe(c.ID)))
		case !s.follows(c.ID, source):
			passed = append(passed, fmt.Errorf("%s does not replicate from %s", c.ID, source))
		case v.ForcePromotes != SupportYes:
			passed = append(passed, fmt.Errorf("%s was not seen to honour force_promote", c.ID))
		case !c.Promotable:
			passed = append(passed, fmt.Errorf("%s is marked 'promotable: false'", c.ID))
		default:
			able = append(able, standbyProgress{c, s.withRecordedProof(c.ID, v.Progress)})
		}
	}
	return able, passed
}

func becauseOf(passed []error) string {
	if len(passed) == 0 {
		return ""
	}
	return ": " + strings.ReplaceAll(errors.Join(passed...).Error(), "\n", ", ")
}

// whyBest says what the others lack.
func whyBest(best standbyProgress, able []standbyProgress, passed []error) string {
	var parts []string
	for _, c := range able {
		if c.ID == best.ID {
			continue
		}
		switch ahead, behind, _ := compareProgress(best.progress, c.progress); {
		case ahead == 0 && behind == 0:
			parts = append(parts, c.ID+" has the same")
		case behind > 0:
			parts = append(parts, fmt.Sprintf("%s is behind it%s on %d of %d channels, and ahead on %d", c.ID, leadText(best.progress, c.progress), ahead, len(best.progress), behind))
		default:
			parts = append(parts, c.ID+" is behind it"+leadText(best.progress, c.progress))
		}
	}
	for _, p := range passed {
		parts = append(parts, p.Error())
	}
	if len(parts) == 0 {
		return "it is the only standby"
	}
	return strings.Join(parts, "; ")
}
