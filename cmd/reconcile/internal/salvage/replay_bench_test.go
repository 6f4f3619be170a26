package salvage

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// BenchmarkReplay replays rows in a process of its own, against the simulator in this one.
// rows/s counts from the start of that process to its end: it reads both logs before and
// after, and every row back. of-bare compares the time from its approval to its last batch with
// that of a loop, in a process of its own too, that only inserts batches of the same size;
// the two take turns. MB-peak is the greatest resident memory of the replay.
func BenchmarkReplay(b *testing.B) {
	for _, rows := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			var took, writing, bare time.Duration
			peak := int64(0)
			for b.Loop() {
				bare += bareInserts(b, rows)
				all, wrote, memory := replayOnce(b, rows)
				took, writing, peak = took+all, writing+wrote, max(peak, memory)
			}
			b.ReportMetric(float64(b.N*rows)/took.Seconds(), "rows/s")
			b.ReportMetric(float64(b.N*rows)/writing.Seconds(), "written/s")
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
	started := time.Now()
	said := x.child(replayEnv+"="+x.Address("a")+" "+x.Address("b"), replayFast+"=1")
	all = time.Since(started)
	if got := x.State("b").Rows; got != rows+1 {
		b.Fatalf("%d rows are there, want %d", got, rows+1)
	}
	kib, wrote, _ := strings.Cut(said, " ")
	return all, x.nanoseconds(wrote), int64(x.nanoseconds(kib)) << 10
}

// child runs this program with that environment, and returns what it prints.
func (x *lab) child(env ...string) string {
	x.t.Helper()
	child := exec.CommandContext(x.ctx, os.Args[0])
	child.Env, child.Stderr = append(os.Environ(), env...), os.Stderr
	said, err := child.Output()
	x.must(err)
	return strings.TrimSpace(string(said))
}

func (x *lab) nanoseconds(text string) time.Duration {
	x.t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	x.must(err)
	return time.Duration(n)
}

// bareEnv makes the test's program insert "ADDRESS ROWS" bare, and end.
const bareEnv = "SALVAGE_TEST_BARE"

// bareInserts is how long a loop takes that inserts as many rows in batches of the same size.
func bareInserts(b *testing.B, rows int) time.Duration {
	x := newLab(b)
	x.fill("a", 1)
	return x.nanoseconds(x.child(bareEnv + "=" + x.Address("a") + " " + strconv.Itoa(rows)))
}

// insertBare inserts rows, one batch after the other, prints how long that took, and ends.
func insertBare(of string) {
	address, count, _ := strings.Cut(of, " ")
	rows, err := strconv.Atoi(count)
	if err != nil {
		panic(err)
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	api := milvuspb.NewMilvusServiceClient(conn)
	ctx := asRoot(context.Background())
	started := time.Now()
	for first := 1; first <= rows; first += batchRows {
		keys := span(first, min(batchRows, rows-first+1))
		c := columns{keys: keys, version: 1}
		c.scalar("id", schemapb.DataType_Int64, &schemapb.ScalarField{Data: &schemapb.ScalarField_LongData{LongData: &schemapb.LongArray{Data: keys}}})
		c.vector("vector", schemapb.DataType_FloatVector, &schemapb.VectorField{Dim: 4, Data: &schemapb.VectorField_FloatVector{FloatVector: &schemapb.FloatArray{Data: floats(keys, 1)}}})
		got, err := api.Insert(ctx, &milvuspb.InsertRequest{CollectionName: milvussim.RowsCollection, FieldsData: c.out, NumRows: uint32(len(keys))}) //nolint:gosec // a batch is small
		if err != nil || got.GetStatus().GetCode() != 0 {
			panic(fmt.Sprint(err, got.GetStatus()))
		}
	}
	fmt.Println(time.Since(started).Nanoseconds())
	os.Exit(0)
}
