package crash

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/ledger"
)

// drill is a fleet on which processes are killed, stopped and cut off.
type drill struct{ *testkit.Fleet }

// newDrill has n healthy topologies, whose clusters are at the addresses.
func newDrill(ctx context.Context, t *testing.T, n int) (d drill, addresses []string) {
	t.Helper()
	f, addresses := testkit.NewFleet(ctx, t, n)
	return drill{f}, addresses
}

// newLostDrill has n topologies whose primaries are lost and whose failover is approved.
func newLostDrill(ctx context.Context, t *testing.T, n int, etcd string) drill {
	t.Helper()
	return drill{testkit.NewLostFleet(ctx, t, n, etcd)}
}

// crashes are the moments at which runs of one failover are killed, one run
// after the other, and a fault that widens the moment.
var crashes = []struct {
	name  string
	fault string
	kills []testkit.Stage
}{
	{"at the first look", "", []testkit.Stage{testkit.Called("", 1)}},

	{"while it probes", "", []testkit.Stage{testkit.Called("", 25)}},

	{"after some rounds", "", []testkit.Stage{testkit.Called("", 45)}},

	{"under the lock", "", []testkit.Stage{testkit.Called("", 60)}},

	{"just before the intent", "", []testkit.Stage{testkit.Called("", 75)}},

	{"with the intent written", "", []testkit.Stage{testkit.Recorded(ledger.KindIntent)}},

	{"with the intent written, twice", "", []testkit.Stage{testkit.Recorded(ledger.KindIntent), testkit.Called("", 60)}},

	{"about to send", "", []testkit.Stage{testkit.Recorded(ledger.KindSent)}},

	{"about to send, twice", "", []testkit.Stage{testkit.Recorded(ledger.KindSent), testkit.Promoting(false)}},

	{"while the promotion is slow", delayed, []testkit.Stage{testkit.Promoting(false)}},

	{"while the promotion is slow, twice", delayed, []testkit.Stage{testkit.Promoting(false), testkit.Promoting(true)}},

	{"while the promotion hangs", `{"method":"UpdateReplicateConfiguration","kind":"hang","times":1}`, []testkit.Stage{testkit.Promoting(false)}},

	{"while the answer is lost", `{"method":"UpdateReplicateConfiguration","kind":"drop_reply","times":1}`, []testkit.Stage{testkit.Promoting(true)}},

	{"with the promotion done", "", []testkit.Stage{testkit.Promoting(true)}},

	{"with the promotion done, and again while it verifies", "", []testkit.Stage{testkit.Promoting(true), testkit.Called("CreateCollection", 1)}},

	{"with the effect recorded", "", []testkit.Stage{testkit.Recorded(ledger.KindEffected)}},

	{"with the effect recorded, twice", "", []testkit.Stage{testkit.Recorded(ledger.KindEffected), testkit.Called("DropCollection", 1)}},

	{"while it verifies", "", []testkit.Stage{testkit.Called("CreateCollection", 1)}},

	{"when it has verified", "", []testkit.Stage{testkit.Called("DropCollection", 1)}},

	{"with the result recorded", "", []testkit.Stage{testkit.Recorded(ledger.KindResult)}},
}

const delayed = `{"method":"UpdateReplicateConfiguration","kind":"delay","for":"400ms","times":1}`

// TestKilledFailover kills processes in the middle of approved failovers, all
// of them on one ledger, and demands that the next runs finish each with one
// force promote that took effect, and that the ledger stands.
func TestKilledFailover(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.FleetPatience)
	defer cancel()
	d := newLostDrill(ctx, t, len(crashes), "")
	limit := make(chan struct{}, testkit.Concurrent)
	var wg sync.WaitGroup
	for i, c := range crashes {
		limit <- struct{}{}
		wg.Go(func() {
			defer func() { <-limit }()
			t.Run(c.name, func(t *testing.T) { d.kill(t, testkit.TopologyName(i), c.fault, c.kills) })
		})
	}
	wg.Wait()
	if code, out := d.Reconcile("history"); code != 0 {
		t.Errorf("history ended with %d after the crashes:\n%s", code, out)
	}
	for i, c := range crashes {
		d.Judge(t, c.name, testkit.TopologyName(i))
	}
}

// kill runs the failover of a topology and kills it at each moment; then it
// is left to finish.
func (d drill) kill(t *testing.T, topology, fault string, kills []testkit.Stage) {
	if fault != "" {
		d.Post(t, "/clusters/"+testkit.Candidate(topology)+"/faults", fault)
	}
	for _, m := range kills {
		cmd := d.Command(d.Ctx, "apply", topology)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = cmd.Wait() // it is killed
		}()
		d.Reached(topology, m, ended)
		_ = cmd.Process.Kill() // it may have ended
		<-ended
		t.Logf("ended by %s", cmd.ProcessState)
	}
	var told []string
	for range testkit.Runs {
		code, out := d.Reconcile("apply", topology)
		if code == 0 {
			return
		}
		told = append(told, fmt.Sprintf("exit code %d:\n%s", code, out))
	}
	t.Errorf("%d runs did not finish it: %s", testkit.Runs, strings.Join(told, "\n"))
}
