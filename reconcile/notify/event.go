package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// Kind is the kind of an event; the type of the CloudEvent ends with it.
type Kind string

// The kinds of events.
const (
	KindRaised   Kind = "finding.raised"   // a finding began to stand, or grew worse
	KindResolved Kind = "finding.resolved" // it stands no longer
	KindApplied  Kind = "apply.finished"   // what came of carrying out a transition
	KindLapsed   Kind = "approval.lapsed"  // the old primary lives: a person must approve again
	KindWanted   Kind = "approval.wanted"  // a change waits for people to approve it
	KindSettled  Kind = "approval.settled" // it waits for them no longer
	KindSite     Kind = "site.finished"    // what came of the move of a site; its name stands for a topology
	KindStopped  Kind = "site.stopped"     // too many of a wave failed, so that the next one is not begun
	KindTest     Kind = "notify.test"      // nothing happened: somebody tries whether it arrives
	KindStatus   Kind = "commit.status"    // how far a commit has come, for the forge
)

// State is how far a commit has come.
type State string

// The states of a commit, as GitHub and Gitea name them.
const (
	StatePending State = "pending" // seen, being applied or not approved yet
	StateSuccess State = "success" // in force and in sync
	StateFailure State = "failure" // blocked or refused
	StateError   State = "error"   // it could not be judged
)

// Event is one thing worth telling about one topology. Its texts must hold no
// token; those of findings and results never do.
type Event struct {
	Kind       Kind
	ID         string    // unique; empty: derived from every other field
	Time       time.Time // when it was seen; zero: when it was handed over
	Topology   string
	Cluster    string        // may be empty
	Code       plan.Code     // of a finding or of a denial
	Severity   plan.Severity // what a target's least severity is held against; empty counts as info
	Message    string
	Remedy     string
	Commit     string
	Command    string          // what a person types next, alone on its line; empty: the remedy says it
	Transition plan.Transition // of KindApplied and KindWanted; of KindRaised the change that is open
	Outcome    string          // of KindApplied
	State      State           // of KindStatus
	Link       string          // a page that tells more
	Title      string          // what happened, in one sentence; empty: what the code says

	alert string // key of the PagerDuty alert that it belongs to
}

// OutcomeDone is the outcome of an apply that did all it had to.
const OutcomeDone = "applied"

// outcomeUnverified is that of an apply that sent something and did not see what came of it.
const outcomeUnverified = "unverified"

// typePrefix begins the type of every CloudEvent of this program.
const typePrefix = "reconcile."

// CloudEvent is the envelope of CloudEvents 1.0 in structured JSON mode.
type CloudEvent struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject,omitempty"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	Data            any       `json:"data"`
}

// NewCloudEvent fills an envelope; kind is the type without its prefix.
func NewCloudEvent(id, source, kind, subject string, at time.Time, data any) CloudEvent {
	return CloudEvent{
		SpecVersion: "1.0", ID: id, Source: source, Type: typePrefix + kind, Subject: subject,
		Time: at.UTC(), DataContentType: "application/json", Data: data,
	}
}

// Message makes the request body of an envelope.
func (c CloudEvent) Message() (Message, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return Message{}, fmt.Errorf("encode the event: %w", err)
	}
	return Message{ID: c.ID, ContentType: "application/cloudevents+json; charset=utf-8", Body: body}, nil
}

// data is the payload of an event's CloudEvent. Absent fields do not apply.
type data struct {
	Title      string `json:"title,omitempty"`
	Topology   string `json:"topology"`
	Cluster    string `json:"cluster,omitempty"`
	Code       string `json:"code,omitempty"`
	Severity   string `json:"severity"`
	Message    string `json:"message,omitempty"`
	Remedy     string `json:"remedy,omitempty"`
	Commit     string `json:"commit,omitempty"`
	Transition string `json:"transition,omitempty"`
	Outcome    string `json:"outcome,omitempty"`
	State      string `json:"state,omitempty"`
	Link       string `json:"link,omitempty"`
	Command    string `json:"command,omitempty"`
}

func (e Event) cloudEvent(source string) CloudEvent {
	return NewCloudEvent(e.ID, source, string(e.Kind), e.subject(), e.Time, data{
		Title: e.title(), Topology: e.Topology, Cluster: e.Cluster, Code: string(e.Code), Severity: string(e.Severity),
		Message: e.Message, Remedy: e.Remedy, Commit: e.Commit, Transition: string(e.Transition),
		Outcome: e.Outcome, State: string(e.State), Link: e.Link, Command: e.firstCommand(),
	})
}

// title is what happened in one sentence; that of a commit is its message.
func (e Event) title() string {
	if e.Kind == KindStatus {
		return ""
	}
	return title([]Event{e})
}

// subject is the topology, or the cluster in it.
func (e Event) subject() string {
	if e.Cluster == "" {
		return e.Topology
	}
	return e.Topology + "/" + e.Cluster
}

// completed gives an event the time, severity and id that it lacks.
func (e Event) completed(now time.Time) Event {
	if e.Time.IsZero() {
		e.Time = now
	}
	if e.Severity == "" {
		e.Severity = plan.SeverityInfo
	}
	if e.ID == "" {
		sum := sha256.Sum256([]byte(strings.Join([]string{
			string(e.Kind), e.Time.UTC().Format(time.RFC3339Nano),
			e.Topology, e.Cluster, string(e.Code), string(e.Severity), e.Message, e.Commit,
			string(e.Transition), e.Outcome, string(e.State), e.Command,
		}, "\x00")))
		e.ID = hex.EncodeToString(sum[:16])
	}
	return e
}

var ranks = map[plan.Severity]int{plan.SeverityInfo: 1, plan.SeverityWarning: 2, plan.SeverityCritical: 3, plan.SeverityBlocking: 4}
