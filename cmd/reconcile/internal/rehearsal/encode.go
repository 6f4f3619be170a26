package rehearsal

import (
	"time"

	"milvus-reconcile/plan"
)

// formatVersion is that of rehearsal.schema.json. Within 1.x fields are only added.
const formatVersion = "1.0"

type wireReport struct {
	FormatVersion string          `json:"formatVersion"`
	Topology      string          `json:"topology"`
	Outcome       *string         `json:"outcome"`
	Detail        *string         `json:"detail"`
	Rehearsals    []wireRehearsal `json:"rehearsals"`
}

type wireRehearsal struct {
	Generation  int64    `json:"generation"`
	Commit      *string  `json:"commit"`
	ApprovedBy  []string `json:"approvedBy"`
	From        string   `json:"from"`
	To          string   `json:"to"`
	Began       string   `json:"began"`
	Ended       string   `json:"ended"`
	Result      string   `json:"result"`
	Passed      bool     `json:"passed"`
	There       wireWay  `json:"there"`
	Back        wireWay  `json:"back"`
	GapSeconds  *float64 `json:"gapSeconds"`
	GapMeasured bool     `json:"gapMeasured"`
	Written     *int64   `json:"written"`
	Lost        *int64   `json:"lost"`
}

type wireWay struct {
	Seconds     *float64   `json:"seconds"`
	Steps       []wireStep `json:"steps"`
	GapSeconds  *float64   `json:"gapSeconds"`
	GapMeasured bool       `json:"gapMeasured"`
	Failed      *string    `json:"failed"`
	Traffic     *string    `json:"traffic"`
	Resumed     bool       `json:"resumed"`
}

type wireStep struct {
	Step    string  `json:"step"`
	Seconds float64 `json:"seconds"`
}

// encode returns the form of programs; the newest rehearsal comes first.
func encode(r Report) wireReport {
	out := wireReport{FormatVersion: formatVersion, Topology: r.Topology, Outcome: textOrNil(r.Outcome), Detail: textOrNil(r.Detail), Rehearsals: []wireRehearsal{}}
	for i := len(r.Kept) - 1; i >= 0; i-- {
		k := r.Kept[i]
		gap, measured := k.Gap()
		out.Rehearsals = append(out.Rehearsals, wireRehearsal{
			Generation: k.Generation, Commit: textOrNil(k.Commit), ApprovedBy: append([]string{}, k.By...), From: k.From, To: k.To,
			Began: moment(k.Began), Ended: moment(k.Ended), Result: k.Result, Passed: k.Passed(),
			There: encodeWay(k.There), Back: encodeWay(k.Back), GapSeconds: secondsOrNil(gap), GapMeasured: measured, Written: k.Written, Lost: k.Lost,
		})
	}
	return out
}

func encodeWay(w plan.RehearsalWay) wireWay {
	out := wireWay{Steps: []wireStep{}, GapSeconds: secondsOrNil(w.Gap), GapMeasured: w.Measured, Failed: textOrNil(w.Failed), Traffic: textOrNil(w.Traffic), Resumed: w.Resumed}
	if w.Took > 0 {
		out.Seconds = secondsOrNil(&w.Took)
	}
	for _, s := range w.Steps {
		out.Steps = append(out.Steps, wireStep{s.Step, s.Took.Seconds()})
	}
	return out
}

func textOrNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func secondsOrNil(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	s := d.Seconds()
	return &s
}
