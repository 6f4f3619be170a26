package ledger

import (
	"slices"
	"time"

	"milvus-reconcile/plan"
)

// The stored types are separate from the planner's types, so that a renamed field there
// cannot change the meaning of an old ledger.

type beginWire struct {
	Digest     string          `json:"digest"`
	FailedAt   *time.Time      `json:"failedAt,omitempty"`
	Steps      []stepWire      `json:"steps,omitempty"`
	Payloads   []string        `json:"payloads,omitempty"`
	ProposedBy []string        `json:"proposedBy,omitempty"`
	Reasons    []string        `json:"reasons,omitempty"` // for each of By
	Stale      []staleWire     `json:"stale,omitempty"`
	Provisions []provisionWire `json:"provisions,omitempty"`
}

type stepWire struct {
	ID      int                `json:"id"`
	Wave    int                `json:"wave"`
	Action  string             `json:"action"`
	Cluster string             `json:"cluster"`
	Reason  string             `json:"reason,omitempty"`
	Before  *configurationWire `json:"before,omitempty"`
	After   *configurationWire `json:"after,omitempty"`
	Verify  string             `json:"verify,omitempty"`
	Back    bool               `json:"back,omitempty"` // of the way back of a rehearsal
}

// configurationWire is plan.Configuration as the ledger keeps it. The document of a plan
// (render.wireConfiguration) and the control API of the simulator have forms of their own,
// because each has its own version: a change of one must not change records that exist.
type configurationWire struct {
	Clusters []memberWire `json:"clusters"`
	Edges    []edgeWire   `json:"edges"`
}

type memberWire struct {
	ID        string   `json:"id"`
	URI       string   `json:"uri"`
	PChannels []string `json:"pchannels"`
}

type edgeWire struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type staleWire struct {
	Cluster  string    `json:"cluster"`
	Topology string    `json:"topology"`
	Since    time.Time `json:"since"`
	Promoted string    `json:"promoted,omitempty"`
	Commit   string    `json:"commit,omitempty"`
	SeenBy   string    `json:"seenBy,omitempty"`

	Checkpoints []salvageWire `json:"checkpoints,omitempty"`
}

type provisionWire struct {
	Cluster string    `json:"cluster"`
	At      time.Time `json:"at"`
}

func stepsToWire(steps []plan.Step) []stepWire {
	var out []stepWire
	for _, s := range steps {
		out = append(out, stepWire{
			ID: s.ID, Wave: s.Wave, Action: string(s.Action), Cluster: s.Cluster, Reason: string(s.Reason),
			Before: configurationToWire(s.Before), After: configurationToWire(s.After), Verify: string(s.Verify),
		})
	}
	return out
}

func stepsFromWire(steps []stepWire) []plan.Step {
	var out []plan.Step
	for _, s := range steps {
		out = append(out, plan.Step{
			ID: s.ID, Wave: s.Wave, Action: plan.Action(s.Action), Cluster: s.Cluster, Reason: plan.Reason(s.Reason),
			Before: configurationFromWire(s.Before), After: configurationFromWire(s.After), Verify: plan.VerifyLevel(s.Verify),
		})
	}
	return out
}

func configurationToWire(c *plan.Configuration) *configurationWire {
	if c == nil {
		return nil
	}
	out := &configurationWire{}
	for _, m := range c.Clusters {
		out.Clusters = append(out.Clusters, memberWire(m))
	}
	for _, e := range c.Edges {
		out.Edges = append(out.Edges, edgeWire(e))
	}
	return out
}

func configurationFromWire(c *configurationWire) *plan.Configuration {
	if c == nil {
		return nil
	}
	out := &plan.Configuration{}
	for _, m := range c.Clusters {
		out.Clusters = append(out.Clusters, plan.Member(m))
	}
	for _, e := range c.Edges {
		out.Edges = append(out.Edges, plan.Edge(e))
	}
	return out
}

// staleToWire omits Effected and Fenced, which later records give.
func staleToWire(marks []plan.StaleMark) []staleWire {
	var out []staleWire
	for _, m := range marks {
		w := staleWire{Cluster: m.Cluster, Topology: m.Topology, Since: wallTime(m.Since), Promoted: m.Promoted, Commit: m.Commit, SeenBy: m.SeenBy}
		for _, c := range m.Checkpoints {
			w.Checkpoints = append(w.Checkpoints, salvageWire(c))
		}
		out = append(out, w)
	}
	return out
}

func (w staleWire) mark() plan.StaleMark {
	m := plan.StaleMark{Cluster: w.Cluster, Topology: w.Topology, Since: w.Since, Promoted: w.Promoted, Commit: w.Commit, SeenBy: w.SeenBy}
	for _, c := range w.Checkpoints {
		m.Checkpoints = append(m.Checkpoints, plan.Salvage(c))
	}
	return m
}

func provisionsToWire(used []plan.UsedProvision) []provisionWire {
	var out []provisionWire
	for _, u := range used {
		out = append(out, provisionWire{Cluster: u.Cluster, At: wallTime(u.At)})
	}
	return out
}

// intent returns the planner's form of an intent record.
func (e entry) intent() plan.Intent {
	isBack := func(s stepWire) bool { return s.Back }
	there := slices.DeleteFunc(slices.Clone(e.Begin.Steps), isBack)
	back := slices.DeleteFunc(slices.Clone(e.Begin.Steps), func(s stepWire) bool { return !s.Back })
	return plan.Intent{
		Topology: e.Topology, Transition: plan.Transition(e.Transition), Generation: e.Generation, Commit: e.Commit,
		Digest: e.Begin.Digest, Steps: stepsFromWire(there), Return: stepsFromWire(back), At: e.At, StepAt: e.At, FailedAt: timeOrZero(e.Begin.FailedAt),
	}
}

// intentSteps are all steps of an intent in their stored form: those of the way back of a
// rehearsal behind the others.
func intentSteps(in plan.Intent) []stepWire {
	out, back := stepsToWire(in.Steps), stepsToWire(in.Return)
	for i := range back {
		back[i].Back = true
	}
	return append(out, back...)
}

// timeOrNil returns nil for an unknown time.
func timeOrNil(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	w := wallTime(at)
	return &w
}

// timeOrZero returns the zero time for nil.
func timeOrZero(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return *at
}

// wallTime removes the monotonic reading and the zone, which are not stored.
func wallTime(t time.Time) time.Time { return t.UTC().Round(0) }
