package plan

import (
	"testing"
	"time"
)

// TestTheLagOfADeadPrimaryStands: while the source of a standby is down, the lag is that at
// its first failed probe, however late somebody asks. Without knowing whether the source
// lives it is not known.
func TestTheLagOfADeadPrimaryStands(t *testing.T) {
	const behind = 4 * time.Second
	diedAt := now.Add(-time.Hour)
	standby := standbyOf("a", "b")
	standby.Progress = progress("b", time.Hour+behind, time.Hour+behind)
	silent := View{Cluster: "a", At: now, Reach: ReachUnknown, Class: ClassDNS}
	recorded := Memory{Outages: []Outage{{Cluster: "a", Topology: "orders", Since: diedAt, Until: diedAt.Add(time.Minute), SeenUp: diedAt.Add(-time.Second), LivedAt: diedAt.Add(-time.Second)}}}
	for name, c := range map[string]struct {
		source View
		memory Memory
		want   time.Duration // -1: not known
		since  time.Time     // of the outage that the plan tells; zero: none
	}{
		"it lives":                      {primaryOf("a", "b"), Memory{}, time.Hour + behind, time.Time{}},
		"it is down, since this plan":   {down("a"), Memory{}, time.Hour + behind, now},
		"it is down, and that was seen": {down("a"), recorded, behind, diedAt},
		"it is not known whether it is": {silent, Memory{}, -1, time.Time{}},
		"it was down, and is not known": {silent, recorded, -1, time.Time{}},
		"it was down, and lives":        {primaryOf("a", "b"), recorded, time.Hour + behind, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{t: pairOf("a", "b"), views: []View{c.source, standby}, memory: c.memory}
			p := w.plan(t)
			got := time.Duration(-1)
			for _, cp := range p.Clusters {
				if cp.ID == "b" && cp.Lag.Upper != nil {
					got = *cp.Lag.Upper
				}
			}
			if got != c.want {
				t.Errorf("lag %s, want %s", got, c.want)
			}
			if (p.Outage == nil) != c.since.IsZero() || p.Outage != nil && !p.Outage.Since.Equal(c.since) {
				t.Errorf("outage %+v, want since %s", p.Outage, c.since)
			}
		})
	}
}

// TestALagObjectiveDoesNotGrowInAnOutage: that the primary is dead makes no standby miss its
// objective by the clock.
func TestALagObjectiveDoesNotGrowInAnOutage(t *testing.T) {
	diedAt := now.Add(-time.Hour)
	caughtUp := diedAt.Add(-time.Second)
	standby := standbyOf("a", "b")
	standby.Progress = progress("b", time.Hour, time.Hour)
	topology := pairOf("a", "b")
	topology.MaxLag = 10 * time.Second
	m := Memory{
		Outages:  []Outage{{Cluster: "a", Topology: "orders", Since: diedAt, Until: diedAt}},
		Progress: []ProgressRecord{{Cluster: "b", Source: "a", At: caughtUp, NoBacklogAt: caughtUp, Channels: standby.Progress}},
	}
	if p := (world{t: topology, views: []View{down("a"), standby}, memory: m}).plan(t); p.Has(CodeLagObjective) {
		t.Errorf("findings %+v", p.Findings)
	}
}

// TestWhoElseProbes: a plan says who holds the lock of a topology in an outage, and when
// the primary was last probed before.
func TestWhoElseProbes(t *testing.T) {
	until := now.Add(-3 * time.Second)
	w := world{t: pairOf("a", "b"), views: []View{down("a"), standbyOf("a", "b")}, memory: Memory{
		Outages: []Outage{{Cluster: "a", Topology: "orders", Since: now.Add(-time.Minute), Until: until}},
		Holders: []LockHolder{{Topology: "orders", By: "apply on host-1"}},
	}}
	if o := w.plan(t).Outage; o == nil || !o.ProbedAt.Equal(until) || o.HeldBy != "apply on host-1" {
		t.Errorf("%+v", o)
	}
}

// TestProgressJoins: what was proven of a standby of the same source stays true, whichever
// observation is recorded first.
func TestProgressJoins(t *testing.T) {
	at := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }
	caught := at(1)
	early := ProgressRecord{
		Cluster: "b", Source: "a", At: at(1), NoBacklogAt: at(1), Collections: []string{"default/orders"},
		Channels: []ChannelProgress{{Channel: "c0", Known: true, SourceCluster: "a", TimeTick: 1, CaughtUpAt: &caught}},
	}
	late := ProgressRecord{
		Cluster: "b", Source: "a", At: at(9),
		Channels: []ChannelProgress{{Channel: "c0", Known: true, SourceCluster: "a", TimeTick: 7}},
	}
	for name, got := range map[string]ProgressRecord{"in order": early.Then(late), "late first": late.Then(early)} {
		c := got.Channels[0]
		if !got.At.Equal(at(9)) || c.TimeTick != 7 || !got.NoBacklogAt.Equal(at(1)) || c.CaughtUpAt == nil || len(got.Collections) != 1 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	other := late
	other.Source = "z"
	if got := early.Then(other); got.Source != "z" || !got.NoBacklogAt.IsZero() || got.Collections != nil {
		t.Errorf("of another source: %+v", got)
	}
	emptied := late
	emptied.Collections = []string{}
	if got := early.Then(emptied); len(got.Collections) != 0 {
		t.Errorf("collections that were dropped: %+v", got)
	}
	if early.OutdatedBy(early) || !early.OutdatedBy(late) || !early.OutdatedBy(other) {
		t.Error("when a write is worth it")
	}
}
