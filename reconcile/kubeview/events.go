package kubeview

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/kubeapi"
)

const (
	// maxWaiting bounds the events that wait to be sent; more are dropped, the oldest first.
	maxWaiting = 100
	// maxNote is the limit of the API for a note, in bytes.
	maxNote = 1024
)

// reasons names the events of a topology that are sent.
var reasons = map[daemon.EventKind]string{
	daemon.EventDriftRaised: "DriftRaised", daemon.EventDriftResolved: "DriftResolved", daemon.EventFault: "Fault",
	daemon.EventFaultOver: "FaultOver", daemon.EventState: "StateChanged", daemon.EventResult: "ChangeEnded",
	daemon.EventLost: "PrimaryLost", daemon.EventLapsed: "ApprovalLapsed", daemon.EventShard: "ShardChanged",
}

// OnEvent keeps an event of a topology for the next round. It does not block.
func (w *Writer) OnEvent(e daemon.Event) {
	if e.Topology == "" || e.Quiet || reasons[e.Kind] == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) >= maxWaiting {
		w.waiting = w.waiting[1:]
	}
	w.waiting = append(w.waiting, e)
}

// takeEvents returns the events that wait. Each is sent once at most.
func (w *Writer) takeEvents() []daemon.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.waiting
	w.waiting = nil
	return out
}

// event is an Event of events.k8s.io/v1.
type event struct {
	APIVersion          string    `json:"apiVersion"`
	Kind                string    `json:"kind"`
	Metadata            metadata  `json:"metadata"`
	EventTime           string    `json:"eventTime"`
	ReportingController string    `json:"reportingController"`
	ReportingInstance   string    `json:"reportingInstance"`
	Action              string    `json:"action"`
	Reason              string    `json:"reason"`
	Regarding           reference `json:"regarding"`
	Note                string    `json:"note"`
	Type                string    `json:"type"`
}

type reference struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
	UID        string `json:"uid,omitempty"`
}

// tell sends an event.
func (w *Writer) tell(ctx context.Context, e daemon.Event) error {
	out := event{
		APIVersion: "events.k8s.io/v1", Kind: "Event", Metadata: metadata{GenerateName: e.Topology + "-", Namespace: w.o.Namespace},
		EventTime: e.At.UTC().Format("2006-01-02T15:04:05.000000Z07:00"), ReportingController: group + "/reconcile", ReportingInstance: bounded(w.o.Process, 128),
		Action: "Reconcile", Reason: reasons[e.Kind], Note: noteOf(e), Type: "Warning",
		Regarding: reference{apiVersion, kind, w.o.Namespace, e.Topology, w.known[e.Topology].uid},
	}
	if e.Severity == plan.SeverityInfo {
		out.Type = "Normal"
	}
	path := "/apis/events.k8s.io/v1/namespaces/" + w.o.Namespace + "/events"
	if err := w.o.API.Do(ctx, kubeapi.Request{Method: http.MethodPost, Path: path, Body: out}, nil); err != nil {
		return w.refused(fmt.Sprintf("write an event of %s at %s", e.Topology, e.At.UTC().Format(time.RFC3339)), err)
	}
	return nil
}

// noteOf is the text of an event, with the commit and what a person does now.
func noteOf(e daemon.Event) string {
	text := e.Text
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	if e.Commit != "" {
		text += " (commit " + e.Commit + ")"
	}
	return bounded(text, maxNote)
}

// bounded cuts a text to a number of bytes.
func bounded(text string, most int) string {
	if len(text) <= most {
		return text
	}
	cut := most
	for cut > 0 && text[cut]&0xC0 == 0x80 {
		cut--
	}
	return text[:cut]
}
