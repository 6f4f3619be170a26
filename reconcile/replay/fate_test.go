package replay

import (
	"slices"
	"testing"
)

// TestFateOfALostWrite: each case is the writes of one key in both logs, in their order.
func TestFateOfALostWrite(t *testing.T) {
	insert := func(group uint64, content byte, partition int64) Write {
		return Write{Content: Mark{content}, Group: group, Partition: partition}
	}
	remove := func(group uint64, partition int64) Write {
		return Write{Delete: true, Group: group, Partition: partition}
	}
	for _, c := range []struct {
		name        string
		lost, taken []Write
		want        []Fate
	}{
		{"nothing newer", []Write{insert(1, 'x', 0)}, nil, []Fate{ToWrite}},
		{"the same row is there", []Write{insert(1, 'x', 0)}, []Write{insert(7, 'x', 0)}, []Fate{There}},
		{"another row is there", []Write{insert(1, 'x', 0)}, []Write{insert(7, 'y', 0)}, []Fate{HeldBack}},
		{"it was deleted there", []Write{insert(1, 'x', 0)}, []Write{remove(7, 0)}, []Fate{HeldBack}},
		{"the same row, and then another", []Write{insert(1, 'x', 0)}, []Write{insert(7, 'x', 0), insert(8, 'y', 0)}, []Fate{HeldBack}},
		{"the newest lost write counts", []Write{insert(1, 'x', 0), insert(2, 'y', 0)}, nil, []Fate{Replaced, ToWrite}},
		{"a lost delete is the newest", []Write{insert(1, 'x', 0), remove(2, 0)}, nil, []Fate{Replaced, ToWrite}},
		{"an upsert is one write", []Write{remove(1, 0), insert(1, 'x', 0)}, nil, []Fate{UpsertsOwn, ToWrite}},
		{"an upsert whose delete comes last", []Write{insert(1, 'x', 0), remove(1, 0)}, nil, []Fate{ToWrite, UpsertsOwn}},
		{"an upsert there", []Write{insert(1, 'x', 0)}, []Write{insert(7, 'x', 0), remove(7, 0)}, []Fate{There}},
		{"two partitions", []Write{insert(1, 'x', 3), insert(2, 'x', 4)}, nil, []Fate{Divided, Divided}},
		{"deleted from all partitions before", []Write{remove(1, EveryPartition), insert(2, 'x', 3)}, nil, []Fate{Divided, Divided}},
		{"a delete there of all partitions", []Write{remove(1, 3)}, []Write{remove(7, EveryPartition)}, []Fate{There}},
		{"a delete there of another partition", []Write{remove(1, 3)}, []Write{remove(7, 4)}, []Fate{HeldBack}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var j Judge
			for _, w := range c.lost {
				j.Lost(w)
			}
			for _, w := range c.taken {
				j.Taken(w)
			}
			var got []Fate
			for range c.lost {
				got = append(got, j.Fate(Mark{}))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// TestKeysHaveTheirOwnFate: one key says nothing of another.
func TestKeysHaveTheirOwnFate(t *testing.T) {
	var j Judge
	a, b := Write{Key: Mark{1}, Content: Mark{'x'}, Group: 1}, Write{Key: Mark{2}, Content: Mark{'x'}, Group: 2}
	j.Lost(a)
	j.Lost(b)
	j.Taken(Write{Key: Mark{2}, Content: Mark{'y'}, Group: 9})
	if x, y := j.Fate(a.Key), j.Fate(b.Key); x != ToWrite || y != HeldBack {
		t.Errorf("%v, %v", x, y)
	}
}

// TestNewestWrites: of an upsert the insert counts, in whatever order the log has its halves.
func TestNewestWrites(t *testing.T) {
	n := NewestWrites{}
	ours := Write{Key: Mark{1}, Content: Mark{'x'}}
	if this, other := n.Holds(ours); this || other {
		t.Error("an empty log holds something")
	}
	n.Note(Write{Key: Mark{1}, Content: Mark{'x'}, Group: 4})
	n.Note(Write{Key: Mark{1}, Delete: true, Group: 4})
	if this, other := n.Holds(ours); !this || other {
		t.Error("the insert of an upsert is the newest write")
	}
	n.Note(Write{Key: Mark{1}, Delete: true, Group: 5})
	if this, other := n.Holds(ours); this || !other {
		t.Error("a later delete is another write")
	}
}
