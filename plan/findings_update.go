package plan

import (
	"fmt"
	"slices"

	"milvus-reconcile/plan/release"
)

// updateFindings stand against steps that send an ordinary configuration: everything
// but a force promote.
func (s situation) updateFindings(d decision) []Finding {
	out := s.freedFindings(d)
	if d.transition == TransitionSwitchover {
		out = append(out, s.notPromotable(d.primary)...)
		if source, ok := s.topology.Cluster(d.source); ok {
			out = append(out, s.emptyPrimary(d.primary, source)...)
		}
	}
	for _, c := range s.topology.Clusters {
		v := s.view(c.ID)
		if v.Reach == ReachUp && s.receives(c, v) {
			out = append(out, s.readiness(c, v)...)
			out = append(out, s.rejections(c, v)...)
			out = append(out, s.growthFindings(c, v)...)
		}
		if c.Role == RoleDetached && v.Belief.Kind == BeliefStandby && d.transition == TransitionDetach {
			out = append(out, NewFinding(CodeStandbyBecomesWritable, c.ID,
				c.ID+" takes writes of its own as soon as it is detached",
				"keep applications away from it; if it must not write, stop it first; then: 'reconcile apply "+s.topology.Name+"'"))
		}
	}
	return out
}

// receives says whether an update may concern the cluster. One that is stale, or was
// let go before, gets no configuration.
func (s situation) receives(c Cluster, v View) bool {
	return c.Role == RolePrimary || c.Role == RoleStandby || c.Role == RoleDetached && v.Belief.Kind == BeliefStandby
}

// readiness says what keeps a cluster that is up from being sent an update: a refused
// token, a version that cannot be read back, or an identity that is not proven. nil:
// nothing.
func (s situation) readiness(c Cluster, v View) []Finding {
	switch {
	case v.Credential == CredentialRefused:
		return []Finding{s.refusedToken(c.ID)}
	case v.ReadsConfiguration == SupportNo:
		return []Finding{NewFinding(CodeUnsupportedServer, c.ID,
			fmt.Sprintf("%s (%s) cannot say which configuration it stores; only a failover is possible with it", c.ID, v.version().Name()),
			"upgrade it to "+v.version().Since(release.FeatureReadConfiguration)+"; see what works until then: 'reconcile doctor "+s.topology.Name+"'")}
	case v.Belief.Kind == BeliefUnknown:
		return []Finding{NewFinding(CodeRoleUnknown, c.ID, "the stored configuration of "+c.ID+" could not be read: "+wordOr(v.Error, "no error was given"),
			"let its token call GetReplicateConfiguration, and check it: 'reconcile doctor "+s.topology.Name+"'")}
	case !v.IdentityProven && v.Belief.Kind == BeliefUnconfigured && v.version().Lacks(release.FeatureInfoOnPrimary):
		return []Finding{NewFinding(CodeRoleUnknown, c.ID,
			fmt.Sprintf("it cannot be proven that the cluster at %s is %s: while %s stores no configuration, it answers no call that shows its identity", c.ClientAddress, c.ID, v.version().Name()),
			"upgrade it to "+v.version().Since(release.FeatureInfoOnPrimary)+" before it is linked; see its version: 'reconcile doctor "+s.topology.Name+"'")}
	case !v.IdentityProven:
		return []Finding{NewFinding(CodeRoleUnknown, c.ID,
			"it was not proven that the cluster at "+c.ClientAddress+" is "+c.ID,
			"check 'id', 'clientAddress' and 'pchannels' in the file; see what answers: 'reconcile doctor "+s.topology.Name+"'")}
	default:
		return nil
	}
}

// receiverFindings check the steps that are left, whether they come from the table or
// from an open intent, against what every receiver must show: it is listed, may be
// called, is up, and can be read back.
func (s situation) receiverFindings(steps []Step) []Finding {
	var out []Finding
	for _, step := range steps {
		if !step.Action.Sends() {
			continue
		}
		c, listed := s.topology.Cluster(step.Cluster)
		v := s.view(step.Cluster)
		switch {
		case !listed:
			out = append(out, NewFinding(CodeClusterUnlisted, step.Cluster, step.Cluster+" gets a step and is not in the document",
				"list it in "+s.topology.Name+" with its 'role', and raise 'generation', in one commit"))
		case v.Credential == CredentialMissing:
			out = append(out, s.missingCredential(c.ID))
		case v.Reach != ReachUp && step.ForcePromote():
			out = append(out, NewFinding(CodeCandidateUnreachable, c.ID, c.ID+", the cluster to promote, "+s.describe(c.ID),
				"bring "+c.ID+" back, or promote "+s.otherStandbys(c.ID)+"; see which answer: 'reconcile status "+s.topology.Name+"'"))
		case v.Reach != ReachUp:
			out = append(out, NewFinding(CodeClusterNeeded, c.ID, c.ID+" must get this change, and "+s.describe(c.ID),
				"bring "+c.ID+" back; see what is wrong with its address or credential: 'reconcile doctor "+s.topology.Name+"'"))
		case step.ForcePromote() && v.Credential == CredentialRefused:
			out = append(out, s.refusedToken(c.ID))
		case !step.ForcePromote():
			out = append(out, s.readiness(c, v)...)
		}
	}
	return out
}

// freedFindings refuse a configuration that would drop a target which the document does
// not let go. Milvus makes a cluster that is dropped writable.
func (s situation) freedFindings(d decision) []Finding {
	var out []Finding
	for _, id := range []string{d.primary.ID, d.source} {
		stored := s.view(id).Belief.Configuration
		for _, target := range stored.targetsOf(id) {
			if _, listed := s.topology.Cluster(target); listed {
				continue
			}
			out = append(out, NewFinding(CodeClusterUnlisted, target,
				fmt.Sprintf("%s replicates to %s, which this change would drop: it would take writes of its own", id, target),
				"list it with 'role: standby' to keep it, or detach it with 'role: detached' in a commit of its own; each raises 'generation'"))
		}
	}
	return out
}

// rejections predict what the server would refuse for a member that is listed: its uri
// never changes, and its channels only grow (milvus.md V18, V19).
func (s situation) rejections(c Cluster, v View) []Finding {
	var out []Finding
	for _, m := range v.Belief.Configuration.Clusters {
		want, ok := s.topology.Cluster(m.ID)
		if !ok || want.Role == RoleStale {
			continue
		}
		if m.URI != want.URI {
			out = append(out, NewFinding(CodeServerWouldReject, m.ID,
				fmt.Sprintf("%s stores the uri %s for %s; Milvus refuses to change it to %s", c.ID, m.URI, m.ID, want.URI),
				"keep the uri, and check the file: 'reconcile validate'; to change it, set "+m.ID+" to 'role: detached' and add it again as a standby later, each in a commit of its own that raises 'generation'"))
		}
		if len(m.PChannels) > 0 && !slices.Equal(m.PChannels, want.PChannels) && !extends(want.PChannels, m.PChannels) {
			out = append(out, NewFinding(CodeServerWouldReject, m.ID,
				fmt.Sprintf("%s stores %d channels for %s, and the %d channels of the file do not begin with them; Milvus lets channels only grow",
					c.ID, len(m.PChannels), m.ID, len(want.PChannels)),
				"keep the stored channels first and in their order, and check the file: 'reconcile validate'; to have fewer, set "+m.ID+" to 'role: detached' and add it again later, each in a commit of its own that raises 'generation'"))
		}
	}
	return out
}

// refusedToken is the finding of a cluster that refused our token.
func (s situation) refusedToken(id string) Finding {
	return NewFinding(CodeRoleUnknown, id, id+" refused our token: its stored configuration could not be read",
		"correct its token in the operator's configuration, and check it: 'reconcile doctor "+s.topology.Name+"'")
}

// unreadRemedy is how to have the first of some clusters say what it stores that answers
// and did not; empty: each did, or is away.
func (s situation) unreadRemedy(clusters ...string) string {
	for _, id := range clusters {
		v := s.view(id)
		switch {
		case v.Reach != ReachUp || v.Belief.Kind != BeliefUnknown:
		case v.Credential == CredentialRefused:
			return s.refusedToken(id).Remedy
		case v.ReadsConfiguration == SupportNo:
			return "upgrade " + id + " to " + v.version().Since(release.FeatureReadConfiguration) + "; see its version: 'reconcile status " + s.topology.Name + "'"
		default:
			return "let the token of " + id + " call GetReplicateConfiguration; which right it lacks: 'reconcile doctor " + s.topology.Name + "'"
		}
	}
	return ""
}

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

// HalfPromoted says whether a force promote of a standby is half done: it still
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
	foreign := func(p ChannelProgress) bool { return !slices.Contains(own.PChannels, p.Channel) }
	if !slices.ContainsFunc(v.Progress, foreign) {
		return v.Progress
	}
	return slices.DeleteFunc(slices.Clone(v.Progress), foreign)
}

// HalfPromotion is the finding of a force promote that is half done.
func HalfPromotion(topology, cluster, source string) Finding {
	return NewFinding(CodePromotionHalfDone, cluster,
		fmt.Sprintf("a force promote of %[1]s is half done: all its channels have left %[2]s, and %[1]s still stores that it replicates from it; every change of its role and every DDL waits until its deadline, and sending the request again changes nothing", cluster, source),
		fmt.Sprintf("restart the coordinator of %[1]s (mixCoord, or the one process of a standalone); see it take writes within about a minute: 'reconcile status %[2]s --watch'; in Kubernetes restart its deployment by a rollout; an apply that promotes %[1]s then goes on by itself", cluster, topology))
}

// channelFindings are what the channels of every standby say: of one whose
// promotion is half done, and of channels that are not attached.
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
				fmt.Sprintf("if it stays so for a minute, restart the coordinator of %[1]s (mixCoord); see whether they attach: 'reconcile status %[2]s --watch'; if they do not, detach %[1]s with 'role: detached', rebuild it (docs/rebuild.md) and add it again, each with a higher 'generation'", c.ID, s.topology.Name)))
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
		fmt.Sprintf("set 'rootCoord.dmlChannelNum: %[2]d' on %[1]s and restart it; then plan again: 'reconcile plan %[3]s'", c.ID, len(c.PChannels), s.topology.Name))}
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
				fmt.Sprintf("set 'rootCoord.dmlChannelNum: %[2]d' on %[1]s, as before, and restart it; then plan again: 'reconcile plan %[3]s'", c.ID, len(stored.PChannels), s.topology.Name))}
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
		fmt.Sprintf("set 'rootCoord.dmlChannelNum' back to %[3]d on %[1]s and restart it; then plan again: 'reconcile plan %[2]s'; or set that of %[1]s on every cluster of %[2]s and restart them, then list the same number in 'pchannels' of each and raise 'generation', in one commit", c.ID, s.topology.Name, len(c.PChannels)))
}

// namesOf names the first of some channels and counts the rest.
func namesOf(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return fmt.Sprintf("%s and %d more", names[0], len(names)-1)
}
