package plan

import (
	"fmt"
	"slices"
)

// Unattached lists the channels that a standby stores for itself and on which it
// replicates nothing from the source that it stores. A channel that is attached has a
// live checkpoint that names its source, whatever was replicated by then; a salvage
// checkpoint on the same channel proves nothing (real-milvus.md).
func (v View) Unattached() []string {
	var out []string
	for _, p := range v.ownProgress() {
		if p.Known && p.SourceCluster != v.Belief.Source {
			out = append(out, p.Channel)
		}
	}
	return out
}

// HalfPromoted says whether a force promote of a standby stands half done: it still
// stores the edge, every channel was seen to have left its source, and some channel
// keeps the salvage checkpoint of that source (real-milvus.md, half promotion).
func (v View) HalfPromoted() bool {
	channels := v.ownProgress()
	kept := false
	for _, p := range channels {
		if !p.Known || p.SourceCluster != "" {
			return false
		}
		kept = kept || slices.ContainsFunc(p.Salvage, func(s Salvage) bool { return s.SourceCluster == v.Belief.Source })
	}
	own, _ := v.Belief.Configuration.Member(v.Cluster)
	return kept && len(channels) == len(own.PChannels)
}

// ownProgress is the progress of the channels that a standby stores for itself; nil if
// it is no standby, or did not tell what it stores.
func (v View) ownProgress() []ChannelProgress {
	own, listed := v.Belief.Configuration.Member(v.Cluster)
	if v.Reach != ReachUp || v.Belief.Kind != BeliefStandby || !listed {
		return nil
	}
	var out []ChannelProgress
	for _, p := range v.Progress {
		if slices.Contains(own.PChannels, p.Channel) {
			out = append(out, p)
		}
	}
	return out
}

// HalfPromotion is the finding of a force promote that stands half done.
func HalfPromotion(topology, cluster, source string) Finding {
	return NewFinding(CodePromotionHalfDone, cluster,
		fmt.Sprintf("a force promote of %[1]s stands half done: all its channels have left %[2]s, and %[1]s still stores that it replicates from it; every change of its role and every DDL waits until its deadline, and sending the request again changes nothing", cluster, source),
		fmt.Sprintf("restart the coordinator process of %s (mixCoord; of a standalone, its only process), in Kubernetes by a rollout restart of its deployment: within about a minute it stands alone and takes writes, and an apply that promotes it goes on by itself; 'reconcile status %s' shows how it stands", cluster, topology))
}

// channelFindings are what the channels of every standby say: of one whose
// promotion stands half done, and of channels that are not attached.
func (s situation) channelFindings(d decision) []Finding {
	var out []Finding
	for _, c := range s.topology.Clusters {
		v := s.view(c.ID)
		loose := v.Unattached()
		switch {
		case v.HalfPromoted():
			f := HalfPromotion(s.topology.Name, c.ID, v.Belief.Source)
			if d.transition == TransitionFailover && c.ID == d.primary.ID {
				f.Severity = SeverityCritical // it is what this failover asks for
			}
			out = append(out, f)
		case len(loose) > 0:
			out = append(out, NewFinding(CodeChannelNotAttached, c.ID,
				fmt.Sprintf("%d of %d channels of %s are not attached to %s, which it stores as its source (%s): nothing is replicated on them, and a failover to %s may stay half done", len(loose), len(v.ownProgress()), c.ID, v.Belief.Source, namesOf(loose), c.ID),
				fmt.Sprintf("read it again with 'reconcile status %[2]s'; if it stays, restart the coordinator process of %[1]s, and if that does not attach them, let %[1]s go with 'role: detached', rebuild it and add it again, each with a higher 'generation'", c.ID, s.topology.Name)))
		}
	}
	return out
}

// growthFindings: each member must run with the channels that it is to list, or it
// refuses the configuration (milvus.md V14).
func (s situation) growthFindings(c Cluster, v View) []Finding {
	lacks, shown := s.unservedChannels(c, v)
	if !shown || len(lacks) == 0 {
		return nil
	}
	return []Finding{NewFinding(CodeServerWouldReject, c.ID,
		fmt.Sprintf("%s does not serve %s: Milvus refuses a list of channels that is not the one it runs with", c.ID, namesOf(lacks)),
		fmt.Sprintf("set 'rootCoord.dmlChannelNum: %[2]d' on %[1]s and restart it, then 'reconcile plan %[3]s'", c.ID, len(c.PChannels), s.topology.Name))}
}

// unservedChannels are the channels of the file on which a cluster did not answer.
// shown is false if it answered on none of its channels: servers before 2.6.19 do that
// while they are primary (#50344), and it proves nothing.
func (s situation) unservedChannels(c Cluster, v View) (lacks []string, shown bool) {
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

// grownUnlisted refuses a promotion that Milvus would refuse: the candidate runs with
// more channels than it stores for itself (milvus.md §2.9).
func (s situation) grownUnlisted(c Cluster, v View) []Finding {
	stored, ok := v.Belief.Configuration.Member(c.ID)
	if !ok {
		return nil
	}
	for _, p := range v.Progress {
		if p.Known && !slices.Contains(stored.PChannels, p.Channel) {
			return []Finding{NewFinding(CodeServerWouldReject, c.ID,
				fmt.Sprintf("%s serves %s and does not store it: Milvus refuses to promote a cluster whose channels were raised and not yet listed", c.ID, p.Channel),
				fmt.Sprintf("set 'rootCoord.dmlChannelNum: %[2]d' on %[1]s, as before, and restart it, then 'reconcile plan %[3]s'", c.ID, len(stored.PChannels), s.topology.Name))}
		}
	}
	return nil
}

// raisedUnlisted refuses what Milvus would refuse: a cluster that serves channels which
// neither the file nor its stored list has takes no configuration and no force promote
// (milvus.md §2.9, V14).
func (s situation) raisedUnlisted(c Cluster, v View) Finding {
	return NewFinding(CodePChannelMismatch, c.ID,
		fmt.Sprintf("%s serves %s, which neither the file nor what it stores lists: Milvus refuses every change of its configuration and a force promote of it, so that a failover to it is blocked", c.ID, namesOf(v.Unlisted)),
		fmt.Sprintf("set the 'rootCoord.dmlChannelNum' of %[1]s on every cluster of %[2]s and restart them, then list the same number in 'pchannels' of each and raise 'generation', in one commit; or set it back to %[3]d on %[1]s and restart it, then 'reconcile plan %[2]s'", c.ID, s.topology.Name, len(c.PChannels)))
}

// namesOf names the first of some channels and counts the rest.
func namesOf(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return fmt.Sprintf("%s and %d more", names[0], len(names)-1)
}
