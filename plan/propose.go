package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan/release"
)

// ProposeFailover gives the roles that a document has after a failover to a standby, by
// cluster: that standby is primary, and the old primary and every other standby are
// stale, for each loses its source. Roles that stay are not in the result. The error
// says why the cluster cannot be promoted, with a hint.
//
// A stale cluster can be named if no standby is left: it may be the last copy. The plan then
// asks for an approver who accepts that.
func ProposeFailover(t Topology, to string) (map[string]Role, error) {
	if c, ok := t.Cluster(to); ok && c.Role == RoleStale && c.Promotable && len(t.withRole(RoleStandby)) == 0 {
		old, _ := t.Primary()
		return map[string]Role{to: RolePrimary, old.ID: RoleStale}, nil
	}
	old, err := t.successor(to)
	if err != nil {
		return nil, err
	}
	roles := map[string]Role{to: RolePrimary, old.ID: RoleStale}
	for _, c := range t.withRole(RoleStandby) {
		if c.ID != to {
			roles[c.ID] = RoleStale
		}
	}
	return roles, nil
}

// ProposeSwitchover gives the roles after a switchover to a standby: it and the primary
// swap. The error says why the cluster cannot be promoted, with a hint.
func ProposeSwitchover(t Topology, to string) (map[string]Role, error) {
	old, err := t.successor(to)
	if err != nil {
		return nil, err
	}
	return map[string]Role{to: RolePrimary, old.ID: RoleStandby}, nil
}

// successor returns the primary that a standby is to replace, or why it cannot.
func (t Topology) successor(to string) (old Cluster, err error) {
	old, _ = t.Primary()
	c, listed := t.Cluster(to)
	switch {
	case !listed:
		return old, fmt.Errorf("topology %s has no cluster %s (hint: it has %s)", t.Name, to, strings.Join(t.IDs(), ", "))
	case c.Role == RolePrimary:
		return old, fmt.Errorf("%s is the primary of %s in the file already (hint: name a standby; if that change was a mistake, 'reconcile propose %s --cancel' takes it back)", to, t.Name, t.Name)
	case c.Role != RoleStandby:
		return old, fmt.Errorf("%s is %s, not a standby of %s (hint: only a standby holds what the primary replicated; as a last resort edit the roles by hand)", to, c.Role, t.Name)
	case !c.Promotable:
		return old, fmt.Errorf("%s is marked 'promotable: false' (hint: name another standby, or change the mark in a commit of its own first)", to)
	}
	return old, nil
}

// ProposeAdoption gives the roles that a document must have to say what was done by
// hand. The member that took over is primary. The old primary is standby if it
// replicates from that member, else stale. Other standbys that do not replicate from it
// are stale too, unless they store nothing.
//
// keep names the cluster that took over; it may be empty when only one takes writes.
// With two writers a person must say which of them holds the data that counts, and the
// error asks for that.
func ProposeAdoption(t Topology, o Observed, keep string) (map[string]Role, error) {
	s := newSituation(Desired{}, t, o, Memory{})
	taken, err := s.memberThatTookOver(keep)
	if err != nil {
		return nil, err
	}
	old, _ := t.Primary()
	roles := map[string]Role{taken: RolePrimary, old.ID: RoleStale}
	if s.follows(old.ID, taken) {
		roles[old.ID] = RoleStandby
	}
	for _, c := range t.withRole(RoleStandby) {
		v := s.view(c.ID)
		if c.ID == taken || s.follows(c.ID, taken) || v.Belief.Kind == BeliefUnconfigured {
			continue
		}
		if v.Reach != ReachUp && roles[old.ID] == RoleStandby {
			continue // a switchover by hand may have reached it too: not known
		}
		roles[c.ID] = RoleStale
	}
	return roles, nil
}

// follows says whether a cluster believes that it is a standby of source.
func (s situation) follows(standby, source string) bool {
	b := s.view(standby).Belief
	return b.Kind == BeliefStandby && b.Source == source
}

// memberThatTookOver finds the one standby of the document that takes writes by its own
// stored configuration. A cluster that the document calls stale counts only if keep
// names it: that it takes writes is a danger, not a takeover.
func (s situation) memberThatTookOver(keep string) (string, error) {
	primary, _ := s.topology.Primary()
	var writers, others []string
	for _, c := range s.topology.Clusters {
		b := s.view(c.ID).Belief
		if c.Role == RoleDetached || b.Kind != BeliefPrimary && b.Kind != BeliefStandalone {
			continue
		}
		writers = append(writers, c.ID)
		if c.ID != primary.ID && (c.Role == RoleStandby || c.ID == keep) {
			others = append(others, c.ID)
		}
	}
	switch {
	case len(others) == 0:
		return "", fmt.Errorf("no standby of %s was found to take writes: there is nothing to adopt (hint: 'reconcile status %s' shows the role of each cluster; --primary names a stale cluster that was promoted)", s.topology.Name, s.topology.Name)
	case keep != "":
		for _, w := range others {
			if w == keep {
				return keep, nil
			}
		}
		return "", fmt.Errorf("%s was not found to take writes in place of %s (hint: %s did)", keep, primary.ID, strings.Join(others, ", "))
	case len(writers) > 1:
		return "", fmt.Errorf("%s take writes at the same time (hint: stop writes to all but one, then name that one with --primary; the others become stale)", strings.Join(writers, " and "))
	}
	return others[0], nil
}

// ProposeImport gives the roles that live clusters have, by cluster, for a document
// that is written for the first time. The error holds everything that stands against
// it, each with a hint.
//
// The primary is the cluster that stores a configuration of its own and replicates to
// others or to nobody; primary names it when that is not clear, and may be empty. A
// cluster that replicates from it is standby. One that stores nothing is a standby that
// is to join. Another one that takes writes is stale if it still names targets, else
// detached.
func ProposeImport(o Observed, primary string) (map[string]Role, error) {
	if err := importable(o); err != nil {
		return nil, err
	}
	primary, err := primaryToImport(o, primary)
	if err != nil {
		return nil, err
	}
	roles := map[string]Role{}
	var bad []error
	for _, v := range o.Views {
		switch {
		case v.Cluster == primary:
			roles[v.Cluster] = RolePrimary
		case v.Belief.Kind == BeliefStandby && v.Belief.Source != primary:
			bad = append(bad, fmt.Errorf("%s replicates from %s, not from %s (hint: import only the clusters of one star)", v.Cluster, v.Belief.Source, primary))
		case v.Belief.Kind == BeliefStandby, v.Belief.Kind == BeliefUnconfigured:
			roles[v.Cluster] = RoleStandby
		case v.Belief.Kind == BeliefPrimary:
			roles[v.Cluster] = RoleStale
		case v.Belief.Kind == BeliefStandalone:
			roles[v.Cluster] = RoleDetached
		case v.Belief.Kind == BeliefUnknown: // importable has refused it
		}
	}
	return roles, errors.Join(bad...)
}

// importable demands that every cluster answered, proved its identity and told what it
// stores, and that every cluster which they store is among them.
func importable(o Observed) error {
	var bad []error
	given := map[string]bool{}
	for _, v := range o.Views {
		given[v.Cluster] = true
	}
	for _, v := range o.Views {
		switch {
		case v.Credential == CredentialRefused:
			bad = append(bad, fmt.Errorf("%s refused the token (hint: check the environment variable that holds it)", v.Cluster))
		case v.Reach != ReachUp:
			bad = append(bad, fmt.Errorf("%s is %s: %s", v.Cluster, v.Reach, v.Error))
		case v.IdentityConflict != "":
			bad = append(bad, fmt.Errorf("the cluster at the address of %s is %s (hint: check the ids and addresses)", v.Cluster, v.IdentityConflict))
		case v.Belief.Kind == BeliefUnknown:
			bad = append(bad, fmt.Errorf("%s does not report what it stores: %s (hint: Milvus %s reports it; for older servers write the file by hand)", v.Cluster, v.Error, v.version().Since(release.FeatureReadConfiguration)))
		case !v.IdentityProven:
			bad = append(bad, fmt.Errorf("%s could not prove that it is %s (hint: the id is msgChannel.chanNamePrefix.cluster, and its channels are named after it; a cluster without any collection proves it with Milvus %s)", v.Cluster, v.Cluster, v.version().Since(release.FeatureInfoOnPrimary)))
		}
		for _, m := range v.Belief.Configuration.Clusters {
			if !given[m.ID] && v.IdentityConflict == "" {
				bad = append(bad, fmt.Errorf("%s also stores the cluster %s at %s (hint: add --cluster %s=HOST:PORT)", v.Cluster, m.ID, m.URI, m.ID))
			}
		}
	}
	return errors.Join(bad...)
}

// primaryToImport is the cluster that leads, or the one that was named if it can take
// writes.
func primaryToImport(o Observed, named string) (string, error) {
	var writers, configured []string
	for _, v := range o.Views {
		if canWrite(v) {
			writers = append(writers, v.Cluster)
		}
		if v.Belief.Kind == BeliefPrimary || v.Belief.Kind == BeliefStandalone {
			configured = append(configured, v.Cluster)
		}
	}
	asked := slices.ContainsFunc(o.Views, func(v View) bool { return v.Cluster == named })
	switch {
	case named != "" && !asked:
		return "", fmt.Errorf("%q is none of the clusters that were given (hint: these take writes: %s)", named, wordOr(strings.Join(writers, ", "), "none"))
	case named != "" && !slices.Contains(writers, named):
		return "", fmt.Errorf("%s cannot be the primary: it takes no writes by its own configuration (hint: these do: %s)", named, wordOr(strings.Join(writers, ", "), "none"))
	case named != "":
		return named, nil
	case len(configured) == 1:
		return configured[0], nil
	case len(configured) == 0 && len(writers) == 1:
		return writers[0], nil
	case len(writers) == 0:
		return "", errors.New("none of these clusters takes writes (hint: give their source too, by --cluster)")
	}
	return "", fmt.Errorf("%s all take writes (hint: --primary names the one whose data counts)", strings.Join(writers, ", "))
}

// AsLive is the topology with the present roles of its clusters while a switchover or
// failover of the document is not carried out yet: the member that the
// desired primary replicates from is still the primary.
func (t Topology) AsLive(o Observed) Topology {
	wanted, _ := t.Primary()
	b := o.View(wanted.ID).Belief
	if _, listed := t.Cluster(b.Source); b.Kind != BeliefStandby || !listed {
		return t
	}
	t.Clusters = slices.Clone(t.Clusters)
	for i, c := range t.Clusters {
		switch c.ID {
		case wanted.ID:
			t.Clusters[i].Role = RoleStandby
		case b.Source:
			t.Clusters[i].Role = RolePrimary
		}
	}
	return t
}

// InForce is the topology with the roles that its clusters have while a switchover or
// failover of the document is not carried out yet: as AsLive says, and what replicates
// from that primary is its standby, unless the ledger holds that it is stale.
func (t Topology) InForce(o Observed, m Memory) Topology {
	wanted, _ := t.Primary()
	t = t.AsLive(o)
	primary, _ := t.Primary()
	if primary.ID == wanted.ID {
		return t
	}
	for i, c := range t.Clusters {
		b := o.View(c.ID).Belief
		_, stale := m.staleMark(c.ID)
		if c.Role == RoleStale && !stale && b.Kind == BeliefStandby && b.Source == primary.ID {
			t.Clusters[i].Role = RoleStandby
		}
	}
	return t
}

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
	if i := s.intent; i != nil && (i.MayHaveSent || i.Effected || i.Turned) {
		return nil, fmt.Errorf("the %s of generation %d was begun at %s and may have changed a cluster, so it is not taken back (hint: 'reconcile apply %s' finishes it)",
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
	if !changed && len(s.generationFindings()) == 0 && !s.asksForRehearsal() {
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
	return "", fmt.Errorf("%s take writes at the same time, so something was done already (hint: 'reconcile adopt %s --primary CLUSTER' writes the live roles into the file)", strings.Join(found, " and "), s.topology.Name)
}

// mayServe says whether Git gives a cluster a role by which it may be the primary, now or
// before the change.
func (s situation) mayServe(c Cluster) bool {
	if s.rebuilds(c) { // it was stale, whatever it does now
		return false
	}
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
		return c.Role, fmt.Errorf("%s %s although %s replicates to it, so something was done already (hint: 'reconcile status %s' shows the role of each cluster)", c.ID, s.describe(c.ID), primary, s.topology.Name)
	case c.Role == RolePrimary:
		return c.Role, fmt.Errorf("%s takes writes and does not replicate to %s, which is the primary in the file (hint: 'reconcile status %s' shows the role of each cluster)", primary, c.ID, s.topology.Name)
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

// staleNow says whether the ledger holds that a cluster which Git calls stale, or asks to
// rebuild, became stale by a failover that took effect. It may follow the primary by its fence, and is no standby.
func (s situation) staleNow(c Cluster) bool {
	mark, recorded := s.memory.staleMark(c.ID)
	return recorded && mark.Effected && (c.Role == RoleStale || s.rebuilds(c))
}

// ProposeRebuild gives the roles with which a stale cluster becomes a standby again. The error
// says why it is none to rebuild, with a hint.
func ProposeRebuild(t Topology, cluster string) (map[string]Role, error) {
	c, listed := t.Cluster(cluster)
	switch {
	case !listed:
		return nil, fmt.Errorf("topology %s has no cluster %s (hint: it has %s)", t.Name, cluster, strings.Join(t.IDs(), ", "))
	case c.Role != RoleStale:
		return nil, fmt.Errorf("%s is %s in the file of %s, not stale (hint: only a stale cluster is rebuilt; 'reconcile status %s' shows the role of each)", cluster, c.Role, t.Name, t.Name)
	}
	return map[string]Role{cluster: RoleStandby}, nil
}
