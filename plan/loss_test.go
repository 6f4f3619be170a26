package plan

import (
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
			w := s.lossWindow("b", now)
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
		t.Errorf("an idle channel, of which nothing was unsent shortly before, gives %+v, want three seconds", w)
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
