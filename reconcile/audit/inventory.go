package audit

import (
	"cmp"
	"slices"
)

// Kind is a kind of content.
type Kind string

// The kinds of content.
const (
	KindDatabase       Kind = "database"
	KindCollection     Kind = "collection"
	KindField          Kind = "field"
	KindFunction       Kind = "function"
	KindPartition      Kind = "partition"
	KindAlias          Kind = "alias"
	KindIndex          Kind = "index"
	KindLoad           Kind = "load"
	KindImport         Kind = "import"
	KindRows           Kind = "rows"
	KindKeys           Kind = "keys"
	KindUser           Kind = "user"
	KindRole           Kind = "role"
	KindGrant          Kind = "grant"
	KindPrivilegeGroup Kind = "privilege group"
	KindResourceGroup  Kind = "resource group"
)

// Item is one thing that a cluster holds.
type Item struct {
	Kind       Kind
	Collection string // database/collection; empty: it belongs to none
	Name       string
	Facts      []Fact // in the order of their names
}

// Fact is one property of an item.
type Fact struct{ Name, Value string }

// Fact returns the value of a fact; empty: there is none.
func (i Item) Fact(name string) string {
	for _, f := range i.Facts {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// place identifies an item within a cluster.
type place struct {
	kind             Kind
	collection, name string
}

func (i Item) place() place { return place{i.Kind, i.Collection, i.Name} }

// Collection is a collection whose rows may be compared.
type Collection struct {
	Name    string // database/collection
	ID      int64
	Key     string // the field of its primary key
	KeyText bool   // its keys are texts, not integers
	Loaded  bool
	Expires bool // its rows have a time to live
	// Fields are those whose values a query gives.
	Fields []string
}

// Inventory is what one cluster holds. Unread names the parts that could not be read.
// Something missing in such a part is not a difference.
type Inventory struct {
	Cluster     string
	Items       []Item
	Collections []Collection
	Unread      []Gap
}

// Gap is something that was not compared.
type Gap struct {
	Kind       Kind   // empty: all of the collection, or of the cluster
	Collection string // empty: it belongs to none
	Why        string
	// Idle: neither cluster serves it, so that it proves nothing and spoils nothing.
	Idle bool
}

// compareGaps orders gaps: those that matter first.
func compareGaps(a, b Gap) int {
	return cmp.Or(cmp.Compare(oneIf(a.Idle), oneIf(b.Idle)), cmp.Compare(a.Collection, b.Collection), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Why, b.Why))
}

func oneIf(b bool) int {
	if b {
		return 1
	}
	return 0
}

// byPlace returns the items by their places.
func (v Inventory) byPlace() map[place]Item {
	out := make(map[place]Item, len(v.Items))
	for _, i := range v.Items {
		out[i.place()] = i
	}
	return out
}

// unread says whether items of a kind could not be read, of one collection or of all.
func (v Inventory) unread(k Kind, collection string) bool {
	return slices.ContainsFunc(v.Unread, func(g Gap) bool {
		return (g.Kind == k || g.Kind == "") && (g.Collection == "" || g.Collection == collection)
	})
}

// collection returns a collection by its name.
func (v Inventory) collection(name string) (Collection, bool) {
	i := slices.IndexFunc(v.Collections, func(c Collection) bool { return c.Name == name })
	if i < 0 {
		return Collection{}, false
	}
	return v.Collections[i], true
}
