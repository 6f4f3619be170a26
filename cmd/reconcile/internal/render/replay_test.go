package render

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/replay"
)

// replayPlanned is a dry run of a night: most rows can come back.
func replayPlanned() replay.Report {
	return replay.Report{
		Topology: "orders", Generation: 8, Stale: "cluster-a", Promoted: "cluster-b", Until: night, Fenced: true,
		Digest: "sha256:" + strings.Repeat("3f9c", 16),
		Counts: []replay.Count{
			{Database: "default", Collection: "carts", CollectionID: 451, Upserts: 1210, Deletes: 3, There: 7, Conflicts: 2, Replaced: 40, First: night.Add(-time.Minute), Last: night},
		},
		Rest: []replay.Rest{
			{Database: "default", Collection: "events", CollectionID: 452, Kind: "insert", Why: "the server gives the keys of the collection, so the row would come back under another key", Rows: 12},
			{Kind: "create_database", Why: "it is a change of the schema, the topology or the rights, not of rows", Rows: 1},
		},
		Conflicts: []replay.Conflict{
			{Database: "default", Collection: "carts", Key: "1007", Kind: "insert", At: night.Add(-2 * time.Second)},
			{Database: "default", Collection: "carts", Key: "1008", Kind: "delete", At: night.Add(-time.Second)},
		},
		Export: "rest.jsonl", Exported: 15,
		Decision: &replay.Decision{Decision: approval.Decision{Code: approval.CodeMissing, Detail: "no approval names this digest"}},
	}
}

// replayed is the same night after the replay.
func replayed() replay.Report {
	r := replayPlanned()
	r.Counts[0].Upserts, r.Counts[0].Deletes, r.Counts[0].There = 0, 0, 1220
	r.Decision = &replay.Decision{Decision: approval.Decision{
		Verdict: approval.VerdictApproved, Detail: "approved by Alice <alice@example.com>", By: []string{"Alice <alice@example.com>"},
	}}
	r.Done = &replay.Done{Written: 1213, HeldBack: 1, Right: 1220, NotRead: []string{"default/events: it is not loaded"}}
	return r
}

func TestGoldenReplay(t *testing.T) {
	for name, r := range map[string]replay.Report{"replay-planned": replayPlanned(), "replay-done": replayed()} {
		for _, form := range []string{FormTable, FormJSON} {
			t.Run(name+" "+form, func(t *testing.T) {
				compare(t, name+"."+form, func(w io.Writer) error { return Replay(w, form, r, TableOptions{}) })
			})
		}
	}
}

func TestAReplaySaysWhatWentWrong(t *testing.T) {
	r := replayed()
	for _, c := range []struct {
		done  replay.Done
		words string
	}{
		{replay.Done{Problem: "the link broke"}, "replay not finished"},
		{replay.Done{Right: 5, Doubled: 1}, "reading back found other rows"},
		{replay.Done{Right: 5}, "replayed: 1220 lost rows"},
	} {
		r.Done = &c.done
		if words, _ := replayHeadline(r); !strings.Contains(words, c.words) {
			t.Errorf("%+v: %q", c.done, words)
		}
	}
}

// TestARefusedReplayHasACross: a cluster that takes no replay is no success, whatever was
// there to write.
func TestARefusedReplayHasACross(t *testing.T) {
	refused := replay.Report{Topology: "orders", Stale: "cluster-a", Promoted: "cluster-b", Fenced: true, Refused: "upgrade it to 2.6.20"}
	for name, done := range map[string]*replay.Done{"before it begins": nil, "after it ended": {}} {
		refused.Done = done
		page := string(rendered(t, func(w io.Writer) error { return Replay(w, FormTable, refused, TableOptions{}) }))
		if head, _, _ := strings.Cut(page, "\n"); !strings.HasPrefix(head, "✗") || !strings.Contains(head, "nothing can be replayed into cluster-b") {
			t.Errorf("%s: the page begins with %q", name, head)
		}
	}
}

// TestAReplaySaysWhatToTypeNext, and is no success while a lost write stays lost.
func TestAReplaySaysWhatToTypeNext(t *testing.T) {
	change := func(with func(*replay.Report)) replay.Report {
		r := replayPlanned()
		with(&r)
		return r
	}
	approve := "reconcile approve orders/cluster-b --replay " + replayPlanned().Digest + ` --reason "WHY" --push`
	write := "reconcile salvage orders --from cluster-a --replay"
	approved := func(r *replay.Report) { r.Decision = replayed().Decision }
	for name, c := range map[string]struct {
		r    replay.Report
		mark string
		want []string
	}{
		"not approved": {replayPlanned(), "!", []string{approve, write}},
		"approved":     {change(approved), "!", []string{write}},
		"not fenced": {change(func(r *replay.Report) { r.Fenced = false }), "!", []string{
			"reconcile fence orders/cluster-a", write + " --dry-run",
		}},
		"suspended": {change(func(r *replay.Report) { r.Decision.Blocked = "SUSPENDED" }), "!", nil},
		"not finished": {change(func(r *replay.Report) {
			approved(r)
			r.Done = &replay.Done{Problem: "the link broke"}
		}), "✗", []string{write}},
		"done, and some writes stay lost": {replayed(), "!", nil},
		"done, and all is there": {change(func(r *replay.Report) {
			*r = replayed()
			r.Rest = nil
		}), "✓", nil},
	} {
		var typed []string
		for _, a := range replayNext(c.r) {
			typed = append(typed, a.command)
		}
		page := string(rendered(t, func(w io.Writer) error { return Replay(w, FormTable, c.r, TableOptions{}) }))
		if !slices.Equal(typed, c.want) || !strings.HasPrefix(page, c.mark) {
			t.Errorf("%s: it says to type %q, and the page is\n%s", name, typed, page)
		}
		for _, command := range c.want {
			if !strings.Contains(page, "\n        "+command+"\n") {
				t.Errorf("%s: %q does not stand alone on its line", name, command)
			}
		}
	}
}
