package plan

import (
	"fmt"
	"strings"
)

// promotionFindings stand against a force promote.
func (s situation) promotionFindings(d decision) []Finding {
	var out []Finding
	c, v := d.primary, s.view(d.primary.ID)
	out = append(out, s.notPromotable(c)...)
	if v.Reach == ReachUp && v.Belief.Kind != BeliefPrimary && v.ForcePromotes != SupportYes {
		out = append(out, NewFinding(CodeUnsupportedServer, c.ID,
			fmt.Sprintf("%s (%s) was not seen to honour force_promote; Milvus 2.6.12 and 2.6.13 ignore it", c.ID, v.version().Name()),
			"upgrade it to "+v.version().Since(FeatureForcePromote)+", or promote "+s.otherStandbys(c.ID)+": 'reconcile status "+s.t.Name+"' shows their versions"))
	}
	if last, ok := s.m.lastFailover(s.t.Name); ok && s.m.Now.Sub(last.At) < s.rules.BlockPeriod {
		out = append(out, NewFinding(CodeRecoveryBlock, last.Promoted,
			fmt.Sprintf("%s was promoted %s ago; no second failover within %s", last.Promoted, About(s.m.Now.Sub(last.At)), About(s.rules.BlockPeriod)),
			"find out why the first one did not hold, 'reconcile history "+s.t.Name+"'; an approver may accept with 'Failover-Accept: RECOVERY_BLOCK'"))
	}
	out = append(out, s.grownUnlisted(c, v)...)
	return append(out, s.betterStandby(d)...)
}

func (s situation) notPromotable(c Cluster) []Finding {
	if c.Promotable {
		return nil
	}
	return []Finding{NewFinding(CodeNotPromotable, c.ID, c.ID+" is marked 'promotable: false'",
		"promote "+s.otherStandbys(c.ID)+", or set 'promotable: true' in a commit of its own before")}
}

func (s situation) refusedToken(id string) Finding {
	return NewFinding(CodeRoleUnknown, id, id+" refused our token: what it believes could not be read",
		"correct its token in the operator's configuration, and check it with 'reconcile doctor "+s.t.Name+"'")
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
				fmt.Sprintf("%s and %s cannot be compared: the progress of one is not known", d.primary.ID, c.ID),
				"let the tokens of both call GetReplicateInfo, or accept with 'Failover-Accept: NOT_MOST_CAUGHT_UP'"))
		case behind > 0 && ahead > 0:
			out = append(out, NewFinding(CodeNotMostCaughtUp, c.ID,
				fmt.Sprintf("%s is ahead of %s on %d of %d channels and behind on %d: either choice loses something", d.primary.ID, c.ID, ahead, len(mine), behind),
				"choose by the collections that matter, and accept with 'Failover-Accept: NOT_MOST_CAUGHT_UP'"))
		case behind > 0:
			out = append(out, NewFinding(CodeNotMostCaughtUp, c.ID,
				fmt.Sprintf("%s has replicated further than %s on %d of %d channels", c.ID, d.primary.ID, behind, len(mine)), betterChoice(c)))
		}
	}
	return out
}

func betterChoice(c Cluster) string {
	if !c.Promotable {
		return c.ID + " is marked 'promotable: false': accept with 'Failover-Accept: NOT_MOST_CAUGHT_UP', or change the mark in a commit of its own"
	}
	return "make " + c.ID + " the primary instead, or accept with 'Failover-Accept: NOT_MOST_CAUGHT_UP'"
}

// otherStandbys names the standbys that could be promoted in place of one that
// cannot: they answer, follow what it should follow, and are meant to.
func (s situation) otherStandbys(not string) string {
	var out []string
	for _, c := range s.t.Clusters {
		v := s.view(c.ID)
		if c.ID != not && c.Promotable && v.Belief.Kind == BeliefStandby && v.Belief.Source != not && !s.offline {
			out = append(out, c.ID)
		}
	}
	if len(out) == 0 {
		return "another standby, once one answers"
	}
	return strings.Join(out, " or ") + " in its place"
}

// compareProgress counts the channels on which a is ahead of b and behind it.
// Channels pair by index, as Milvus maps them (milvus.md §2.2).
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
