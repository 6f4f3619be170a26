package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// tryTopology is what a test message is about. It is no topology.
const tryTopology = "notify-test"

// Test is what [Try] tells.
type Test struct {
	From   string // who sends it, such as the name of this machine
	Link   string // the status page; empty: none
	Commit string // what the forges' status stands at
	At     time.Time
}

// Try sends one test message to a target, in one attempt and whatever the target's least
// severity, and returns what the receiver answered. Of PagerDuty it opens an alert and
// resolves it at once. At a forge it sets a status of its own, reconcile/notify-test.
func Try(ctx context.Context, target Target, test Test, o Options) (answer string, err error) {
	var answers []string
	o.Poster.Attempts = 1
	o.Poster.Accepted = func(answer string) { answers = append(answers, answer) }
	if o.Source == "" {
		o.Source = defaultSource
	}
	n := &Notifier{options: o, ctx: ctx}
	err = n.send(target, test.bundle(target.Format))
	return strings.Join(slices.Compact(answers), ", "), tried(err)
}

// bundle is the message in the kind that the format knows.
func (t Test) bundle(f Format) bundle {
	e := Event{
		Kind: KindTest, Topology: tryTopology, Severity: plan.SeverityInfo, Time: t.At, Link: t.Link,
		Message: "This is a test: 'reconcile notify test' sent it from " + t.From + ". Nothing is wrong, and there is nothing to do.",
	}
	if f.forge() {
		e.Kind, e.State, e.Commit = KindStatus, StateSuccess, t.Commit
	}
	e = e.completed(t.At)
	out := bundle{topology: tryTopology}
	if f == FormatPagerDuty {
		e.alert = e.alertKey()
		out.over = []string{e.alert}
	}
	out.events = []Event{e}
	return out
}

// tried says in the error of one attempt that a daemon would make more.
func tried(err error) error {
	var passes passingError
	if !errors.As(err, &passes) {
		return err
	}
	return fmt.Errorf("%w; the daemon tries again after that", err)
}
