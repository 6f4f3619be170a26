package render

import (
	"fmt"
	"io"
	"strconv"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/replay"
)

// Replay writes the report as "table", "json" or "yaml".
func Replay(w io.Writer, form string, r replay.Report, o TableOptions) error {
	return answer{name: "salvage", page: func(p *page) { p.replay(r) }, value: func() any { return encodeReplay(r) }}.write(w, form, o)
}

func (p *page) replay(r replay.Report) {
	words, s := replayHeadline(r)
	p.title(r.Topology+"/"+r.Promoted, s, words)
	p.blank()
	if d := r.Digest; d != "" {
		p.field("Digest", good, "·", d)
	}
	if !r.Fenced {
		p.field("Beware", attention, "!", r.Stale+" still takes writes, so the digest can change")
	}
	if r.Refused != "" {
		p.field("Blocked", bad, "✗", r.Refused)
	}
	for _, x := range r.Problems {
		p.field("Left out", attention, "!", x.Channel+": "+x.Problem)
	}
	p.replayDone(r)
	p.replayRest(r)
	if r.Export != "" {
		p.field("Export", good, "✓", fmt.Sprintf("%d lines in %s, each with its reason", r.Exported, r.Export))
	}
	p.replayApproval(r)
	p.replayActions(r)
	p.replayGrid(r)
	p.replayConflicts(r)
}

func replayHeadline(r replay.Report) (string, style) {
	there, rest := fmt.Sprintf("%d already there", r.There()), replayRestWords(r)
	done := good // as far as a replay can do it
	if r.RestRows() > 0 || len(r.Problems) > 0 {
		done = attention
	}
	switch n, held := r.ToWrite(), r.HeldBack(); {
	case r.Refused != "":
		return "nothing can be replayed into " + r.Promoted, bad
	case r.Done != nil && r.Done.Problem != "":
		return fmt.Sprintf("replay not finished: %d rows to write, %s", n, there), bad
	case r.Done != nil && r.Done.Wrong() > 0:
		return "replayed, but reading back found other rows", bad
	case r.Done != nil:
		return fmt.Sprintf("replayed: %d lost rows are there, %d are held back by newer ones%s", r.There(), held, rest), done
	case n > 0:
		return fmt.Sprintf("%d lost rows can be written into %s, %s, %d held back by newer ones%s", n, r.Promoted, there, held, rest), attention
	default:
		return fmt.Sprintf("no lost row is to be written, %s, %d held back by newer ones%s", there, held, rest), done
	}
}

// replayRestWords counts the lost writes that no replay brings back.
func replayRestWords(r replay.Report) string {
	if n := r.RestRows(); n > 0 {
		return fmt.Sprintf(", %d other writes cannot be replayed", n)
	}
	return ""
}

func (p *page) replayDone(r replay.Report) {
	d := r.Done
	if d == nil {
		return
	}
	p.field("Written", good, "✓", plural(int(d.Written), "row", "rows")+" by this run")
	if d.HeldBack > 0 {
		p.field("Held back", attention, "!", fmt.Sprintf("%d rows, since %s took a newer write of their keys meanwhile", d.HeldBack, r.Promoted))
	}
	if d.Wrong() > 0 {
		p.field("Read back", bad, "✗", fmt.Sprintf("%d right, %d missing, %d more than once, %d deleted ones still there", d.Right, d.Missing, d.Doubled, d.Remaining))
	} else if d.Right > 0 {
		p.field("Read back", good, "✓", fmt.Sprintf("a query by key found %d rows right: each row once, and no deleted row", d.Right))
	}
	for _, text := range d.NotRead {
		p.field("Not read", attention, "!", text+": its log shows the rows")
	}
	if d.Problem != "" {
		p.field("Problem", bad, "✗", d.Problem)
	}
}

// replayRest prints each reason once, with what it keeps back.
func (p *page) replayRest(r replay.Report) {
	for _, x := range r.Rest {
		name := SalvageCount{Database: x.Database, Collection: x.Collection, CollectionID: x.CollectionID}.name()
		p.field("Not replayed", attention, "!", fmt.Sprintf("%d × %s, %s: %s", x.Rows, x.Kind, name, x.Why))
	}
}

// replayApproval says whether the replay is approved, and why not.
func (p *page) replayApproval(r replay.Report) {
	d := r.Decision
	if r.ToWrite() == 0 || r.Digest == "" || d == nil {
		return
	}
	if d.Allowed() {
		p.field("Approval", good, "✓", d.Detail)
		return
	}
	why, _ := splitDetail(Approval{Detail: d.Detail})
	p.field("Approval", attention, "!", d.Reason()+": "+why)
}

// replayActions are what to type next, each command alone on its line.
func (p *page) replayActions(r replay.Report) {
	actions := replayNext(r)
	if len(actions) == 0 {
		return
	}
	p.blank()
	for _, a := range actions {
		p.action(a)
	}
}

func replayNext(r replay.Report) []action {
	command := "reconcile salvage " + r.Topology + " --from " + r.Stale + " --replay"
	write := action{words: "write them:", command: command}
	if r.Done != nil && r.Done.Problem != "" {
		write.words = "this goes on with what is left, and needs no further approval:"
	}
	if r.ToWrite() == 0 || r.Refused != "" {
		return nil
	}
	if !r.Fenced {
		return labelled(action{words: "make " + r.Stale + " refuse writes:", command: "reconcile fence " + r.Topology + "/" + r.Stale},
			action{words: "see again what would be written:", command: command + " --dry-run"})
	}
	d := r.Decision
	switch {
	case d == nil || d.Blocked != "":
		return nil
	case d.Allowed():
		return labelled(write)
	default:
		a := Approval{Needed: d.Needed, Given: d.Given}
		to := approval.Target{Topology: r.Topology, Cluster: r.Promoted}
		return labelled(action{words: approversWords(a), command: approval.ReplayCommand(to, r.Digest, d.Repository)}, write)
	}
}

// labelled are actions in their order: the first is for now.
func labelled(actions ...action) []action {
	for i := range actions {
		actions[i].label = labelThen
	}
	actions[0].label = labelNow
	return actions
}

func (p *page) replayGrid(r replay.Report) {
	if len(r.Counts) == 0 {
		return
	}
	p.blank()
	g := grid{head: []string{"collection", "upserts", "deletes", "there", "newer", "replaced", "first", "last"}, least: 20}
	for _, c := range r.Counts {
		g.add(cell{text: SalvageCount{Database: c.Database, Collection: c.Collection, CollectionID: c.CollectionID}.name()}, rowCount(c.Upserts), rowCount(c.Deletes),
			rowCount(c.There), rowCount(c.Conflicts), rowCount(c.Replaced), cell{text: clockTime(c.First)}, cell{text: clockTime(c.Last)})
	}
	p.grid(g)
}

func rowCount(n int64) cell { return cell{text: strconv.FormatInt(n, 10)} }

func (p *page) replayConflicts(r replay.Report) {
	if len(r.Conflicts) == 0 {
		return
	}
	p.blank()
	g := grid{head: []string{"held back", "key", "kind", "lost write"}, least: 20}
	for _, c := range r.Conflicts {
		g.add(cell{text: orElse(c.Database, "?") + "/" + c.Collection}, cell{text: c.Key}, cell{text: c.Kind}, cell{text: clockTime(c.At)})
	}
	p.grid(g)
	if r.MoreConflicts > 0 {
		p.field("More", attention, "!", fmt.Sprintf("%d are not shown; --export writes all", r.MoreConflicts))
	}
}

type wireReplay struct {
	FormatVersion string              `json:"formatVersion"`
	Topology      string              `json:"topology"`
	Generation    int64               `json:"generation"`
	Stale         string              `json:"stale"`
	Promoted      string              `json:"promoted"`
	Until         *string             `json:"until"`
	Fenced        bool                `json:"fenced"`
	Refused       *string             `json:"refused"`
	Digest        *string             `json:"digest"`
	ToWrite       int64               `json:"toWrite"`
	Collections   []wireReplayCount   `json:"collections"`
	NotReplayed   []wireReplayRest    `json:"notReplayed"`
	Conflicts     []wireReplayClash   `json:"conflicts"`
	MoreConflicts int64               `json:"moreConflicts"`
	Problems      []wireReplayProblem `json:"problems"`
	Export        *string             `json:"export"`
	Exported      int64               `json:"exportedLines"`
	Approval      *wireReplayApproval `json:"approval"`
	Done          *wireReplayDone     `json:"done"`
}

type wireReplayCount struct {
	Database     string  `json:"database"`
	Collection   string  `json:"collection"`
	CollectionID string  `json:"collectionId"`
	Upserts      int64   `json:"upserts"`
	Deletes      int64   `json:"deletes"`
	There        int64   `json:"there"`
	Conflicts    int64   `json:"conflicts"`
	Replaced     int64   `json:"replaced"`
	First        *string `json:"first"`
	Last         *string `json:"last"`
}

type wireReplayRest struct {
	Database     *string `json:"database"`
	Collection   *string `json:"collection"`
	CollectionID *string `json:"collectionId"`
	Kind         string  `json:"kind"`
	Why          string  `json:"why"`
	Rows         int64   `json:"rows"`
}

type wireReplayClash struct {
	Database   string  `json:"database"`
	Collection string  `json:"collection"`
	Key        string  `json:"key"`
	Kind       string  `json:"kind"`
	At         *string `json:"at"`
}

type wireReplayProblem struct {
	Channel string `json:"channel"`
	Problem string `json:"problem"`
}

type wireReplayApproval struct {
	Verdict string   `json:"verdict"`
	Code    *string  `json:"code"`
	Detail  string   `json:"detail"`
	By      []string `json:"by"`
}

type wireReplayDone struct {
	Written   int64    `json:"written"`
	HeldBack  int64    `json:"heldBack"`
	Right     int64    `json:"right"`
	Missing   int64    `json:"missing"`
	Doubled   int64    `json:"doubled"`
	Remaining int64    `json:"remaining"`
	NotRead   []string `json:"notRead"`
	Problem   *string  `json:"problem"`
}

func encodeReplay(r replay.Report) wireReplay {
	out := wireReplay{
		FormatVersion: answerFormat, Topology: r.Topology, Generation: r.Generation, Stale: r.Stale, Promoted: r.Promoted,
		Until: timeOrNil(r.Until), Fenced: r.Fenced, Refused: textOrNil(r.Refused), Digest: textOrNil(r.Digest), ToWrite: r.ToWrite(),
		Collections: mapList(r.Counts, func(c replay.Count) wireReplayCount {
			return wireReplayCount{
				Database: c.Database, Collection: c.Collection, CollectionID: strconv.FormatInt(c.CollectionID, 10), Upserts: c.Upserts, Deletes: c.Deletes,
				There: c.There, Conflicts: c.Conflicts, Replaced: c.Replaced, First: timeOrNil(c.First), Last: timeOrNil(c.Last),
			}
		}),
		NotReplayed: mapList(r.Rest, func(x replay.Rest) wireReplayRest {
			id := ""
			if x.CollectionID != 0 {
				id = strconv.FormatInt(x.CollectionID, 10)
			}
			return wireReplayRest{Database: textOrNil(x.Database), Collection: textOrNil(x.Collection), CollectionID: textOrNil(id), Kind: x.Kind, Why: x.Why, Rows: x.Rows}
		}),
		Conflicts: mapList(r.Conflicts, func(c replay.Conflict) wireReplayClash {
			return wireReplayClash{Database: c.Database, Collection: c.Collection, Key: c.Key, Kind: c.Kind, At: timeOrNil(c.At)}
		}),
		MoreConflicts: r.MoreConflicts,
		Problems:      mapList(r.Problems, func(x replay.Problem) wireReplayProblem { return wireReplayProblem(x) }),
		Export:        textOrNil(r.Export), Exported: r.Exported,
	}
	if d := r.Decision; d != nil {
		verdict := d.Verdict
		if d.Blocked != "" {
			verdict = approval.VerdictDenied
		}
		out.Approval = &wireReplayApproval{Verdict: verdict.String(), Code: textOrNil(d.Reason()), Detail: d.Detail, By: mapList(d.By, same)}
	}
	if d := r.Done; d != nil {
		out.Done = &wireReplayDone{
			Written: d.Written, HeldBack: d.HeldBack, Right: d.Right, Missing: d.Missing, Doubled: d.Doubled, Remaining: d.Remaining,
			NotRead: mapList(d.NotRead, same), Problem: textOrNil(d.Problem),
		}
	}
	return out
}

// wireReplayed is how a replay of lost rows ended.
type wireReplayed struct {
	Cluster     string  `json:"cluster"`
	Promoted    string  `json:"promoted"`
	EndedAt     *string `json:"endedAt"`
	Rows        int64   `json:"rows"` // that are there
	HeldBack    int64   `json:"heldBack"`
	NotReplayed int64   `json:"notReplayed"`
	Unread      int64   `json:"unreadChannels"`
	Exported    bool    `json:"exported"`
	ReadUntil   *string `json:"readUntil"`
	Fenced      bool    `json:"fenced"`
}

func encodeReplayedOrNil(r *plan.Replayed) *wireReplayed {
	if r == nil {
		return nil
	}
	out := encodeReplayed(*r)
	return &out
}

func encodeReplayed(r plan.Replayed) wireReplayed {
	return wireReplayed{
		Cluster: r.Cluster, Promoted: r.Promoted, EndedAt: timeOrNil(r.At), Rows: r.There, HeldBack: r.HeldBack, NotReplayed: r.Rest,
		Unread: r.Unread, Exported: r.Exported, ReadUntil: timeOrNil(r.Until), Fenced: r.Closed,
	}
}

// replayedLosses decodes how replays ended, without what only the ledger tells.
func (d *decodeReader) replayedLosses(topology string, all []wireReplayed) []plan.Replayed {
	var out []plan.Replayed
	for _, w := range all {
		out = append(out, plan.Replayed{
			Topology: topology, Cluster: w.Cluster, Promoted: w.Promoted, At: d.time(w.EndedAt), There: w.Rows, HeldBack: w.HeldBack, Rest: w.NotReplayed,
			Unread: w.Unread, Exported: w.Exported, Until: d.time(w.ReadUntil), Closed: w.Fenced,
		})
	}
	return out
}
