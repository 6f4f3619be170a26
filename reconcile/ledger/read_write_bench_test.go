package ledger

import (
	"fmt"
	"path/filepath"
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
	for i := range topologies {
		name := fmt.Sprintf("t%04d", i)
		err = l.SpendOnMatch(b.Context(), plan.GenerationMark{Topology: name, Generation: 1, Document: "sha256:0"}, "c")
		for _, c := range []string{"-a", "-b", "-c"} {
			if err == nil {
				err = l.RecordHome(b.Context(), plan.Home{Cluster: name + c, Topology: name})
			}
		}
		if err != nil {
			b.Fatal(err)
		}
		progress = append(progress, progressOf(name+"-b", name+"-a"), progressOf(name+"-c", name+"-a"))
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
