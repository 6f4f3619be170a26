package salvage

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"milvus-reconcile/reconcile/milvus/logrows"
	"milvus-reconcile/reconcile/replay"
)

// replayEnv makes the test's program replay between the two addresses in it, and end.
const replayEnv = "SALVAGE_TEST_REPLAY"

// replayFast makes it write as fast as it can, in batches of the usual size.
const replayFast = "SALVAGE_TEST_REPLAY_FAST"

func TestMain(m *testing.M) {
	at := os.Getenv(replayEnv)
	if at == "" {
		if rows := os.Getenv(bareEnv); rows != "" {
			insertBare(rows)
		}
		os.Exit(m.Run())
	}
	a, b, _ := strings.Cut(at, " ")
	topology, fleet := pairAt(a, b)
	run := ReplayRun{
		Fleet: fleet, Topology: topology, Of: ReplayOf{Promoted: "b", Stale: "a"}, batch: 20, Rate: 4000,
		Begin:  func(context.Context, replay.Report) error { return nil },
		Wanted: func(context.Context) error { return nil },
	}
	var began time.Time
	var last lastSend
	if os.Getenv(replayFast) != "" {
		run.batch, run.Rate = 0, 0
		debug.SetGCPercent(50) // as the command does
		run.Begin = func(context.Context, replay.Report) error { began = time.Now(); return nil }
		run.wrap = func(w replayWriter) replayWriter { last.replayWriter = w; return &last }
	}
	report, err := run.Run(context.Background())
	if err != nil || report.Done.Problem != "" {
		fmt.Fprintln(os.Stderr, err, report.Done)
	}
	fmt.Println(peakMemory(), last.at().Sub(began).Nanoseconds())
	os.Exit(0)
}

// lastSend notes when the last batch was taken.
type lastSend struct {
	replayWriter
	mu    sync.Mutex
	taken time.Time
}

func (l *lastSend) Send(ctx context.Context, b *logrows.Batch) error {
	err := l.replayWriter.Send(ctx, b)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken = time.Now()
	return err
}

func (l *lastSend) at() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.taken
}

// peakMemory is the greatest resident memory of this process in KiB, as the kernel keeps it
// for the program that runs now; what getrusage tells counts the parent before exec too.
func peakMemory() int64 {
	status, _ := os.ReadFile("/proc/self/status") // elsewhere it is not known
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return n
		}
	}
	return 0
}

// replayRows is how many lost rows are replayed, with ten kills, instead of a few hundred
// with three.
const replayRows = "RECONCILE_REPLAY_ROWS"

// TestAReplayThatIsKilledLosesAndDoublesNothing kills the process that replays again and
// again, in the middle of what it writes. In the end every lost row of every type is there
// once.
func TestAReplayThatIsKilledLosesAndDoublesNothing(t *testing.T) {
	kills, lost := 3, 600
	if given := os.Getenv(replayRows); given != "" {
		var err error
		if lost, err = strconv.Atoi(given); err != nil {
			t.Fatal(err)
		}
		kills = 10
	}
	x := lossy(t, 40, lost)
	x.fence()
	want := x.plan().ToWrite()
	for range kills {
		before := x.State("b").WritesAccepted
		child := exec.CommandContext(x.ctx, os.Args[0])
		child.Env = append(os.Environ(), replayEnv+"="+x.Address("a")+" "+x.Address("b"))
		said := &strings.Builder{}
		child.Stderr = said
		x.must(child.Start())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = child.Wait() // it is killed
		}()
		for tick := time.NewTicker(time.Millisecond); x.State("b").WritesAccepted < before+40; {
			select {
			case <-ended:
				t.Fatalf("it ended before it was killed: %s", said)
			case <-tick.C:
			}
		}
		x.must(child.Process.Kill())
		<-ended
	}
	if left := x.plan().ToWrite(); left == 0 || left >= want {
		t.Errorf("%d of %d rows were left after the kills", left, want)
	}
	got, err := x.run(nil)
	x.must(err)
	if d := got.Done; d.Right != want || d.Missing+d.Doubled+d.Remaining != 0 || d.Problem != "" || d.Written >= want {
		t.Errorf("of %d rows: %+v", want, d)
	}
	times := x.times(x.b, "t")
	for _, k := range append(span(0, 40), span(1000, lost)...) {
		once := 1
		if k >= 20 && k <= 22 {
			once = 0
		}
		if times[k] != once {
			t.Fatalf("row %d is there %d times", k, times[k])
		}
	}
}
