package plan

import (
	"fmt"
	"slices"
)

// extends says whether want is stored with more channels behind: Milvus lets a
// list of channels grow, and nothing else (milvus.md V18).
func extends(want, stored []string) bool {
	return len(want) > len(stored) && slices.Equal(want[:len(stored)], stored)
}

// grows says whether the document gives a member more channels than some
// member of the star stores for it.
func (s situation) grows() bool {
	for _, c := range s.members() {
		for _, m := range s.view(c.ID).Belief.Configuration.Clusters {
			want, listed := s.t.Cluster(m.ID)
			if listed && want.Role != RoleStale && len(m.PChannels) > 0 && extends(want.PChannels, m.PChannels) {
				return true
			}
		}
	}
	return false
}

// growing says whether a topology at rest has channels to add: the desired
// primary is the one that writes, and stores a configuration.
func (s situation) growing(d decision) bool {
	if d.transition != TransitionNone || !s.grows() {
		return false
	}
	v := s.view(d.primary.ID)
	if !canWrite(v) || v.Belief.Kind == BeliefUnconfigured {
		return false
	}
	return !slices.ContainsFunc(d.pairs, func(p pair) bool { return p.verdict.code != "" })
}

// growSteps send the longer lists to the primary and its standbys at once, in
// the live order: a call on a standby waits until replication brings it
// (milvus.md §2.5). Nothing but the channels changes, as versions up to 2.6.15
// demand (milvus.md V21).
func (s situation) growSteps(d decision) []Step {
	after := s.keepOrder(star(d.primary, s.t.withRole(RoleStandby)), d.primary.ID)
	var out []Step
	for _, c := range s.members() {
		out = append(out, s.update(1, c.ID, ReasonChannelsGrow, after))
	}
	return append(out, s.closing(2, d.primary.ID, false)...)
}

// growthFindings: each member must run with the channels that it is to list, or
// it refuses the configuration (milvus.md V14).
func (s situation) growthFindings(c Cluster, v View) []Finding {
	lacks, shown := s.unserved(c, v)
	if !shown || len(lacks) == 0 {
		return nil
	}
	return []Finding{NewFinding(CodeServerWouldReject, c.ID,
		fmt.Sprintf("%s does not serve %s: Milvus refuses a list of channels that is not the one it runs with", c.ID, someOf(lacks)),
		fmt.Sprintf("set 'rootCoord.dmlChannelNum: %[2]d' on %[1]s and restart it, then 'reconcile plan %[3]s'", c.ID, len(c.PChannels), s.t.Name))}
}

// unserved lists the channels of the file that a cluster was asked for and did
// not answer on. It shows something only if another of its channels answered:
// servers before 2.6.19 answer on none while they are primary (#50344).
func (s situation) unserved(c Cluster, v View) (lacks []string, shown bool) {
	stored, _ := v.Belief.Configuration.Member(c.ID)
	for _, p := range v.Progress {
		switch {
		case p.Known:
			shown = true
		case !slices.Contains(stored.PChannels, p.Channel) && slices.Contains(c.PChannels, p.Channel):
			lacks = append(lacks, p.Channel)
		}
	}
	return lacks, shown
}

// grownUnlisted refuses a promotion that Milvus would refuse: a candidate runs
// with more channels than it stores for itself (milvus.md §2.9).
func (s situation) grownUnlisted(c Cluster, v View) []Finding {
	stored, ok := v.Belief.Configuration.Member(c.ID)
	if !ok {
		return nil
	}
	for _, p := range v.Progress {
		if p.Known && !slices.Contains(stored.PChannels, p.Channel) {
			return []Finding{NewFinding(CodeServerWouldReject, c.ID,
				fmt.Sprintf("%s serves %s and does not store it: Milvus refuses to promote a cluster whose channels were raised and not yet listed", c.ID, p.Channel),
				fmt.Sprintf("set 'rootCoord.dmlChannelNum: %[2]d' on %[1]s, as before, and restart it, then 'reconcile plan %[3]s'", c.ID, len(stored.PChannels), s.t.Name))}
		}
	}
	return nil
}

// raisedUnlisted refuses what Milvus would refuse: a cluster whose channels were
// raised, and that nobody lists, takes no configuration and no force promote
// (milvus.md §2.9, V14).
func (s situation) raisedUnlisted(c Cluster, v View) Finding {
	return NewFinding(CodePChannelMismatch, c.ID,
		fmt.Sprintf("%s serves %s, which neither the file nor what it stores lists: Milvus refuses every change of its configuration and a force promote of it, so that a failover to it is blocked", c.ID, someOf(v.Unlisted)),
		fmt.Sprintf("set the 'rootCoord.dmlChannelNum' of %[1]s on every cluster of %[2]s and restart them, then list the same number in 'pchannels' of each and raise 'generation', in one commit; or set it back to %[3]d on %[1]s and restart it, then 'reconcile plan %[2]s'", c.ID, s.t.Name, len(c.PChannels)))
}

// mixedGrowth refuses channels that grow beside another transition. With the
// removal of a cluster the source would retry for ever (#50041).
func (s situation) mixedGrowth(d decision) []Finding {
	if d.transition == TransitionNone || d.transition == TransitionGrowChannels || !s.grows() {
		return nil
	}
	why := ""
	if d.transition == TransitionDetach {
		why = ", and together with a removal Milvus retries for ever (#50041)"
	}
	return []Finding{NewFinding(CodeMixedChange, "",
		fmt.Sprintf("the change asks for several transitions at once: %s and %s%s", TransitionGrowChannels, d.transition, why),
		"keep 'pchannels' as the clusters store them in this commit, and let them grow in one of its own")}
}

// someOf names a few of many.
func someOf(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return fmt.Sprintf("%s and %d more", names[0], len(names)-1)
}
