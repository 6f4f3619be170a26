package logrows

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"

	"milvus-reconcile/reconcile/replay"
)

// Rows are the rows of one message of a log, of a collection whose rows can be
// written again.
type Rows struct {
	Collection *Collection
	Tick       uint64
	Group      uint64
	Delete     bool
	Partition  string
	Count      int

	partitionID int64
	weight      int // of the message when it is decoded
	keys        keyList
	columns     []column

	marks   []replay.Mark // of the keys, once one was asked for
	scratch []byte        // what a mark was made from last
}

// column is one field of the rows of a message.
type column struct {
	field *schemapb.FieldData
	cells Cells
	at    []int // where the value of a row is; -1: it is null; nil: in the row's own place
	// valid: Milvus wants to be told which rows are null.
	valid bool
}

func (c column) place(row int) int {
	if c.at == nil {
		return row
	}
	return c.at[row]
}

// Write returns the row of that number.
func (r *Rows) Write(row int) replay.Write {
	w := replay.Write{Key: r.KeyMark(row), Delete: r.Delete, Group: r.Group, Partition: r.partitionID}
	if r.Delete {
		return w
	}
	buf := binary.LittleEndian.AppendUint64(r.scratch[:0], uint64(r.partitionID)) //nolint:gosec // its bits
	for _, c := range r.columns {
		at := c.place(row)
		if buf = append(buf, byte(min(at+1, 1))); at >= 0 {
			buf = c.cells.Encode(buf, at)
		}
	}
	w.Content, r.scratch = markOf(buf), buf
	return w
}

// KeyMark returns the mark of the key of a row. A row is asked for it several times on its way
// from one log into the other, so all are made once.
func (r *Rows) KeyMark(row int) replay.Mark {
	if r.marks == nil {
		r.marks = make([]replay.Mark, r.keys.len())
		for i := range r.marks {
			r.scratch = r.keys.appendMark(r.scratch[:0], r.Collection.ID, i)
			r.marks[i] = markOf(r.scratch)
		}
	}
	return r.marks[row]
}

// Key returns the primary key of a row, for people.
func (r *Rows) Key(row int) string { return r.keys.text(row) }

// keyList are primary keys: numbers or texts.
type keyList struct {
	numbers []int64
	texts   []string
}

func (k keyList) len() int { return len(k.numbers) + len(k.texts) }

// add appends the key of that number of other keys.
func (k *keyList) add(of keyList, i int) {
	if of.texts != nil {
		k.texts = append(k.texts, of.texts[i])
	} else {
		k.numbers = append(k.numbers, of.numbers[i])
	}
}

// text returns a key for people.
func (k keyList) text(i int) string {
	if k.texts != nil {
		return k.texts[i]
	}
	return strconv.FormatInt(k.numbers[i], 10)
}

// value returns a key as something that can be compared.
func (k keyList) value(i int) any {
	if k.texts != nil {
		return k.texts[i]
	}
	return k.numbers[i]
}

// appendMark appends what the mark of a key is made from.
func (k keyList) appendMark(buf []byte, collection int64, i int) []byte {
	buf = binary.LittleEndian.AppendUint64(buf, uint64(collection)) //nolint:gosec // its bits
	if k.texts != nil {
		return append(append(buf, 't'), k.texts[i]...)
	}
	return encodeInt64(append(buf, 'n'), k.numbers[i])
}

func markOf(raw []byte) (m replay.Mark) {
	sum := sha256.Sum256(raw)
	copy(m[:], sum[:])
	return m
}

// Message is a message of a log with rows: those of an insert, or the keys of a delete.
type Message struct {
	Tick, Group uint64
	Delete      bool
	Partition   string
	PartitionID int64
	Count       int
	Keys        *schemapb.IDs
	Fields      []*schemapb.FieldData
	Weight      int // about what it takes when it is decoded
}

// Read takes the rows of a message that is of the collection.
func Read(c *Collection, m Message) (*Rows, error) {
	r := &Rows{Collection: c, Tick: m.Tick, Group: m.Group, Delete: m.Delete, Partition: m.Partition, partitionID: m.PartitionID}
	if r.Delete {
		if r.partitionID <= 0 {
			r.partitionID, r.Partition = replay.EveryPartition, ""
		}
		if r.keys = idsOf(m.Keys); r.keys.len() != m.Count {
			return nil, fmt.Errorf("a delete of %d rows names %d keys", m.Count, r.keys.len())
		}
	} else if err := r.readColumns(m.Fields, m.Count); err != nil {
		return nil, err
	}
	r.Count = r.keys.len()
	if r.Collection.scattered || !r.Collection.manyPartitions {
		r.partitionID, r.Partition = 0, ""
	}
	r.weight = m.Weight
	return r, nil
}

func idsOf(ids *schemapb.IDs) keyList {
	return keyList{numbers: ids.GetIntId().GetData(), texts: ids.GetStrId().GetData()}
}

// readColumns puts the columns of a message into the order of the schema. A field that the
// message lacks is null in every row.
func (r *Rows) readColumns(fields []*schemapb.FieldData, rows int) error {
	for _, want := range r.Collection.fields {
		f, err := want.find(fields)
		if err != nil {
			return err
		}
		if f == nil {
			r.columns = append(r.columns, column{at: slices.Repeat([]int{-1}, rows)})
			continue
		}
		c, err := newColumn(f, rows)
		if err != nil {
			return err
		}
		c.valid = want.nullable
		r.columns = append(r.columns, c)
		if want.key {
			r.keys = keysOf(f)
		}
	}
	if r.keys.len() != rows {
		return fmt.Errorf("%d rows have %d primary keys", rows, r.keys.len())
	}
	return nil
}

func newColumn(f *schemapb.FieldData, rows int) (column, error) {
	out := column{field: f}
	var err error
	if out.cells, err = CellsOf(f); err != nil {
		return out, err
	}
	valid := validRows(f)
	if len(valid) == 0 {
		if out.cells.Count != rows {
			return out, fmt.Errorf("field %q has %d values for %d rows", f.GetFieldName(), out.cells.Count, rows)
		}
		return out, nil
	}
	out.at = make([]int, rows)
	next, all := 0, out.cells.Count == rows
	for i := range out.at {
		switch {
		case i >= len(valid) || !valid[i]:
			out.at[i] = -1
		case all:
			out.at[i] = i
		default:
			out.at[i], next = next, next+1
		}
	}
	if !all && next != out.cells.Count {
		return out, fmt.Errorf("field %q has %d values for %d rows", f.GetFieldName(), out.cells.Count, next)
	}
	return out, nil
}

func keysOf(f *schemapb.FieldData) keyList {
	return keyList{numbers: f.GetScalars().GetLongData().GetData(), texts: f.GetScalars().GetStringData().GetData()}
}

// pick returns the columns of some rows in the form that a request has: without the values
// of null rows (task_upsert.go, ToCompressedFormatNullable).
func (r *Rows) pick(rows []int) []*schemapb.FieldData {
	var out []*schemapb.FieldData
	for i, c := range r.columns {
		if c.field == nil {
			continue
		}
		at, valid := make([]int, 0, len(rows)), make([]bool, 0, len(rows))
		for _, row := range rows {
			from := c.place(row)
			if valid = append(valid, from >= 0); from >= 0 {
				at = append(at, from)
			}
		}
		f := c.cells.Pick(at)
		f.FieldName, f.Type, f.IsDynamic = r.Collection.fields[i].name, c.field.GetType(), c.field.GetIsDynamic()
		if c.valid {
			setValid(f, valid)
		}
		out = append(out, f)
	}
	return out
}

// field is a field of a collection that a request brings.
type field struct {
	name     string
	kind     string   // its type; of a struct nothing
	parts    []string // of a struct: the names of its fields
	key      bool
	nullable bool // or has a default value
	dynamic  bool
}

// find returns the column of a field; nil: the message lacks it. A log has the fields of a
// struct each in a column of its own (util.go, checkAndFlattenStructFieldData).
func (f field) find(fields []*schemapb.FieldData) (*schemapb.FieldData, error) {
	named := func(name string) *schemapb.FieldData {
		i := slices.IndexFunc(fields, func(x *schemapb.FieldData) bool {
			return x.GetFieldName() == name || f.dynamic && x.GetIsDynamic()
		})
		if i < 0 {
			return nil
		}
		return fields[i]
	}
	whole := named(f.name)
	if whole != nil || len(f.parts) == 0 {
		return whole, nil
	}
	nested := &schemapb.StructArrayField{}
	for _, part := range f.parts {
		one := named(f.name + "[" + part + "]")
		if one == nil {
			return nil, fmt.Errorf("the field %q of the struct %q is missing", part, f.name)
		}
		one = proto.CloneOf(one)
		one.FieldName = part
		nested.Fields = append(nested.Fields, one)
	}
	return &schemapb.FieldData{
		Type: schemapb.DataType_ArrayOfStruct, FieldName: f.name,
		Field: &schemapb.FieldData_StructArrays{StructArrays: nested},
	}, nil
}
