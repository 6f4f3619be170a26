package milvus

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/client/v2/entity"
	"github.com/milvus-io/milvus/client/v2/milvusclient"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/answers"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/milvus/wal"
	"milvus-reconcile/reconcile/permit"
)

// attached is a pair that was just bootstrapped: no channel has carried anything.
func attached(t *testing.T, profile string, queue commonpb.WALName, o milvussim.Options) *world {
	t.Helper()
	specs := milvussim.Pair("a", "b")
	for i := range specs {
		specs[i].WAL = queue
	}
	o.Profile = profile
	w := newWorld(t, o, specs...)
	for _, id := range []string{"a", "b"} {
		w.tell(id, "a")
	}
	return w
}

// tell gives a cluster the star of a source.
func (w *world) tell(id, source string) {
	w.t.Helper()
	cfg := &commonpb.ReplicateConfiguration{}
	for _, m := range w.star(source).Clusters {
		cfg.Clusters = append(cfg.Clusters, &commonpb.MilvusCluster{
			ClusterId: m.ID, Pchannels: m.PChannels, ConnectionParam: &commonpb.ConnectionParam{Uri: m.URI, Token: milvussim.RootToken},
		})
	}
	for _, e := range w.star(source).Edges {
		cfg.CrossClusterTopology = append(cfg.CrossClusterTopology, &commonpb.CrossClusterTopology{SourceClusterId: e.From, TargetClusterId: e.To})
	}
	st, err := w.client(id).GetService().UpdateReplicateConfiguration(w.ctx(), &milvuspb.UpdateReplicateConfigurationRequest{ReplicateConfiguration: cfg})
	must(w.t, err)
	same(w.t, st.GetReason(), "")
}

// create makes a collection; it is a message on the first channel and on that of
// each shard.
func (w *world) create(id, name string, shards int32) {
	w.t.Helper()
	schema := entity.NewSchema().WithName(name).WithField(entity.NewField().WithName("id").WithDataType(entity.FieldTypeInt64).WithIsPrimaryKey(true)).
		WithField(entity.NewField().WithName("vector").WithDataType(entity.FieldTypeFloatVector).WithDim(4))
	must(w.t, w.client(id).CreateCollection(w.ctx(), milvusclient.NewCreateCollectionOption(name, schema).WithShardNum(shards)))
}

// moved waits until so many channels of b have replicated something.
func (w *world) moved(channels int) {
	w.t.Helper()
	n := 0
	w.await(func() bool {
		n = 0
		for _, c := range w.State("b").Checkpoints {
			if c.SourceTimeTick > 0 {
				n++
			}
		}
		return n >= channels
	})
	same(w.t, n, channels)
}

func (w *world) expectBacklog(f *Fleet, when string, unsent, none, unknown int) {
	w.t.Helper()
	var u, n, k int
	for _, p := range f.Reader().Observe(w.ctx(), []plan.Topology{w.topology}, plan.Depth{Progress: true})[1].Progress {
		switch {
		case p.Unsent != nil:
			u++
		case p.CaughtUpAt != nil:
			n++
		default:
			k++
		}
	}
	if u != unsent || n != none || k != unknown {
		w.t.Errorf("%s: %d channels have something unsent, %d nothing, of %d it is not known; want %d, %d, %d", when, u, n, k, unsent, none, unknown)
	}
}

var walNames = []commonpb.WALName{commonpb.WALName_RocksMQ, commonpb.WALName_Kafka, commonpb.WALName_Pulsar, commonpb.WALName_WoodPecker}

// TestUntouchedChannelsAreShownToHoldNothing: a channel has neither tick nor
// message id until it carried a message of its own, which may be for ever.
func TestUntouchedChannelsAreShownToHoldNothing(t *testing.T) {
	for _, queue := range walNames {
		for _, profile := range []string{"2.6.19", "2.6.22"} {
			t.Run(queue.String()+" "+profile, func(t *testing.T) {
				w := attached(t, profile, queue, milvussim.Options{})
				f := w.fleet()
				w.expectBacklog(f, "just attached, and nothing tells which queue the log is in", 0, 0, 16)
				w.alterGroups("a", "rg_local")
				w.create("a", "one", 2)
				w.moved(2)
				w.expectBacklog(f, "one collection", 0, 16, 0)
				w.expectBacklog(f, "looked at again", 0, 16, 0)
				must(t, w.SetLink("a", "b", false))
				w.create("a", "all", 16)
				w.expectBacklog(f, "cut off, and written to", 16, 0, 0)
				w.expectBacklog(w.fleet(), "seen by another process", 16, 0, 0)
			})
		}
	}
}

// TestUntouchedAfterASwitchover: what was on a channel before its cluster became
// the source counts for nothing.
func TestUntouchedAfterASwitchover(t *testing.T) {
	w := pair(t, "")
	_, _, err := w.Write("a", 32)
	must(t, err)
	w.await(func() bool { return w.State("b").Rows == 32 })
	w.tell("a", "b")
	w.tell("b", "b")
	w.topology.Clusters[0].Role, w.topology.Clusters[1].Role = plan.RoleStandby, plan.RolePrimary
	w.create("b", "one", 2)
	w.await(func() bool { return w.State("a").Checkpoints[0].SourceTimeTick > 0 })
	var none int
	for _, p := range w.observe(plan.Depth{Progress: true})["a"].Progress {
		if p.Unsent == nil && p.CaughtUpAt != nil {
			none++
		}
	}
	same(t, none, 16)
}

// TestUntouchedWithoutTheBeginning: retention took the place where replication
// began, and with it the proof.
func TestUntouchedWithoutTheBeginning(t *testing.T) {
	clock := milvussim.NewManualClock(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() { // time goes on while somebody waits for it
		for tick := time.NewTicker(time.Millisecond); ctx.Err() == nil; <-tick.C {
			clock.Advance(5 * time.Millisecond)
		}
	}()
	specs := milvussim.Pair("a", "b")
	for i := range specs {
		specs[i].Retention = 72 * time.Hour
	}
	w := newWorld(t, milvussim.Options{Clock: clock}, specs...)
	w.tell("a", "a")
	w.tell("b", "a")
	w.create("a", "one", 2)
	w.moved(2)
	f := w.fleet()
	w.expectBacklog(f, "young", 0, 16, 0)
	clock.Advance(80 * time.Hour)
	w.create("a", "two", 2)
	w.await(func() bool { return w.observe(plan.Depth{Progress: true})["b"].Progress[0].CaughtUpAt != nil })
	w.expectBacklog(f, "the beginning is gone", 0, 4, 12)
	w.expectBacklog(w.fleet(), "the beginning is gone, seen by another process", 0, 4, 12)
}

// promoteUntouched fails over to b, on which 2 channels of 16 carried something.
func promoteUntouched(t *testing.T, queue commonpb.WALName, profile string) *world {
	t.Helper()
	w := attached(t, profile, queue, milvussim.Options{})
	w.create("a", "one", 2)
	w.moved(2)
	must(t, w.SetLink("a", "b", false))
	same(t, w.fleet().Execute(w.ctx(), w.topology, w.promote(), permit.Permit{}).Status, plan.StepDone)
	return w
}

// TestSalvageOfUntouchedChannels: they are read from where replication began, and
// hold nothing, or everything that was written there since.
func TestSalvageOfUntouchedChannels(t *testing.T) {
	for _, queue := range walNames {
		t.Run(queue.String(), func(t *testing.T) {
			w := promoteUntouched(t, queue, "2.6.22")
			check := func(rows int64, messages bool) {
				t.Helper()
				got, found, err := w.salvage()
				must(t, err)
				same(t, found.kinds["default/sim_rows insert"], rows)
				untouched := 0
				for _, c := range got.Channels {
					if c.Problem != "" || (c.Messages > 0) != messages || c.Channel == "" {
						t.Errorf("%+v", c)
					}
					if c.Untouched {
						untouched++
					}
				}
				same(t, untouched, 14)
				stale := w.fleet().Reader().StaleLog(w.ctx(), w.topology, "b", "a")
				if !stale.Known || (stale.Messages > 0) != messages {
					t.Errorf("%+v", stale)
				}
			}
			check(0, false)
			_, _, err := w.Write("a", 48)
			must(t, err)
			check(48, true)
		})
	}
}

// TestSalvageWhereNoChannelCarriedAnything: nothing tells the form of an id.
func TestSalvageWhereNoChannelCarriedAnything(t *testing.T) {
	w := attached(t, "", commonpb.WALName_WoodPecker, milvussim.Options{})
	same(t, w.fleet().Execute(w.ctx(), w.topology, w.promote(), permit.Permit{}).Status, plan.StepDone)
	got, _, err := w.salvage()
	must(t, err)
	for _, c := range got.Channels {
		if !strings.Contains(c.Problem, "message queue") || !c.Untouched {
			t.Errorf("%+v", c)
		}
	}
}

// TestADumpHoldsTokensAndSalvageDoesNot: the configurations in a log have the
// token of every cluster in clear, and nothing of them comes out.
func TestADumpHoldsTokensAndSalvageDoesNot(t *testing.T) {
	w := promoteUntouched(t, commonpb.WALName_RocksMQ, "")
	after := w.star("b")
	before := w.star("a")
	same(t, w.fleet().Execute(w.ctx(), w.topology, plan.Step{Action: plan.ActionFence, Cluster: "a", Before: &before, After: &after}, permit.Permit{}).Status, plan.StepDone)
	f := w.fleet()
	l, err := f.dialBound(bind(w.topology, f.credentials)["a"])
	must(t, err)
	defer l.close()
	until, err := l.tick(w.ctx())
	must(t, err)
	held := 0
	part := stretch{channel: w.cluster("a").PChannels[0], start: wal.Beginning(commonpb.WALName_RocksMQ), after: true, until: until}
	must(t, l.dump(w.ctx(), part, func(m *commonpb.ImmutableMessage) bool {
		if raw, err := base64.StdEncoding.DecodeString(m.GetProperties()[answers.HeaderProperty]); err == nil && strings.Contains(string(raw), milvussim.RootToken) {
			held++
		}
		return true
	}))
	if held == 0 {
		t.Fatal("no message of the log holds a token: this proves nothing")
	}
	_, err = w.fleet().Reader().Salvage(w.ctx(), w.topology, "b", "a", func(m SalvagedMessage) error {
		if said := fmt.Sprintf("%+v %s", m, m.Payload); strings.Contains(said, milvussim.RootToken) {
			t.Errorf("%s", said)
		}
		return nil
	})
	must(t, err)
}

// TestSecretContentStaysInTheLog: of what may hold a password only the kind is told.
func TestSecretContentStaysInTheLog(t *testing.T) {
	s := salvaging{names: map[int64]collectionName{}}
	for number, withheld := range map[string]bool{"21": true, "22": true, "700": true, "800": true, "2": false, "16": false, "12345": false} {
		m := s.message(t.Context(), "c", &commonpb.ImmutableMessage{
			Properties: map[string]string{"_t": number, "_h": "root:Milvus"}, Payload: []byte("root:Milvus"),
		})
		if told := fmt.Sprintf("%+v %s", m, m.Payload); strings.Contains(told, "root:Milvus") == withheld {
			t.Errorf("type %s: %s", number, told)
		}
	}
}

func TestBeginnings(t *testing.T) {
	for queue, want := range map[commonpb.WALName]string{
		commonpb.WALName_RocksMQ: "0", commonpb.WALName_Kafka: "-2", commonpb.WALName_WoodPecker: "CAAQ////////////AQ==",
		commonpb.WALName_Pulsar: "CP///////////wEQ////////////ARj///////////8BIP///////////wE=",
	} {
		if got := wal.Beginning(queue); got.GetId() != want || got.GetWALName() != queue {
			t.Errorf("%s begins at %v, want %s", queue, got, want)
		}
	}
	for _, queue := range []commonpb.WALName{commonpb.WALName_Unknown, commonpb.WALName_Test} {
		if got := wal.Beginning(queue); got != nil {
			t.Errorf("%s begins at %v", queue, got)
		}
	}
}
