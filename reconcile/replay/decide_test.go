package replay

import (
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// TestWhoMayBegin: the zero value denies, and no approval lifts a block.
func TestWhoMayBegin(t *testing.T) {
	approved := approval.Decision{Verdict: approval.VerdictApproved}
	for _, c := range []struct {
		name    string
		d       Decision
		allowed bool
		reason  string
	}{
		{"the zero value", Decision{}, false, ""},
		{"denied", Decision{Decision: approval.Decision{Code: approval.CodeMissing}}, false, approval.CodeMissing},
		{"approved", Decision{Decision: approved}, true, ""},
		{"approved and blocked", Decision{Decision: approved, Blocked: plan.CodeSuperseded}, false, "SUPERSEDED"},
		{"begun before", Continue([]string{"Alice"}), true, ""},
		{"nothing to write", NothingToWrite(), true, ""},
	} {
		if c.d.Allowed() != c.allowed || c.d.Reason() != c.reason {
			t.Errorf("%s: allowed %t for %q", c.name, c.d.Allowed(), c.d.Reason())
		}
	}
}

// TestWhatIsReadAgainBlocks: the strongest reason is told.
func TestWhatIsReadAgainBlocks(t *testing.T) {
	all := Reread{Topology: "orders", Superseded: strings.Repeat("c0ffee", 7), Rewritten: "beef", Suspended: true}
	for _, want := range []plan.Code{"SUPERSEDED", "HISTORY_REWRITTEN", "SUSPENDED"} {
		d := all.Block()
		if d == nil || d.Blocked != want || d.Allowed() || !strings.Contains(d.Detail, "orders") && want != "HISTORY_REWRITTEN" {
			t.Fatalf("%+v, want %s", d, want)
		}
		switch want {
		case "SUPERSEDED":
			all.Superseded = ""
		case "HISTORY_REWRITTEN":
			all.Rewritten = ""
		default:
			all.Suspended = false
		}
	}
	if d := all.Block(); d != nil {
		t.Errorf("%+v", d)
	}
}

func TestObstacles(t *testing.T) {
	rows := []Count{{Upserts: 2}}
	for _, c := range []struct {
		name, words string
		r           Report
	}{
		{"refused", "upgrade it", Report{Refused: "upgrade it", Fenced: true}},
		{"not fenced", "'reconcile fence orders/a'", Report{Topology: "orders", Stale: "a", Counts: rows}},
		{"fenced", "", Report{Counts: rows, Fenced: true}},
		{"not fenced, and nothing to write", "", Report{Counts: []Count{{There: 2}}}},
	} {
		if why := c.r.Obstacle(); !strings.Contains(why, c.words) || (why == "") != (c.words == "") {
			t.Errorf("%s: %q", c.name, why)
		}
	}
}

// TestRounds: a replay goes on while each round leaves less, and writes only what it began
// with.
func TestRounds(t *testing.T) {
	report := func(digest string, left int64) Report {
		return Report{Digest: digest, Counts: []Count{{Upserts: left}}}
	}
	for _, c := range []struct {
		name    string
		reports []Report
		more    bool
		problem string
	}{
		{"the first", []Report{report("d", 5)}, true, ""},
		{"nothing to write", []Report{report("d", 0)}, false, ""},
		{"less is left", []Report{report("d", 5), report("d", 4)}, true, ""},
		{"all is written", []Report{report("d", 5), report("d", 0)}, false, ""},
		{"as much is left", []Report{report("d", 5), report("d", 5)}, false, "the log of the promoted cluster does not show them"},
		{"other writes", []Report{report("d", 5), report("e", 4)}, false, OtherWrites},
	} {
		var x Rounds
		var more bool
		var problem string
		for _, r := range c.reports {
			more, problem = x.Next(r, 1)
		}
		if more != c.more || !strings.Contains(problem, c.problem) || (problem == "") != (c.problem == "") {
			t.Errorf("%s: more %t, %q", c.name, more, problem)
		}
	}
}

// TestTally counts each row once, and completes the report.
func TestTally(t *testing.T) {
	at := time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)
	s := NewTally()
	m := Message{Database: "default", Collection: "t", CollectionID: 4, Kind: "insert", At: at, Key: func(row int) string { return "key" }}
	s.Add(m, []Verdict{{Fate: ToWrite}, {Fate: There}, {Fate: HeldBack}, {Fate: Replaced}, {ToWrite, WhyPartition}, {UpsertsOwn, WhyPartition}})
	m.Delete, m.Kind = true, "delete"
	s.Add(m, []Verdict{{Fate: ToWrite}, {Fate: UpsertsOwn}})
	r := s.Report(Report{Topology: "orders", Stale: "a", Promoted: "b"}, []ChannelSum{{"a_0", "sum"}})
	want := Count{Database: "default", Collection: "t", CollectionID: 4, Upserts: 1, Deletes: 1, There: 1, Conflicts: 1, Replaced: 1, First: at, Last: at}
	if len(r.Counts) != 1 || r.Counts[0] != want {
		t.Errorf("%+v", r.Counts)
	}
	if len(r.Rest) != 1 || r.Rest[0].Rows != 1 || len(r.Conflicts) != 1 || r.Conflicts[0].Key != "key" {
		t.Errorf("%+v, %+v", r.Rest, r.Conflicts)
	}
	if r.Replayable() != 4 || !strings.HasPrefix(r.Digest, "sha256:") {
		t.Errorf("%d rows, digest %q", r.Replayable(), r.Digest)
	}
	if r := NewTally().Report(Report{}, nil); r.Digest != "" {
		t.Errorf("nothing to write has the digest %q", r.Digest)
	}
}
