package audit

import (
	"context"
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/plan"
)

// fake is a cluster that gives its answers in turn, and the last one again and again.
type fake struct {
	inventories []Inventory
	counts      []int64
	keys        []Key
}

func next[T any](all *[]T) T {
	out := (*all)[0]
	if len(*all) > 1 {
		*all = (*all)[1:]
	}
	return out
}

func (f *fake) Inventory(context.Context) Inventory { return next(&f.inventories) }

func (f *fake) Count(context.Context, Collection) (int64, error) { return next(&f.counts), nil }

// Keys gives what the rule picks of its keys.
func (f *fake) Keys(_ context.Context, _ Collection, r Rule, limit int) ([]Key, error) {
	var out []Key
	for _, k := range f.keys {
		if len(r.Ends) == 0 || slices.ContainsFunc(r.Ends, func(end string) bool { return strings.HasSuffix(k.Text, end) }) {
			out = append(out, k)
		}
	}
	return out[:min(len(out), limit)], nil
}

func (f *fake) Rows(_ context.Context, _ Collection, keys []Key) ([]Row, error) {
	out := make([]Row, len(keys))
	for i, k := range keys {
		out[i] = Row{Key: k}
	}
	return out, nil
}

// fakePair is a pair that is always caught up. Since each mark so many rows were inserted.
type fakePair struct {
	primary, standby *fake
	inserted         int64
}

func (p fakePair) Primary() Cluster { return p.primary }

func (p fakePair) Standby() Cluster { return p.standby }

func (p fakePair) CatchUp(context.Context) error { return nil }

func (p fakePair) Mark(context.Context) (Mark, error) { return p, nil }

func (p fakePair) Written(_ context.Context, collections []Collection, _ map[string][]Key) map[string]Writes {
	out := map[string]Writes{}
	for _, c := range collections {
		out[c.Name] = Writes{Inserted: p.inserted}
	}
	return out
}

// TestWhatDiffersIsReadTwice: a difference counts if both clusters show it twice. One that
// changed, or that the second reading could not see, leaves open what is so.
func TestWhatDiffersIsReadTwice(t *testing.T) {
	user := item(KindUser, "", "u")
	index := func(state string) Item { return item(KindIndex, "", "v", FactState, state) }
	holds := func(items ...Item) Inventory { return Inventory{Cluster: "x", Items: items} }
	for _, c := range []struct {
		name             string
		primary, standby []Inventory
		want             plan.ContentVerdict
	}{
		{"the same twice", []Inventory{holds(user)}, []Inventory{holds()}, plan.ContentDiverged},
		{"nothing differs", []Inventory{holds(user)}, []Inventory{holds(user)}, plan.ContentEqual},
		{"it came to the standby meanwhile", []Inventory{holds(user)}, []Inventory{holds(), holds(user)}, plan.ContentEqual},
		{"it was made and dropped meanwhile", []Inventory{holds()}, []Inventory{holds(user), holds()}, plan.ContentEqual},
		{
			"the second reading of the primary failed",
			[]Inventory{holds(user), {Cluster: "x", Unread: []Gap{{Why: "it does not answer"}}}},
			[]Inventory{holds()},
			plan.ContentUnproven,
		},
		{
			"it differed in another way",
			[]Inventory{holds(index(BuildingIndex)), holds(index(FinishedIndex))},
			[]Inventory{holds(index("failed"))},
			plan.ContentUnproven,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Run(t.Context(), fakePair{primary: &fake{inventories: c.primary}, standby: &fake{inventories: c.standby}}, Options{})
			if got.Verdict != c.want {
				t.Errorf("%s, want %s: %+v %+v", got.Verdict, c.want, got.Differences, got.Gaps)
			}
		})
	}
}

// TestWritesDoNotHideWhatAStandbyLacks: equal counts prove nothing if the primary wrote between
// them.
func TestWritesDoNotHideWhatAStandbyLacks(t *testing.T) {
	rows := Inventory{Cluster: "x", Collections: []Collection{{Name: "d/c", Loaded: true}}}
	for _, c := range []struct {
		name             string
		primary, standby []int64
		want             plan.ContentVerdict
	}{
		{"at rest", []int64{10}, []int64{10}, plan.ContentEqual},
		{"7 lack, and 7 were inserted between the counts", []int64{10, 17, 17, 24, 24, 31, 31, 38, 38}, []int64{10, 17, 24, 31}, plan.ContentUnproven},
		{"it comes to rest", []int64{10, 17, 17}, []int64{10, 17}, plan.ContentEqual},
	} {
		t.Run(c.name, func(t *testing.T) {
			pair := fakePair{
				primary: &fake{inventories: []Inventory{rows}, counts: c.primary}, standby: &fake{inventories: []Inventory{rows}, counts: c.standby},
				inserted: 7,
			}
			got := Run(t.Context(), pair, Options{})
			if got.Verdict != c.want {
				t.Errorf("%s, want %s: %+v %+v", got.Verdict, c.want, got.Differences, got.Gaps)
			}
		})
	}
}

// TestRowsAreComparedHoweverTheirKeysEnd: keys that all end alike are compared, too, and where no
// key is told the audit says so.
func TestRowsAreComparedHoweverTheirKeysEnd(t *testing.T) {
	rows := Inventory{Cluster: "x", Collections: []Collection{{Name: "d/c", Key: "id", KeyText: true, Loaded: true}}}
	var keys []Key
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		keys = append(keys, Key{Text: name + ".html!", IsText: true})
	}
	for _, c := range []struct {
		name    string
		keys    []Key
		want    plan.ContentVerdict
		sampled int
	}{
		{"all end alike", keys, plan.ContentEqual, 2},
		{"no key is told", nil, plan.ContentUnproven, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster := func() *fake { return &fake{inventories: []Inventory{rows}, counts: []int64{5}, keys: c.keys} }
			got := Run(t.Context(), fakePair{primary: cluster(), standby: cluster()}, Options{Rows: 2})
			if got.Verdict != c.want || got.Sampled != c.sampled {
				t.Errorf("%s with %d rows, want %s with %d: %+v", got.Verdict, got.Sampled, c.want, c.sampled, got.Gaps)
			}
		})
	}
}
