package milvus

import (
	"context"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/msgpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/client/v2/column"
	"github.com/milvus-io/milvus/client/v2/entity"

	"milvus-reconcile/reconcile/milvus/answers"
	"milvus-reconcile/reconcile/milvus/logrows"
	"milvus-reconcile/reconcile/milvus/wal"
)

// SalvagedMessage is a message of a stale primary's log that was never replicated.
type SalvagedMessage struct {
	Channel     string
	VChannel    string
	MessageID   string // hex; its form depends on the message queue
	TimeTick    uint64
	Kind        string // insert, delete, create_collection, …; "type 57" for one that is not known here
	Transaction string // empty: none; only what was committed is there
	// Database, Collection and Partition are empty where they are not known.
	Database     string
	Collection   string
	CollectionID int64 // 0: it concerns no collection, or its form is not known
	Partition    string
	PartitionID  int64
	RowCount     int64
	// RowsHidden: it may bring rows that are not in RowCount.
	RowsHidden bool
	Payload    []byte // as Milvus wrote it; never what may hold a password or token

	weight   int // of an insert or a delete: about what it takes when it is decoded
	fields   []*schemapb.FieldData
	keyField string // the one of fields with the primary keys; empty: not known
	keys     *schemapb.IDs
}

// Keys returns the first primary keys of the rows of a message, as texts. It returns none if it
// is not known which field of an insert holds them.
func (m SalvagedMessage) Keys(most int) []string {
	numbers, texts := m.keys.GetIntId().GetData(), m.keys.GetStrId().GetData()
	for _, f := range m.fields {
		if m.keyField != "" && f.GetFieldName() == m.keyField {
			numbers, texts = f.GetScalars().GetLongData().GetData(), f.GetScalars().GetStringData().GetData()
		}
	}
	out := slices.Clone(texts[:min(most, len(texts))])
	for _, n := range numbers[:min(most, len(numbers))] {
		out = append(out, strconv.FormatInt(n, 10))
	}
	return out
}

type collectionName struct{ database, name string }

// collectionNames returns the names of the collections by id, as far as the token may see
// them.
func (l *link) collectionNames(ctx context.Context) map[int64]collectionName {
	ctx, cancel := l.withReadTimeout(ctx)
	defer cancel()
	out := map[int64]collectionName{}
	databases, err := l.api.ListDatabases(ctx, &milvuspb.ListDatabasesRequest{})
	if err != nil {
		return out
	}
	for _, database := range databases.GetDbNames() {
		shown, err := l.api.ShowCollections(ctx, &milvuspb.ShowCollectionsRequest{DbName: database})
		if err != nil {
			continue
		}
		for i, id := range shown.GetCollectionIds() {
			if i < len(shown.GetCollectionNames()) && len(out) < maxCollections {
				out[id] = collectionName{database, shown.GetCollectionNames()[i]}
			}
		}
	}
	return out
}

// message decodes what can be decoded of a message. A body that is not understood stays in
// Payload.
func (s *salvaging) message(ctx context.Context, channel string, raw *commonpb.ImmutableMessage) SalvagedMessage {
	m := salvagedMessage(channel, raw)
	s.remember(m)
	if known, ok := s.names[m.CollectionID]; ok {
		m.Database, m.Collection = known.database, known.name
	}
	if m.fields != nil && m.Collection != "" {
		m.keyField = s.keyField(ctx, m)
	}
	return m
}

// keyField returns the name of the primary key of a message's collection; empty: it is not
// known.
func (s *salvaging) keyField(ctx context.Context, m SalvagedMessage) string {
	if name, asked := s.keyFields[m.CollectionID]; asked {
		return name
	}
	ctx, cancel := s.withReadTimeout(ctx)
	defer cancel()
	name := ""
	got, err := (&data{link: s.link, database: m.Database}).describeCollection(ctx, m.Collection)
	if err == nil && got.GetCollectionID() == m.CollectionID { // not one that was made later under the same name
		for _, f := range got.GetSchema().GetFields() {
			if f.GetIsPrimaryKey() {
				name = f.GetName()
			}
		}
	}
	s.keyFields[m.CollectionID] = name
	return name
}

func salvagedMessage(channel string, raw *commonpb.ImmutableMessage) SalvagedMessage {
	p := raw.GetProperties()
	m := SalvagedMessage{
		Channel: channel, VChannel: p[wal.PropertyVChannel], MessageID: hex.EncodeToString([]byte(raw.GetId().GetId())),
		Transaction: p[wal.PropertyTxn], Payload: raw.GetPayload(),
	}
	m.TimeTick, _ = wal.Tick(raw) // 0: not known
	number := wal.Type(raw)
	if m.Kind = wal.Kinds[number]; m.Kind == "" {
		m.Kind = "type " + p[wal.PropertyType]
	}
	if wal.Secret(number) {
		m.Payload = nil
	}
	m.body(number)
	return m
}

// rowsOf returns how many rows a message inserts or deletes, and whether it may bring
// others.
func rowsOf(raw *commonpb.ImmutableMessage) (rows int64, hidden bool) {
	m := SalvagedMessage{Payload: raw.GetPayload()}
	m.body(wal.Type(raw))
	return m.RowCount, m.RowsHidden
}

// body sets what the bodies of Milvus' own messages contain.
func (m *SalvagedMessage) body(number int) {
	m.RowsHidden = wal.BringsHiddenRows(number)
	switch number {
	case wal.TypeInsert:
		var b msgpb.InsertRequest
		if m.RowsHidden = !m.decode(&b); m.RowsHidden {
			return
		}
		m.name(b.GetDbName(), b.GetCollectionName(), b.GetCollectionID())
		m.Partition, m.PartitionID = b.GetPartitionName(), b.GetPartitionID()
		m.RowCount, m.fields = int64(b.GetNumRows()), b.GetFieldsData() //nolint:gosec // far below
	case wal.TypeDelete:
		var b msgpb.DeleteRequest
		if m.RowsHidden = !m.decode(&b); m.RowsHidden {
			return
		}
		m.name(b.GetDbName(), b.GetCollectionName(), b.GetCollectionID())
		m.Partition, m.PartitionID = b.GetPartitionName(), b.GetPartitionID()
		m.RowCount, m.keys = b.GetNumRows(), b.GetPrimaryKeys()
	case wal.TypeCreateCollection:
		var b msgpb.CreateCollectionRequest
		if answers.Decode(m.Payload, &b, answers.MaxBody) == nil {
			m.name(b.GetDbName(), b.GetCollectionName(), b.GetCollectionID())
		}
	case wal.TypeDropCollection:
		var b msgpb.DropCollectionRequest
		if answers.Decode(m.Payload, &b, answers.MaxBody) == nil {
			m.name(b.GetDbName(), b.GetCollectionName(), b.GetCollectionID())
		}
	}
}

// decode decodes the body of a message with rows.
func (m *SalvagedMessage) decode(into proto.Message) (ok bool) {
	weight, err := answers.DecodeWeighed(m.Payload, into, answers.MaxBody)
	m.weight = weight
	return err == nil
}

func (m *SalvagedMessage) name(database, collection string, id int64) {
	m.Database, m.Collection, m.CollectionID = database, collection, id
}

// remember keeps the name that a message gives its collection: a collection that was
// dropped meanwhile is in no list.
func (s *salvaging) remember(m SalvagedMessage) {
	if _, known := s.names[m.CollectionID]; !known && m.CollectionID != 0 && m.Collection != "" {
		s.names[m.CollectionID] = collectionName{m.Database, m.Collection}
	}
}

// primaryKey names the keys of a delete, because the message does not name their field.
const primaryKey = "primaryKey"

// Rows calls each with every row of an insert, by the names of its fields, and with every
// key of a delete under "primaryKey". Values are numbers, texts, booleans, lists, JSON as
// raw text, and nil for null.
func (m SalvagedMessage) Rows(each func(row map[string]any) error) error {
	columns, err := m.columns()
	if err != nil {
		return err
	}
	for i := range int(m.RowCount) {
		row := map[string]any{}
		for _, c := range columns {
			v, err := cellOf(c, i)
			if err != nil {
				return fmt.Errorf("row %d, field %s: %w", i, c.Name(), err)
			}
			row[c.Name()] = v
		}
		if err := each(row); err != nil {
			return err
		}
	}
	return nil
}

func (m SalvagedMessage) columns() ([]column.Column, error) {
	if m.keys != nil {
		if texts := m.keys.GetStrId(); texts != nil {
			return []column.Column{column.NewColumnVarChar(primaryKey, texts.GetData())}, nil
		}
		return []column.Column{column.NewColumnInt64(primaryKey, m.keys.GetIntId().GetData())}, nil
	}
	var out []column.Column
	for _, f := range m.fields {
		if f.GetFieldName() == "" {
			f = proto.Clone(f).(*schemapb.FieldData) //nolint:forcetypeassert // a clone is of its own type
			f.FieldName = "field " + strconv.FormatInt(f.GetFieldId(), 10)
		}
		f, err := asRequested(f)
		if err != nil {
			return nil, err
		}
		c, err := column.FieldDataColumn(f, 0, -1)
		if err != nil {
			return nil, fmt.Errorf("read field %s: %w", f.GetFieldName(), err)
		}
		out = append(out, c)
	}
	return out, nil
}

// asRequested is a column in the form of a request, where the client reads no other.
func asRequested(f *schemapb.FieldData) (*schemapb.FieldData, error) {
	geometries := f.GetScalars().GetGeometryData()
	if geometries == nil {
		return f, nil
	}
	texts, err := logrows.WKT(geometries.GetData())
	if err != nil {
		return nil, fmt.Errorf("read field %s: %w", f.GetFieldName(), err)
	}
	return &schemapb.FieldData{
		Type: f.GetType(), FieldName: f.GetFieldName(), FieldId: f.GetFieldId(), ValidData: f.GetValidData(),
		Field: &schemapb.FieldData_Scalars{Scalars: &schemapb.ScalarField{
			Data: &schemapb.ScalarField_GeometryWktData{GeometryWktData: &schemapb.GeometryWktArray{Data: texts}},
		}},
	}, nil
}

// cellOf returns one value in a form that JSON can hold.
func cellOf(c column.Column, i int) (any, error) {
	if null, err := c.IsNull(i); err == nil && null {
		return nil, nil //nolint:nilnil // null is a value
	}
	v, err := c.Get(i)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says which row and field
	}
	switch x := v.(type) {
	case entity.SparseEmbedding:
		return sparse(x), nil
	case entity.BinaryVector:
		return []byte(x), nil
	}
	if list := reflect.ValueOf(v); list.Kind() == reflect.Slice && list.IsNil() {
		return reflect.MakeSlice(list.Type(), 0, 0).Interface(), nil // it is empty, and not null
	}
	return v, nil
}

func sparse(x entity.SparseEmbedding) map[string]float32 {
	out := make(map[string]float32, x.Len())
	for i := range x.Len() {
		if at, value, ok := x.Get(i); ok {
			out[strconv.FormatUint(uint64(at), 10)] = value
		}
	}
	return out
}
