package audit

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
)

// Key is the primary key of a row.
type Key struct {
	Int    int64
	Text   string
	IsText bool
}

// String returns the key as an expression writes it.
func (k Key) String() string {
	if k.IsText {
		return strconv.Quote(k.Text)
	}
	return strconv.FormatInt(k.Int, 10)
}

func compareKeys(a, b Key) int { return cmp.Or(cmp.Compare(a.Int, b.Int), cmp.Compare(a.Text, b.Text)) }

// Row is one row: for each field the exact bits of its value.
type Row struct {
	Key   Key
	Cells map[string]string
}

// Writes are the messages in the primary's log after the checkpoints that the standby had
// before both clusters were read. Such a message may be in the data of one cluster and not
// in that of the other.
type Writes struct {
	Inserted int64
	Deleted  int64
	Touched  map[Key]bool // of the keys that were asked for
	// Unknown says why that is not known; empty: it is.
	Unknown string
}

// JudgeCount returns how many rows of difference the writes cannot explain. All writes lie
// between the two counted states, so the counts differ by at most the number of writes.
func JudgeCount(primary, standby int64, w Writes) (by int64) {
	return max(abs(primary-standby)-w.Inserted-w.Deleted, 0)
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

// KeyDifference is one row that differs.
type KeyDifference struct {
	Key    Key
	Fields []string // empty: one of the clusters lacks the row
	Lacks  string   // which cluster; empty: the fields differ
}

// The clusters that may lack a row.
const (
	lacksPrimary = "primary"
	lacksStandby = "standby"
)

// CompareRows compares rows field by field and bit by bit. Milvus may hold several rows of
// one key: they are compared as a set.
func CompareRows(primary, standby []Row) []KeyDifference {
	mine, theirs := rowsByKey(primary), rowsByKey(standby)
	keys := maps.Clone(mine)
	maps.Copy(keys, theirs)
	var out []KeyDifference
	for _, k := range slices.SortedFunc(maps.Keys(keys), compareKeys) {
		a, b := mine[k], theirs[k]
		switch {
		case len(a) == 0:
			out = append(out, KeyDifference{Key: k, Lacks: lacksPrimary})
		case len(b) == 0:
			out = append(out, KeyDifference{Key: k, Lacks: lacksStandby})
		case len(a) == 1 && len(b) == 1:
			if fields := fieldsThatDiffer(a[0], b[0]); len(fields) > 0 {
				out = append(out, KeyDifference{Key: k, Fields: fields})
			}
		case !sameRows(a, b):
			out = append(out, KeyDifference{Key: k, Fields: []string{"several rows of one key"}})
		}
	}
	return out
}

func rowsByKey(rows []Row) map[Key][]Row {
	out := map[Key][]Row{}
	for _, r := range rows {
		out[r.Key] = append(out[r.Key], r)
	}
	return out
}

func fieldsThatDiffer(a, b Row) []string {
	var out []string
	for _, field := range slices.Sorted(maps.Keys(a.Cells)) {
		if other, held := b.Cells[field]; held && other != a.Cells[field] {
			out = append(out, field)
		}
	}
	return out
}

// sameRows compares rows of one key without their order.
func sameRows(a, b []Row) bool {
	left := slices.Clone(b)
	for _, r := range a {
		i := slices.IndexFunc(left, func(o Row) bool { return len(fieldsThatDiffer(r, o)) == 0 })
		if i < 0 {
			return false
		}
		left = slices.Delete(left, i, i+1)
	}
	return len(left) == 0
}
