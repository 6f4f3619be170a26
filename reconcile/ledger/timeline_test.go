package ledger

import (
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
)

// TestTimeline: one timeline in the order of time, which tells each thing once.
func TestTimeline(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	git := func(s int, lines ...string) Event { return Event{At: at(s), Topology: "orders", Lines: lines} }
	begun := Record{
		Kind: KindIntent, At: at(60), Topology: "orders", Transition: plan.TransitionFailover, Primary: "b", Generation: 2,
		ProposedBy: []string{"Bob <b@x>"}, By: []string{"Alice <a@x>", "Carol <c@x>"}, Reasons: []string{"INC-1, worse", ""}, Lost: "a", FailedAt: at(-5),
	}
	again := begun // it was reversed, and begun once more
	again.At = at(80)
	outage := func(cluster string, since int) plan.Outage {
		return plan.Outage{Cluster: cluster, Topology: "orders", Since: at(since), Until: at(since + 20)}
	}
	for _, c := range []struct {
		name    string
		records []Record
		outages []plan.Outage
		others  []Event
		want    string
	}{
		{"nothing", nil, nil, nil, ""},
		{
			"a primary is silent and nothing was begun",
			[]Record{{Kind: KindHome, At: at(0), Cluster: "a"}, {Kind: KindMatched, At: at(0), Generation: 1}},
			[]plan.Outage{outage("a", 30)},
			nil,
			"0 in sync: the clusters were seen to be as generation 1 wants | 30 a was silent from here on; it was last tried 2026-11-22T12:00:50Z",
		},
		{
			"what Git does not tell stands with the change",
			[]Record{begun},
			nil, nil,
			"-5 a was silent from here on | 60 failover to b begun, generation 2; proposed by Bob <b@x>; approved by Alice <a@x>: INC-1, worse; approved by Carol <c@x>",
		},
		{
			"what Git tells stands at its own time",
			[]Record{begun, {Kind: KindSent, At: at(61), Topology: "orders", Transition: plan.TransitionFailover}},
			[]plan.Outage{outage("a", -5)},
			[]Event{
				git(30, "approved by Alice <a@x>: INC-1, worse"), git(10, "proposed by Bob <b@x>: a primary → stale", "commit c0ffee"),
				git(20, "approved by Alice <a@x>: INC-1"), git(25, "approval withdrawn by Alice <a@x>"),
			},
			"-5 a was silent from here on | 10 proposed by Bob <b@x>: a primary → stale; commit c0ffee | 20 approved by Alice <a@x>: INC-1 | 25 approval withdrawn by Alice <a@x>" +
				" | 30 approved by Alice <a@x>: INC-1, worse | 60 failover to b begun, generation 2; approved by Carol <c@x>" +
				" | 61 sent: from here on the request of the failover may have reached its cluster",
		},
		{
			"an approval of a replay is told once",
			[]Record{{Kind: KindReplay, At: at(70), Topology: "orders", Cluster: "a", Primary: "b", By: []string{"Alice <a@x>"}, Reasons: []string{"INC-7"}}},
			nil,
			[]Event{git(65, OfReplay("approved by Alice <a@x>: INC-7"))},
			"1m5 replay of lost rows approved by Alice <a@x>: INC-7 | 1m10 salvage begins to write lost rows of a into b",
		},
		{
			"a silence is told once, and another one too",
			[]Record{begun, again},
			[]plan.Outage{outage("a", -5), outage("b", 90)},
			[]Event{git(1, "proposed by Bob <b@x>: x"), git(2, "approved by Alice <a@x>: INC-1, worse"), git(3, "approved by Carol <c@x>")},
			"-5 a was silent from here on | 1 proposed by Bob <b@x>: x | 2 approved by Alice <a@x>: INC-1, worse | 3 approved by Carol <c@x>" +
				" | 60 failover to b begun, generation 2 | 80 failover to b begun, generation 2 | 90 b was silent from here on; it was last tried 2026-11-22T12:01:50Z",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, told := range Timeline(c.records, c.outages, c.others) {
				got = append(got, strings.TrimSuffix(told.At.Sub(noon).String(), "s")+" "+strings.Join(told.Lines, "; "))
			}
			got = strings.Split(strings.NewReplacer("1m0 ", "60 ", "1m1 ", "61 ", "1m20 ", "80 ", "1m30 ", "90 ").Replace(strings.Join(got, " | ")), " | ")
			if text := strings.Join(got, " | "); text != c.want {
				t.Errorf("got  %s\nwant %s", text, c.want)
			}
		})
	}
}
