package plan

import (
	"fmt"
	"slices"
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
				c.ID+" takes writes of its own as soon as it is let go",
				"keep applications away from it; stop it before 'reconcile apply "+s.topology.Name+"' if it must not write"))
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
			"upgrade it to "+v.version().Since(FeatureReadConfiguration)+"; 'reconcile doctor "+s.topology.Name+"' says what works until then")}
	case v.Belief.Kind == BeliefUnknown:
		return []Finding{NewFinding(CodeRoleUnknown, c.ID, "what "+c.ID+" believes could not be read: "+wordOr(v.Error, "no error was given"),
			"let its token call GetReplicateConfiguration, and check with 'reconcile status "+s.topology.Name+"'")}
	case !v.IdentityProven && v.Belief.Kind == BeliefUnconfigured && v.version().Lacks(FeatureInfoOnPrimary):
		return []Finding{NewFinding(CodeRoleUnknown, c.ID,
			fmt.Sprintf("that the cluster at %s is %s cannot be proven: while %s stores no configuration, it answers no call that shows its identity", c.ClientAddress, c.ID, v.version().Name()),
			"upgrade it to "+v.version().Since(FeatureInfoOnPrimary)+" before it is linked; 'reconcile doctor "+s.topology.Name+"' shows its version")}
	case !v.IdentityProven:
		return []Finding{NewFinding(CodeRoleUnknown, c.ID,
			"that the cluster at "+c.ClientAddress+" is "+c.ID+" was not proven",
			"check 'id', 'clientAddress' and 'pchannels' in the file; 'reconcile doctor "+s.topology.Name+"' shows what answers")}
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
				"bring it back, or promote "+s.otherStandbys(c.ID)+": 'reconcile status "+s.topology.Name+"' shows which answer"))
		case v.Reach != ReachUp:
			out = append(out, NewFinding(CodeClusterNeeded, c.ID, c.ID+" must get this change, and "+s.describe(c.ID),
				"bring it back, or find out with 'reconcile doctor "+s.topology.Name+"' what is wrong with its address or credential"))
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
		for _, target := range stored.TargetsOf(id) {
			if _, listed := s.topology.Cluster(target); listed {
				continue
			}
			out = append(out, NewFinding(CodeClusterUnlisted, target,
				fmt.Sprintf("%s replicates to %s, which this change would drop: it would take writes of its own", id, target),
				"list it with 'role: standby' to keep it, or let it go with 'role: detached' in a commit of its own; each raises 'generation'"))
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
				"keep the uri; to change it, set "+m.ID+" to 'role: detached' and add it again as a standby later, each in a commit of its own that raises 'generation'"))
		}
		if len(m.PChannels) > 0 && !slices.Equal(m.PChannels, want.PChannels) && !extends(want.PChannels, m.PChannels) {
			out = append(out, NewFinding(CodeServerWouldReject, m.ID,
				fmt.Sprintf("%s stores %d channels for %s, and the %d of the file do not begin with them; Milvus lets channels only grow",
					c.ID, len(m.PChannels), m.ID, len(want.PChannels)),
				"keep the stored channels first and in their order; to have fewer, set "+m.ID+" to 'role: detached' and add it again later, each in a commit of its own that raises 'generation'"))
		}
	}
	return out
}

// refusedToken is the finding of a cluster that refused our token.
func (s situation) refusedToken(id string) Finding {
	return NewFinding(CodeRoleUnknown, id, id+" refused our token: what it believes could not be read",
		"correct its token in the operator's configuration, and check it with 'reconcile doctor "+s.topology.Name+"'")
}
