package desired

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/suggest"
)

// wildcards takes from a pattern what only path.Match understands.
var wildcards = strings.NewReplacer("*", "", "?", "", "[", "", "]", "")

// Choose keeps the topologies that the names or patterns select; none given keeps all. A
// pattern has the form of path.Match. A pattern that selects nothing is an error.
func (r *Revision) Choose(names []string) error {
	if len(names) == 0 {
		return nil
	}
	for _, n := range names {
		if _, err := path.Match(n, ""); err != nil {
			return fmt.Errorf("the pattern %q is malformed (hint: quote a pattern such as 'orders-*'; '[' needs its ']')", n)
		}
		known := slices.ContainsFunc(r.Desired.Topologies, func(t plan.Topology) bool { return selects(n, t.Name) })
		if !known && !slices.ContainsFunc(r.Desired.Removed, func(t plan.RemovedTopology) bool { return selects(n, t.Name) }) {
			return r.UnknownTopology(n)
		}
	}
	unselected := func(name string) bool {
		return !slices.ContainsFunc(names, func(n string) bool { return selects(n, name) })
	}
	r.Desired.Topologies = slices.DeleteFunc(slices.Clone(r.Desired.Topologies), func(t plan.Topology) bool { return unselected(t.Name) })
	r.Desired.Removed = slices.DeleteFunc(slices.Clone(r.Desired.Removed), func(t plan.RemovedTopology) bool { return unselected(t.Name) })
	return nil
}

// ChooseSite keeps the topologies that have a cluster at a site; empty: all.
func (r *Revision) ChooseSite(site string) error {
	if site == "" {
		return nil
	}
	var sites []string
	kept := slices.DeleteFunc(slices.Clone(r.Desired.Topologies), func(t plan.Topology) bool {
		for _, c := range t.Clusters {
			sites = append(sites, c.Site)
		}
		return !slices.ContainsFunc(t.Clusters, func(c plan.Cluster) bool { return c.Site == site })
	})
	if len(kept) == 0 {
		slices.Sort(sites)
		sites = slices.DeleteFunc(slices.Compact(sites), func(s string) bool { return s == "" })
		how := ""
		if len(sites) == 0 {
			how = "give each cluster its 'site' in the topology file"
		}
		return errors.New(suggest.WithHint(fmt.Sprintf("no cluster of the topologies chosen is at the site %q", site), suggest.Hint(site, sites, how)))
	}
	r.Desired.Topologies, r.Desired.Removed = kept, nil
	return nil
}

// UnknownTopology returns the error for a name that no valid document has. It proposes the
// names that may have been meant. If files are not valid, one of them may hold the name.
func (r Revision) UnknownTopology(name string) error {
	return unknownTopology(name, fmt.Sprintf("at commit %.12s", r.Commit), r.Desired.Topologies, len(r.Problems) > 0)
}

func unknownTopology(name, place string, known []plan.Topology, invalid bool) error {
	names := make([]string, len(known))
	for i, t := range known {
		names[i] = t.Name
	}
	slices.Sort(names)
	hint := suggest.Hint(wildcards.Replace(name), names, "")
	if invalid || hint == "" {
		hint = strings.TrimPrefix(hint+"; 'reconcile validate' lists the files that are not valid", "; ")
	}
	return errors.New(suggest.WithHint(fmt.Sprintf("there is no valid topology %q %s", name, place), hint))
}

// UnknownCluster returns the error for a cluster that a topology does not list. otherwise
// is the hint if no name is near.
func UnknownCluster(t plan.Topology, cluster, otherwise string) error {
	return errors.New(suggest.WithHint(fmt.Sprintf("topology %s has no cluster %q", t.Name, cluster), suggest.Hint(cluster, t.IDs(), otherwise)))
}

// selects reports whether a name or pattern selects a topology.
func selects(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// RequireCluster fails if there is no such topology, or it does not list the cluster.
func (r Revision) RequireCluster(topology, cluster string) error {
	for _, t := range r.Desired.Topologies {
		if t.Name != topology {
			continue
		}
		if _, ok := t.Cluster(cluster); ok {
			return nil
		}
		return UnknownCluster(t, cluster, "list it as stale first")
	}
	return r.UnknownTopology(topology)
}

// StaleCluster returns a topology and its stale cluster; from chooses one of several, or a
// cluster that the newest change makes a member again: the writes that only it holds are
// read before it is wiped.
func (r Revision) StaleCluster(topology, from string) (plan.Topology, string, error) {
	i := slices.IndexFunc(r.Desired.Topologies, func(t plan.Topology) bool { return t.Name == topology })
	if i < 0 {
		return plan.Topology{}, "", r.UnknownTopology(topology)
	}
	t := r.Desired.Topologies[i]
	var stale []string
	for _, c := range t.Clusters {
		if c.Role == plan.RoleStale || c.ID == from && staleBefore(t, from) {
			stale = append(stale, c.ID)
		}
	}
	switch {
	case len(stale) == 0:
		return t, "", fmt.Errorf("no cluster of %s is stale in the file, so there is nothing to salvage", topology)
	case from != "" && !slices.Contains(t.IDs(), from):
		return t, "", UnknownCluster(t, from, "--from "+strings.Join(stale, " or --from "))
	case from != "" && !slices.Contains(stale, from):
		return t, "", fmt.Errorf("%s is not stale in the file of %s (hint: --from %s)", from, topology, strings.Join(stale, " or --from "))
	case from != "":
		return t, from, nil
	case len(stale) > 1:
		return t, "", fmt.Errorf("%s has several stale clusters (hint: --from %s)", topology, strings.Join(stale, " or --from "))
	default:
		return t, stale[0], nil
	}
}

// staleBefore reports whether a cluster was stale before the newest change.
func staleBefore(t plan.Topology, cluster string) bool {
	if t.Previous == nil {
		return false
	}
	c, listed := t.Previous.Cluster(cluster)
	return listed && c.Role == plan.RoleStale
}
