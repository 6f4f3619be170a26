package soak

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var (
	soakFor  = flag.Duration("soak", 0, "how long TestSoak goes on; 0 skips it")
	soakSize = flag.Int("soak.topologies", 200, "how many topologies TestSoak has")
	soakSeed = flag.Uint64("soak.seed", 1, "what TestSoak draws its faults from")
)

// TestSoak lets the daemon watch many topologies while clusters are lost and
// come back, links break, changes are merged with and without approval, and
// the daemon itself is restarted and killed. Then it asks the simulator what
// reached the clusters: a force promote took effect exactly once for each
// approved failover of a lost primary, and nothing else was ever sent. After
// the last restart memory and goroutines stay flat.
func TestSoak(t *testing.T) {
	if *soakFor == 0 {
		t.Skip("it takes minutes: make soak")
	}
	ctx, cancel := context.WithTimeout(t.Context(), *soakFor+3*time.Minute)
	defer cancel()
	s := newSoak(ctx, t, *soakSize, rand.New(rand.NewPCG(*soakSeed, 1)))
	until := time.Now().Add(*soakFor / 2)
	for time.Now().Before(until) {
		s.step(t, true)
	}
	s.restart(t, os.Kill)
	s.settle(t)
	before := s.measure(t)
	until = time.Now().Add(*soakFor / 2)
	for time.Now().Before(until) {
		s.step(t, false)
	}
	s.settle(t)
	after := s.measure(t)
	t.Logf("%d topologies, seed %d: %v", len(s.all), *soakSeed, s.did)
	t.Logf("before %+v, after %+v", before, after)
	if after.goroutines > before.goroutines+before.goroutines/10+20 {
		t.Errorf("goroutines grew from %d to %d", before.goroutines, after.goroutines)
	}
	if after.resident > before.resident+before.resident/2 {
		t.Errorf("resident memory grew from %d to %d kB", before.resident, after.resident)
	}
	s.judge(t)
}

// phase is where one topology of the soak stands.
type phase int

const (
	healthy phase = iota
	flapping
	asked // a failover is merged that nobody approved, or whose primary lives
	lost  // its primary is gone, and an approved failover is merged
	over  // it failed over
)

// drilled is one topology of the soak: cluster NAME-a is its first primary.
type drilled struct {
	name       string
	addresses  []string
	generation int
	phase      phase
	approved   bool
}

func (d *drilled) primary() string { return d.name + "-a" }
func (d *drilled) standby() string { return d.name + "-b" }

// step does one random thing to one random topology.
func (s *soak) step(t *testing.T, restarts bool) {
	t.Helper()
	if restarts && s.random.IntN(60) == 0 {
		s.restart(t, []os.Signal{os.Interrupt, os.Kill}[s.random.IntN(2)])
		return
	}
	d := s.all[s.random.IntN(len(s.all))]
	switch d.phase {
	case healthy:
		s.disturb(t, d)
	case flapping:
		s.heal(t, d)
	case asked: // taken back
		d.generation++
		s.commit(t, d, "primary", "standby", false)
		d.phase = healthy
	case lost:
		if s.writable(t, d.standby()) {
			d.phase = over
		}
	case over:
		s.post(t, "/clusters/"+d.primary()+"/start", "")
		s.post(t, "/clusters/"+d.standby()+"/write", `{"rows":1}`)
	}
	s.pause(20 * time.Millisecond)
}

func (s *soak) disturb(t *testing.T, d *drilled) {
	t.Helper()
	kind := []string{"write", "lag", "link", "standby down", "primary blips", "unapproved", "approved next to a living primary", "lost"}[s.random.IntN(8)]
	s.did[kind]++
	d.phase = flapping
	switch kind {
	case "write":
		s.post(t, "/clusters/"+d.primary()+"/write", `{"rows":5}`)
		d.phase = healthy
	case "lag":
		s.post(t, "/links/"+d.primary()+"/"+d.standby(), `{"lag":"2s"}`)
	case "link":
		s.post(t, "/links/"+d.primary()+"/"+d.standby(), `{"up":false}`)
	case "standby down":
		s.post(t, "/clusters/"+d.standby()+"/stop", "")
	case "primary blips":
		s.post(t, "/clusters/"+d.primary()+"/stop", "")
	case "unapproved":
		d.generation++
		s.commit(t, d, "stale", "primary", false)
		d.phase = asked
	case "approved next to a living primary":
		d.generation++
		s.commit(t, d, "stale", "primary", true)
		d.phase = asked
	case "lost":
		s.post(t, "/clusters/"+d.primary()+"/stop", "")
		d.generation++
		d.approved = true
		s.commit(t, d, "stale", "primary", true)
		d.phase = lost
	}
}

func (s *soak) heal(t *testing.T, d *drilled) {
	t.Helper()
	s.post(t, "/links/"+d.primary()+"/"+d.standby(), `{"up":true}`)
	s.post(t, "/links/"+d.primary()+"/"+d.standby(), `{"lag":"0s"}`)
	s.post(t, "/clusters/"+d.standby()+"/start", "")
	s.post(t, "/clusters/"+d.primary()+"/start", "")
	d.phase = healthy
}

// settle heals what is broken and waits until every approved failover is done.
func (s *soak) settle(t *testing.T) {
	t.Helper()
	for _, d := range s.all {
		if d.phase == flapping {
			s.heal(t, d)
		}
	}
	for _, d := range s.all {
		if d.phase == lost {
			s.await(t, "the failover of "+d.name, func() bool { return s.writable(t, d.standby()) })
			d.phase = over
		}
	}
	for _, d := range s.all { // all answer, so that footprints can be compared
		if d.phase == over {
			s.post(t, "/clusters/"+d.primary()+"/start", "")
		}
	}
	s.await(t, "the daemon to be ready", func() bool { return s.get("/readyz") == "ready\n" })
	s.pause(5 * time.Second) // several sweeps of every topology
}

// judge asks the simulator what was sent.
func (s *soak) judge(t *testing.T) {
	t.Helper()
	effects, byCluster := map[string]int{}, map[string]*drilled{}
	for _, d := range s.all {
		byCluster[d.primary()], byCluster[d.standby()] = d, d
	}
	for _, c := range s.calls(t) {
		d := byCluster[c.Cluster]
		switch {
		case c.Method != "UpdateReplicateConfiguration":
		case !c.ForcePromote || c.Cluster != d.standby() || !d.approved:
			t.Errorf("%s was sent a configuration that nobody approved (force %t)", c.Cluster, c.ForcePromote)
		case fmt.Sprint(c.Code) == "0":
			effects[d.name]++
		}
	}
	failovers := 0
	for _, d := range s.all {
		want := 0
		if d.approved {
			want = 1
			failovers++
		}
		if effects[d.name] != want {
			t.Errorf("%d force promotes took effect on %s, want %d", effects[d.name], d.name, want)
		}
	}
	if failovers == 0 {
		t.Error("nothing failed over, so nothing is proven")
	}
	if code, out := s.reconcile("history"); code != 0 {
		t.Errorf("the ledger does not verify: %s", out)
	}
}

// file is where the document of a topology lies in the repository.
func (d *drilled) file(play string) string {
	return filepath.Join(play, "repo", "topologies", d.name+".yaml")
}
