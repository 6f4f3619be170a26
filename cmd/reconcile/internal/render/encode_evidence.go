package render

import (
	"strconv"
	"time"

	"milvus-reconcile/plan"
)

func encodeLag(w *plan.Window) *wireLag {
	if w == nil {
		return nil
	}
	return &wireLag{
		LowerSeconds: secondsOrNil(w.Lower), UpperSeconds: secondsOrNil(w.Upper),
		Method: w.Method.String(), AgeSeconds: secondsOrNil(w.Age),
	}
}

func encodeLoss(w *plan.Window) *wireLoss {
	if w == nil {
		return nil
	}
	return &wireLoss{
		ReplicatedUpTo: timeOrNil(w.ReplicatedUpTo),
		LowerSeconds:   secondsOrNil(w.Lower),
		UpperSeconds:   secondsOrNil(w.Upper),
		Method:         w.Method.String(),
		PerChannel:     mapList(w.PerChannel, encodeChannel),
		AgeSeconds:     secondsOrNil(w.Age),
	}
}

// encodeChannel leaves out what a channel that was not read does not tell:
// "nothing was ever replicated" is a fact, not the absence of one.
func encodeChannel(c plan.ChannelWindow) wireChannel {
	out := wireChannel{Channel: c.Channel}
	if c.Known {
		out.ReplicatedUpTo = timeOrNil(c.ReplicatedUpTo)
		out.Started = &c.Started
		out.UpperSeconds = secondsOrNil(c.Upper)
	}
	return out
}

func encodeEvidence(e *plan.FindingEvidence) wireEvidence {
	if e == nil {
		return wireEvidence{}
	}
	return wireEvidence{
		Counted: &e.Counted, Restarts: &e.Restarts,
		Rounds: mapList(e.Rounds, encodeRound),
		Moved: mapList(e.Moved, func(m plan.ChannelMotion) wireMotion {
			return wireMotion{Channel: m.Channel, From: tick(m.From), To: tick(m.To)}
		}),
		Window: encodeLoss(e.Lag),
	}
}

func encodeRound(r plan.Round) wireRound {
	return wireRound{
		At: timeOrNil(r.At), TookSeconds: r.Took.Seconds(), LimitSeconds: r.Limit.Seconds(),
		Reach: r.Reach.String(), Class: textOrNil(string(r.Class)), Error: textOrNil(r.Error),
		CandidateAnswered: r.CandidateAnswered,
	}
}

func tick(t uint64) string { return strconv.FormatUint(t, 10) }

func textOrNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func countOrNil(n int) *int {
	if n <= 0 {
		return nil
	}
	return &n
}

func timeOrNil(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return textOrNil(t.UTC().Format(time.RFC3339Nano))
}

func secondsOrNil(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	s := d.Seconds()
	return &s
}

// mapList never returns nil: an empty list is written as [], not as null.
func mapList[A, B any](in []A, f func(A) B) []B {
	out := make([]B, 0, len(in))
	for _, a := range in {
		out = append(out, f(a))
	}
	return out
}

func same(s string) string { return s }
