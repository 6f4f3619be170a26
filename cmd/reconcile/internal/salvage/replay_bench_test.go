package salvage

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// BenchmarkReplay replays rows in a process of its own, against the simulator in this one.
// rows/s counts from the start of that process to its end: it reads both logs before and
// after, and every row back. of-bare compares the time from the first write to the last with
// that of a loop that only inserts the same batches. MB-peak is its greatest resident memory.
func BenchmarkReplay(b *testing.B) {
	for _, rows := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			var took, writing, bare time.Duration
			peak := int64(0)
			for b.Loop() {
				bare += bareInserts(b, rows)
				all, first, memory := replayOnce(b, rows)
				took, writing, peak = took+all, writing+first, max(peak, memory)
			}
			b.ReportMetric(float64(b.N*rows)/took.Seconds(), "rows/s")
			b.ReportMetric(bare.Seconds()/writing.Seconds(), "of-bare")
			b.ReportMetric(float64(peak)/(1<<20), "MB-peak")
		})
	}
}

// fill writes rows into the collection of the simulator, in messages of a usual size.
func (x *lab) fill(id string, rows int) {
	const chunk = 20_000
	for ; rows > 0; rows -= chunk {
		_, refused, err := x.Write(id, min(rows, chunk))
		x.must(err)
		x.must(refused)
	}
}

// replayOnce returns how long a whole replay took, how long its writing, and the greatest
// memory in bytes.
func replayOnce(b *testing.B, rows int) (all, writing time.Duration, memory int64) {
	x := newLab(b)
	x.fill("a", 1)
	x.await(func() bool { return x.State("b").Rows == 1 })
	x.lose(func() { x.fill("a", rows) })
	x.fence()
	before := x.State("b").WritesAccepted
	child := exec.CommandContext(x.ctx, os.Args[0])
	child.Env = append(os.Environ(), replayEnv+"="+x.Address("a")+" "+x.Address("b"), replayFast+"=1")
	said := &bytes.Buffer{}
	child.Stdout, child.Stderr = said, os.Stderr
	started := time.Now()
	x.must(child.Start())
	x.await(func() bool { return x.State("b").WritesAccepted > before })
	first := time.Now()
	x.await(func() bool { return x.State("b").WritesAccepted >= before+rows })
	writing = time.Since(first)
	x.must(child.Wait())
	if got := x.State("b").Rows; got != rows+1 {
		b.Fatalf("%d rows are there, want %d", got, rows+1)
	}
	all = time.Since(started)
	kib, err := strconv.ParseInt(strings.TrimSpace(said.String()), 10, 64)
	x.must(err)
	return all, writing, kib << 10
}

// bareInserts is how long a loop takes that inserts as many rows in batches of the same size.
func bareInserts(b *testing.B, rows int) time.Duration {
	x := newLab(b)
	x.fill("a", 1)
	started := time.Now()
	for first := 1; first <= rows; first += batchRows {
		keys := span(first, min(batchRows, rows-first+1))
		c := columns{keys: keys, version: 1}
		c.scalar("id", schemapb.DataType_Int64, &schemapb.ScalarField{Data: &schemapb.ScalarField_LongData{LongData: &schemapb.LongArray{Data: keys}}})
		c.vector("vector", schemapb.DataType_FloatVector, &schemapb.VectorField{Dim: 4, Data: &schemapb.VectorField_FloatVector{FloatVector: &schemapb.FloatArray{Data: floats(keys, 1)}}})
		x.insert(x.a, milvussim.RowsCollection, c.out, len(keys))
	}
	return time.Since(started)
}
