package milvussim_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// story drives a World by what the seed says and returns all that can be seen.
func story(t *testing.T, seed uint64, specs []milvussim.ClusterSpec) string {
	t.Helper()
	clock := manual()
	w := milvussim.New(milvussim.Options{Clock: clock, Seed: seed})
	defer w.Close()
	if err := w.Start(specs...); err != nil {
		t.Fatal(err)
	}
	dice := rand.New(rand.NewPCG(seed, 1))
	log := ""
	for range 60 {
		id := []string{"a", "b", "c"}[dice.IntN(3)]
		var err error
		switch dice.IntN(7) {
		case 0:
			err = w.SetLink("a", "b", dice.IntN(2) == 0)
		case 1:
			err = w.SetLag("a", "c", time.Duration(dice.IntN(300))*time.Millisecond)
		case 2:
			err = w.Stop(id)
		case 3:
			err = w.Revive(id)
		default:
			_, _, err = w.Write(id, dice.IntN(50))
		}
		if err != nil {
			t.Fatal(err)
		}
		clock.Advance(time.Duration(dice.IntN(100)) * time.Millisecond)
		raw, err := json.Marshal(w.Snapshot())
		if err != nil {
			t.Fatal(err)
		}
		log += string(raw) + "\n"
	}
	return log
}

func TestSameSeedSameHistory(t *testing.T) {
	topology := append(milvussim.Pair("a", "b"), milvussim.ClusterSpec{ID: "c", Role: milvussim.Standby})
	specs := milvussim.Converged(topology)
	for seed := range uint64(3) {
		first, second := story(t, seed, specs), story(t, seed, specs)
		if first != second {
			t.Fatalf("seed %d gives two histories", seed)
		}
	}
}

// fleet is n clusters: pairs of a primary and a standby.
func fleet(n int) []milvussim.ClusterSpec {
	var topologies [][]milvussim.ClusterSpec
	for i := range n / 2 {
		topologies = append(topologies, milvussim.Pair(fmt.Sprintf("p%d-a", i), fmt.Sprintf("p%d-b", i)))
	}
	return milvussim.Converged(topologies...)
}

func TestThousandClusters(t *testing.T) {
	specs := fleet(1000)
	before, goroutines := heap(), runtime.NumGoroutine()
	w := milvussim.New(milvussim.Options{})
	defer w.Close()
	if err := w.Start(specs...); err != nil {
		t.Fatal(err)
	}
	perCluster := (heap() - before) / 1000
	if more := runtime.NumGoroutine() - goroutines; more > 1000+10 {
		t.Errorf("%d goroutines for 1000 clusters with 16 channels each; one listener each is expected", more)
	}
	t.Logf("%d bytes of heap for each idle cluster", perCluster)
	if perCluster > 100_000 {
		t.Errorf("an idle cluster takes %d bytes, more than 100 kB", perCluster)
	}
	mustWrite(t, w, "p499-a", 16)
	waitFor(t, func() bool { return w.State("p499-b").Rows == 16 })
}

// heap is the live heap and the stacks.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

func BenchmarkStartThousandClusters(b *testing.B) {
	specs := fleet(1000)
	before := heap()
	for b.Loop() {
		w := milvussim.New(milvussim.Options{})
		if err := w.Start(specs...); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(heap()-before)/1000, "B/cluster")
		w.Close()
	}
}
