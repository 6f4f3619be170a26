package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestAFailoverShowsWhatItRestsOn: every round with its time, duration and
// class, and that it proves no more than what was seen.
func TestAFailoverShowsWhatItRestsOn(t *testing.T) {
	seen := lost("a", "b")
	for _, c := range []struct {
		name   string
		world  world
		rounds []Round
		says   string
	}{
		{
			"probed long enough",
			world{t: failingOver("b", "a"), views: []View{down("a"), idle(standbyOf("a", "b"))}, evidence: []Evidence{seen}},
			seen.Rounds,
			"5 probes of a failed over 40 s (a is unreachable: refused), but others may still reach it",
		},
		{
			"a stuck switchover, whatever was probed",
			world{t: failingOver("b", "a"), views: []View{standbyOf("b", "a"), idle(standbyOf("a", "b"))}},
			nil,
			"cannot be undone",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := false
			for _, f := range c.world.plan(t).Findings {
				if f.Code != CodeForcePromote {
					continue
				}
				found = true
				if d := cmp.Diff(c.rounds, f.Evidence.Rounds); d != "" || f.Evidence.Counted != len(c.rounds) {
					t.Errorf("the rounds are not shown (-want +got):\n%s", d)
				}
				if !strings.HasSuffix(f.Message, c.says) {
					t.Errorf("it says %q", f.Message)
				}
			}
			if !found {
				t.Error("no FORCE_PROMOTE")
			}
		})
	}
}

// TestStaleLogIsTold: what a stale primary holds alone stands next to it, and
// whether it goes on taking writes.
func TestStaleLogIsTold(t *testing.T) {
	for _, c := range []struct {
		name string
		log  []StaleLog
		want string
		not  string
	}{
		{"nothing was read", nil, "is up and takes writes", "messages"},
		{"it could not be read", []StaleLog{{Cluster: "a"}}, "its writes could not be read", ""},
		{"nothing is there", []StaleLog{{Cluster: "a", Known: true}}, "nothing so far that b never got", ""},
		{"from before", []StaleLog{{Cluster: "a", Known: true, Messages: 3, Newest: now.Add(-2 * time.Hour)}}, "holds 3 messages that b never got", "since it became stale"},
		{"rows from before", []StaleLog{{Cluster: "a", Known: true, Messages: 3, Rows: 37, Newest: now.Add(-2 * time.Hour)}}, "holds 37 rows in 3 messages that b never got, the newest of 2026-11-22T10:00:00Z: these are exactly what the failover lost", ""},
		{"not all was read", []StaleLog{{Cluster: "a", Messages: 3, Rows: 37, Newest: now.Add(-2 * time.Hour)}}, "at least 37 rows in 3 messages", "exactly"},
		{"rows from now", []StaleLog{{Cluster: "a", Known: true, Messages: 3, Rows: 37, Newest: now}}, "since it became stale", "exactly"},
		{"from now", []StaleLog{{Cluster: "a", Known: true, Messages: 3, Newest: now}}, "applications have written to it since it became stale", ""},
		{"more than were counted", []StaleLog{{Cluster: "a", Known: true, More: true, Messages: 1000, Newest: now}}, "at least 1000 messages", ""},
		{"a channel could not be read", []StaleLog{{Cluster: "a", Messages: 7, Newest: now}}, "at least 7 messages", ""},
		{"of another cluster", []StaleLog{{Cluster: "c", Known: true, Messages: 7, Newest: now}}, "is up and takes writes", "messages"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := hadFailedOver("a", "b")
			m.Stale[0].Since, m.Stale[0].SeenBy = now.Add(-time.Hour), "process 7 on ops-1"
			d, o, m := world{t: failingOver("b", "a"), views: []View{primaryOf("a", "b"), primaryOf("b")}, memory: m}.inputs()
			o.Logs = c.log
			var got Finding
			for _, f := range Compute(d, o, m).Topologies[0].Findings {
				if f.Code == CodeStalePrimary {
					got = f
				}
			}
			if !strings.Contains(got.Message, c.want) || c.not != "" && strings.Contains(got.Message, c.not) {
				t.Error(got.Message)
			}
			if !strings.Contains(got.Message, "(recorded by process 7 on ops-1)") {
				t.Error(got.Message)
			}
		})
	}
}

// TestAnOpenReplayIsTold: it stands with the stale primary that it reads, and nobody is told
// to wipe that before it has ended.
func TestAnOpenReplayIsTold(t *testing.T) {
	m := hadFailedOver("a", "b")
	of := func(stale string) Finding {
		m.Replays = []OpenReplay{{Topology: "orders", Stale: stale, Promoted: "b", By: []string{"alice <alice@example.com>"}, Since: now.Add(-time.Minute)}}
		for _, f := range Compute(world{t: failingOver("b", "a"), views: []View{standbyOf("b", "a"), primaryOf("b")}, memory: m}.inputs()).Topologies[0].Findings {
			if f.Code == CodeStalePrimary {
				return f
			}
		}
		return Finding{}
	}
	const words = "a replay has been writing its rows into b since 2026-11-22T11:59:00Z, approved by alice <alice@example.com>, and has not ended"
	if f := of("a"); !strings.Contains(f.Message, words) || !strings.Contains(f.Remedy, "'reconcile salvage orders --from a --replay'") || strings.Contains(f.Remedy, "then wipe") {
		t.Errorf("%q %q", f.Message, f.Remedy)
	}
	if f := of("c"); strings.Contains(f.Message, "has not ended") {
		t.Error(f.Message)
	}
}

// TestWhetherAReplayRunsNow: who carries it out, and how many rows are written, is told; where no
// process does, the command that goes on.
func TestWhetherAReplayRunsNow(t *testing.T) {
	open := OpenReplay{Topology: "orders", Stale: "a", Promoted: "b", By: []string{"alice"}, Since: now.Add(-time.Minute), Asked: true}
	running := open
	running.Runner = &LockHolder{Topology: "orders", By: "process 7 on ops-1"}
	running.Written, running.Of, running.NotedAt = 40, 100, now
	for _, c := range []struct {
		replay          OpenReplay
		message, remedy string
	}{
		{open, "; no process carries it out now", "--replay'"},
		{running, "; process 7 on ops-1 carries it out now; 40 of 100 rows were written by 2026-11-22T12:00:00Z", "'reconcile status orders --watch'"},
	} {
		m := hadFailedOver("a", "b")
		m.Replays = []OpenReplay{c.replay}
		p := world{t: failingOver("b", "a"), views: []View{standbyOf("b", "a"), primaryOf("b")}, memory: m}.plan(t)
		if f := find(p, CodeStalePrimary, "a"); f == nil || !strings.Contains(f.Message, c.message) || !strings.Contains(f.Remedy, c.remedy) {
			t.Errorf("%+v, want %q and %q", f, c.message, c.remedy)
		}
	}
}

// TestCountedLossIsTold: what a failover lost stands with its stale primary once it was
// counted, as one number, whether that cluster answers or not.
func TestCountedLossIsTold(t *testing.T) {
	at := now.Add(-time.Hour)
	counted := CountedLoss{
		Topology: "orders", Cluster: "a", Promoted: "b", Since: at, At: now, Until: now, First: at, Last: at,
		Lost: []LossCount{{Kind: "delete", Messages: 1, Rows: 7}, {Kind: "insert", Messages: 2, Rows: 30}},
	}
	later := counted
	later.Later = []LossCount{{Kind: "insert", Messages: 1, Rows: 1}}
	of := func(edit func(*CountedLoss)) CountedLoss { l := counted; edit(&l); return l }
	const words = "; lost: 37 rows in 3 messages, exactly, counted 2026-11-22T12:00:00Z"
	for _, c := range []struct {
		name string
		loss CountedLoss
		view View
		log  []StaleLog
		want string
	}{
		{"it takes writes", counted, primaryOf("a", "b"), []StaleLog{{Cluster: "a", Known: true, Messages: 3, Rows: 37, Newest: at}}, "takes writes" + words + ""},
		{"it took more", counted, primaryOf("a", "b"), []StaleLog{{Cluster: "a", Known: true, Messages: 4, Rows: 38, Newest: now}}, "has taken more since it was counted" + words},
		{"that was counted too", later, primaryOf("a", "b"), []StaleLog{{Cluster: "a", Known: true, Messages: 4, Rows: 38, Newest: now}}, "takes writes" + words + ", apart from 1 row in 1 message that a took after the failover began"},
		{"it is gone again", counted, down("a"), nil, "does not answer (unreachable)" + words},
		{"nothing was lost", of(func(l *CountedLoss) { l.Lost = nil }), down("a"), nil, "; lost: nothing, exactly, counted"},
		{"of another failover", of(func(l *CountedLoss) { l.Since = at.Add(-time.Hour) }), down("a"), nil, "does not answer (unreachable)"},
		{"of another cluster", of(func(l *CountedLoss) { l.Cluster = "c" }), down("a"), nil, "does not answer (unreachable)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := hadFailedOver("a", "b")
			m.Stale[0].Since, m.Losses = at, []CountedLoss{c.loss}
			d, o, m := world{t: failingOver("b", "a"), views: []View{c.view, primaryOf("b")}, memory: m}.inputs()
			o.Logs = c.log
			got := Compute(d, o, m).Topologies[0]
			for _, f := range got.Findings {
				if f.Code == CodeStalePrimary && !strings.Contains(f.Message, c.want) {
					t.Errorf("it says %q, not %q", f.Message, c.want)
				}
			}
			if told := strings.Contains(c.want, "lost"); told != (len(got.Losses) == 1) {
				t.Errorf("%+v", got.Losses)
			}
		})
	}
}

// TestWhatAReplayBroughtBackIsTold: next to the loss stands what came back and what did not. An
// export is asked for only while something may be left that only the stale cluster holds.
func TestWhatAReplayBroughtBackIsTold(t *testing.T) {
	at := now.Add(-time.Hour)
	lost := CountedLoss{
		Topology: "orders", Cluster: "a", Promoted: "b", Since: at, At: now.Add(-time.Minute), Until: now, Closed: true, First: at, Last: at,
		Lost: []LossCount{{Kind: "insert", Messages: 1, Rows: 8}},
	}
	back := Replayed{Topology: "orders", Cluster: "a", Promoted: "b", Since: at, At: now, Until: now, Closed: true, There: 8}
	part, other := back, back
	part.There, part.HeldBack, part.Rest = 5, 2, 1
	other.Since = at.Add(-time.Hour)
	exported, unread, open := part, part, back
	exported.Exported, open.Closed = true, false
	unread.Unread, unread.Exported = 1, true
	recounted, more, saved := lost, lost, lost
	recounted.At, more.At, saved.Exported = now.Add(time.Minute), now.Add(time.Minute), true
	more.Last = now.Add(time.Second)
	const lostWords, backWords = "; lost: 8 rows in 1 message, exactly, counted 2026-11-22T11:59:00Z", "; brought back: 8 rows, by the replay that ended 2026-11-22T12:00:00Z; nothing is missing"
	for _, c := range []struct {
		name     string
		loss     []CountedLoss
		replayed []Replayed
		want     string
		export   bool
	}{
		{"not replayed", []CountedLoss{lost}, nil, lostWords, true},
		{"not replayed, and exported", []CountedLoss{saved}, nil, lostWords, false},
		{"all is back", []CountedLoss{lost}, []Replayed{back}, lostWords + backWords, false},
		{"all is back of what was not counted", nil, []Replayed{back}, "it refuses writes" + backWords, false},
		{"counted again, and no more", []CountedLoss{recounted}, []Replayed{back}, backWords, false},
		{"counted again, and more", []CountedLoss{more}, []Replayed{back}, backWords, true},
		{"part is back", []CountedLoss{lost}, []Replayed{part}, "brought back: 5 rows, by the replay that ended 2026-11-22T12:00:00Z; not brought back: 2 rows that b has newer writes of, 1 write that no replay makes", true},
		{"a file holds the rest", []CountedLoss{lost}, []Replayed{exported}, "1 write that no replay makes, which a file holds", false},
		{"a channel could not be read", []CountedLoss{lost}, []Replayed{unread}, "1 write that no replay makes, which a file holds, and what is on 1 channel that could not be read", true},
		{"it was not fenced", []CountedLoss{lost}, []Replayed{open}, backWords, true},
		{"of another failover", []CountedLoss{lost}, []Replayed{other}, lostWords, true},
	} {
		m := hadFailedOver("a", "b")
		m.Stale[0].Since, m.Losses, m.Replayed = at, c.loss, c.replayed
		p := world{t: failingOver("b", "a"), views: []View{standbyOf("b", "a"), primaryOf("b")}, memory: m}.plan(t)
		f := find(p, CodeStalePrimary, "a")
		if f == nil || !strings.Contains(f.Message, c.want) || strings.Contains(f.Remedy, "--export lost.jsonl'") != c.export {
			t.Errorf("%s: %+v", c.name, f)
		}
		if told := len(c.replayed) > 0 && c.replayed[0].Since.Equal(at); told != strings.Contains(f.Message, "brought back") || told != (len(p.Replayed) == 1) {
			t.Errorf("%s: %s, %+v", c.name, f.Message, p.Replayed)
		}
	}
}

func TestLossTextIsAnEstimate(t *testing.T) {
	of := TopologyPlan{Name: "orders", Primary: "b", OldPrimary: "a"}
	none, some := time.Duration(0), 3*time.Second
	for _, w := range []*Window{nil, {}, {Upper: &none}, {Upper: &some, ReplicatedUpTo: now}} {
		if text := LossText(w, of); !EstimatesLoss(text) {
			t.Error(text)
		}
	}
	if text := (CountedLoss{At: now}).Text(); EstimatesLoss(text) || EstimatesLoss("b works as the primary (ddl)") {
		t.Error(text)
	}
}

// TestTheBoundOfALossIsReadAsItWasWritten: what a report says of an earlier run is what that
// run said.
func TestTheBoundOfALossIsReadAsItWasWritten(t *testing.T) {
	of := TopologyPlan{Name: "orders", Primary: "b", OldPrimary: "a"}
	for _, d := range []time.Duration{0, time.Millisecond, 300 * time.Millisecond, 4300 * time.Millisecond, 59 * time.Second, 61 * time.Second, 90*time.Minute + time.Second, 50 * time.Hour} {
		got, ok := LossBound(LossText(&Window{Upper: &d, ReplicatedUpTo: now}, of))
		if !ok || got < d || UpperBoundText(got) != UpperBoundText(d) {
			t.Errorf("%s is read as %s, %v", d, got, ok)
		}
	}
	for _, text := range []string{"", "b works as the primary (ddl)", LossText(nil, of), lossBounded + "1 eon of the writes to a", lossBounded + "-1 s of the writes to a", lossBounded + "1 s"} {
		if got, ok := LossBound(text); ok {
			t.Errorf("%q is read as %s", text, got)
		}
	}
}

// TestAnOrphanedStandbyHoldsNothingOfItsOwn: after the failover of a star the other standby
// is stale too. There is nothing to salvage from it, as there is from a fenced primary.
func TestAnOrphanedStandbyHoldsNothingOfItsOwn(t *testing.T) {
	for _, c := range []struct {
		name   string
		b      View
		fenced bool
		remedy string
	}{
		{"it still waits for the lost source", standbyOf("a", "b", "c"), false, "'reconcile explain STALE_REJOIN'"},
		{"it was fenced, so it was a primary", standbyOf("a", "b", "c"), true, "'reconcile salvage orders --from b'"},
		{"it is fenced below the primary", standbyOf("c", "b"), false, "'reconcile salvage orders --from b'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := hadFailedOver("a", "c")
			m.Stale = append(m.Stale, StaleMark{Cluster: "b", Topology: "orders", Since: m.Stale[0].Since, Promoted: "c", Effected: true, Fenced: c.fenced})
			p := world{t: failingOver("c", "a", "b"), views: []View{down("a"), c.b, primaryOf("c")}, memory: m}.plan(t)
			i := slices.IndexFunc(p.Findings, func(f Finding) bool { return f.Code == CodeStalePrimary && f.Cluster == "b" })
			if i < 0 || !strings.Contains(p.Findings[i].Remedy, c.remedy) {
				t.Errorf("the findings are %v", p.Findings)
			}
		})
	}
}
