package kubeview

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/daemon"
)

const (
	group      = "reconcile.milvus.io"
	apiVersion = group + "/v1alpha1"
	kind       = "ReplicationTopologyStatus"
	resource   = "replicationtopologystatuses"
	// manager owns the fields that are written.
	manager      = "reconcile"
	labelManager = "app.kubernetes.io/managed-by"
	labelShard   = group + "/shard"
)

// object is a ReplicationTopologyStatus.
type object struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   metadata `json:"metadata"`
	Status     *status  `json:"status,omitempty"`
}

type metadata struct {
	Name            string            `json:"name,omitempty"`
	GenerateName    string            `json:"generateName,omitempty"`
	Namespace       string            `json:"namespace,omitempty"`
	UID             string            `json:"uid,omitempty"`
	ResourceVersion string            `json:"resourceVersion,omitempty"`
	Generation      int64             `json:"generation,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
}

// status is what the schema in schema/replicationtopologystatus.crd.yaml describes.
type status struct {
	Topology           string      `json:"topology"`
	State              string      `json:"state"`
	Generation         int64       `json:"generation"`
	ObservedGeneration int64       `json:"observedGeneration"`
	ObservedAt         string      `json:"observedAt"`
	Commit             string      `json:"commit,omitempty"`
	Primary            string      `json:"primary,omitempty"`
	Transition         string      `json:"transition"`
	Approval           string      `json:"approval,omitempty"`
	Process            string      `json:"process"`
	Shard              string      `json:"shard,omitempty"`
	Conditions         []condition `json:"conditions"`
	Clusters           []cluster   `json:"clusters"`
	Findings           []finding   `json:"findings"`
}

type condition struct {
	Type               string `json:"type"`
	Status             string `json:"status"`
	Reason             string `json:"reason"`
	Message            string `json:"message"`
	LastTransitionTime string `json:"lastTransitionTime"`
	ObservedGeneration int64  `json:"observedGeneration"`
}

type cluster struct {
	ID          string   `json:"id"`
	DesiredRole string   `json:"desiredRole"`
	Role        string   `json:"role"`
	Reach       string   `json:"reach"`
	Version     string   `json:"version,omitempty"`
	LagSeconds  *float64 `json:"lagSeconds,omitempty"`
}

type finding struct {
	Code     string `json:"code"`
	Severity string `json:"severity"`
	Cluster  string `json:"cluster,omitempty"`
}

// maxFindings is how many findings the schema allows.
const maxFindings = 256

// statusOf is what is shown of a topology, without the times, the generation of the object
// and who writes it.
func statusOf(t daemon.TopologyStatus) status {
	out := status{
		Topology: t.Name, State: t.State.String(), Generation: t.Plan.Generation, Commit: t.Commit, Primary: t.Plan.Primary,
		Transition: t.Plan.Transition.String(), Clusters: []cluster{}, Findings: []finding{}, Conditions: conditionsOf(t),
	}
	if t.Plan.Transition != plan.TransitionNone {
		out.Approval = t.Decision.Verdict.String()
	}
	for _, c := range t.Plan.Clusters {
		shown := cluster{
			ID: c.ID, DesiredRole: c.DesiredRole.String(), Role: c.View.Belief.Kind.String(), Reach: c.View.Reach.String(), Version: c.View.Version,
		}
		if c.Lag != nil && c.Lag.Upper != nil {
			seconds := max(0, c.Lag.Upper.Seconds())
			shown.LagSeconds = &seconds
		}
		out.Clusters = append(out.Clusters, shown)
	}
	for _, f := range t.Plan.Findings[:min(len(t.Plan.Findings), maxFindings)] {
		out.Findings = append(out.Findings, finding{string(f.Code), string(f.Severity), f.Cluster})
	}
	return out
}

// The conditions that kstatus knows: Argo CD and Flux judge an object by them.
const (
	conditionReady       = "Ready"
	conditionReconciling = "Reconciling"
	conditionStalled     = "Stalled"
)

// judged is how a state is shown in conditions.
type judged struct{ ready, reconciling, stalled, reason string }

// judgedAs maps each state. What is not listed is not known.
var judgedAs = map[daemon.State]judged{
	daemon.StateInSync:    {"True", "False", "False", "InSync"},
	daemon.StatePending:   {"False", "True", "False", "Pending"},
	daemon.StateApplying:  {"False", "True", "False", "Applying"},
	daemon.StateBlocked:   {"False", "False", "True", "Blocked"},
	daemon.StateDrifted:   {"False", "False", "True", "Drifted"},
	daemon.StateSuspended: {"Unknown", "False", "False", "Suspended"},
}

// conditionsOf are the conditions of a topology, without their times.
func conditionsOf(t daemon.TopologyStatus) []condition {
	j, known := judgedAs[t.State]
	if !known {
		j = judged{"Unknown", "True", "False", "NotJudged"}
	}
	message := messageOf(t)
	return []condition{
		{Type: conditionReady, Status: j.ready, Reason: j.reason, Message: message},
		{Type: conditionReconciling, Status: j.reconciling, Reason: j.reason, Message: message},
		{Type: conditionStalled, Status: j.stalled, Reason: j.reason, Message: message},
	}
}

// messageOf says in one sentence why a topology is in its state.
func messageOf(t daemon.TopologyStatus) string {
	text := "the topology is " + t.State.String()
	if t.Plan.Transition != plan.TransitionNone {
		text += ": " + t.Plan.Transition.String() + " to " + t.Plan.Primary + ", " + t.Decision.Verdict.String()
	}
	var codes []string
	for _, f := range t.Plan.Findings {
		grave := f.Severity == plan.SeverityBlocking || f.Severity == plan.SeverityCritical
		if grave && !slices.Contains(codes, string(f.Code)) {
			codes = append(codes, string(f.Code))
		}
	}
	if len(codes) > 0 {
		text += fmt.Sprintf(" (%s)", strings.Join(codes, ", "))
	}
	if t.Error != "" {
		text += ": the newest pass failed"
	}
	return text
}

// timed adds the times to conditions: one whose status did not change keeps its time.
func timed(conditions, before []condition, now time.Time, generation int64) []condition {
	out := slices.Clone(conditions)
	for i := range out {
		out[i].ObservedGeneration, out[i].LastTransitionTime = generation, now.UTC().Format(time.RFC3339)
		for _, b := range before {
			if b.Type == out[i].Type && b.Status == out[i].Status && b.LastTransitionTime != "" {
				out[i].LastTransitionTime = b.LastTransitionTime
			}
		}
	}
	return out
}
