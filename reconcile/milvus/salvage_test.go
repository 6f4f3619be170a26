package milvus

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/permit"
)

// failedOver has b promoted in the place of a, which is back and holds rows
// that never reached b.
func failedOver(t *testing.T, w *world, replicated, only int) {
	t.Helper()
	_, _, err := w.Write("a", replicated)
	must(t, err)
	w.await(func() bool { return w.State("b").Rows == replicated })
	must(t, w.SetLink("a", "b", false))
	_, _, err = w.Write("a", only)
	must(t, err)
	same(t, w.fleet().Execute(w.ctx(), w.topology, w.promote(), permit.Permit{}).Status, plan.StepDone)
}

// await reads until something holds, or the test's time is over.
func (w *world) await(holds func() bool) {
	w.t.Helper()
	ctx := w.ctx()
	for tick := time.NewTicker(5 * time.Millisecond); !holds(); {
		select {
		case <-ctx.Done():
			w.t.Fatal("it never came to hold")
		case <-tick.C:
		}
	}
}

type salvagedRows struct {
	kinds map[string]int64 // rows by collection and kind
	keys  map[int64]bool
	named int // keys that the messages name by themselves
}

func (w *world) salvage() (Salvage, salvagedRows, error) {
	w.t.Helper()
	found := salvagedRows{kinds: map[string]int64{}, keys: map[int64]bool{}}
	got, err := w.fleet().Reader().Salvage(w.ctx(), w.topology, "b", "a", func(m SalvagedMessage) error {
		found.kinds[m.Database+"/"+m.Collection+" "+m.Kind] += m.RowCount
		found.named += len(m.Keys(int(m.RowCount)))
		return m.Rows(func(row map[string]any) error {
			if key, ok := row["id"].(int64); ok {
				found.keys[key] = true
			}
			return nil
		})
	})
	return got, found, err
}

func TestSalvageReadsWhatNeverArrived(t *testing.T) {
	w := pair(t, "")
	failedOver(t, w, 64, 48)
	before := w.State("a")
	got, found, err := w.salvage()
	must(t, err)
	if !maps.Equal(found.kinds, map[string]int64{"default/sim_rows insert": 48}) || len(found.keys) != 48 || found.named != 48 {
		t.Errorf("%v, %d keys, %d of them named", found.kinds, len(found.keys), found.named)
	}
	if len(got.Channels) != milvussim.DefaultPChannels || got.Until.IsZero() {
		t.Errorf("%d channels until %s", len(got.Channels), got.Until)
	}
	for _, c := range got.Channels {
		if c.Problem != "" || c.Messages > 0 && (c.First <= c.Replicated || c.Last < c.First) {
			t.Errorf("%+v", c)
		}
	}
	same(t, w.State("a").WritesAccepted, before.WritesAccepted)
	same(t, w.calls("a", updateMethod), 0)
}

// TestAnEmptyListIsNotNull: an export tells an array without elements from one that is not
// there.
func TestAnEmptyListIsNotNull(t *testing.T) {
	m := SalvagedMessage{RowCount: 2, fields: []*schemapb.FieldData{{
		FieldName: "tags", Type: schemapb.DataType_Array,
		Field: &schemapb.FieldData_Scalars{Scalars: &schemapb.ScalarField{Data: &schemapb.ScalarField_ArrayData{ArrayData: &schemapb.ArrayArray{
			ElementType: schemapb.DataType_Int64,
			Data: []*schemapb.ScalarField{
				{Data: &schemapb.ScalarField_LongData{LongData: &schemapb.LongArray{Data: []int64{7}}}},
				{Data: &schemapb.ScalarField_LongData{LongData: &schemapb.LongArray{}}},
			},
		}}}},
	}}}
	var got []string
	must(t, m.Rows(func(row map[string]any) error {
		raw, err := json.Marshal(row)
		got = append(got, string(raw))
		return err
	}))
	same(t, strings.Join(got, " "), `{"tags":[7]} {"tags":[]}`)
}

// What the old primary wrote before it was fenced is still there to be read.
func TestSalvageOfAFencedCluster(t *testing.T) {
	w := pair(t, "")
	failedOver(t, w, 16, 16)
	before, after := w.star("a"), w.star("b")
	same(t, w.fleet().Execute(w.ctx(), w.topology, plan.Step{Action: plan.ActionFence, Cluster: "a", Before: &before, After: &after}, permit.Permit{}).Status, plan.StepDone)
	got, found, err := w.salvage()
	must(t, err)
	same(t, found.kinds["default/sim_rows insert"], int64(16))
	same(t, got.Fenced, true)
}

// TestSalvageTellsAGap: retention removed what followed the checkpoint, and the
// server does not say so.
func TestSalvageTellsAGap(t *testing.T) {
	clock := milvussim.NewManualClock(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	specs := milvussim.Pair("a", "b")
	for i := range specs {
		specs[i].WAL, specs[i].Retention = commonpb.WALName_Pulsar, 72*time.Hour
	}
	w := newWorld(t, milvussim.Options{Clock: clock}, milvussim.Converged(specs)...)
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	go func() { // time goes on while somebody waits for it
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-stop:
				return
			case <-tick.C:
				clock.Advance(5 * time.Millisecond)
			}
		}
	}()
	failedOver(t, w, 64, 100)
	clock.Advance(80 * time.Hour)
	_, _, err := w.Write("a", 32)
	must(t, err)
	got, found, err := w.salvage()
	must(t, err)
	same(t, found.kinds["default/sim_rows insert"], int64(32))
	gaps := 0
	for _, c := range got.Channels {
		if strings.Contains(c.Problem, "retention") {
			gaps++
		}
	}
	if gaps != len(got.Channels) {
		t.Errorf("%d of %d channels tell the gap", gaps, len(got.Channels))
	}
	if seen := w.fleet().Reader().StaleLog(w.ctx(), w.topology, "b", "a"); seen.Known || seen.Rows != 32 {
		t.Errorf("an observation takes %+v for all", seen)
	}
}

func TestSalvageFails(t *testing.T) {
	cases := map[string]struct {
		profile string
		change  func(*testing.T, *world)
		words   string
	}{
		"the stale one is down":    {"", func(t *testing.T, w *world) { must(t, w.Stop("a")) }, "a is unreachable"},
		"the promoted one is down": {"", func(t *testing.T, w *world) { must(t, w.Stop("b")) }, "salvage checkpoints of b"},
		"no credential":            {"", func(_ *testing.T, w *world) { w.config.Credentials = w.config.Credentials[1:] }, "a is unknown"},
		"an old server":            {"2.6.17", nil, "2.6.19 or 3.0.0 or later reports"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := pair(t, c.profile).hasty()
			failedOver(t, w, 16, 16)
			if c.change != nil {
				c.change(t, w)
			}
			_, _, err := w.salvage()
			if err == nil || !strings.Contains(err.Error(), c.words) {
				t.Error(err)
			}
		})
	}
	t.Run("a pair that never failed over", func(t *testing.T) {
		_, _, err := pair(t, "").salvage()
		if err == nil || !strings.Contains(err.Error(), "not promoted by force") {
			t.Error(err)
		}
	})
	t.Run("the visitor gives up", func(t *testing.T) {
		w := pair(t, "")
		failedOver(t, w, 16, 16)
		full := errors.New("no space left")
		seen := 0
		_, err := w.fleet().Reader().Salvage(w.ctx(), w.topology, "b", "a", func(SalvagedMessage) error {
			seen++
			return full
		})
		if !errors.Is(err, full) || seen != 1 {
			t.Errorf("%v after %d messages", err, seen)
		}
	})
	t.Run("the caller gives up", func(t *testing.T) {
		w := pair(t, "")
		failedOver(t, w, 16, 16)
		ctx, cancel := context.WithCancel(t.Context())
		got, err := w.fleet().Reader().Salvage(ctx, w.topology, "b", "a", func(SalvagedMessage) error {
			cancel()
			return nil
		})
		if whole := err == nil && allRead(got); whole {
			t.Error("it passes for whole")
		}
	})
}

func allRead(s Salvage) bool {
	for _, c := range s.Channels {
		if c.Problem != "" {
			return false
		}
	}
	return true
}

// TestStaleLog: an observation at a stale cluster that takes writes counts what it holds
// alone, and sees that it goes on.
func TestStaleLog(t *testing.T) {
	w := pair(t, "")
	failedOver(t, w, 32, 0)
	observe := func() plan.StaleLog { return w.fleet().Reader().StaleLog(w.ctx(), w.topology, "b", "a") }
	same(t, observe(), plan.StaleLog{Cluster: "a", Known: true})
	before := time.Now()
	_, _, err := w.Write("a", 48)
	must(t, err)
	got := observe()
	if !got.Known || got.Messages == 0 || got.Rows != 48 || got.More || got.Newest.Before(before.Add(-time.Second)) {
		t.Errorf("%+v", got)
	}
	must(t, w.AddFault("a", milvussim.Fault{Method: "DumpMessages", Kind: milvussim.FaultError}))
	same(t, observe().Known, false)
	must(t, w.Stop("a"))
	same(t, observe(), plan.StaleLog{Cluster: "a"})
}

// TestStaleLogIsBounded: of a channel that was written to for long, no more is
// read than an observation needs.
func TestStaleLogIsBounded(t *testing.T) {
	w := pair(t, "")
	w.config.ReadTimeout = time.Minute // the bound is on messages here, not on time
	failedOver(t, w, 32, 0)
	for range maxStaleMessages + 1 {
		_, _, err := w.Write("a", 16)
		must(t, err)
	}
	got := w.fleet().Reader().StaleLog(w.ctx(), w.topology, "b", "a")
	if most := maxStaleMessages * len(w.cluster("a").PChannels); !got.Known || !got.More || got.Messages < maxStaleMessages || got.Messages > most {
		t.Errorf("%+v", got)
	}
}
