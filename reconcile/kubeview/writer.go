package kubeview

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/kubeapi"
)

// Times of a writer.
const (
	leastPause = time.Second      // between two rounds
	heartbeat  = time.Minute      // after which an object is written although nothing changed
	retryAfter = 10 * time.Second // after a round that failed
)

// Metrics counts what a writer does. Its methods must not block.
type Metrics interface {
	ViewWritten(at time.Time) // a round succeeded
	ViewFailed()              // a round failed
}

// Source is where the daemon publishes what it knows.
type Source interface {
	Snapshot() daemon.Snapshot
	// Changed returns a channel that is closed at the next change.
	Changed() <-chan struct{}
}

// Options holds what a [Writer] needs.
type Options struct {
	API       *kubeapi.Client
	Namespace string
	Shard     string // of this process; empty: it has none
	Process   string // who writes
	Source    Source
	Now       func() time.Time
	After     func(time.Duration) <-chan time.Time
	Log       *slog.Logger
	Metrics   Metrics
}

// Writer keeps the objects of a namespace as the daemon sees its topologies. Use [New].
type Writer struct {
	o       Options
	led     bool // the process led in the round before
	known   map[string]known
	cleaned int    // number of topologies when objects were last cleaned up; -1: never
	logged  string // cause of the newest failure; empty: none

	mu      sync.Mutex
	waiting []daemon.Event
}

// known is what the writer knows of an object.
type known struct {
	content    string // that was last written, without times and lags
	at         time.Time
	uid        string
	generation int64
	conditions []condition
}

// New makes a writer and calls nobody.
func New(o Options) *Writer { return &Writer{o: o, known: map[string]known{}, cleaned: -1} }

// Run writes until ctx ends.
func (w *Writer) Run(ctx context.Context) {
	for ctx.Err() == nil {
		changed := w.o.Source.Changed()
		pause := leastPause
		if err := w.round(ctx); err != nil && ctx.Err() == nil {
			w.failed(err)
			pause = retryAfter
		}
		select {
		case <-ctx.Done():
			return
		case <-w.o.After(pause):
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-w.o.After(heartbeat):
		}
	}
}

// failed reports a failure: in the log once for each cause.
func (w *Writer) failed(err error) {
	w.o.Metrics.ViewFailed()
	if cause := err.Error(); cause != w.logged {
		w.logged = cause
		w.o.Log.Warn("the view in Kubernetes is not written; nothing else waits for it", "namespace", w.o.Namespace, "error", err)
	}
}

// round writes what is due, removes the objects of topologies that are gone, and sends the
// events. Only the process that leads writes.
func (w *Writer) round(ctx context.Context) error {
	s := w.o.Source.Snapshot()
	events := w.takeEvents()
	if !s.Leader {
		w.led = false
		return nil
	}
	if !w.led { // another process may have written meanwhile
		w.led, w.known, w.cleaned = true, map[string]known{}, -1
	}
	var failed error
	for _, t := range s.Topologies {
		if err := w.show(ctx, t); err != nil {
			failed = err
			if !kubeapi.Refused(err) {
				return failed // the server does not answer
			}
		}
	}
	if err := w.clean(ctx, s); err != nil {
		failed = err
	}
	for _, e := range events {
		if err := w.tell(ctx, e); err != nil {
			failed = err
			if !kubeapi.Refused(err) {
				return failed
			}
		}
	}
	if failed == nil {
		w.logged = ""
		w.o.Metrics.ViewWritten(w.o.Now())
	}
	return failed
}

// show writes the object of a topology, if it is due.
func (w *Writer) show(ctx context.Context, t daemon.TopologyStatus) error {
	now := w.o.Now()
	want := statusOf(t)
	want.Process, want.Shard = w.o.Process, w.o.Shard
	content := contentOf(want)
	k, met := w.known[t.Name]
	if met && k.content == content && now.Sub(k.at) < heartbeat {
		return nil
	}
	if !met {
		var err error
		if k, err = w.meet(ctx, t.Name); err != nil {
			return err
		}
	}
	want.ObservedAt, want.ObservedGeneration = now.UTC().Format(time.RFC3339), k.generation
	want.Conditions = timed(want.Conditions, k.conditions, now, k.generation)
	var stored object
	err := w.apply(ctx, w.path(t.Name)+"/status", object{APIVersion: apiVersion, Kind: kind, Metadata: metadata{Name: t.Name}, Status: &want}, &stored)
	if err != nil {
		delete(w.known, t.Name) // somebody may have removed it
		return w.refused("write the status of "+t.Name, err)
	}
	w.known[t.Name] = known{content, now, stored.Metadata.UID, stored.Metadata.Generation, want.Conditions}
	return nil
}

// contentOf is a status without what changes at every observation.
func contentOf(s status) string {
	s.Clusters = slices.Clone(s.Clusters)
	for i := range s.Clusters {
		s.Clusters[i].LagSeconds = nil
	}
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Sprintf("%#v", s)
	}
	return string(data)
}

// meet reads an object for the times of its conditions, and makes it if there is none.
func (w *Writer) meet(ctx context.Context, name string) (known, error) {
	var before, stored object
	err := w.o.API.Do(ctx, kubeapi.Request{Method: http.MethodGet, Path: w.path(name)}, &before)
	if err != nil && !kubeapi.IsNotFound(err) {
		return known{}, w.refused("read "+name, err)
	}
	own := object{APIVersion: apiVersion, Kind: kind, Metadata: metadata{
		Name: name, Labels: map[string]string{labelManager: manager, labelShard: w.o.Shard},
	}}
	if err := w.apply(ctx, w.path(name), own, &stored); err != nil {
		return known{}, w.refused("make "+name, err)
	}
	out := known{uid: stored.Metadata.UID, generation: stored.Metadata.Generation}
	if before.Status != nil {
		out.conditions = before.Status.Conditions
	}
	return out, nil
}

// clean removes the objects of this shard whose topology is in no document any more. It
// does so only when all documents could be read.
func (w *Writer) clean(ctx context.Context, s daemon.Snapshot) error {
	for name := range w.known {
		if _, there := s.Topology(name); !there {
			delete(w.known, name)
			w.cleaned = -1
		}
	}
	if !s.Swept || s.GitError != "" || len(s.Problems) > 0 || w.cleaned == len(s.Topologies) {
		return nil
	}
	var list struct{ Items []object }
	query := url.Values{"labelSelector": {labelManager + "=" + manager + "," + labelShard + "=" + w.o.Shard}}
	if err := w.o.API.Do(ctx, kubeapi.Request{Method: http.MethodGet, Path: w.path(""), Query: query}, &list); err != nil {
		return w.refused("list the objects", err)
	}
	for _, o := range list.Items {
		if _, there := s.Topology(o.Metadata.Name); there {
			continue
		}
		only := map[string]any{"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": map[string]string{
			"uid": o.Metadata.UID, "resourceVersion": o.Metadata.ResourceVersion,
		}}
		err := w.o.API.Do(ctx, kubeapi.Request{Method: http.MethodDelete, Path: w.path(o.Metadata.Name), Body: only}, nil)
		if err != nil && !kubeapi.IsNotFound(err) {
			return w.refused("delete "+o.Metadata.Name, err)
		}
	}
	w.cleaned = len(s.Topologies)
	return nil
}

func (w *Writer) path(name string) string {
	return strings.TrimSuffix("/apis/"+apiVersion+"/namespaces/"+w.o.Namespace+"/"+resource+"/"+name, "/")
}

// apply is a server-side apply. It takes no field over from another manager.
func (w *Writer) apply(ctx context.Context, path string, o object, into *object) error {
	query := url.Values{"fieldManager": {manager}, "force": {"false"}, "fieldValidation": {"Strict"}}
	return w.o.API.Do(ctx, kubeapi.Request{Method: http.MethodPatch, Path: path, Query: query, Type: "application/apply-patch+yaml", Body: o}, into)
}

// refused says what failed, and what an operator can do.
func (w *Writer) refused(what string, err error) error {
	what += " in namespace " + w.o.Namespace
	switch {
	case kubeapi.IsNotFound(err):
		return fmt.Errorf("%s: %w (hint: 'reconcile schema kubernetes-status | kubectl apply -f -' makes the kind; the namespace must exist)", what, err)
	case kubeapi.IsForbidden(err):
		return fmt.Errorf("%s: %w (hint: grant the rights of docs/kubernetes.md)", what, err)
	case kubeapi.IsConflict(err):
		return fmt.Errorf("%s: %w (hint: another manager wrote to the object; delete it, and reconcile makes it again)", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
