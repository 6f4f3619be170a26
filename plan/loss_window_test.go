package plan

import (
	"strings"
	"testing"
	"time"
)

func TestLossWindow(t *testing.T) {
	at := func(d time.Duration) time.Time { return now.Add(-d) }
	caught := at(8 * time.Second)
	record := func(noBacklog time.Duration, source string) Memory {
		return Memory{Progress: []ProgressRecord{{Cluster: "b", Source: source, At: at(time.Minute), Channels: progress("b", 70*time.Second, 80*time.Second), NoBacklogAt: at(noBacklog)}}}
	}
	none, unread, caughtUp := progress("b", 20*time.Second, 30*time.Second), progress("b", 20*time.Second, 30*time.Second), progress("b", time.Hour, 2*time.Hour)
	none[1].TimeTick, unread[1].Known = 0, false
	for i := range caughtUp {
		caughtUp[i].CaughtUpAt = &caught
	}
	partly := record(2*time.Hour, "a")
	for i, age := range []time.Duration{9 * time.Second, 12 * time.Second} {
		free := at(age)
		partly.Progress[0].Channels[i].CaughtUpAt = &free
	}
	for _, c := range []struct {
		name     string
		progress []ChannelProgress
		memory   Memory
		method   LossMethod
		upper    time.Duration // negative: not known
		channels int
	}{
		{"the checkpoint furthest behind", progress("b", 20*time.Second, 30*time.Second), Memory{}, MethodCheckpoint, 30 * time.Second, 2},
		{"nothing was read or recorded", nil, Memory{}, MethodUnknown, -1, 0},
		{"the ledger's record", nil, record(2*time.Hour, "a"), MethodRecorded, 80 * time.Second, 2},
		{"idle channels that had nothing unsent", progress("b", time.Hour, 2*time.Hour), record(10*time.Second, "a"), MethodBacklog, 10 * time.Second, 2},
		{"one channel was behind in that sweep, the other was not", progress("b", time.Hour, 2*time.Hour), partly, MethodBacklog, 12 * time.Second, 2},
		{"another source's record says nothing", progress("b", 20*time.Second, 30*time.Second), record(10*time.Second, "z"), MethodCheckpoint, 30 * time.Second, 2},
		{"a record without a source says nothing", progress("b", 20*time.Second, 30*time.Second), record(10*time.Second, ""), MethodCheckpoint, 30 * time.Second, 2},
		{"tick 0 is not known, never 0", none, Memory{}, MethodCheckpoint, -1, 2},
		{"tick 0 with nothing unsent is bounded", none, record(10*time.Second, "a"), MethodBacklog, 10 * time.Second, 2},
		{"an unread channel makes the whole unknown", unread, Memory{}, MethodCheckpoint, -1, 2},
		{"a probe showed nothing unsent", caughtUp, Memory{}, MethodCheckpoint, 8 * time.Second, 2},
		{"a source's clock far ahead bounds nothing", progress("b", -time.Hour, 0), Memory{}, MethodCheckpoint, -1, 2},
		{"a tick just after the failure is no loss", progress("b", -time.Second, 0), Memory{}, MethodCheckpoint, 0, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := standbyOf("a", "b")
			v.Progress = c.progress
			c.memory.Now = now
			s := newSituation(Desired{}, pairOf("a", "b"), Observed{Views: []View{v}}, c.memory)
			w := s.lossWindow("b", Outage{Since: now})
			if w.Method != c.method || len(w.PerChannel) != c.channels || w.Lower == nil || *w.Lower != 0 {
				t.Errorf("got %s over %d channels, want %s over %d", w.Method, len(w.PerChannel), c.method, c.channels)
			}
			switch {
			case c.upper < 0 && (w.Upper != nil || !w.ReplicatedUpTo.IsZero()):
				t.Errorf("the bound is not known, and is said to be %v", w.Upper)
			case c.upper >= 0 && (w.Upper == nil || *w.Upper != c.upper):
				t.Errorf("got %v, want %s", w.Upper, c.upper)
			}
		})
	}
}

func TestLossTellsNotStartedFromNotKnown(t *testing.T) {
	p := progress("b", time.Second, time.Second)
	p[0].TimeTick, p[1].Known = 0, false
	w := &Window{}
	w.measure(p, ProgressRecord{}.backlogFree(""), now)
	if idle := w.PerChannel[0]; !idle.Known || idle.Started || idle.Upper != nil {
		t.Errorf("a channel that did not start is %+v", idle)
	}
	if unread := w.PerChannel[1]; unread.Known || unread.Started || unread.Upper != nil {
		t.Errorf("a channel that was not read is %+v", unread)
	}
}

func TestSalvageWindow(t *testing.T) {
	salvaged := func(source string, ticks ...uint64) []ChannelProgress {
		var out []ChannelProgress
		for i, tick := range ticks {
			out = append(out, ChannelProgress{Channel: channelsOf("b")[i], Known: true, Salvage: []Salvage{{SourceCluster: source, TimeTick: tick}}})
		}
		return out
	}
	w := SalvageWindow(salvaged("a", tickAgo(3*time.Second), tickAgo(5*time.Second)), "a", now, ProgressRecord{})
	if w == nil || w.Method != MethodSalvage || w.Upper == nil || *w.Upper != 5*time.Second {
		t.Errorf("got %+v, want five seconds by salvage", w)
	}
	record := ProgressRecord{Source: "a", Channels: progress("b", time.Hour, time.Hour)}
	free := now.Add(-2 * time.Second)
	record.Channels[1].CaughtUpAt = &free
	w = SalvageWindow(salvaged("a", tickAgo(3*time.Second), tickAgo(time.Hour)), "a", now, record)
	if w == nil || w.Method != MethodSalvage || w.Upper == nil || *w.Upper != 3*time.Second {
		t.Errorf("an idle channel on which nothing was unsent shortly before, gives %+v, want three seconds", w)
	}
	if w := SalvageWindow(salvaged("z", tickAgo(time.Second)), "a", now, ProgressRecord{}); w != nil {
		t.Errorf("another source's salvage gives %+v", w)
	}
	if w := SalvageWindow(nil, "a", now, ProgressRecord{}); w != nil {
		t.Errorf("no channel gives %+v", w)
	}
	if w := SalvageWindow(salvaged("a", 0, tickAgo(time.Second)), "a", now, ProgressRecord{}); w == nil || w.Upper != nil {
		t.Errorf("a salvage at tick 0 gives %+v, want an unknown bound", w)
	}
}

func TestLag(t *testing.T) {
	caught := now.Add(-time.Minute)
	lagging, unread := standbyOf("a", "b"), standbyOf("a", "b")
	lagging.Progress = progress("b", time.Hour, time.Second)
	lagging.Progress[0].CaughtUpAt = &caught
	unread.Progress[0].Known = false
	for _, c := range []struct {
		name    string
		standby View
		want    []string
	}{
		{"an idle channel is no alarm", idle(standbyOf("a", "b")), nil},
		{"a channel that was caught up a minute ago", lagging, []string{"LAG_OBJECTIVE"}},
		{"a channel that cannot be read", unread, []string{"LAG_UNKNOWN"}},
	} {
		got := world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), c.standby}}.plan(t)
		if codes := codesOf(got, SeverityWarning); len(codes) != len(c.want) || len(codes) > 0 && codes[0] != c.want[0] {
			t.Errorf("%s: got %v, want %v", c.name, codes, c.want)
		}
	}
}

// TestUntouchedChannelsAreNoLoss: of a channel that never carried anything a sweep
// may have seen in the log of its source that nothing was ever written there.
func TestUntouchedChannelsAreNoLoss(t *testing.T) {
	for name, c := range map[string]struct {
		recorded bool
		source   string // of the record
		bounded  bool
	}{
		"a sweep saw that it was empty":       {true, "a", true},
		"a sweep saw it of another source":    {true, "z", false},
		"no sweep saw it":                     {false, "a", false},
		"a sweep before the source was known": {true, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			seen := now.Add(-20 * time.Second)
			v := standbyOf("a", "b")
			v.Progress = progress("b", 10*time.Second, 0)
			v.Progress[1].TimeTick, v.Progress[1].MessageID = 0, ""
			record := ProgressRecord{Cluster: "b", Source: c.source, At: seen, Channels: progress("b", 30*time.Second, 0)}
			record.Channels[1].TimeTick = 0
			if c.recorded {
				record.Channels[1].CaughtUpAt = &seen
			}
			s := newSituation(Desired{}, pairOf("a", "b"), Observed{Views: []View{v}}, Memory{Now: now, Progress: []ProgressRecord{record}})
			w := s.lossWindow("b", Outage{Since: now})
			n, until := w.Untouched()
			finding := s.dataLossFinding(decision{lost: "a", primary: s.topology.Clusters[1]}, w)
			if told := strings.Contains(finding.Message, "nothing was ever written to 1 of 2 channels"); told != c.bounded {
				t.Errorf("%s", finding.Message)
			}
			if c.bounded {
				if n != 1 || !until.Equal(seen) || w.Upper == nil || *w.Upper != 20*time.Second {
					t.Errorf("%d channels by %s, a loss of %v", n, until, w.Upper)
				}
			} else if n != 0 || w.Upper != nil {
				t.Errorf("%d channels by %s, a loss of %v", n, until, w.Upper)
			}
		})
	}
	if n, until := (*Window)(nil).Untouched(); n != 0 || !until.IsZero() {
		t.Error("nothing was read, and something is known of it")
	}
}

// TestUntouchedAfterThePromotion: a salvage checkpoint without a message is that of
// a channel that never carried anything; what a sweep saw still holds.
func TestUntouchedAfterThePromotion(t *testing.T) {
	seen := now.Add(-20 * time.Second)
	salvaged := []ChannelProgress{
		{Channel: channelsOf("b")[0], Known: true, Salvage: []Salvage{{SourceCluster: "a", TimeTick: tickAgo(3 * time.Second)}}},
		{Channel: channelsOf("b")[1], Known: true, Salvage: []Salvage{{SourceCluster: "a", SourceChannel: "a_1"}}},
	}
	record := ProgressRecord{Cluster: "b", Source: "a", Channels: []ChannelProgress{{Channel: channelsOf("b")[1], Known: true, CaughtUpAt: &seen}}}
	w := SalvageWindow(salvaged, "a", now, record)
	if n, until := w.Untouched(); n != 1 || !until.Equal(seen) || w.Upper == nil || *w.Upper != 20*time.Second {
		t.Errorf("%d channels by %s, a loss of %v", n, until, w.Upper)
	}
	w = SalvageWindow(salvaged, "a", now, ProgressRecord{})
	if n, _ := w.Untouched(); n != 0 || w.Upper != nil {
		t.Errorf("%d channels, a loss of %v", n, w.Upper)
	}
}

// TestBeyondRetention: a standby that last replicated longer ago than Milvus
// keeps its log may have a gap that nothing closes (milvus.md S62).
func TestBeyondRetention(t *testing.T) {
	const day = 24 * time.Hour
	recorded := func(source string, checkpoint, noBacklog time.Duration) Memory {
		r := ProgressRecord{Cluster: "b", Source: source, At: now.Add(-noBacklog), Channels: progress("b", checkpoint, checkpoint), NoBacklogAt: now.Add(-noBacklog)}
		return Memory{Progress: []ProgressRecord{r}}
	}
	stalled := func(checkpoint, waited time.Duration) View {
		v := standbyOf("a", "b")
		v.Progress = progress("b", checkpoint, checkpoint)
		for i := range v.Progress {
			v.Progress[i].Unsent = ptr(now.Add(-waited))
		}
		return v
	}
	for _, c := range []struct {
		name string
		b    View
		memo Memory
		code Code
		gone bool
	}{
		{"away for two days", down("b"), recorded("a", 2*day, 2*day), CodeClusterUnreachable, false},
		{"away for four days", down("b"), recorded("a", 4*day, 4*day), CodeClusterUnreachable, true},
		{"away for four days, behind another source before", down("b"), recorded("c", 4*day, 2*day), CodeClusterUnreachable, true},
		{"idle, and away for an hour", down("b"), recorded("a", 4*day, time.Hour), CodeClusterUnreachable, false},
		{"away, and nobody saw when that began", down("b"), Memory{}, CodeClusterUnreachable, false},
		{"stalled since an hour", stalled(time.Hour, time.Hour), Memory{}, CodeReplicationStalled, false},
		{"stalled since four days", stalled(4*day, 71*time.Hour), recorded("a", 4*day, 4*day), CodeReplicationStalled, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), c.b}, memory: c.memo}.plan(t)
			if !p.Has(c.code) || p.Changes() {
				t.Fatalf("no %s: %+v", c.code, p.Findings)
			}
			for _, f := range p.Findings {
				said := strings.Contains(f.Message, "(#48779)") && strings.Contains(f.Remedy, "let b go, rebuild it")
				if f.Code == c.code && said != c.gone {
					t.Errorf("a gap is told %t, want %t: %s; %s", said, c.gone, f.Message, f.Remedy)
				}
			}
		})
	}
}

// TestALossIsNoLessThanTheLeadOfAnother: what another standby has, the old primary wrote,
// whenever its first probe failed. It is lost if the one behind is promoted.
func TestALossIsNoLessThanTheLeadOfAnother(t *testing.T) {
	for _, c := range []struct {
		name  string
		other View
		want  time.Duration
	}{
		{"another is further", behind("c", time.Second, time.Second), 31 * time.Second},
		{"another is further on one channel", behind("c", time.Second, 32*time.Second), 31 * time.Second},
		{"another is as far", behind("c", 32*time.Second, 32*time.Second), 2 * time.Second},
		{"another was not read", unread("c"), 2 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSituation(Desired{}, pairOf("a", "b", "c"), Observed{Views: []View{down("a"), behind("b", 32*time.Second, 32*time.Second), c.other}}, Memory{Now: now})
			w := s.lossWindow("b", Outage{Cluster: "a", Since: now.Add(-30 * time.Second)})
			if w.Upper == nil || *w.Upper != c.want {
				t.Errorf("got %v, want %s", w.Upper, c.want)
			}
		})
	}
}
