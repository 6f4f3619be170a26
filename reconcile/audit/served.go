package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"milvus-reconcile/plan"
)

// Served returns what the cluster has loaded, with its indexes. ok is false if not all of its
// collections were listed. A collection whose load or indexes could not be read is left out.
func (v Inventory) Served() (served []plan.ServedCollection, ok bool) {
	unread := map[string]bool{}
	for _, g := range v.Unread {
		if g.Kind == "" || g.Kind == KindLoad || g.Kind == KindIndex {
			unread[g.Collection] = true
		}
	}
	if unread[""] {
		return nil, false
	}
	byName := map[string]*plan.ServedCollection{}
	for _, c := range v.Collections {
		byName[c.Name] = &plan.ServedCollection{Name: c.Name, Loaded: c.Loaded}
	}
	for _, i := range v.Items {
		c := byName[i.Collection]
		switch {
		case c == nil:
		case i.Kind == KindLoad:
			c.Loaded = c.Loaded || i.Fact(FactState) == StateLoading
			c.Replicas, _ = strconv.Atoi(i.Fact(FactReplicas))
		case i.Kind == KindIndex:
			c.Indexes = append(c.Indexes, i.index())
		}
	}
	for name, c := range byName {
		if !unread[name] {
			slices.SortFunc(c.Indexes, func(a, b plan.CollectionIndex) int { return cmp.Compare(a.Name, b.Name) })
			served = append(served, *c)
		}
	}
	slices.SortFunc(served, func(a, b plan.ServedCollection) int { return cmp.Compare(a.Name, b.Name) })
	return served, true
}

// index returns the index that an item is.
func (i Item) index() plan.CollectionIndex {
	out := plan.CollectionIndex{Name: i.Name, Field: i.Fact(FactField)}
	for _, f := range i.Facts {
		if f.Name != FactField && f.Name != FactState {
			out.Params = append(out.Params, plan.IndexParam{Key: f.Name, Value: f.Value})
		}
	}
	slices.SortFunc(out.Params, func(a, b plan.IndexParam) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

// Readiness says what of the inventory is not in place to serve.
func (v Inventory) Readiness() plan.Readiness {
	out := plan.Readiness{Asked: true}
	loaded := map[string]bool{}
	for _, c := range v.Collections {
		loaded[c.Name] = c.Loaded
	}
	for _, i := range v.Items {
		switch state := i.Fact(FactState); {
		case i.Kind == KindImport:
			out.Imports = append(out.Imports, fmt.Sprintf("%s (%s running, %s not committed)", i.Collection, i.Fact(FactRunning), i.Fact(FactUncommitted)))
		case i.Kind == KindLoad && state != StateLoaded:
			out.Unloaded = append(out.Unloaded, i.Collection)
		case i.Kind == KindIndex && state != FinishedIndex && loaded[i.Collection]:
			out.Indexes = append(out.Indexes, fmt.Sprintf("%s of %s (%s)", i.Name, i.Collection, state))
		}
	}
	for _, g := range v.Unread {
		out.Unknown = append(out.Unknown, strings.TrimSpace(g.Collection+" "+g.Why))
	}
	for _, names := range [][]string{out.Imports, out.Unloaded, out.Indexes, out.Unknown} {
		slices.Sort(names)
	}
	return out
}
