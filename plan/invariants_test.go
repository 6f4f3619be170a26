package plan

import (
	"regexp"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// harmless fails if a plan that could be applied, with everything accepted that
// an approver may accept, would do harm.
func harmless(t *rapid.T, d Desired, o Observed, m Memory) {
	p := Compute(d, o, m).Topologies[0]
	readable(t, p)
	if p.Blocked(everyCode()) {
		return
	}
	if p.Transition != TransitionNone && !p.Resumed && !p.Changes() {
		t.Fatalf("%s could be approved and sends nothing", p.Transition)
	}
	doc := d.Topologies[0]
	for _, s := range p.Steps {
		if !s.Action.Sends() {
			continue
		}
		v := normalView(Cluster{ID: s.Cluster}, o.View(s.Cluster))
		c, listed := doc.Cluster(s.Cluster)
		switch {
		case v.Reach != ReachUp || v.Credential != CredentialBound || v.IdentityConflict != "":
			t.Fatalf("%s is sent to %s, which is %s with credential %q", s.Action, s.Cluster, v.Reach, v.Credential)
		case s.Action == ActionFence:
			fencing(t, s, c, v, normalView(Cluster{ID: p.Primary}, o.View(p.Primary)))
		case !listed || c.Role == RoleStale || c.Role == RoleUnknown:
			t.Fatalf("%s is sent to %s, which Git calls %s", s.Action, s.Cluster, c.Role)
		case s.ForcePromote():
			promotion(t, p, s, o, m)
		default:
			update(t, p, s, c, v)
		}
	}
}

// promotion: exactly one cluster without edges, in place of one that is not
// up, or is proven to be read-only, or was replaced and accepted.
func promotion(t *rapid.T, p TopologyPlan, s Step, o Observed, m Memory) {
	if len(s.After.Clusters) != 1 || s.After.Clusters[0].ID != s.Cluster || len(s.After.Edges) != 0 || s.Cluster != p.Primary {
		t.Fatalf("a force promote of %s sends %+v", s.Cluster, s.After)
	}
	if forced := slices.DeleteFunc(slices.Clone(p.Steps), func(s Step) bool { return !s.Action.Sends() }); len(forced) != 1 {
		t.Fatalf("a force promote is one of %d sending steps", len(forced))
	}
	for _, c := range p.Clusters {
		k := c.View.Belief.Kind
		letGo := c.DesiredRole == RoleDetached && k == BeliefStandalone && !(memberByStore(o, c.ID, s.Cluster, p.OldPrimary) && m.freedAt(c.ID).IsZero())
		if c.ID != s.Cluster && (k == BeliefPrimary || k == BeliefStandalone) && !letGo {
			t.Fatalf("a force promote of %s while %s, a member, takes writes", s.Cluster, c.ID)
		}
	}
	old := normalView(Cluster{ID: p.OldPrimary}, o.View(p.OldPrimary))
	frozen := old.Belief.Kind == BeliefStandby && !old.Belief.Inferred && old.IdentityProven
	switch {
	case p.OldPrimary == "":
		t.Fatalf("a force promote in place of nobody")
	case old.Reach != ReachUp && !p.Blocked(nil) && !provenLost(p, o, m):
		t.Fatalf("a force promote without evidence")
	case old.Reach == ReachUp && !frozen && !p.Has(CodePrimaryReplaced):
		t.Fatalf("a force promote next to a living %s", p.OldPrimary)
	case !p.Has(CodeForcePromote) && !p.Resumed || !p.Has(CodeDataLossRisk) && !p.Resumed:
		t.Fatalf("a force promote without its flags")
	}
}

// memberByStore says whether one of the others, which answer, stores a cluster as a member.
func memberByStore(o Observed, id string, others ...string) bool {
	return slices.ContainsFunc(others, func(other string) bool {
		_, ok := normalView(Cluster{ID: other}, o.View(other)).Belief.Configuration.Member(id)
		return ok
	})
}

func provenLost(p TopologyPlan, o Observed, m Memory) bool {
	for _, e := range o.Evidence {
		if e.Primary == p.OldPrimary && e.Candidate == p.Primary {
			return JudgeLoss(e, document(8).Failover, m.Now).State == LossUnavailable
		}
	}
	return false
}

// update: a cluster that can write becomes a standby only where the document
// asks for that, and nothing is let go that it does not let go.
func update(t *rapid.T, p TopologyPlan, s Step, c Cluster, v View) {
	if v.Belief.Kind == BeliefUnknown || !v.IdentityProven {
		t.Fatalf("%s is sent to %s, whose belief or identity is not known", s.Action, s.Cluster)
	}
	if own, ok := s.After.Member(s.Cluster); !ok || own.URI != c.URI {
		t.Fatalf("what is sent to %s does not list it as the file does", s.Cluster)
	}
	_, demoted := s.After.SourceOf(s.Cluster)
	switch {
	case !canWrite(v) || !demoted:
	case c.Role != RoleStandby:
		t.Fatalf("%s can write, is %s and would be demoted", s.Cluster, c.Role)
	case p.Transition == TransitionSwitchover && (s.Cluster == p.OldPrimary || p.Resumed):
	case p.Transition != TransitionBootstrap && p.Transition != TransitionAddStandby:
		t.Fatalf("%s can write and would be demoted by a %s", s.Cluster, p.Transition)
	case v.Belief.Kind == BeliefUnconfigured && seenEmpty(v) || p.Resumed:
	case c.Provisioned.At.IsZero() || c.Provisioned.At.After(now):
		t.Fatalf("%s can write, holds what is not known, and would be demoted unattested", s.Cluster)
	}
}

// fencing: only what Git calls stale, only next to a cluster that takes writes,
// and with every cluster of its own list.
func fencing(t *rapid.T, s Step, c Cluster, v, primary View) {
	own := v.Belief.Configuration
	if c.Role != RoleStale || !canWrite(primary) || !canWrite(v) || v.Cluster == primary.Cluster {
		t.Fatalf("%s, which Git calls %s, is fenced next to %s", v.Cluster, c.Role, primary.Cluster)
	}
	if !slices.EqualFunc(s.After.Clusters, own.Clusters, memberEqual) || len(s.After.targetsOf(primary.Cluster)) != len(own.Clusters)-1 {
		t.Fatalf("%s stores %+v and is sent %+v", v.Cluster, own, s.After)
	}
}

// deadWord is what cannot be known of a cluster.
var deadWord = regexp.MustCompile(`(?i)\bdead\b`)

// readable demands whole sentences of every finding.
func readable(t *rapid.T, p TopologyPlan) {
	for _, f := range p.Findings {
		text := f.Message + f.Remedy
		if f.Message == "" || f.Remedy == "" || strings.Contains(text, "%!") || strings.Contains(text, "  ") || strings.Contains(text, "{P}") || strings.Contains(text, "{O}") || strings.Contains(text, "{T}") || strings.Contains(text, "{S}") {
			t.Fatalf("%s reads badly: %q, %q", f.Code, f.Message, f.Remedy)
		}
		if deadWord.MatchString(text) {
			t.Fatalf("%s says what cannot be known: %q", f.Code, text)
		}
		if f.Acceptable && !Acceptable(f.Code) {
			t.Fatalf("%s may not be accepted", f.Code)
		}
	}
	for i, s := range p.Steps {
		if s.Action.Sends() && s.After == nil {
			t.Fatalf("step %d sends nothing", i)
		}
	}
}
