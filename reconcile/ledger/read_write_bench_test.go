package ledger

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"milvus-reconcile/plan"
)

// large is the ledger of a daemon with that many topologies of three clusters
// with 16 channels.
func large(b *testing.B, topologies int) *Ledger {
	b.Helper()
	l, err := Embedded(filepath.Join(b.TempDir(), "ledger.db"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	var progress []plan.ProgressRecord
	var homes []plan.Home
	served := map[string]Served{}
	for i := range topologies {
		name := fmt.Sprintf("t%04d", i)
		for _, c := range []string{"-a", "-b", "-c"} {
			homes = append(homes, plan.Home{Cluster: name + c, Topology: name})
		}
		served[name] = Served{Version: 1, Document: `{"primary":"` + name + `-a"}`}
		progress = append(progress, progressOf(name+"-b", name+"-a"), progressOf(name+"-c", name+"-a"))
	}
	var all sync.WaitGroup
	for i := range topologies {
		all.Go(func() {
			if err := l.SpendOnMatch(b.Context(), plan.GenerationMark{Topology: fmt.Sprintf("t%04d", i), Generation: 1, Document: "sha256:0"}, "c"); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
	if err := l.RecordHome(b.Context(), homes...); err != nil {
		b.Fatal(err)
	}
	if err := l.RecordFirstServed(b.Context(), served); err != nil {
		b.Fatal(err)
	}
	if err := l.RecordProgress(b.Context(), progress...); err != nil {
		b.Fatal(err)
	}
	return l
}

func progressOf(cluster, source string) plan.ProgressRecord {
	at := time.Now()
	p := plan.ProgressRecord{Cluster: cluster, Source: source, At: at}
	for i := range 16 {
		p.Channels = append(p.Channels, plan.ChannelProgress{
			Channel: fmt.Sprintf("%s-rootcoord-dml_%d", cluster, i), Known: true, SourceCluster: source,
			SourceChannel: fmt.Sprintf("%s-rootcoord-dml_%d", source, i), MessageID: "0801120210", TimeTick: 1 << 60, CaughtUpAt: &at,
		})
	}
	return p
}

// BenchmarkReadAfterRecord is what a read costs after another record was written, as most of a
// first sweep: the ledger is summed up again.
func BenchmarkReadAfterRecord(b *testing.B) {
	for _, topologies := range []int{1000, 10_000} {
		b.Run(fmt.Sprintf("%d topologies", topologies), func(b *testing.B) {
			l := large(b, topologies)
			for i := 0; b.Loop(); i++ {
				if err := l.RecordHome(b.Context(), plan.Home{Cluster: fmt.Sprintf("new-%d", i), Topology: "t0001"}); err != nil {
					b.Fatal(err)
				}
				if _, err := l.Read(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPassAndWrite is what one pass of a daemon costs in its ledger: it
// reads all, and every tenth pass writes what it saw.
func BenchmarkPassAndWrite(b *testing.B) {
	for _, topologies := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("%d topologies", topologies), func(b *testing.B) {
			l := large(b, topologies)
			for i := 0; b.Loop(); i++ {
				if _, err := l.Read(b.Context()); err != nil {
					b.Fatal(err)
				}
				if i%10 == 0 {
					if err := l.RecordProgress(b.Context(), progressOf("t0001-b", "t0001-a")); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
