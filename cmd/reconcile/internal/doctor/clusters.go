package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
	"milvus-reconcile/plan/release"
	"milvus-reconcile/reconcile/milvus"
	"milvus-reconcile/schema"
)

// MaxClockDifference is how far clocks may differ without a warning. The bound of a data
// loss compares our clock with the ticks of the clusters.
const MaxClockDifference = time.Second

// clusters checks every primary and standby.
func (x *examination) clusters(topologies []plan.Topology, views []plan.View, rights []milvus.Rights) {
	for _, t := range topologies {
		for _, c := range t.Clusters {
			if c.Role != plan.RolePrimary && c.Role != plan.RoleStandby {
				continue
			}
			v := plan.Observed{Views: views}.View(c.ID)
			unread := x.secrets(c.ID)
			if unread == nil && refusesToken(v) { // that is why nothing else is known of it
				if same := x.refusalsOf(c.ID, views); same[0] == c.ID {
					x.check(refusedCheck(same, x.tokenOf(c.ID)))
				}
				continue
			}
			x.check(credentialCheck(v, unread))
			if v.Reach != plan.ReachUp {
				continue
			}
			x.check(versionCheck(v))
			x.check(callsCheck(v))
			if c.Role == plan.RoleStandby {
				x.check(channelsCheck(c, v))
			}
			i := slices.IndexFunc(rights, func(r milvus.Rights) bool { return r.Cluster == c.ID })
			if i < 0 {
				continue
			}
			x.check(privilegeCheck(rights[i]))
			for _, c := range missingChecks(rights[i]) {
				x.check(c)
			}
			x.check(clockCheck(rights[i]))
		}
	}
}

// refusesToken says whether a cluster answers and refuses our token.
func refusesToken(v plan.View) bool {
	return v.Reach == plan.ReachUp && (v.Credential == plan.CredentialRefused || v.Class == plan.ClassUnauthenticated)
}

// namedRefusals is how many of the clusters that refuse one token are named.
const namedRefusals = 3

// refusedToken says which clusters refuse one of our tokens, where that token comes from, and
// what to do. Clusters that share a token are told once.
func refusedToken(clusters []string, token schema.SecretRef) (message, remedy string) {
	who, what := strings.Join(clusters, " and "), " refuse our token, of "+token.String()
	switch {
	case len(clusters) == 1 && token.IsZero():
		return who + " refuses calls without a token", "give it a 'tokenFrom' in the operator's configuration"
	case len(clusters) == 1:
		what = " refuses our token, of " + token.String()
	case len(clusters) > namedRefusals:
		who = fmt.Sprintf("%d clusters (%s, …)", len(clusters), strings.Join(clusters[:namedRefusals], ", "))
	}
	return who + what, "put a token that the cluster accepts into " + token.String()
}

// refusalsOf are the clusters that refuse the token that a cluster refuses, with itself.
func (x *examination) refusalsOf(cluster string, views []plan.View) []string {
	token := x.tokenOf(cluster)
	var out []string
	for _, v := range views {
		if refusesToken(v) && (v.Cluster == cluster || !token.IsZero() && x.tokenOf(v.Cluster) == token) {
			out = append(out, v.Cluster)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// followsFromToken says whether a finding says no more than that a token was refused: what
// such a cluster is, and can do, is not known.
func followsFromToken(f plan.Finding) bool {
	switch f.Code {
	case plan.CodeRoleUnknown, plan.CodeUnsupportedServer, plan.CodeClusterUnreadable:
		return true
	default:
		return false
	}
}

// tokenOf says where our token for a cluster comes from.
func (x *examination) tokenOf(cluster string) schema.SecretRef {
	for _, c := range x.e.Config.Credentials {
		if c.ClusterID == cluster {
			return c.Token
		}
	}
	return schema.SecretRef{}
}

// refusedCheck is the check of a token that clusters refuse.
func refusedCheck(clusters []string, token schema.SecretRef) render.Check {
	c := render.Check{Area: "credentials", Verdict: render.CheckFailed}
	c.Message, c.Remedy = refusedToken(clusters, token)
	return c
}

func credentialCheck(v plan.View, unread error) render.Check {
	c := render.Check{Area: "credentials", Subject: v.Cluster}
	if unread != nil {
		c.Verdict, c.Message, c.Remedy = render.CheckFailed, unread.Error(), "put the secret where the configuration says"
		return c
	}
	switch v.Credential {
	case plan.CredentialBound:
		if v.Reach == plan.ReachUp {
			c.Verdict, c.Message = render.CheckOK, "bound, and the cluster accepts it"
			return c
		}
		c.Message = "bound; it is not known whether the cluster accepts it, since the cluster was seen " + v.Reach.String()
	case plan.CredentialMismatch:
		c.Verdict, c.Message, c.Remedy = render.CheckFailed, "the topology names another address or uri than it is bound to", "correct the file, or let the operator change the binding"
	default:
		c.Verdict, c.Message, c.Remedy = render.CheckFailed, "there is none", "add it to credentials in the operator's configuration"
	}
	return c
}

// callsCheck checks the two calls that a failover needs, as they were probed.
func callsCheck(v plan.View) render.Check {
	c := render.Check{Area: "rpcs", Subject: v.Cluster}
	version := release.Parse(v.Version)
	missing, since := "", release.FeatureForcePromote
	switch {
	case v.ForcePromotes == plan.SupportNo:
		missing = "it has no DumpMessages, so that it ignores force_promote"
	case v.ReadsConfiguration == plan.SupportNo:
		missing, since = "it has no GetReplicateConfiguration, so that only a failover is possible and no role can be read", release.FeatureReadConfiguration
	}
	switch {
	case missing != "":
		c.Verdict, c.Message, c.Remedy = render.CheckFailed, version.Name()+": "+missing, "upgrade it to "+version.Since(since)
	case v.ForcePromotes == plan.SupportYes && v.ReadsConfiguration == plan.SupportYes:
		c.Verdict, c.Message = render.CheckOK, version.Name()+": GetReplicateConfiguration and DumpMessages answer"
	default:
		c.Message = version.Name() + ": it is not known whether it knows GetReplicateConfiguration and DumpMessages"
		c.Remedy = "see its state: 'reconcile status'"
	}
	return c
}

// versionCheck warns if the version is not in the table of releases.
func versionCheck(v plan.View) render.Check {
	c := render.Check{Area: "versions", Subject: v.Cluster}
	version := release.Parse(v.Version)
	if caveat := version.Caveat(); caveat != "" {
		c.Verdict, c.Message = render.CheckWarning, orNone(v.Version)+": "+caveat
		c.Remedy = "try the first switchover and a failover of a test pair of this version"
		return c
	}
	c.Verdict, c.Message = render.CheckOK, v.Version+": its differences are known"
	return c
}

func orNone(label string) string {
	if label == "" {
		return "no label"
	}
	return label
}

func privilegeCheck(r milvus.Rights) render.Check {
	c := render.Check{Area: "privileges", Subject: r.Cluster}
	switch r.Update {
	case plan.SupportYes:
		c.Verdict, c.Message = render.CheckOK, "our token may send a configuration: "+r.Detail
	case plan.SupportNo:
		c.Verdict, c.Message = render.CheckFailed, "our token may not send a configuration: "+r.Detail
		c.Remedy = grantRemedy(release.GrantOf(release.PrivilegeUpdate))
	default:
		c.Message = "only sending a configuration would show whether our token may send one: " + r.Detail
		c.Remedy = "a first switchover proves it"
	}
	return c
}

// missingChecks returns one check for each further privilege that our user lacks, with its
// consequence, and one check for all privileges that are not known.
func missingChecks(r milvus.Rights) []render.Check {
	var out []render.Check
	var unknown []string
	for _, h := range r.Held {
		switch {
		case h.Privilege.Name == release.PrivilegeUpdate, h.Held == plan.SupportYes:
		case h.Held == plan.SupportNo:
			verdict := render.CheckWarning
			if h.Privilege.Stops {
				verdict = render.CheckFailed
			}
			out = append(out, render.Check{
				Area: "privileges", Subject: r.Cluster, Verdict: verdict,
				Message: fmt.Sprintf("our user lacks %s, to %s: %s (%s)", h.Privilege.Name, h.Privilege.For, h.Privilege.Cost, h.Detail),
				Remedy:  grantRemedy(h.Privilege.Grant("ROLE")),
			})
		default:
			unknown = append(unknown, h.Privilege.Name)
		}
	}
	if len(unknown) > 0 && r.Update != plan.SupportUnknown {
		out = append(out, render.Check{
			Area: "privileges", Subject: r.Cluster, Message: "it is not known whether our user holds " + strings.Join(unknown, ", ") + ": " + r.Detail,
			Remedy: "docs/setup.md has the grants of each command",
		})
	}
	return out
}

func grantRemedy(call string) string { return "as an administrator, to a role of its user: " + call }

func clockCheck(r milvus.Rights) render.Check {
	c := render.Check{Area: "clocks", Subject: r.Cluster}
	off := r.Ahead.Abs() - r.Within
	switch {
	case !r.Ticked:
		c.Message = "it gave no time tick"
	case off > MaxClockDifference:
		word := "ahead of"
		if r.Ahead < 0 {
			word = "behind"
		}
		c.Verdict = render.CheckWarning
		c.Message = fmt.Sprintf("its time ticks are %s %s our clock: the bound of a data loss is wrong by that much", plan.DurationText(r.Ahead.Abs()), word)
		c.Remedy = "set the clocks of both by NTP"
	default:
		c.Verdict, c.Message = render.CheckOK, fmt.Sprintf("within %s of ours", plan.DurationText(MaxClockDifference))
	}
	return c
}

// secrets reads the secrets that a failover to a cluster would need, and drops them.
func (x *examination) secrets(cluster string) error {
	for _, c := range x.e.Config.Credentials {
		if c.ClusterID != cluster {
			continue
		}
		_, own := wire.ReadSecret(c.Token)
		_, other := wire.ReadSecret(c.ReplicationToken)
		if own != nil && other != nil && own.Error() == other.Error() {
			other = nil // one secret serves both
		}
		if err := errors.Join(own, other); err != nil {
			return fmt.Errorf("the token of %s: %w", cluster, err)
		}
		return nil
	}
	return nil // the planner says CREDENTIAL_MISSING
}

// channelsCheck checks whether each channel of a standby is attached to the source that
// the standby stores. A failover needs all of them.
func channelsCheck(c plan.Cluster, v plan.View) render.Check {
	out := render.Check{Area: "channels", Subject: c.ID}
	unread := 0
	for _, p := range v.Progress {
		if !p.Known {
			unread++
		}
	}
	of := len(v.Progress)
	loose := v.Unattached()
	switch {
	case v.Belief.Kind != plan.BeliefStandby:
		out.Message = "it is no standby now, so none of them is attached"
	case v.HalfPromoted():
		out.Verdict, out.Message = render.CheckFailed, fmt.Sprintf("all %d have left %s: a force promote is half done", of, v.Belief.Source)
	case len(loose) > 0:
		out.Verdict = render.CheckFailed
		out.Message = fmt.Sprintf("%d of %d are not attached to %s: %s", len(loose), of, v.Belief.Source, plan.ChannelNames(loose))
	case unread > 0 || of == 0:
		out.Message = fmt.Sprintf("for %[2]d of %[3]d it could not be read whether they are attached to %[1]s", v.Belief.Source, unread, len(c.PChannels))
		out.Remedy = "let its token call GetReplicateInfo"
	default:
		out.Verdict, out.Message = render.CheckOK, fmt.Sprintf("%d of %d are attached to %s", of, of, v.Belief.Source)
	}
	return out
}
