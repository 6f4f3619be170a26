package schema

import (
	"fmt"
	"slices"
	"strings"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/suggest"
)

// checkClusters applies the rules over all clusters of one document. The
// values stand in the order of the file.
func checkClusters(f field, clusters []plan.Cluster) {
	items := f.items()
	if len(items) == 0 || len(items) > maxClusters {
		return // the schema has spoken
	}
	checkPrimary(f, items)
	checkUniqueIDs(items)
	checkNestedIDs(items)
	checkUniqueURIs(items)
	checkUniqueAddresses(items, clusters)
	checkChannelCounts(items, clusters)
}

// checkRehearsal demands a standby that may be the primary. A request of an earlier generation
// is left alone: it asks for nothing, and must not keep a failover from being read.
func checkRehearsal(f field, t plan.Topology) {
	r := t.Rehearse
	if r == nil || r.Generation < t.Generation {
		return
	}
	if r.Generation > t.Generation {
		f.get("generation").fail(fmt.Sprintf("generation %d is greater than that of the document, %d", r.Generation, t.Generation), "write the generation of this document, or remove rehearse")
		return
	}
	c, listed := t.Cluster(r.To)
	switch {
	case !listed:
		f.get("to").fail("there is no cluster "+quoted(r.To)+" in this topology", suggest.Hint(r.To, t.IDs(), "name a standby that it lists"))
	case c.Role != plan.RoleStandby:
		f.get("to").fail(quoted(r.To)+" is "+c.Role.String()+", not a standby", "name a standby, or remove rehearse")
	case !c.Promotable:
		f.get("to").fail(quoted(r.To)+" is marked 'promotable: false'", "name another standby, or remove rehearse")
	}
}

func checkPrimary(f field, items []field) {
	first := -1
	for i, c := range items {
		role := c.get("role")
		if role.text() != string(plan.RolePrimary) {
			continue
		}
		if first < 0 {
			first = i
			continue
		}
		role.fail("a second primary: exactly one cluster may be primary",
			fmt.Sprintf("cluster %s is primary already; make this one standby, stale or detached", quoted(items[first].get("id").text())))
	}
	if first >= 0 || anyRoleUnreadable(items) {
		return
	}
	f.fail("no cluster is primary", "set the role of exactly one cluster to primary")
}

// anyRoleUnreadable: with a role missing or misspelt, whether a primary is
// missing cannot be told.
func anyRoleUnreadable(items []field) bool {
	for _, c := range items {
		switch plan.Role(c.get("role").text()) {
		case plan.RolePrimary, plan.RoleStandby, plan.RoleStale, plan.RoleDetached:
		default:
			return true
		}
	}
	return false
}

func checkUniqueIDs(items []field) {
	seen := map[string]field{}
	for _, c := range items {
		id := c.get("id")
		if id.text() == "" {
			continue
		}
		if first, ok := seen[id.text()]; ok {
			id.fail(fmt.Sprintf("the cluster id %s appears twice", quoted(id.text())),
				fmt.Sprintf("give each cluster its own id; the first is on line %d", first.position().Line))
			continue
		}
		seen[id.text()] = id
	}
}

// checkNestedIDs: CDC finds its own channels by looking for the cluster's id
// inside their names, so an id inside another one takes foreign channels for
// its own.
func checkNestedIDs(items []field) {
	for _, outer := range items {
		for _, inner := range items {
			a, b := outer.get("id"), inner.get("id").text()
			if b != "" && a.text() != b && strings.Contains(a.text(), b) {
				a.fail(fmt.Sprintf("the id %s contains the id %s", quoted(a.text()), quoted(b)),
					"no id may be part of another: Milvus CDC tells clusters apart by searching for the id in channel names")
				break
			}
		}
	}
}

func checkUniqueURIs(items []field) {
	seen := map[string]string{}
	for _, c := range items {
		uri := c.get("uri")
		u, ok := uri.clusterURI()
		if !ok {
			continue
		}
		key := uriKey(u)
		if other, ok := seen[key]; ok {
			uri.fail(fmt.Sprintf("the uri %s is also that of cluster %s", quoted(uri.text()), quoted(other)), "give each cluster its own uri")
			continue
		}
		seen[key] = c.get("id").text()
	}
}

// checkUniqueAddresses: behind one address answers one cluster. Two uris of
// the same server were reported already.
func checkUniqueAddresses(items []field, clusters []plan.Cluster) {
	seen := map[string]int{}
	for i, c := range clusters {
		address := strings.ToLower(c.ClientAddress)
		if address == "" {
			continue
		}
		first, ok := seen[address]
		if !ok {
			seen[address] = i
			continue
		}
		at := items[i].get("clientAddress")
		if !at.set {
			at = items[i].get("uri")
			if sameURI(at, items[first].get("uri")) {
				continue
			}
		}
		at.fail(fmt.Sprintf("the address %s is also that of cluster %s", quoted(c.ClientAddress), quoted(clusters[first].ID)), "give each cluster its own address")
	}
}

func sameURI(a, b field) bool {
	x, okX := a.clusterURI()
	y, okY := b.clusterURI()
	return okX && okY && uriKey(x) == uriKey(y)
}

func checkChannelCounts(items []field, clusters []plan.Cluster) {
	first := -1
	for i, c := range clusters {
		if len(c.PChannels) == 0 {
			continue
		}
		if first < 0 {
			first = i
			continue
		}
		if n, want := len(c.PChannels), len(clusters[first].PChannels); n != want {
			items[i].get("pchannels").fail(
				fmt.Sprintf("%s, but cluster %s has %d", countChannels(n), quoted(clusters[first].ID), want),
				"all clusters of a topology need the same number of channels: they are mapped by position")
		}
	}
}

func countChannels(n int) string {
	if n == 1 {
		return "it has 1 channel"
	}
	return fmt.Sprintf("it has %d channels", n)
}

// checkAcross applies the rules between documents. A document that shares a name or a
// cluster id with another document is left out with it: which of the two is
// meant cannot be told, and a bad document may be the one that is meant.
func checkAcross(docs []parsed) {
	names, ids := map[string][]int{}, map[string][]int{}
	for i, d := range docs {
		if d.identity.name.word != "" {
			names[d.identity.name.word] = append(names[d.identity.name.word], i)
		}
		for _, id := range d.identity.ids {
			if !slices.Contains(ids[id.word], i) {
				ids[id.word] = append(ids[id.word], i)
			}
		}
	}
	for i := range docs {
		d := &docs[i]
		if name := d.identity.name; len(names[name.word]) > 1 {
			other := docs[another(names[name.word], i)].identity.name
			d.add(name, fmt.Sprintf("the topology name %s is used twice", quoted(name.word)), "rename one of them; the other is at "+other.place())
		}
		reported := map[string]bool{}
		for _, id := range d.identity.ids {
			if len(ids[id.word]) < 2 || reported[id.word] {
				continue
			}
			reported[id.word] = true
			other := docs[another(ids[id.word], i)].identity.mentionOf(id.word)
			d.add(id, fmt.Sprintf("the cluster id %s is also in another topology", quoted(id.word)), "a cluster belongs to one topology; the other is at "+other.place())
		}
	}
}

// another returns the first index that is not i.
func another(indexes []int, i int) int {
	if indexes[0] != i {
		return indexes[0]
	}
	return indexes[1]
}

func (x identity) mentionOf(id string) mention {
	for _, m := range x.ids {
		if m.word == id {
			return m
		}
	}
	return mention{}
}

func (m mention) place() string {
	return fmt.Sprintf("%s:%d:%d", printable(m.file), m.at.line, m.at.column)
}

func (p *parsed) add(m mention, message, hint string) {
	p.problems = append(p.problems, Problem{
		File: m.file, Line: m.at.line, Column: m.at.column, Path: m.path, Message: message, Hint: hint,
	})
}
