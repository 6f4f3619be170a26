package milvussim

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
)

// DamageKind is a way in which a standby was reported not to equal its primary.
type DamageKind string

const (
	// DamageLoseRows takes rows away: counts differ (#48779, #49712).
	DamageLoseRows DamageKind = "lose_rows"
	// DamageRenumberKeys gives rows other primary keys, as each cluster did that made the
	// keys of an import itself (#51667).
	DamageRenumberKeys DamageKind = "renumber_keys"
	// DamageAlterRows flips a bit of the first vector, or a value, of rows.
	DamageAlterRows DamageKind = "alter_rows"
	// DamageStrandImport leaves an import that is neither committed nor ended (#51029).
	DamageStrandImport DamageKind = "strand_import"
	// DamageRunImport has an import under way.
	DamageRunImport DamageKind = "run_import"
	// DamageDropIndexes takes the indexes away.
	DamageDropIndexes DamageKind = "drop_indexes"
	// DamageUnfinishIndexes has the indexes half built.
	DamageUnfinishIndexes DamageKind = "unfinish_indexes"
	// DamageRelease releases the collection.
	DamageRelease DamageKind = "release"
	// DamageUnservable leaves a collection loaded on which no query succeeds, as after a
	// restore (#49533, milvus-backup #1166).
	DamageUnservable DamageKind = "unservable"
	// DamageForget takes the collection away.
	DamageForget DamageKind = "forget"
)

// Damage makes what one cluster holds differ, in the metadata or the data of that cluster
// alone: nothing of it is in any log, and nothing replicates it.
type Damage struct {
	Kind       DamageKind
	Collection string // as database/collection, or collection of the default database
	Rows       int    // of the kinds that are about rows
}

var damages = map[DamageKind]func(*cluster, *collection, int){
	DamageLoseRows:     func(c *cluster, coll *collection, n int) { coll.eachShard(c, n, loseRows) },
	DamageRenumberKeys: func(c *cluster, coll *collection, n int) { coll.eachShard(c, n, renumberKeys) },
	DamageAlterRows:    func(c *cluster, coll *collection, n int) { coll.eachShard(c, n, alterRows) },
	DamageStrandImport: func(c *cluster, coll *collection, _ int) {
		c.imports = append(c.imports, importJob{collection: coll.id, state: importUncommitted})
	},
	DamageRunImport: func(c *cluster, coll *collection, _ int) {
		c.imports = append(c.imports, importJob{collection: coll.id, state: importRunning})
	},
	DamageDropIndexes: func(_ *cluster, coll *collection, _ int) { coll.indexes = nil },
	DamageUnfinishIndexes: func(_ *cluster, coll *collection, _ int) {
		coll.indexes = slices.Clone(coll.indexes)
		for i := range coll.indexes {
			coll.indexes[i].building = true
		}
	},
	DamageRelease:    func(_ *cluster, coll *collection, _ int) { coll.loaded, coll.replicas = false, 0 },
	DamageUnservable: func(_ *cluster, coll *collection, _ int) { coll.unservable = true },
	DamageForget:     func(c *cluster, coll *collection, _ int) { delete(c.databases[coll.database].collections, coll.name) },
}

// DamageContent makes what a cluster holds differ.
func (w *World) DamageContent(id string, d Damage) error {
	do, known := damages[d.Kind]
	if !known {
		return fmt.Errorf("%w: kind %q is none of %v", ErrBadRequest, d.Kind, slices.Sorted(maps.Keys(damages)))
	}
	return w.change(id, func(c *cluster) error {
		database, name, ok := strings.Cut(d.Collection, "/")
		if !ok {
			database, name = defaultDatabase, d.Collection
		}
		coll, err := c.find(database, name, 0)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrBadRequest, err)
		}
		do(c, coll, max(d.Rows, 1))
		return nil
	})
}

// eachShard hands the rows of a collection to f, shard by shard, until it has taken n.
func (coll *collection) eachShard(c *cluster, n int, f func(coll *collection, s *shard, n int)) {
	for _, at := range coll.shards {
		s := c.channels[at].shards[coll.id]
		if s == nil || n == 0 {
			continue
		}
		take := min(n, len(s.rows))
		n -= take
		f(coll, s, take)
	}
}

func loseRows(_ *collection, s *shard, n int) { s.rows = slices.Clone(s.rows[:len(s.rows)-n]) }

func renumberKeys(coll *collection, s *shard, n int) {
	s.ownRows(n, coll.key().GetName(), func(r *row, f *schemapb.FieldData) {
		switch k := r.key.(type) {
		case int64:
			f.GetScalars().GetLongData().Data[r.at] = k + 1<<40
		case string:
			f.GetScalars().GetStringData().Data[r.at] = k + "'"
		}
		r.key = scalarAt(f, r.at)
	})
}

// alterRows flips the least bit of the first value of a vector, which no rounding hides.
func alterRows(coll *collection, s *shard, n int) {
	for _, field := range coll.schema.GetFields() {
		if field.GetDataType() != schemapb.DataType_FloatVector {
			continue
		}
		s.ownRows(n, field.GetName(), func(r *row, f *schemapb.FieldData) {
			data := f.GetVectors().GetFloatVector().GetData()
			at := r.at * dimension(field)
			data[at] = flipped(data[at])
		})
		return
	}
}

// ownRows gives the last n rows columns of their own, since a batch is shared between
// clusters and never written to, and lets change alter the one of a field.
func (s *shard) ownRows(n int, field string, change func(*row, *schemapb.FieldData)) {
	s.rows = slices.Clone(s.rows)
	for i := len(s.rows) - n; i < len(s.rows); i++ {
		r := &s.rows[i]
		own := &batch{fields: slices.Clone(r.batch.fields)}
		for j, f := range own.fields {
			if f.GetFieldName() == field {
				own.fields[j] = proto.Clone(f).(*schemapb.FieldData) //nolint:forcetypeassert // a clone is of its own type
				r.batch = own
				change(r, own.fields[j])
				s.keys[r.key] = struct{}{}
			}
		}
	}
}
