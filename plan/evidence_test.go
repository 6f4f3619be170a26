package plan

import (
	"testing"
	"time"
)

func TestJudgeLoss(t *testing.T) {
	rules := Failover{UnavailableFor: 30 * time.Second, Probes: 3}
	answers := func(at ...int) func(int, *Round) {
		return func(i int, r *Round) {
			for _, a := range at {
				if i == a {
					r.Reach, r.Class = ReachUp, ClassNone
				}
			}
		}
	}
	movesAt := func(at ...int) func(int, *Round) {
		return func(i int, r *Round) {
			moved := 0
			for _, a := range at {
				if i >= a {
					moved++
				}
			}
			r.Progress = progress("b", time.Minute-time.Duration(moved)*time.Second)
		}
	}
	only := func(at int, change func(r *Round)) func(int, *Round) {
		return func(i int, r *Round) {
			if i == at {
				change(r)
			}
		}
	}
	every := func(change func(r *Round)) func(int, *Round) { return func(_ int, r *Round) { change(r) } }
	timedOut := func(r *Round) { r.Class = ClassTimeout }
	brief := func(r *Round) { r.Brief = true }
	for _, c := range []struct {
		name     string
		rounds   []Round
		want     LossState
		run      int
		restarts int
	}{
		{"no rounds", nil, LossNotProbed, 0, 0},
		{"the span and the probes are there", rounds(4), LossUnavailable, 4, 0},
		{"the span is a round short", rounds(3), LossNotProbed, 3, 0},
		{"R20: rounds that took longer than their deadlines do not count", rounds(5, every(func(r *Round) { r.Took = limit + 1 })), LossNotProbed, 0, 0},
		{"a round without a known deadline does not count", rounds(5, every(func(r *Round) { r.Limit = 0 })), LossNotProbed, 0, 0},
		{"R20: the candidate did not answer either", rounds(5, every(func(r *Round) { r.CandidateAnswered = false })), LossNotProbed, 0, 0},
		{"R21: the last round sees it up", rounds(5, answers(4)), LossReachable, 0, 0},
		{"a success starts again", rounds(7, answers(2)), LossUnavailable, 4, 0},
		{"a success starts again, and the rest is too short", rounds(6, answers(2)), LossNotProbed, 3, 0},
		{"R22: one movement starts the run again, then it goes on", rounds(6, movesAt(2)), LossUnavailable, 4, 1},
		{"R22: and until then it is not long enough", rounds(5, movesAt(2)), LossNotProbed, 3, 1},
		{"R19: with traffic it is still replicating", rounds(7, movesAt(1, 3)), LossStillReplicating, 4, 2},
		{"movement between a success and the first failure is no restart", rounds(6, answers(0), movesAt(1)), LossUnavailable, 5, 0},
		{"a success forgets movement before it", rounds(9, movesAt(1, 2), answers(4)), LossUnavailable, 4, 0},
		{"movement is seen across a round that could not read it", rounds(6, movesAt(2), only(1, func(r *Round) { r.Progress[0].Known = false })), LossUnavailable, 4, 1},
		{"movement is seen across a round that did not count", rounds(6, movesAt(2), only(2, func(r *Round) { r.Took = limit + 1 })), LossNotProbed, 3, 1},
		{"a refused token is an answer", rounds(5, every(func(r *Round) { r.Reach, r.Class = ReachUnknown, ClassUnauthenticated })), LossReachable, 0, 0},
		{"degraded", rounds(5, every(func(r *Round) { r.Reach, r.Class = ReachDegraded, ClassNotReady })), LossNotServing, 5, 0},
		{"one degraded round among unreachable ones", rounds(5, only(3, func(r *Round) { r.Reach, r.Class = ReachDegraded, ClassNotReady })), LossNotServing, 5, 0},
		{"one round that could not resolve the name", rounds(5, only(1, func(r *Round) { r.Reach, r.Class = ReachUnknown, ClassDNS })), LossStateUnknown, 5, 0},
		{"rounds in which nothing was asked", rounds(5, every(func(r *Round) { r.Reach, r.Class = ReachUnknown, ClassNotCalled })), LossNotProbed, 0, 0},
		{"a brief round ends a run of timeouts", rounds(5, every(timedOut), only(4, brief)), LossUnavailable, 5, 0},
		{"a brief round that began before the one before it ended", rounds(5, every(timedOut), only(4, brief), only(4, func(r *Round) { r.At, r.Took, r.Limit = r.At.Add(-9*time.Second), 9*time.Second, 10*time.Second })), LossUnavailable, 5, 0},
		{"R20: a brief round of probes that were not in time does not count", rounds(5, every(timedOut), only(4, brief), only(4, func(r *Round) { r.Took = limit + 1 })), LossUnavailable, 4, 0},
		{"a brief round makes up for no whole one", rounds(4, every(timedOut), only(3, brief)), LossNotProbed, 4, 0},
		{"a brief round after a refusal does not count", rounds(6, only(5, timedOut), only(5, brief)), LossUnavailable, 5, 0},
		{"brief rounds alone prove nothing", rounds(6, every(timedOut), every(brief)), LossNotProbed, 0, 0},
		{"a brief round sees it up", rounds(5, every(timedOut), only(4, brief), answers(4)), LossReachable, 0, 0},
		{"the zero round", []Round{{At: now, CandidateAnswered: true}}, LossNotProbed, 0, 0},
		{"unreachable for a reason that proves nothing", rounds(5, every(func(r *Round) { r.Class = ClassOther })), LossNotProbed, 0, 0},
		{"a gap of two intervals starts again", rounds(6, only(0, func(r *Round) { r.At = r.At.Add(-time.Minute) })), LossUnavailable, 5, 0},
		{"old evidence says nothing", rounds(5, func(_ int, r *Round) { r.At = r.At.Add(-time.Minute) }), LossNotProbed, 0, 0},
		{"an old success says nothing either", rounds(5, answers(4), func(_ int, r *Round) { r.At = r.At.Add(-time.Minute) }), LossNotProbed, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := JudgeLoss(Evidence{Interval: 10 * time.Second, Rounds: c.rounds}, rules, now)
			if got.State != c.want || len(got.Run) != c.run || got.Restarts != c.restarts {
				t.Errorf("got %q after %d rounds and %d restarts, want %q, %d, %d", got.State, len(got.Run), got.Restarts, c.want, c.run, c.restarts)
			}
			if got.State == LossNotProbed && got.Missing == 0 && got.Probes == 0 {
				t.Error("it does not say what is missing")
			}
		})
	}
}

func TestTickTime(t *testing.T) {
	for tick, want := range map[uint64]int64{467262419371294781: 1782464673505, 461730603093466225: 1761362469076} {
		if got := TickTime(tick); got.UnixMilli() != want || got.Location() != time.UTC {
			t.Errorf("%d is %s, want %d ms", tick, got, want)
		}
	}
	if !TickTime(0).IsZero() {
		t.Error("tick 0 is a time")
	}
}

func TestProbeCadence(t *testing.T) {
	for _, c := range []struct {
		span   time.Duration
		probes int
		want   time.Duration
	}{{30 * time.Second, 3, 5 * time.Second}, {4 * time.Second, 3, 2 * time.Second}, {0, 3, 200 * time.Millisecond}, {time.Second, 0, time.Second}} {
		if got := probeCadence(Failover{UnavailableFor: c.span, Probes: c.probes}); got != c.want {
			t.Errorf("%d probes over %s: every %s, want %s", c.probes, c.span, got, c.want)
		}
	}
}

// TestSampleEvery: two to twenty times a second, and never without a window.
func TestSampleEvery(t *testing.T) {
	for span, want := range map[time.Duration]time.Duration{
		0: 0, -1: 0, time.Millisecond: 50 * time.Millisecond, time.Second: 50 * time.Millisecond,
		6 * time.Second: 100 * time.Millisecond, 30 * time.Second: 500 * time.Millisecond, time.Hour: 500 * time.Millisecond,
	} {
		if got := (Want{Span: span}).SampleEvery(); got != want {
			t.Errorf("%s: every %s, want %s", span, got, want)
		}
	}
}

// TestEffectiveRules is R41 of scenarios.md: no commit loosens the rules for the failover
// that stands next to it, and the operator's floors hold always.
func TestEffectiveRules(t *testing.T) {
	strict := Failover{UnavailableFor: time.Minute, Probes: 5, BlockPeriod: time.Hour, Verify: VerifyDML}
	none := Failover{Verify: VerifyRole}
	with := func(f Failover, before *Failover) Topology {
		d := pairOf("a", "b")
		d.Failover = f
		if before != nil {
			p := pairOf("a", "b")
			p.Failover = *before
			d.Previous = &p
		}
		return d
	}
	for _, c := range []struct {
		name   string
		t      Topology
		floors Failover
		want   Failover
	}{
		{"the document alone", with(strict, nil), Failover{}, strict},
		{"loosened in this change", with(none, &strict), Failover{}, strict},
		{"tightened in this change", with(strict, &none), Failover{}, strict},
		{"loosened in two, held by the floors", with(none, &none), strict, strict},
		{"an unsaid level is ddl, before as well", with(none, &Failover{}), Failover{}, Failover{Verify: VerifyDDL}},
	} {
		if got := effectiveRules(c.t, c.floors); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}
