package plan

import (
	"slices"
	"testing"
	"time"
)

// halfPromoted is a standby whose channels have left its source, with their
// salvage checkpoints kept.
func halfPromoted(v View) View {
	v.Progress = slices.Clone(v.Progress)
	for i, p := range v.Progress {
		kept := Salvage{SourceCluster: p.SourceCluster, SourceChannel: p.SourceChannel, MessageID: p.MessageID, TimeTick: p.TimeTick}
		v.Progress[i] = ChannelProgress{Channel: p.Channel, Known: true, Salvage: []Salvage{kept}}
	}
	return v
}

// loose takes the live checkpoint of one channel away.
func loose(v View, i int) View {
	v.Progress = slices.Clone(v.Progress)
	v.Progress[i] = ChannelProgress{Channel: v.Progress[i].Channel, Known: true}
	return v
}

// relinked is a standby that was promoted by force before and attached again:
// each channel has both checkpoints.
func relinked(v View) View {
	v.Progress = slices.Clone(v.Progress)
	for i, p := range v.Progress {
		v.Progress[i].Salvage = []Salvage{{SourceCluster: p.SourceCluster, TimeTick: 7}}
	}
	return v
}

// untouched is a standby on which nothing was replicated yet.
func untouched(v View) View {
	v.Progress = slices.Clone(v.Progress)
	for i := range v.Progress {
		v.Progress[i].TimeTick, v.Progress[i].MessageID = 0, ""
	}
	return v
}

func unknownOn(v View, i int) View {
	v.Progress = slices.Clone(v.Progress)
	v.Progress[i] = ChannelProgress{Channel: v.Progress[i].Channel, Error: "deadline"}
	return v
}

// TestChannelsOfAStandby: what every channel says, before a failover and in one.
func TestChannelsOfAStandby(t *testing.T) {
	standby := standbyOf("a", "b")
	grown := standby
	grown.Progress = append(slices.Clone(standby.Progress), ChannelProgress{Channel: "b-rootcoord-dml_9", Known: true})
	for name, c := range map[string]struct {
		view        View
		half, loose bool
	}{
		"at rest":                                     {standby, false, false},
		"nothing was replicated yet":                  {untouched(standby), false, false},
		"a channel that it does not store":            {grown, false, false},
		"promoted before and attached again":          {relinked(standby), false, false},
		"one channel has no checkpoint":               {loose(standby, 1), false, true},
		"one of a re-linked one has only the salvage": {loose(relinked(standby), 0), false, true},
		"no channel has one, and no salvage":          {loose(loose(standby, 0), 1), false, true},
		"every channel has only the salvage":          {halfPromoted(standby), true, false},
		"all but one, which attached":                 {func() View { v := halfPromoted(standby); v.Progress[0] = standby.Progress[0]; return v }(), false, true},
		"all but one, about which nothing is known":   {unknownOn(halfPromoted(standby), 0), false, true},
		"nothing was read":                            {func() View { v := standby; v.Progress = nil; return v }(), false, false},
		"it stands alone, with salvage":               {believing("b", storing("b")), false, false},
		"nothing is known of any":                     {unknownOn(unknownOn(standby, 0), 1), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.view.HalfPromoted(); got != c.half {
				t.Errorf("half promoted: %t", got)
			}
			if c.view.Belief.Kind != BeliefStandby {
				return
			}
			rest := world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), c.view}}.plan(t)
			if rest.Has(CodePromotionHalfDone) != c.half || rest.Has(CodeChannelNotAttached) != c.loose {
				t.Errorf("%v", rest.Findings)
			}
			if c.half && (rest.InSync || !rest.Blocked(nil) || rest.Changes()) {
				t.Errorf("in sync %t, %+v", rest.InSync, rest.Findings)
			}
		})
	}
}

// TestChannelsRaisedOnAStandby: what nobody lists blocks a failover on the day,
// and is told on a quiet one (milvus.md S37).
func TestChannelsRaisedOnAStandby(t *testing.T) {
	raised := standbyOf("a", "b")
	raised.Unlisted = []string{"b-rootcoord-dml_2"}
	rest := world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), raised}}.plan(t)
	over := world{t: failingOver("b", "a"), views: []View{down("a"), raised}, evidence: []Evidence{lost("a", "b")}}.plan(t)
	for name, p := range map[string]TopologyPlan{"at rest": rest, "failing over to it": over} {
		if !p.Has(CodePChannelMismatch) || !p.Blocked(AllCodes()) || p.InSync {
			t.Errorf("%s: in sync %t, %v", name, p.InSync, codesOf(p, SeverityBlocking))
		}
	}
	old := down("a")
	old.Unlisted = []string{"a-rootcoord-dml_2"}
	if p := (world{t: failingOver("b", "a"), views: []View{old, standbyOf("a", "b")}, evidence: []Evidence{lost("a", "b")}}).plan(t); p.Has(CodePChannelMismatch) {
		t.Error("what the lost primary serves holds nothing back")
	}
}

// TestHalfPromotionInItsFailover: it holds nothing back in the failover that asks
// for that very promotion, and holds every other one back.
func TestHalfPromotionInItsFailover(t *testing.T) {
	standby := standbyOf("a", "b", "c")
	standby.Progress = progress("b", time.Minute, time.Minute)
	half := halfPromoted(standby)
	views := []View{down("a"), half, standbyOf("a", "c", "b")}
	found := func(primary, other string) (Finding, TopologyPlan) {
		p := world{t: failingOver(primary, "a", other), views: views, evidence: []Evidence{lost("a", primary)}}.plan(t)
		for _, f := range p.Findings {
			if f.Code == CodePromotionHalfDone {
				return f, p
			}
		}
		return Finding{}, p
	}
	f, own := found("b", "c")
	if f.Severity != SeverityCritical || f.Cluster != "b" || !own.Changes() {
		t.Errorf("its own failover: %+v of %v", f, codesOf(own, SeverityBlocking))
	}
	if own.DataLoss == nil || own.DataLoss.Method != MethodSalvage || own.DataLoss.Upper == nil {
		t.Errorf("what may be lost is told by the salvage checkpoints: %+v", own.DataLoss)
	}
	if f, _ := found("c", "b"); f.Severity != SeverityBlocking || f.Acceptable {
		t.Errorf("the failover to another one: %+v", f)
	}
}
