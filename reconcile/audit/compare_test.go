package audit

import (
	"slices"
	"testing"
)

func item(k Kind, collection, name string, facts ...string) Item {
	out := Item{Kind: k, Collection: collection, Name: name}
	for i := 0; i < len(facts); i += 2 {
		out.Facts = append(out.Facts, Fact{facts[i], facts[i+1]})
	}
	return out
}

// TestCompare: what differs is said once and weighed, what could not be read is no
// difference, and what belongs to a missing collection is not said again.
func TestCompare(t *testing.T) {
	coll := item(KindCollection, "d/c", "d/c", "shards", "2")
	for _, c := range []struct {
		name             string
		primary, standby []Item
		unread           []Gap // of the standby
		want             []Difference
	}{
		{name: "equal", primary: []Item{coll}, standby: []Item{coll}},
		{
			name: "a collection is missing with all that it holds", primary: []Item{coll, item(KindField, "d/c", "id"), item(KindIndex, "d/c", "v")},
			want: []Difference{{Kind: KindCollection, Collection: "d/c", Name: "d/c", Primary: there}},
		},
		{name: "it could not be read", primary: []Item{coll, item(KindField, "d/c", "id")}, unread: []Gap{{Collection: "d/c", Why: "denied"}}},
		{name: "nothing could be read", primary: []Item{coll, item(KindUser, "", "u")}, unread: []Gap{{Why: "denied"}}},
		{
			name: "other collections were read", primary: []Item{coll}, unread: []Gap{{Collection: "d/other", Why: "denied"}},
			want: []Difference{{Kind: KindCollection, Collection: "d/c", Name: "d/c", Primary: there}},
		},
		{
			name: "a fact differs, and one is not set", primary: []Item{item(KindField, "", "f", "type", "VarChar", "max_length", "64")},
			standby: []Item{item(KindField, "", "f", "type", "JSON")},
			want: []Difference{
				{Kind: KindField, Name: "f", Fact: "max_length", Primary: "64"},
				{Kind: KindField, Name: "f", Fact: "type", Primary: "VarChar", Standby: "JSON"},
			},
		},
		{
			name:    "what each cluster has of its own",
			primary: []Item{item(KindResourceGroup, "", "rg"), item(KindLoad, "", "load", FactState, StateLoaded, FactReplicas, "3")},
			standby: []Item{item(KindResourceGroup, "", "rg2"), item(KindLoad, "", "load", FactState, StateLoaded, FactReplicas, "1")},
			want: []Difference{
				{Weight: Local, Kind: KindLoad, Name: "load", Fact: FactReplicas, Primary: "3", Standby: "1"},
				{Weight: Local, Kind: KindResourceGroup, Name: "rg", Primary: there},
				{Weight: Local, Kind: KindResourceGroup, Name: "rg2", Standby: there},
			},
		},
		{
			name: "an index that the standby has not finished", primary: []Item{item(KindIndex, "", "v", FactState, FinishedIndex)},
			standby: []Item{item(KindIndex, "", "v", FactState, BuildingIndex)},
			want:    []Difference{{Weight: Unready, Kind: KindIndex, Name: "v", Fact: FactState, Primary: FinishedIndex, Standby: BuildingIndex}},
		},
		{
			name: "an index that failed there", primary: []Item{item(KindIndex, "", "v", FactState, FinishedIndex)},
			standby: []Item{item(KindIndex, "", "v", FactState, FailedIndex)},
			want:    []Difference{{Kind: KindIndex, Name: "v", Fact: FactState, Primary: FinishedIndex, Standby: FailedIndex}},
		},
		{
			name: "an index that only the standby has finished", primary: []Item{item(KindIndex, "", "v", FactState, BuildingIndex)},
			standby: []Item{item(KindIndex, "", "v", FactState, FinishedIndex)},
		},
		{
			name: "an import in flight on both", primary: []Item{item(KindImport, "", "imports", FactRunning, "1", FactUncommitted, "1")},
			standby: []Item{item(KindImport, "", "imports", FactRunning, "1", FactUncommitted, "1")},
			want:    []Difference{{Weight: Unready, Kind: KindImport, Name: "imports", Primary: "1 running, 1 not committed", Standby: "1 running, 1 not committed"}},
		},
		{
			name: "an import that only the standby still has to commit", standby: []Item{item(KindImport, "", "imports", FactRunning, "0", FactUncommitted, "2")},
			want: []Difference{{Kind: KindImport, Name: "imports", Primary: "0 running, 0 not committed", Standby: "0 running, 2 not committed", By: 2}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Compare(Inventory{Cluster: "a", Items: c.primary}, Inventory{Cluster: "b", Items: c.standby, Unread: c.unread})
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n%+v\nwant\n%+v", got, c.want)
			}
		})
	}
}

// TestJudgeCount: a count differs only by what no write under way explains.
func TestJudgeCount(t *testing.T) {
	for _, c := range []struct{ primary, standby, inserted, deleted, by int64 }{
		{100, 100, 0, 0, 0}, {100, 93, 0, 0, 7}, {93, 100, 0, 0, 7}, {100, 93, 7, 0, 0}, {100, 93, 0, 7, 0}, {100, 93, 3, 2, 2}, {93, 100, 3, 2, 2},
	} {
		if by := JudgeCount(c.primary, c.standby, Writes{Inserted: c.inserted, Deleted: c.deleted}); by != c.by {
			t.Errorf("%+v: differs by %d", c, by)
		}
	}
}

// TestCompareRows: fields are compared bit by bit, and rows of one key as a set.
func TestCompareRows(t *testing.T) {
	row := func(key int64, value string) Row {
		return Row{Key: Key{Int: key}, Cells: map[string]string{"v": value, "w": "same"}}
	}
	mine := []Row{row(1, "a"), row(2, "a"), row(3, "a"), row(5, "x"), row(5, "y"), row(6, "x"), row(6, "y")}
	theirs := []Row{row(1, "a"), row(2, "b"), row(4, "a"), row(5, "y"), row(5, "x"), row(6, "x"), row(6, "x")}
	var got []string
	for _, d := range CompareRows(mine, theirs) {
		got = append(got, d.Key.String()+" "+d.Lacks)
	}
	if want := []string{"2 ", "3 standby", "4 primary", "6 "}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestRulePicksTheSameRowsAgain: one seed picks the same keys of a collection everywhere,
// another picks others, and a collection that is small enough is picked whole.
func TestRulePicksTheSameRowsAgain(t *testing.T) {
	c := Collection{Name: "d/c"}
	one, again := ruleFor(c, 1000, 10, 1), ruleFor(c, 1000, 10, 1)
	if one.By != 100 || one.Rest != again.Rest || one.Rest < 0 || one.Rest >= 100 {
		t.Errorf("%+v, %+v", one, again)
	}
	rests := map[int64]bool{}
	for seed := range uint64(50) {
		rests[ruleFor(c, 1000, 10, seed).Rest] = true
	}
	if len(rests) < 10 {
		t.Errorf("50 seeds pick %d different sets", len(rests))
	}
	if r := ruleFor(c, 5, 10, 1); r.By != 1 {
		t.Errorf("of 5 rows: %+v", r)
	}
	texts := Collection{Name: "d/c", KeyText: true}
	if r := ruleFor(texts, 5, 10, 1); len(r.Ends) != 0 {
		t.Errorf("of 5 texts: %+v", r)
	}
	if r := ruleFor(texts, 1000, 10, 1); len(r.Ends) != mostEnds {
		t.Errorf("of 1000 texts: %+v", r)
	}
}
