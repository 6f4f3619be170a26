package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrNothingToCancel: the roles of the document are those of the live clusters.
var ErrNothingToCancel = errors.New("the file has the roles that the live clusters have, so there is nothing to take back")

// ProposeCancel gives the roles that take back a change that was committed and not begun:
// those that the live clusters have. The primary is the one member that takes writes; what
// it replicates to is standby; a member that was stale or detached before the change is so
// again. Roles that stay may be in the result.
//
// The error says why the change cannot be taken back, with a hint: a request of it may have
// left, no primary serves, or two members take writes.
func ProposeCancel(t Topology, o Observed, m Memory) (map[string]Role, error) {
	s := newSituation(Desired{}, t, o, m)
	if i := s.intent; i != nil && (i.MayHaveSent || i.Effected) {
		return nil, fmt.Errorf("the %s of generation %d was begun at %s and may have changed a cluster, so it is not taken back (hint: 'reconcile apply %s' carries it to its end)",
			i.Transition, i.Generation, i.At.UTC().Format(time.RFC3339), t.Name)
	}
	primary, err := s.servingPrimary()
	if err != nil {
		return nil, err
	}
	roles, changed := map[string]Role{}, false
	for _, c := range t.Clusters {
		role, err := s.roleBefore(c, primary)
		if err != nil {
			return nil, err
		}
		roles[c.ID], changed = role, changed || role != c.Role
	}
	if !changed && len(s.generationFindings()) == 0 {
		return nil, ErrNothingToCancel
	}
	return roles, nil
}

// servingPrimary returns the one member that takes writes. A cluster that was let go, or
// that was stale before the change, counts only if the desired primary replicates from it.
func (s situation) servingPrimary() (string, error) {
	desired, _ := s.topology.Primary()
	var found []string
	for _, c := range s.topology.Clusters {
		b := s.view(c.ID).Belief
		if b.Kind != BeliefPrimary && b.Kind != BeliefStandalone {
			continue
		}
		if s.mayServe(c) || s.follows(desired.ID, c.ID) {
			found = append(found, c.ID)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", fmt.Errorf("no cluster of %s is seen to take writes, so there is no state to go back to (hint: 'reconcile plan %s' says what is possible)", s.topology.Name, s.topology.Name)
	}
	return "", fmt.Errorf("%s take writes at the same time, so something was done already (hint: 'reconcile adopt %s' writes what is so into the file)", strings.Join(found, " and "), s.topology.Name)
}

// mayServe says whether Git gives a cluster a role by which it may be the primary, now or
// before the change.
func (s situation) mayServe(c Cluster) bool {
	serving := []Role{RolePrimary, RoleStandby}
	if slices.Contains(serving, c.Role) {
		return true
	}
	if s.topology.Previous == nil {
		return false
	}
	before, listed := s.topology.Previous.Cluster(c.ID)
	return listed && slices.Contains(serving, before.Role)
}

// roleBefore is the role of a member in the state in which primary serves.
func (s situation) roleBefore(c Cluster, primary string) (Role, error) {
	v, stored := s.view(c.ID), s.view(primary).Belief.Configuration.HasEdge(primary, c.ID)
	switch {
	case c.ID == primary:
		return RolePrimary, nil
	case s.staleNow(c):
		return RoleStale, nil
	case stored && (s.follows(c.ID, primary) || v.Belief.Kind == BeliefUnknown):
		return RoleStandby, nil
	case stored && v.Belief.Kind != BeliefUnconfigured:
		return c.Role, fmt.Errorf("%s %s although %s replicates to it, so something was done already (hint: 'reconcile status %s' shows who believes what)", c.ID, s.describe(c.ID), primary, s.topology.Name)
	case c.Role == RolePrimary:
		return c.Role, fmt.Errorf("%s takes writes and does not replicate to %s, which is the primary in the file (hint: 'reconcile status %s' shows who believes what)", primary, c.ID, s.topology.Name)
	case s.topology.Previous == nil:
		return c.Role, nil
	}
	before, listed := s.topology.Previous.Cluster(c.ID)
	switch {
	case !listed:
		return c.Role, fmt.Errorf("the change also added %s, which no role takes back (hint: remove its lines from the file and raise 'generation', in one commit)", c.ID)
	case before.Role == RoleStale, before.Role == RoleDetached:
		return before.Role, nil
	}
	return c.Role, nil // it was no standby of what serves
}

// staleNow says whether the ledger holds that a cluster which Git calls stale became so by
// a failover that took effect. It may follow the primary by its fence, and is no standby.
func (s situation) staleNow(c Cluster) bool {
	mark, recorded := s.memory.staleMark(c.ID)
	return recorded && mark.Effected && c.Role == RoleStale
}
