package plan

import (
	"strings"
	"testing"
	"time"
)

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
			w := s.lossWindow("b", now)
			n, until := w.Untouched()
			finding := s.dataLossFinding(decision{lost: "a", primary: s.t.Clusters[1]}, w)
			if told := strings.Contains(finding.Message, "on 1 of 2 channels nothing was ever written there"); told != c.bounded {
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
