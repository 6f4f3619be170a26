package approval

import (
	"fmt"
	"slices"
	"strings"

	"milvus-reconcile/plan/siteplan"
)

// Site is what an approval of a site says: its name, and exactly the moves that it covers. The
// zero value is no approval of a site.
type Site struct {
	Name   string
	Digest string // siteplan.Digest of the moves, as the message says it
	Moves  []siteplan.Move
}

// SiteOf returns what approves these moves of a site.
func SiteOf(name string, moves []siteplan.Move) Site {
	return Site{Name: name, Digest: siteplan.Digest(name, moves), Moves: moves}
}

// Covers returns the move of a topology.
func (s Site) Covers(topology string) (siteplan.Move, bool) {
	i := slices.IndexFunc(s.Moves, func(m siteplan.Move) bool { return m.Topology == topology })
	if i < 0 {
		return siteplan.Move{}, false
	}
	return s.Moves[i], true
}

// siteForm is the value of Failover-Approved for a site. Only a site has a digest there, so
// that no topology that is called "site" can be taken for one.
var siteForm = formOf(`^site/([A-Za-z0-9][A-Za-z0-9._-]{0,62}) (sha256:[0-9a-f]{64})$`)

// approveSite reads the value of Failover-Approved if it names a site; false: it does not.
func (c *Claim) approveSite(value string) bool {
	m := siteForm().FindStringSubmatch(value)
	if m == nil {
		return false
	}
	c.Site.Name, c.Site.Digest = m[1], m[2]
	return true
}

// cover adds a move that an approval of a site covers.
func (c *Claim) cover(value string) error {
	m, err := siteplan.ParseMove(value)
	if err != nil {
		return fmt.Errorf("%+q: %w", clip(value), err)
	}
	c.Site.Moves = append(c.Site.Moves, m)
	return nil
}

// completeSite checks an approval of a site, and names its targets. Its list must have the
// digest that stands in it: so a list that was cut short or changed approves nothing.
func (c *Claim) completeSite() error {
	s := c.Site
	switch {
	case s.Name == "" && len(s.Moves) == 0:
		return nil
	case s.Name == "":
		return fmt.Errorf("%s without '%s: site/NAME sha256:DIGEST'", KeyCovers, KeyApproved)
	case len(c.Approved) > 0:
		return fmt.Errorf("an approval of a site has one %s: approve other topologies by messages of their own", KeyApproved)
	case len(s.Moves) == 0:
		return fmt.Errorf("an approval of a site has a %s for each topology", KeyCovers)
	case len(c.Plans) > 0 || len(c.Accept) > 0 || c.Replay != "":
		return fmt.Errorf("an approval of a site may have no %s, %s or %s: approve such a topology alone", KeyPlan, KeyAccept, KeyReplay)
	}
	seen := make(map[string]bool, len(s.Moves))
	for _, m := range s.Moves {
		if seen[m.Topology] {
			return fmt.Errorf("topology %s is covered twice", m.Topology)
		}
		seen[m.Topology] = true
		c.Approved = append(c.Approved, Target{Topology: m.Topology, Cluster: m.To})
	}
	if found := siteplan.Digest(s.Name, s.Moves); found != s.Digest {
		return fmt.Errorf("its list has the digest %s and not %s: the list was changed", found, s.Digest)
	}
	return nil
}

// checkCovered requires that the plan is the move that an approval of a site lists. Only this
// topology is affected if it is not.
func (e *evaluation) checkCovered(v *vote) (string, string) {
	if v.claim.Site.Name == "" {
		return "", ""
	}
	said, _ := v.claim.Site.Covers(e.Plan.Name)
	now := siteplan.Move{
		Topology: e.Plan.Name, Generation: e.Plan.Generation, Transition: e.Plan.Transition,
		From: e.Plan.OldPrimary, To: e.Plan.Primary, Digest: e.Plan.Digest,
	}
	if said == now {
		return "", ""
	}
	return CodePlanChanged, fmt.Sprintf("it covers '%s' in the site %s, but the plan is now '%s': read it and approve this topology alone. %s", said, v.claim.Site.Name, now, e.howTo())
}

// siteOf returns the approval of a site by which votes approve; zero: enough people approved
// the topology alone.
func (e *evaluation) siteOf(votes []vote) Site {
	alone := slices.DeleteFunc(slices.Clone(votes), func(v vote) bool { return v.claim.Site.Name != "" })
	if len(alone) > 0 && people(alone, e.need) >= e.need {
		return Site{}
	}
	for _, v := range votes {
		if v.claim.Site.Name != "" {
			return v.claim.Site
		}
	}
	return Site{}
}

// Site returns the site of a signed approval that covers the topology, whether it suffices or
// not; empty: there is none.
func (c Change) Site() string {
	for _, carrier := range c.Carriers {
		claim, err := claimOf(carrier.Message)
		if err != nil || carrierProblem(carrier) != "" || !carrier.Signature.Valid {
			continue
		}
		if m, covered := claim.Site.Covers(c.Topology); covered && m.Generation == c.Generation {
			return claim.Site.Name
		}
	}
	return ""
}

// Title returns what a message that says this is about, for its first line.
func (c Claim) Title() string {
	if c.Site.Name == "" {
		return c.Approved[0].String()
	}
	var words []string
	for _, m := range c.Site.Moves {
		words = appendNew(words, m.Transition.String())
	}
	slices.Sort(words)
	return fmt.Sprintf("the %s of %s at site %s", strings.Join(words, " and "), topologies(len(c.Site.Moves)), c.Site.Name)
}

func topologies(n int) string {
	if n == 1 {
		return "1 topology"
	}
	return fmt.Sprintf("%d topologies", n)
}

// SiteCommand is what a person types to approve the plan of a site: the one with that
// digest, or whatever it is then if that is empty.
func SiteCommand(site, digest, repository string) string {
	out := "reconcile approve --site " + site
	if digest != "" {
		out += " --plan " + digest
	}
	out += ` --reason "WHY"`
	if repository != "" {
		out += " --repository " + repository
	}
	return out + " --push"
}

// SiteWithdrawal is what a person types to take back own approvals of a site.
func SiteWithdrawal(site, repository string) string {
	out := fmt.Sprintf("reconcile approve --site %s --withdraw", site)
	if repository != "" {
		out += " --repository " + repository
	}
	return out + " --push"
}
