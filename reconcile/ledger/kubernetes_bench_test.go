package ledger

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/kubeapi"
	"milvus-reconcile/reconcile/reconciletest/kubeserver"
)

// BenchmarkKubernetesWrite is what a record, an observation and a lock cost next to many
// topologies, and what a process that begins reads first. The bytes are those of the two objects
// that a write replaces. It runs on the real server if `make test-kubernetes` asks for that.
func BenchmarkKubernetesWrite(b *testing.B) {
	for _, topologies := range []int{10, 1000, 5000} {
		start := kubeserver.StartStandIn
		if os.Getenv(kubeserver.Demand) != "" {
			start = kubeserver.Start
		}
		b.Run(fmt.Sprint(topologies), func(b *testing.B) { writesNextTo(b, start(b), topologies) })
	}
}

func writesNextTo(b *testing.B, s *kubeserver.Server, topologies int) {
	open := func() *Ledger {
		l, err := Kubernetes(KubernetesConfig{
			API:       kubeapi.Config{Kubeconfig: s.Kubeconfig(b, s.Token), Context: "tests"},
			Namespace: "default", Name: "ledger",
		}, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = l.Close() })
		return l
	}
	l := open()
	fillTogether(b, l, topologies)
	ok := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	b.Run("record", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			ok(l.RecordHome(b.Context(), plan.Home{Cluster: fmt.Sprintf("new-%d-%d", b.N, n), Topology: "t0001"}))
		}
		b.ReportMetric(float64(bytesOf(b, s, "ledger")+bytesOf(b, s, "ledger.topology.t0001")), "written-B/op")
	})
	b.Run("observation", func(b *testing.B) {
		for b.Loop() {
			ok(l.RecordProgress(b.Context(), progressOf("t0002-b", "t0002-a")))
		}
		b.ReportMetric(float64(bytesOf(b, s, "ledger")+bytesOf(b, s, "ledger.topology.t0002")), "written-B/op")
	})
	b.Run("lock", func(b *testing.B) {
		for b.Loop() {
			k, err := l.Lock(b.Context(), "t0003", 0)
			ok(err)
			ok(k.Release())
		}
	})
	b.Run("first read", func(b *testing.B) {
		for b.Loop() {
			_, err := open().Read(b.Context())
			ok(err)
		}
	})
}

// fillTogether writes what a daemon with that many topologies of three clusters with 16 channels
// has written, in few transactions.
func fillTogether(b *testing.B, l *Ledger, topologies int) {
	b.Helper()
	var rules []rule
	var progress []plan.ProgressRecord
	for i := range topologies {
		name := fmt.Sprintf("t%04d", i)
		rules = append(rules, matchRule(plan.GenerationMark{Topology: name, Generation: 1, Document: "sha256:0"}, "c"), servedRule(name, Served{Version: 1, Document: `{"primary":"` + name + `-a"}`}))
		for _, c := range []string{"-a", "-b", "-c"} {
			rules = append(rules, homeRule(plan.Home{Cluster: name + c, Topology: name}))
		}
		progress = append(progress, progressOf(name+"-b", name+"-a"), progressOf(name+"-c", name+"-a"))
	}
	for some := range slices.Chunk(rules, 250) {
		if err := l.write(b.Context(), nil, some...); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.RecordProgress(b.Context(), progress...); err != nil {
		b.Fatal(err)
	}
}

func bytesOf(b *testing.B, s *kubeserver.Server, name string) int {
	var o configMap
	s.Do(b, http.MethodGet, kubeserver.Path("default", "configmaps", name), nil, &o)
	delete(o.Metadata, "managedFields")
	raw, err := json.Marshal(o)
	if err != nil {
		b.Fatal(err)
	}
	return len(raw)
}
