package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"milvus-reconcile/reconcile/ledger"
)

// The bounds of the crash test: of all of it, of the runs that are under way
// at once, and of the runs that a killed failover may need to end well.
const (
	crashPatience   = 3 * time.Minute
	crashConcurrent = 5
	crashRuns       = 5
)

// crashes are the moments at which runs of one failover are killed, one run
// after the other, and a fault that widens the moment.
var crashes = []struct {
	name  string
	fault string
	kills []moment
}{
	{"at the first look", "", []moment{called("", 1)}},
	{"while it probes", "", []moment{called("", 25)}},
	{"after some rounds", "", []moment{called("", 45)}},
	{"under the lock", "", []moment{called("", 60)}},
	{"just before the intent", "", []moment{called("", 75)}},
	{"with the intent written", "", []moment{recorded(ledger.KindIntent)}},
	{"with the intent written, twice", "", []moment{recorded(ledger.KindIntent), called("", 60)}},
	{"about to send", "", []moment{recorded(ledger.KindSent)}},
	{"about to send, twice", "", []moment{recorded(ledger.KindSent), promoting(false)}},
	{"while the promotion is slow", delayed, []moment{promoting(false)}},
	{"while the promotion is slow, twice", delayed, []moment{promoting(false), promoting(true)}},
	{"while the promotion hangs", `{"method":"UpdateReplicateConfiguration","kind":"hang","times":1}`, []moment{promoting(false)}},
	{"while the answer is lost", `{"method":"UpdateReplicateConfiguration","kind":"drop_reply","times":1}`, []moment{promoting(true)}},
	{"with the promotion done", "", []moment{promoting(true)}},
	{"with the promotion done, and again while it verifies", "", []moment{promoting(true), called("CreateCollection", 1)}},
	{"with the effect recorded", "", []moment{recorded(ledger.KindEffected)}},
	{"with the effect recorded, twice", "", []moment{recorded(ledger.KindEffected), called("DropCollection", 1)}},
	{"while it verifies", "", []moment{called("CreateCollection", 1)}},
	{"when it has verified", "", []moment{called("DropCollection", 1)}},
	{"with the result recorded", "", []moment{recorded(ledger.KindResult)}},
}

const delayed = `{"method":"UpdateReplicateConfiguration","kind":"delay","for":"400ms","times":1}`

// TestKilledFailover kills processes in the middle of approved failovers, all
// of them on one ledger, and demands that the next runs finish each with one
// force promote that took effect, and that the ledger stands.
func TestKilledFailover(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), crashPatience)
	defer cancel()
	drill := newCrashDrill(ctx, t, len(crashes), "")
	limit := make(chan struct{}, crashConcurrent)
	var wg sync.WaitGroup
	for i, c := range crashes {
		limit <- struct{}{}
		wg.Go(func() {
			defer func() { <-limit }()
			t.Run(c.name, func(t *testing.T) { drill.kill(t, crashName(i), c.fault, c.kills) })
		})
	}
	wg.Wait()
	if code, out := drill.reconcile("history"); code != 0 {
		t.Errorf("history ended with %d after the crashes:\n%s", code, out)
	}
	for i, c := range crashes {
		drill.judge(t, c.name, crashName(i))
	}
}

func crashName(i int) string { return fmt.Sprintf("t%03d", i) }

// kill runs the failover of a topology and kills it at each moment; then it
// is left to finish.
func (d *crashDrill) kill(t *testing.T, topology, fault string, kills []moment) {
	if fault != "" {
		d.post(t, "/clusters/"+candidate(topology)+"/faults", fault)
	}
	for _, m := range kills {
		cmd := d.command(d.ctx, "apply", topology)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = cmd.Wait() // it is killed
		}()
		d.reached(topology, m, ended)
		_ = cmd.Process.Kill() // it may have ended
		<-ended
		t.Logf("ended by %s", cmd.ProcessState)
	}
	var told []string
	for range crashRuns {
		code, out := d.reconcile("apply", topology)
		if code == 0 {
			return
		}
		told = append(told, fmt.Sprintf("exit code %d:\n%s", code, out))
	}
	t.Errorf("%d runs did not finish it: %s", crashRuns, strings.Join(told, "\n"))
}

// judge demands that one force promote took effect, that nothing was sent to
// the old primary, and that the ledger tells so.
func (d *crashDrill) judge(t *testing.T, name, topology string) {
	t.Helper()
	now, err := d.read()
	if err != nil {
		t.Fatal(err)
	}
	effects := 0
	for _, c := range now.calls {
		if c.Cluster == candidate(topology) && c.ForcePromote && fmt.Sprint(c.Code) == "0" {
			effects++
		}
		if c.Cluster == topology+"-a" && c.Method == "UpdateReplicateConfiguration" {
			t.Errorf("%s: the old primary was sent a configuration", name)
		}
	}
	if effects != 1 {
		t.Errorf("%s: %d force promotes took effect, want 1", name, effects)
	}
	kinds := map[ledger.Kind]int{}
	for _, r := range now.records {
		if r.Topology == topology {
			kinds[r.Kind]++
		}
	}
	if kinds[ledger.KindIntent] != 1+kinds[ledger.KindReversed] || kinds[ledger.KindEffected] != 1 || kinds[ledger.KindResult] != 1 {
		t.Errorf("%s: the ledger holds %v, want one intent with its effect and its result", name, kinds)
	}
	if spent := now.snapshot.Spent(topology); len(spent) != 1 || spent[0].PayloadHash == "" {
		t.Errorf("%s: the approval is spent as %+v, want once, by its payload", name, spent)
	}
	for _, i := range now.snapshot.Memory().Intents {
		if i.Topology == topology {
			t.Errorf("%s: an intent is left open", name)
		}
	}
}
