package plan

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// SiteChange is what is asked for of all topologies at a site.
type SiteChange string

// The changes of a site.
const (
	SiteFailover   SiteChange = "failover"   // its primaries are lost: standbys elsewhere are promoted by force
	SiteSwitchover SiteChange = "switchover" // its primaries work: standbys elsewhere take over
	SiteBack       SiteChange = "back"       // standbys at it take over from primaries elsewhere
)

// SiteMove is what is proposed for one topology.
type SiteMove struct {
	Topology string
	From, To Cluster // the primary in force, and its successor
	Why      string  // this successor
	Roles    map[string]Role
}

// SiteStay is a topology that cannot move, and why.
type SiteStay struct {
	Topology string
	Err      error
}

// ProposeSite chooses for each topology that the change concerns the cluster that becomes the
// primary. It goes by what the clusters were observed to be.
//
// For a failover that is the standby which loses the least; of equals one at the site that has
// got the fewest primaries so far. Nothing is lost by a switchover, so there the number of
// primaries comes first. A cluster whose document does not say its site is never known to be
// outside of one.
func ProposeSite(topologies []Topology, o Observed, m Memory, site string, change SiteChange) (moves []SiteMove, stays []SiteStay) {
	got := map[string]int{} // primaries, by site
	for _, t := range sortedTopologies(topologies) {
		s := newSituation(Desired{}, t.AsLive(o), o, m)
		old, _ := s.topology.Primary()
		if !s.concernedBy(old, site, change) {
			continue
		}
		move, err := s.siteMove(t, old, site, change, got)
		if err != nil {
			stays = append(stays, SiteStay{t.Name, err})
			continue
		}
		got[move.To.Site]++
		moves = append(moves, move)
	}
	return moves, stays
}

// concernedBy says whether a topology is to leave a site, or to come back to it.
func (s situation) concernedBy(primary Cluster, site string, change SiteChange) bool {
	if change != SiteBack {
		return primary.Site == site
	}
	return primary.Site != site && slices.ContainsFunc(s.topology.Clusters, func(c Cluster) bool {
		return c.Site == site && c.Role != RoleDetached
	})
}

// siteMove is the move of one topology, or why it cannot move.
func (s situation) siteMove(t Topology, old Cluster, site string, change SiteChange, got map[string]int) (SiteMove, error) {
	if err := s.mayMove(t, old, change); err != nil {
		return SiteMove{}, err
	}
	able, passed := s.promotableStandbys(old.ID)
	able = slices.DeleteFunc(able, func(c standbyProgress) bool {
		why := siteForbids(c.Cluster, site, change)
		if why != nil {
			passed = append(passed, why)
		}
		return why != nil
	})
	if len(able) == 0 {
		return SiteMove{}, fmt.Errorf("no standby can take over%s (hint: 'reconcile doctor %s')", becauseOf(passed), t.Name)
	}
	slices.SortStableFunc(able, func(a, b standbyProgress) int {
		return cmp.Or(got[a.Site]-got[b.Site], compareStrings(a.ID, b.ID))
	})
	if change != SiteFailover {
		fewest := able[0].Site
		able = slices.DeleteFunc(able, func(c standbyProgress) bool {
			if got[c.Site] > got[fewest] {
				passed = append(passed, fmt.Errorf("%s is at %s, which gets more primaries", c.ID, c.Site))
				return true
			}
			return false
		})
	}
	for _, c := range able[1:] {
		if _, _, known := compareProgress(able[0].progress, c.progress); !known && change == SiteFailover {
			return SiteMove{}, fmt.Errorf("%s and %s cannot be compared: the progress of one is not known (hint: name the one to promote: 'reconcile propose %s/%s --failover')", able[0].ID, c.ID, t.Name, able[0].ID)
		}
	}
	best := mostCaughtUp(able)
	move := SiteMove{Topology: t.Name, From: old, To: best.Cluster, Why: whyBest(best, able, passed)}
	wanted, _ := t.Primary()
	if move.Roles = s.rolesAfter(best.ID, old.ID, wanted.ID); change != SiteFailover {
		move.Roles = map[string]Role{best.ID: RolePrimary, old.ID: RoleStandby}
	}
	if t.hasRoles(move.Roles) {
		return SiteMove{}, fmt.Errorf("its file asks for the failover to %s already (hint: 'reconcile plan %s' says whether it is to be approved or applied)", best.ID, t.Name)
	}
	return move, nil
}

// hasRoles says whether the document gives clusters these roles.
func (t Topology) hasRoles(roles map[string]Role) bool {
	for id, role := range roles {
		if c, listed := t.Cluster(id); !listed || c.Role != role {
			return false
		}
	}
	return true
}

// siteForbids says why a standby is at the wrong site; nil: it is not.
func siteForbids(c Cluster, site string, change SiteChange) error {
	switch {
	case change == SiteBack && c.Site != site:
		return fmt.Errorf("%s is not at %s", c.ID, site)
	case change == SiteBack:
		return nil
	case c.Site == site:
		return fmt.Errorf("%s is at %s too", c.ID, site)
	case c.Site == "":
		return fmt.Errorf("the file does not say at which site %s is", c.ID)
	default:
		return nil
	}
}

// mayMove says why no change of the primary is proposed for a topology; nil: one may be.
func (s situation) mayMove(t Topology, old Cluster, change SiteChange) error {
	wanted, _ := t.Primary()
	v := s.view(old.ID)
	switch {
	case s.intent != nil && (s.intent.MayHaveSent || s.intent.Effected || s.intent.Turned):
		return fmt.Errorf("the %s of generation %d was begun and is not done (hint: 'reconcile apply %s' carries it to its end)", s.intent.Transition, s.intent.Generation, t.Name)
	case old.ID == "":
		return errors.New("its document has no primary (hint: 'reconcile validate')")
	case change == SiteFailover && canWrite(v):
		return fmt.Errorf("%s answers, so it is not lost: a failover would make two primaries (hint: --switchover in place of --failover)", old.ID)
	case change == SiteFailover:
		return nil
	case wanted.ID != old.ID:
		return fmt.Errorf("its file makes %s the primary, and that was not carried out (hint: 'reconcile plan %s')", wanted.ID, t.Name)
	case !canWrite(v):
		return fmt.Errorf("%s %s, and a switchover needs both (hint: --failover in place of a switchover, if it is lost)", old.ID, s.describe(old.ID))
	default:
		return nil
	}
}
