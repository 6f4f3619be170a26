package render

import "strconv"

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

func encodeReplay(r ReplayReport) wireReplay {
	out := wireReplay{
		FormatVersion: answerFormat, Topology: r.Topology, Generation: r.Generation, Stale: r.Stale, Promoted: r.Promoted,
		Until: timeOrNil(r.Until), Fenced: r.Fenced, Refused: textOrNil(r.Refused), Digest: textOrNil(r.Digest), ToWrite: r.ToWrite(),
		Collections: mapList(r.Counts, func(c ReplayCount) wireReplayCount {
			return wireReplayCount{
				Database: c.Database, Collection: c.Collection, CollectionID: strconv.FormatInt(c.CollectionID, 10), Upserts: c.Upserts, Deletes: c.Deletes,
				There: c.There, Conflicts: c.Conflicts, Replaced: c.Replaced, First: timeOrNil(c.First), Last: timeOrNil(c.Last),
			}
		}),
		NotReplayed: mapList(r.Rest, func(x ReplayRest) wireReplayRest {
			id := ""
			if x.CollectionID != 0 {
				id = strconv.FormatInt(x.CollectionID, 10)
			}
			return wireReplayRest{Database: textOrNil(x.Database), Collection: textOrNil(x.Collection), CollectionID: textOrNil(id), Kind: x.Kind, Why: x.Why, Rows: x.Rows}
		}),
		Conflicts: mapList(r.Conflicts, func(c ReplayConflict) wireReplayClash {
			return wireReplayClash{Database: c.Database, Collection: c.Collection, Key: c.Key, Kind: c.Kind, At: timeOrNil(c.At)}
		}),
		MoreConflicts: r.MoreConflicts,
		Problems:      mapList(r.Problems, func(x ReplayProblem) wireReplayProblem { return wireReplayProblem(x) }),
		Export:        textOrNil(r.Export), Exported: r.Exported,
	}
	if a := r.Approval; a.Verdict != "" {
		out.Approval = &wireReplayApproval{Verdict: a.Verdict, Code: textOrNil(a.Code), Detail: a.Detail, By: mapList(a.By, same)}
	}
	if d := r.Done; d != nil {
		out.Done = &wireReplayDone{
			Written: d.Written, HeldBack: d.HeldBack, Right: d.Right, Missing: d.Missing, Doubled: d.Doubled, Remaining: d.Remaining,
			NotRead: mapList(d.NotRead, same), Problem: textOrNil(d.Problem),
		}
	}
	return out
}
