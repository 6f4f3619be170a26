package audit

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
)

// Weight says what a difference means.
type Weight int

const (
	// Diverged: the standby does not hold the same data as its primary, and replication
	// will not repair this.
	Diverged Weight = iota
	// Unready: the standby holds it and could not serve it yet, or its primary is about to
	// change it.
	Unready
	// Local: each cluster has its own by design, and replication never carries it.
	Local
)

// String returns the weight as programs read it.
func (w Weight) String() string { return [...]string{"diverged", "unready", "local"}[w] }

// Difference is one difference between a standby and its primary.
type Difference struct {
	Weight     Weight
	Kind       Kind
	Collection string
	Name       string
	Fact       string // the property that differs; empty: the whole is missing, or too much
	Primary    string // the value there; empty: the primary does not have it
	Standby    string
	// By is by how much at least, of what can be counted: rows or keys.
	By     int64
	Detail string
}

func compareDifferences(a, b Difference) int {
	return cmp.Or(cmp.Compare(a.Weight, b.Weight), cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.Collection, b.Collection),
		cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Fact, b.Fact))
}

// rank puts first what a reader must know first: rows, then collections.
func (d Difference) rank() int {
	switch d.Kind {
	case KindRows:
		return 0
	case KindKeys:
		return 1
	case KindCollection, KindDatabase:
		return 2
	default:
		return 3
	}
}

// there is the value of something that has no other.
const there = "there"

// Compare compares the metadata of a standby with those of its primary.
func Compare(primary, standby Inventory) []Difference {
	mine, theirs := primary.byPlace(), standby.byPlace()
	var out []Difference
	for _, i := range primary.Items {
		other, held := theirs[i.place()]
		switch {
		case held:
			out = append(out, compareItems(i, other)...)
		case !standby.unread(i.Kind, i.Collection) && i.reportable(theirs):
			out = append(out, onlyOnOne(i, there, ""))
		}
	}
	for _, i := range standby.Items {
		if _, held := mine[i.place()]; !held && !primary.unread(i.Kind, i.Collection) && i.reportable(mine) {
			out = append(out, onlyOnOne(i, "", there))
		}
	}
	out = slices.DeleteFunc(out, func(d Difference) bool { return d == Difference{} })
	slices.SortFunc(out, compareDifferences)
	return out
}

// reportable says whether that an item is missing in the other cluster is to be said: of a
// collection that is missing there, nothing else is.
func (i Item) reportable(other map[place]Item) bool {
	if i.Collection == "" || i.Kind == KindCollection {
		return true
	}
	_, held := other[place{KindCollection, i.Collection, i.Collection}]
	return held
}

// onlyOnOne is the difference of an item that only one of the clusters has.
func onlyOnOne(i Item, primary, standby string) Difference {
	if i.Kind == KindImport {
		if primary != "" {
			return compareImports(i, Item{})
		}
		return compareImports(Item{Kind: i.Kind, Collection: i.Collection, Name: i.Name}, i)
	}
	d := Difference{Kind: i.Kind, Collection: i.Collection, Name: i.Name, Primary: primary, Standby: standby}
	if i.Kind == KindResourceGroup {
		d.Weight = Local
	}
	return d
}

// compareItems compares the facts of an item that both clusters have.
func compareItems(primary, standby Item) []Difference {
	if primary.Kind == KindImport {
		return []Difference{compareImports(primary, standby)}
	}
	names := map[string]bool{}
	for _, f := range slices.Concat(primary.Facts, standby.Facts) {
		names[f.Name] = true
	}
	var out []Difference
	for _, name := range slices.Sorted(maps.Keys(names)) {
		d := Difference{Kind: primary.Kind, Collection: primary.Collection, Name: primary.Name, Fact: name, Primary: primary.Fact(name), Standby: standby.Fact(name)}
		if d.Primary == d.Standby {
			continue
		}
		if d.Weight = d.meaning(); d.Weight == Unready && d.Standby == FinishedIndex {
			continue // the standby is ahead
		}
		out = append(out, d)
	}
	return out
}

// The facts that are not simply equal or different, and their values.
const (
	FactState    = "state"
	FactReplicas = "replicas"
	FactField    = "field" // of an index

	FinishedIndex = "finished"
	BuildingIndex = "being built"
	FailedIndex   = "failed"
	StateLoaded   = "loaded"
	StateLoading  = "loading"
	StateReleased = "not loaded"

	FactRunning     = "running"
	FactUncommitted = "uncommitted"
)

// meaning says what a fact that differs means.
func (d Difference) meaning() Weight {
	switch {
	case d.Kind == KindLoad && d.Fact == FactReplicas, d.Kind == KindResourceGroup:
		return Local
	case d.Kind == KindIndex && d.Fact == FactState && d.Standby != FailedIndex:
		return Unready
	case d.Kind == KindLoad && (d.Primary == StateLoading || d.Standby == StateLoading):
		return Unready
	default:
		return Diverged
	}
}

// compareImports judges the imports in flight of one collection. They have no names that
// could be compared. One that only the standby still waits to commit is stranded: its
// commit came, or will never come.
func compareImports(primary, standby Item) Difference {
	d := Difference{
		Weight: Unready, Kind: KindImport, Collection: primary.Collection, Name: primary.Name,
		Primary: importWords(primary), Standby: importWords(standby),
	}
	if d.By = number(standby.Fact(FactUncommitted)) - number(primary.Fact(FactUncommitted)); d.By > 0 {
		d.Weight = Diverged
	}
	d.By = max(d.By, 0)
	return d
}

func importWords(i Item) string {
	return strconv.FormatInt(number(i.Fact(FactRunning)), 10) + " running, " + strconv.FormatInt(number(i.Fact(FactUncommitted)), 10) + " not committed"
}

// number reads a count; what is none counts as 0.
func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64) //nolint:errcheck // 0 where there is none
	return n
}

// lasting divides the differences of a second comparison: confirmed are those that the first one
// found too, in the same way. What only the first one found is none any more.
func lasting(first, second []Difference) (confirmed, open []Difference) {
	for _, d := range second {
		if slices.Contains(first, d) {
			confirmed = append(confirmed, d)
		} else {
			open = append(open, d)
		}
	}
	return confirmed, open
}
