package milvus

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/client/v2/column"
	"github.com/milvus-io/milvus/client/v2/entity"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/audit"
	"milvus-reconcile/reconcile/milvus/logrows"
	"milvus-reconcile/reconcile/milvus/milvussim"
)

// audited audits the standby of a pair.
func (w *world) audited(o audit.Options) audit.Result {
	w.t.Helper()
	w.config.Clock = nil // that of the machine: it waits for replication
	pair, err := w.fleet().Reader().OpenAudit(w.ctx(), w.topology, "b", 20*time.Second)
	if err != nil {
		w.t.Fatal(err)
	}
	defer pair.Close()
	o.Concurrency = 2
	return audit.Run(w.ctx(), pair, o)
}

func (w *world) write(rows int) {
	w.t.Helper()
	if _, refusal, err := w.Write("a", rows); refusal != nil || err != nil {
		w.t.Fatal(refusal, err)
	}
}

// index gives the vectors of a collection an index.
func (w *world) index(name string) {
	w.t.Helper()
	st, err := w.client("a").GetService().CreateIndex(w.ctx(), &milvuspb.CreateIndexRequest{CollectionName: name, FieldName: "vector"})
	must(w.t, err)
	same(w.t, st.GetReason(), "")
	b := w.client("b").GetService()
	w.await(func() bool {
		got, err := b.DescribeIndex(w.ctx(), &milvuspb.DescribeIndexRequest{CollectionName: name})
		return err == nil && len(got.GetIndexDescriptions()) == 1
	})
}

const simRows = "default/" + milvussim.RowsCollection

// TestAuditFindsWhatWasReported: a standby that is made to differ in each way that was
// reported in public is found to, and an equal one is proven equal.
func TestAuditFindsWhatWasReported(t *testing.T) {
	for _, c := range []struct {
		damage milvussim.Damage
		want   audit.Difference // its detail is not compared
		gap    string
	}{
		{damage: milvussim.Damage{}},
		{damage: milvussim.Damage{Kind: milvussim.DamageLoseRows, Rows: 3}, want: audit.Difference{Kind: audit.KindRows, Fact: "count", Primary: "40", Standby: "37", By: 3}},
		{damage: milvussim.Damage{Kind: milvussim.DamageRenumberKeys, Rows: 2}, want: audit.Difference{
			Kind: audit.KindKeys, Fact: "rows", Primary: "42 rows compared", Standby: "2 missing, 2 only there, 0 changed", By: 4,
		}},
		{damage: milvussim.Damage{Kind: milvussim.DamageAlterRows, Rows: 1}, want: audit.Difference{
			Kind: audit.KindKeys, Fact: "rows", Primary: "40 rows compared", Standby: "0 missing, 0 only there, 1 changed", By: 1,
		}},
		{damage: milvussim.Damage{Kind: milvussim.DamageStrandImport}, want: audit.Difference{
			Kind: audit.KindImport, Name: "imports", Primary: "0 running, 0 not committed", Standby: "0 running, 1 not committed", By: 1,
		}},
		{damage: milvussim.Damage{Kind: milvussim.DamageRunImport}, want: audit.Difference{
			Weight: audit.Unready, Kind: audit.KindImport, Name: "imports", Primary: "0 running, 0 not committed", Standby: "1 running, 0 not committed",
		}},
		{damage: milvussim.Damage{Kind: milvussim.DamageDropIndexes}, want: audit.Difference{Kind: audit.KindIndex, Name: "vector", Primary: "there"}},
		{damage: milvussim.Damage{Kind: milvussim.DamageUnfinishIndexes}, want: audit.Difference{
			Weight: audit.Unready, Kind: audit.KindIndex, Name: "vector", Fact: "state", Primary: "finished", Standby: "being built",
		}},
		{damage: milvussim.Damage{Kind: milvussim.DamageRelease}, want: audit.Difference{
			Kind: audit.KindLoad, Name: "load", Fact: "state", Primary: "loaded", Standby: "not loaded",
		}, gap: "not loaded on b"},
		{damage: milvussim.Damage{Kind: milvussim.DamageUnservable}, want: audit.Difference{Kind: audit.KindRows, Fact: "query", Primary: "answers", Standby: "fails"}},
		{damage: milvussim.Damage{Kind: milvussim.DamageForget}, want: audit.Difference{Kind: audit.KindCollection, Name: simRows, Primary: "there"}},
	} {
		t.Run(string(c.damage.Kind), func(t *testing.T) {
			w := pair(t, "2.6.22")
			w.write(40)
			w.index(milvussim.RowsCollection)
			w.await(func() bool { return w.State("b").Rows == 40 })
			want := plan.ContentEqual
			if c.damage.Kind != "" {
				c.damage.Collection = milvussim.RowsCollection
				must(t, w.DamageContent("b", c.damage))
				want = plan.ContentDiverged
				c.want.Collection = simRows
			}
			if c.want.Weight == audit.Unready {
				want = plan.ContentUnproven
			}
			got := w.audited(audit.Options{Rows: 100, Seed: 7})
			if got.Verdict != want {
				t.Errorf("verdict %s, want %s", got.Verdict, want)
			}
			for i := range got.Differences {
				got.Differences[i].Detail = ""
			}
			if c.damage.Kind != "" && !slices.Contains(got.Differences, c.want) || c.damage.Kind == "" && len(got.Differences) > 0 {
				t.Errorf("differences: %+v\nwant: %+v", got.Differences, c.want)
			}
			if c.gap == "" && len(got.Gaps) > 0 || c.gap != "" && !slices.ContainsFunc(got.Gaps, func(g audit.Gap) bool { return strings.Contains(g.Why, c.gap) }) {
				t.Errorf("not compared: %+v", got.Gaps)
			}
			if want == plan.ContentEqual && (got.Rows != 40 || got.Sampled != 40 || got.Counted != 1 || got.Collections != 1) {
				t.Errorf("proven: %+v", got)
			}
		})
	}
}

// TestAuditFindsTheKeysOfAnImport: an import under replication gives the standby other automatic
// keys before 3.0.1, although the counts agree (#51667). From 3.0.1 on it does not, and the audit
// proves the two equal.
func TestAuditFindsTheKeysOfAnImport(t *testing.T) {
	for profile, want := range map[string]plan.ContentVerdict{"2.6.22": plan.ContentDiverged, "3.0.1": plan.ContentEqual} {
		w := pair(t, profile)
		must(t, w.Import("a", 12))
		w.await(func() bool { return w.audited(audit.Options{Rows: 100, Seed: 7}).Counted == 1 })
		must(t, w.CommitImport("a"))
		w.await(func() bool { return w.State("a").Rows == 12 && w.State("b").Rows == 12 })
		got := w.audited(audit.Options{Rows: 100, Seed: 7})
		keys := slices.ContainsFunc(got.Differences, func(d audit.Difference) bool {
			return d.Kind == audit.KindKeys && d.Collection == "default/"+milvussim.ImportsCollection && d.By == 24
		})
		if got.Verdict != want || keys != (want == plan.ContentDiverged) || len(got.Differences) > 1 {
			t.Errorf("%s: %s, %+v, %+v", profile, got.Verdict, got.Differences, got.Gaps)
		}
	}
}

// TestAuditProvesNothingWithoutARow: where no collection is loaded on either cluster, equal
// metadata are no proof. Next to one that was counted, such a collection spoils nothing.
func TestAuditProvesNothingWithoutARow(t *testing.T) {
	w := pair(t, "2.6.22")
	w.write(4)
	w.await(func() bool { return w.State("b").Rows == 4 })
	for _, id := range []string{"a", "b"} {
		must(t, w.DamageContent(id, milvussim.Damage{Kind: milvussim.DamageRelease, Collection: milvussim.RowsCollection}))
	}
	got := w.audited(audit.Options{Rows: 100, Seed: 7})
	if got.Verdict != plan.ContentUnproven || got.Counted != 0 || len(got.Gaps) != 1 || got.Gaps[0].Idle || got.Gaps[0].Why != "loaded on neither cluster" {
		t.Errorf("nothing is loaded: %s, %d counted, not compared: %+v", got.Verdict, got.Counted, got.Gaps)
	}
	w.create("a", "carts", 1)
	w.index("carts")
	st, err := w.client("a").GetService().LoadCollection(w.ctx(), &milvuspb.LoadCollectionRequest{CollectionName: "carts"})
	must(t, err)
	same(t, st.GetReason(), "")
	got = w.audited(audit.Options{Rows: 100, Seed: 7})
	if got.Verdict != plan.ContentEqual || got.Counted != 1 || got.Collections != 2 || len(got.Gaps) != 1 || !got.Gaps[0].Idle {
		t.Errorf("one of two is loaded: %s, %d of %d counted, not compared: %+v, differences: %+v", got.Verdict, got.Counted, got.Collections, got.Gaps, got.Differences)
	}
}

// texts makes a collection with texts as keys on a, with n rows. ttl: its rows expire, in an hour.
func (w *world) texts(name string, n int, ttl bool) {
	w.t.Helper()
	api := w.client("a").GetService()
	schema := entity.NewSchema().WithName(name).
		WithField(entity.NewField().WithName("id").WithDataType(entity.FieldTypeVarChar).WithIsPrimaryKey(true).WithMaxLength(64)).
		WithField(entity.NewField().WithName("vector").WithDataType(entity.FieldTypeFloatVector).WithDim(4))
	raw, err := proto.Marshal(schema.ProtoMessage())
	must(w.t, err)
	req := &milvuspb.CreateCollectionRequest{CollectionName: name, Schema: raw, ShardsNum: 2}
	if ttl {
		req.Properties = []*commonpb.KeyValuePair{{Key: logrows.TTLProperty, Value: "3600"}}
	}
	st, err := api.CreateCollection(w.ctx(), req)
	must(w.t, err)
	same(w.t, st.GetReason(), "")
	st, err = api.LoadCollection(w.ctx(), &milvuspb.LoadCollectionRequest{CollectionName: name})
	must(w.t, err)
	same(w.t, st.GetReason(), "")
	keys, vectors := make([]string, n), make([][]float32, n)
	for i := range n {
		keys[i], vectors[i] = fmt.Sprintf("order-%03d-é", i), []float32{float32(i), 1, 2, 3}
	}
	got, err := api.Insert(w.ctx(), &milvuspb.InsertRequest{CollectionName: name, NumRows: uint32(n), FieldsData: []*schemapb.FieldData{ //nolint:gosec // a few
		column.NewColumnVarChar("id", keys).FieldData(), column.NewColumnFloatVector("vector", 4, vectors).FieldData(),
	}})
	must(w.t, err)
	same(w.t, got.GetStatus().GetReason(), "")
	w.await(func() bool { return w.State("b").Rows == n })
}

// TestAuditOfTextKeysAndExpiringRows: texts as keys are compared as integers are. That rows which
// expire are fewer on the standby proves nothing; that one differs does.
func TestAuditOfTextKeysAndExpiringRows(t *testing.T) {
	for _, c := range []struct {
		name   string
		ttl    bool
		damage milvussim.DamageKind
		want   plan.ContentVerdict
		found  audit.Kind
		gap    string
	}{
		{name: "text keys", want: plan.ContentEqual},
		{name: "other text keys", damage: milvussim.DamageRenumberKeys, want: plan.ContentDiverged, found: audit.KindKeys},
		{name: "rows with text keys are lost", damage: milvussim.DamageLoseRows, want: plan.ContentDiverged, found: audit.KindRows},
		{name: "rows that expire", ttl: true, want: plan.ContentEqual},
		{name: "fewer rows that expire", ttl: true, damage: milvussim.DamageLoseRows, want: plan.ContentUnproven, gap: "its rows expire"},
		{name: "a row that expires and differs", ttl: true, damage: milvussim.DamageAlterRows, want: plan.ContentDiverged, found: audit.KindKeys},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := pair(t, "2.6.22")
			w.texts("orders", 20, c.ttl)
			if c.damage != "" {
				must(t, w.DamageContent("b", milvussim.Damage{Kind: c.damage, Collection: "orders", Rows: 2}))
			}
			got := w.audited(audit.Options{Rows: 100, Seed: 7})
			found := slices.ContainsFunc(got.Differences, func(d audit.Difference) bool { return d.Kind == c.found && d.Collection == "default/orders" })
			gap := slices.ContainsFunc(got.Gaps, func(g audit.Gap) bool { return strings.Contains(g.Why, c.gap) })
			if got.Verdict != c.want || c.found != "" && !found || c.gap != "" && !gap {
				t.Errorf("%s, %+v, %+v", got.Verdict, got.Differences, got.Gaps)
			}
			if c.want == plan.ContentEqual && (got.Rows != 20 || got.Sampled != 20) {
				t.Errorf("proven: %+v", got)
			}
		})
	}
}

// TestAuditNextToImportsOnThePrimary: an import that runs on the primary, or waits there for its
// commit, makes no standby differ; what the audit keeps says so of the standby.
func TestAuditNextToImportsOnThePrimary(t *testing.T) {
	w := pair(t, "2.6.22")
	w.write(20)
	w.await(func() bool { return w.State("b").Rows == 20 })
	for _, kind := range []milvussim.DamageKind{milvussim.DamageRunImport, milvussim.DamageStrandImport} {
		must(t, w.DamageContent("a", milvussim.Damage{Kind: kind, Collection: milvussim.RowsCollection}))
		if got := w.audited(audit.Options{Rows: 100, Seed: 7}); got.Verdict == plan.ContentDiverged || got.Counted != 1 || len(got.Readiness.Imports) > 0 {
			t.Errorf("%s: %s, %+v, %+v", kind, got.Verdict, got.Differences, got.Readiness)
		}
	}
	must(t, w.DamageContent("b", milvussim.Damage{Kind: milvussim.DamageRunImport, Collection: milvussim.RowsCollection}))
	got := w.audited(audit.Options{})
	same(t, got.Readiness.Imports, []string{simRows + " (1 running, 0 not committed)"})
	same(t, got.ServedRead, true)
	if len(got.Served) != 1 || got.Served[0].Name != simRows || !got.Served[0].Loaded || got.Served[0].Replicas != 1 {
		t.Errorf("%+v", got.Served)
	}
}

// TestAuditNextToWritesIsNoFalseAlarm: rows are inserted and deleted all the time over a
// slow link, so that no two counts are of one moment. What is really lost is found all the
// same.
func TestAuditNextToWritesIsNoFalseAlarm(t *testing.T) {
	for _, lost := range []int{0, 400} {
		w := pair(t, "2.6.22")
		w.write(800)
		must(t, w.SetLag("a", "b", 30*time.Millisecond))
		w.await(func() bool { return w.State("b").Rows == 800 })
		if lost > 0 {
			must(t, w.DamageContent("b", milvussim.Damage{Kind: milvussim.DamageLoseRows, Collection: milvussim.RowsCollection, Rows: lost}))
		}
		stop := w.keepWriting()
		got := w.audited(audit.Options{Rows: 200, Seed: 3, Pause: 10 * time.Millisecond})
		stop()
		switch {
		case lost == 0 && got.Verdict == plan.ContentDiverged, lost > 0 && got.Verdict != plan.ContentDiverged:
			t.Errorf("%d rows lost: %s, %+v, %+v", lost, got.Verdict, got.Differences, got.Gaps)
		}
		for _, d := range got.Differences {
			if d.Kind == audit.KindRows && d.By > int64(lost) || d.Kind == audit.KindKeys && d.By > 400 {
				t.Errorf("more than was lost: %+v", d)
			}
		}
	}
}

// keepWriting inserts a few rows and deletes others again and again, until it is stopped.
func (w *world) keepWriting() (stop func()) {
	api := w.client("a").GetService()
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-end:
				return
			case <-time.After(2 * time.Millisecond):
			}
			if i%2 == 0 {
				_, _, _ = w.Write("a", 3)
				continue
			}
			_, _ = api.Delete(w.ctx(), &milvuspb.DeleteRequest{CollectionName: milvussim.RowsCollection, Expr: fmt.Sprintf("id in [%d]", 800+i)})
		}
	}()
	return func() { close(end); <-done }
}
