package plan

import (
	"fmt"
	"slices"
)

// promotionFindings stand against a force promote.
func (s situation) promotionFindings(d decision) []Finding {
	var out []Finding
	c, v := d.primary, s.view(d.primary.ID)
	if !c.Promotable {
		out = append(out, NewFinding(CodeNotPromotable, c.ID, c.ID+" is marked 'promotable: false'",
			"promote another standby, or change the mark in a commit of its own"))
	}
	if v.Reach == ReachUp && v.ForcePromotes != SupportYes {
		out = append(out, NewFinding(CodeUnsupportedServer, c.ID,
			fmt.Sprintf("%s (%s) was not seen to honour force_promote; Milvus 2.6.12 and 2.6.13 ignore it", c.ID, wordOr(v.Version, "version unknown")),
			"upgrade it to 2.6.14 or later"))
	}
	if v.Credential == CredentialRefused {
		out = append(out, refusedToken(c.ID))
	}
	if last, ok := s.m.lastFailover(s.t.Name); ok && s.m.Now.Sub(last.At) < s.rules.BlockPeriod {
		out = append(out, NewFinding(CodeRecoveryBlock, last.Promoted,
			fmt.Sprintf("%s was promoted %s ago; no second failover within %s", last.Promoted, s.m.Now.Sub(last.At).Round(1e9), s.rules.BlockPeriod),
			"find out why the first one did not hold; an approver may accept with 'Failover-Accept: RECOVERY_BLOCK'"))
	}
	return append(out, s.betterStandby(d)...)
}

func refusedToken(id string) Finding {
	return NewFinding(CodeRoleUnknown, id, id+" refused our token: what it believes could not be read",
		"correct its token in the operator's configuration")
}

// betterStandby compares the candidate with the other standbys of the same
// source, channel by channel.
func (s situation) betterStandby(d decision) []Finding {
	mine := s.candidateProgress(d.primary.ID)
	var out []Finding
	for _, c := range s.t.Clusters {
		v := s.view(c.ID)
		if c.ID == d.primary.ID || v.Reach != ReachUp || v.Belief.Kind != BeliefStandby || v.Belief.Source != d.source {
			continue
		}
		ahead, behind, known := compareProgress(mine, v.Progress)
		switch {
		case !known:
			out = append(out, NewFinding(CodeNotMostCaughtUp, c.ID,
				fmt.Sprintf("%s and %s cannot be compared: the progress of one is not known", d.primary.ID, c.ID), "read the progress of both, or accept it"))
		case behind > 0 && ahead > 0:
			out = append(out, NewFinding(CodeNotMostCaughtUp, c.ID,
				fmt.Sprintf("%s is ahead of %s on %d channels and behind on %d: either choice loses something", d.primary.ID, c.ID, ahead, behind),
				"choose by the collections that matter, and accept with 'Failover-Accept: NOT_MOST_CAUGHT_UP'"))
		case behind > 0:
			out = append(out, NewFinding(CodeNotMostCaughtUp, c.ID,
				fmt.Sprintf("%s has replicated further than %s on %d channels", c.ID, d.primary.ID, behind), "promote "+c.ID+" instead"))
		}
	}
	return out
}

// compareProgress counts the channels on which a is ahead of b and behind it.
// Channels pair by index, as Milvus maps them (milvus.md section 2.2).
func compareProgress(a, b []ChannelProgress) (ahead, behind int, known bool) {
	if len(a) == 0 || len(a) != len(b) {
		return 0, 0, false
	}
	for i := range a {
		if !a[i].Known || !b[i].Known {
			return 0, 0, false
		}
		switch {
		case a[i].TimeTick > b[i].TimeTick:
			ahead++
		case a[i].TimeTick < b[i].TimeTick:
			behind++
		}
	}
	return ahead, behind, true
}

// updateFindings stand against steps that send an ordinary configuration.
func (s situation) updateFindings(d decision) []Finding {
	var out []Finding
	for _, c := range s.t.Clusters {
		v := s.view(c.ID)
		if c.Role == RoleStale || v.Reach != ReachUp {
			continue
		}
		if v.Credential == CredentialRefused {
			out = append(out, refusedToken(c.ID))
			continue
		}
		if v.ReadsConfiguration == SupportNo {
			out = append(out, NewFinding(CodeUnsupportedServer, c.ID,
				fmt.Sprintf("%s (%s) cannot say which configuration it stores; only a failover is possible with it", c.ID, wordOr(v.Version, "version unknown")),
				"upgrade it to 2.6.17 or later"))
		} else if !v.IdentityProven {
			out = append(out, NewFinding(CodeRoleUnknown, c.ID,
				"that the cluster at "+c.ClientAddress+" is "+c.ID+" was not proven",
				"check id, address and pchannels in the file"))
		}
		out = append(out, s.rejections(c, v)...)
	}
	return out
}

// rejections predict what the server would refuse for a listed member: its
// uri and channels are immutable (milvus.md V18, V19).
func (s situation) rejections(c Cluster, v View) []Finding {
	var out []Finding
	for _, m := range v.Belief.Configuration.Clusters {
		want, ok := s.t.Cluster(m.ID)
		if !ok || want.Role == RoleStale {
			continue
		}
		if m.URI != want.URI {
			out = append(out, NewFinding(CodeServerWouldReject, m.ID,
				fmt.Sprintf("%s stores the uri %s for %s; Milvus refuses to change it to %s", c.ID, m.URI, m.ID, want.URI),
				"keep the uri, or detach "+m.ID+" and add it again"))
		}
		if m.ID != c.ID && !slices.Equal(m.PChannels, want.PChannels) {
			out = append(out, NewFinding(CodeServerWouldReject, m.ID,
				fmt.Sprintf("%s stores other channels for %s than the file", c.ID, m.ID),
				"keep the stored channels; growing them is a change of its own"))
		}
	}
	return out
}
