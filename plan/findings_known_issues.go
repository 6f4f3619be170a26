package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan/release"
)

// knownIssue is a published defect of Milvus, by the number of its issue, and
// when it matters to a cluster.
type knownIssue struct {
	number  int
	text    string
	mended  release.Feature // empty: no release is known to mend it
	matters func(s situation, d decision, c Cluster, v View) bool
}

// words name the issue, and the release that mends it where one is known.
func (k knownIssue) words(v release.Version) string {
	out := fmt.Sprintf("#%d: %s", k.number, k.text)
	if k.mended != "" && v.Released(k.mended) {
		out += "; fixed in " + v.Since(k.mended)
	}
	return out
}

// knownIssues are in the order of their numbers (milvus.md §1.1, §8).
var knownIssues = []knownIssue{
	{
		48779, "messages wait since a checkpoint that is older than the 72 h for which Milvus keeps them by default. Some may be gone: on Pulsar without an error, on Kafka with endless retries. Compare the collections, and rebuild it if they differ", "",
		func(_ situation, _ decision, _ Cluster, v View) bool {
			return slices.ContainsFunc(v.Progress, v.outlivedRetention)
		},
	},
	{
		49810, "it does not serve GetReplicateConfiguration, so only a failover is possible with it", release.FeatureReadConfiguration,
		func(_ situation, _ decision, _ Cluster, v View) bool { return v.ReadsConfiguration == SupportNo },
	},
	{
		50344, "GetReplicateInfo waits on a primary, so the exact loss cannot be read after the promotion", release.FeatureInfoOnPrimary,
		func(_ situation, d decision, c Cluster, v View) bool {
			return d.transition == TransitionFailover && c.ID == d.primary.ID && v.version().Lacks(release.FeatureInfoOnPrimary)
		},
	},
	{
		50871, "a force promote may end in a deadline although it takes effect: only a read shows the outcome, it may take minutes, and a promotion that stays half done ends with a restart of the coordinator", "",
		func(s situation, _ decision, c Cluster, v View) bool {
			if v.HalfPromoted() {
				return true
			}
			if s.intent == nil || !s.intent.MayHaveSent || s.intent.Effected || v.Belief.Kind != BeliefStandby {
				return false
			}
			target, promotes := s.intent.PromotionTarget()
			return promotes && target == c.ID
		},
	},
	{
		52686, "GetReplicateConfiguration waits for ever on a cluster that stores nothing: that it is unconfigured was inferred", release.FeatureUnconfiguredRead,
		func(_ situation, _ decision, _ Cluster, v View) bool {
			return v.Belief.Kind == BeliefUnconfigured && v.Belief.Inferred
		},
	},
	{
		52727, "topology messages from before the backup may be replayed on it and end its replication, although the configuration stays: check that its checkpoint moves", release.FeatureStaleDropped,
		func(s situation, d decision, c Cluster, _ View) bool {
			return s.attaches(d, c) && c.Provisioned.From == ProvisionedRestored
		},
	},
	{
		52734, "Milvus refuses a connection_param.token other than the stored one, and blanks it on read: a rotated token shows only when Milvus refuses it", release.FeatureTokenFill,
		func(_ situation, d decision, c Cluster, v View) bool {
			return sendsOrdinary(d.transition) && c.ID == d.writingPrimary() && len(v.Belief.Configuration.Clusters) > 1
		},
	},
	{
		53118, "a log that is fenced again and again blocks a channel for 45 to 60 s, longer than the topology's 'unavailableFor': a primary of this version may have seemed lost while it lived", release.FeatureCalmFencing,
		func(s situation, d decision, c Cluster, v View) bool {
			return d.transition == TransitionFailover && c.ID == d.primary.ID && s.rules.UnavailableFor < fencingBlocks &&
				v.version().Line30() && v.version().Lacks(release.FeatureCalmFencing)
		},
	},
}

// fencingBlocks is how long a channel may be blocked by #53118.
const fencingBlocks = time.Minute

// outlivedRetention says whether messages that a channel waits for may be gone, because
// its checkpoint is older than the log. A channel that nothing waits for may stand
// still for as long as it likes.
func (v View) outlivedRetention(p ChannelProgress) bool {
	return p.Known && p.Unsent != nil && p.TimeTick > 0 && v.At.Sub(TickTime(p.TimeTick)) > walRetention
}

// attaches says whether the change attaches the cluster.
func (s situation) attaches(d decision, c Cluster) bool {
	for _, p := range d.pairs {
		if p.member.ID == c.ID {
			return p.cell.join
		}
	}
	return false
}

// sendsOrdinary says whether a transition sends ordinary configurations, which
// carry tokens.
func sendsOrdinary(t Transition) bool {
	switch t {
	case TransitionAddStandby, TransitionRebuild, TransitionDetach, TransitionGrowChannels, TransitionSwitchover:
		return true
	default:
		return false
	}
}

// writingPrimary is the primary that a change finds. It takes the configuration first.
func (d decision) writingPrimary() string {
	if d.transition == TransitionSwitchover {
		return d.source
	}
	return d.primary.ID
}

// knownIssueFindings name the published defects of Milvus that matter to the change or
// the state, one finding for each cluster. An offline plan has none.
func (s situation) knownIssueFindings(d decision) []Finding {
	var out []Finding
	for _, c := range s.topology.Clusters {
		v := s.view(c.ID)
		if v.Reach != ReachUp || s.offline {
			continue
		}
		var texts []string
		var mended []release.Feature
		for _, k := range knownIssues {
			if k.matters(s, d, c, v) {
				texts = append(texts, k.words(v.version()))
				if k.mended != "" && v.version().Released(k.mended) {
					mended = append(mended, k.mended)
				}
			}
		}
		if len(texts) > 0 {
			out = append(out, NewFinding(CodeKnownIssue, c.ID,
				fmt.Sprintf("%s (%s) has %s", c.ID, v.version().Name(), strings.Join(texts, "; ")),
				s.upgradeRemedy(v.version().ReleaseWith(mended), len(mended) > 0)))
		}
	}
	return out
}

// upgradeRemedy says how to get to a release that mends what is known of a version.
func (s situation) upgradeRemedy(to string, mended bool) string {
	if !mended || to == "" {
		return "read it in milvus-io/milvus; no release is known to mend it; see the versions: 'reconcile status " + s.topology.Name + "'"
	}
	return "read it in milvus-io/milvus; see in which order to upgrade, since the wrong one stops replication: 'reconcile doctor " + s.topology.Name + " --upgrade-to " + to + "'"
}

// walRetention is how long Milvus keeps its log by default (woodpecker
// retentionPolicy.ttl, rocksmq.retentionTimeInMinutes in configs/milvus.yaml),
// whether it was replicated or not.
const walRetention = 72 * time.Hour

// lostToRetention says in words what a standby may have lost for good; empty: nothing.
// The source drops its log once it is older than walRetention. What the standby had not
// replicated by then is gone: Milvus skips the gap without a word on Pulsar and retries
// for ever on Kafka (milvus.md S62).
func (s situation) lostToRetention(source string, v View) string {
	record, _ := s.memory.progress(v.Cluster)
	free := record.backlogFree(source)
	var through time.Time
	for _, c := range s.candidateProgress(v.Cluster) {
		c.Unsent = nil // the oldest that is still there says nothing of what is not
		upTo := channelWindow(c, free(c.Channel), v.At).ReplicatedUpTo
		if !upTo.IsZero() && (through.IsZero() || upTo.Before(through)) {
			through = upTo
		}
	}
	if through.IsZero() || v.At.Sub(through) <= walRetention {
		return ""
	}
	return fmt.Sprintf("what it lacks since %s may be gone from the log of %s, which keeps %.0f h by default (#48779)",
		through.UTC().Format(time.RFC3339), source, walRetention.Hours())
}

// rebuildGap is the remedy for a standby that may have such a gap.
func rebuildGap(standby string) string {
	return "Milvus may never close that gap: let " + standby + " go, rebuild it and add it again, unless its source keeps the log for longer; the steps: 'reconcile explain " + string(CodeReplicationStalled) + "'"
}
