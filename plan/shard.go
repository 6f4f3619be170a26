package plan

import (
	"path"
	"slices"
	"strings"
)

// Shard is a part of the topologies that one daemon, or one group of replicas, acts on.
// Only the operator's configuration defines it. A topology file decides its path and its
// labels, and so at most which of these daemons acts on it.
type Shard struct {
	Name string
	// Paths are patterns of files and folders, as path.Match has them. A folder stands for
	// everything below it. None: every path.
	Paths []string
	// Labels are what metadata.labels must hold, all of them. None: any.
	Labels map[string]string
}

// Takes says whether the shard takes a topology with that file and those labels. A shard
// without a rule takes none.
func (s Shard) Takes(file string, labels map[string]string) bool {
	if len(s.Paths) == 0 && len(s.Labels) == 0 {
		return false
	}
	for key, value := range s.Labels {
		if has, ok := labels[key]; !ok || has != value {
			return false
		}
	}
	return len(s.Paths) == 0 || slices.ContainsFunc(s.Paths, func(p string) bool { return matchesPath(p, file) })
}

// matchesPath says whether a pattern matches a file, or a folder that it is in.
func matchesPath(pattern, file string) bool {
	for at := file; at != "." && at != "/"; at = path.Dir(at) {
		if ok, err := path.Match(pattern, at); ok && err == nil {
			return true
		}
	}
	return false
}

// ShardsOf returns the names of the shards that take a topology, sorted. Exactly one may act
// on it.
func (d Desired) ShardsOf(file string, labels map[string]string) []string {
	var out []string
	for _, s := range d.Shards {
		if s.Takes(file, labels) {
			out = append(out, s.Name)
		}
	}
	slices.Sort(out)
	return out
}

// ShardUndecided is the finding for a topology that the operator's rules give to no shard,
// or to several. file is its document, takers the shards that take it.
func ShardUndecided(topology, file string, takers []string) Finding {
	message := "no shard of the operator's configuration takes " + file + ": no daemon watches " + topology + " or carries out a change of it"
	remedy := "add its folder or a label of it to one of 'shards' in the operator's configuration, or move the file to a folder that a shard takes"
	if len(takers) > 0 {
		message = "the shards " + strings.Join(takers, " and ") + " of the operator's configuration take " + file + ": no daemon watches " + topology + " or carries out a change of it"
		remedy = "change 'shards' in the operator's configuration so that one of " + strings.Join(takers, ", ") + " takes it and the others do not"
	}
	return NewFinding(CodeShardUndecided, "", message,
		remedy+"; then send SIGHUP to the daemons; 'reconcile apply "+topology+"' by hand works meanwhile")
}

// ShardOf returns the shard of a topology that has a document or had one. If the rules give
// it to none or to several, undecided says so and name is empty. Without shards both are
// zero.
func (d Desired) ShardOf(topology string) (name string, undecided *Finding) {
	if len(d.Shards) == 0 {
		return "", nil
	}
	file, takers := d.takers(topology)
	if len(takers) == 1 {
		return takers[0], nil
	}
	f := ShardUndecided(topology, file, takers)
	return "", &f
}

// takers returns the file of a topology, and the shards that take it.
func (d Desired) takers(topology string) (file string, shards []string) {
	if i, ok := slices.BinarySearchFunc(d.Topologies, topology, func(t Topology, n string) int { return strings.Compare(t.Name, n) }); ok {
		t := d.Topologies[i]
		return t.At.File, d.ShardsOf(t.At.File, t.Labels)
	}
	if i, ok := slices.BinarySearchFunc(d.Removed, topology, func(t RemovedTopology, n string) int { return strings.Compare(t.Name, n) }); ok {
		t := d.Removed[i]
		return t.At.File, d.ShardsOf(t.At.File, t.Labels)
	}
	return "", nil
}
