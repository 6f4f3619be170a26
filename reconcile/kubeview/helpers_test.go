package kubeview_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/kubeapi"
	"milvus-reconcile/reconcile/kubeview"
	"milvus-reconcile/reconcile/reconciletest/kubeserver"
)

// lab is a writer in a namespace of its own.
type lab struct {
	server    *kubeserver.Server
	namespace string
	access    kubeapi.Config
	later     time.Duration // by which its clock is ahead
	writer    *kubeview.Writer
	stop      func()
	log       buffer

	written, failed atomic.Int64
	begun           atomic.Int64 // rounds: each begins with Changed
	mu              sync.Mutex
	snapshot        daemon.Snapshot
	changed         chan struct{}
}

type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (l *lab) ViewWritten(time.Time) { l.written.Add(1) }
func (l *lab) ViewFailed()           { l.failed.Add(1) }
func (l *lab) now() time.Time        { return time.Now().Add(l.later) }

func (l *lab) Snapshot() daemon.Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.snapshot
}

func (l *lab) Changed() <-chan struct{} {
	l.begun.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

func (l *lab) publish(s daemon.Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.snapshot = s
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

var unwanted = regexp.MustCompile(`[^a-z0-9]+`)

func newLab(t *testing.T, server *kubeserver.Server) *lab {
	t.Helper()
	l := &lab{server: server, namespace: "v" + unwanted.ReplaceAllString(strings.ToLower(t.Name()), "")}
	token := server.Account(t, l.namespace, "reconcile")
	server.Apply(t, l.role(t))
	server.AwaitRight(t, token, http.MethodGet, l.path("none"))
	l.access = kubeapi.Config{Kubeconfig: server.Kubeconfig(t, token), Context: "tests"}
	l.start(t)
	return l
}

// role is the manifest of docs/kubernetes.md for the account reconcile of the namespace.
func (l *lab) role(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "kubernetes.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(text), "<!-- role -->\n```yaml\n")
	manifest, _, closed := strings.Cut(after, "```")
	if !ok || !closed {
		t.Fatal("docs/kubernetes.md holds no role")
	}
	return strings.ReplaceAll(manifest, "namespace: reconcile", "namespace: "+l.namespace)
}

// start starts a writer, which ends with the test; one that runs is ended first.
func (l *lab) start(t *testing.T) {
	t.Helper()
	if l.stop != nil {
		l.stop()
	}
	l.writer = kubeview.New(kubeview.Options{
		API: kubeapi.New(l.access), Namespace: l.namespace, Process: "host-1", Source: l, Now: l.now,
		After: func(time.Duration) <-chan time.Time { return time.After(5 * time.Millisecond) },
		Log:   slog.New(slog.NewTextHandler(&l.log, nil)), Metrics: l,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	l.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(l.stop)
	writer := l.writer
	go func() { writer.Run(ctx); close(done) }()
}

func (l *lab) await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s; the log:\n%s", what, l.log.String())
		}
	}
}

// rounds waits until a number of rounds began and ended, well or not: the one after them began.
func (l *lab) rounds(t *testing.T, n int64) {
	t.Helper()
	from := l.begun.Load()
	l.await(t, "further rounds", func() bool { return l.begun.Load() > from+n })
}

func leading(topologies ...daemon.TopologyStatus) daemon.Snapshot {
	return daemon.Snapshot{Leader: true, Swept: true, Topologies: topologies}
}

func topology(name string, state daemon.State) daemon.TopologyStatus {
	lag := 1500 * time.Millisecond
	return daemon.TopologyStatus{Name: name, State: state, Commit: "c0ffee", Plan: plan.TopologyPlan{
		Name: name, Generation: 8, Primary: "cluster-b", Clusters: []plan.ClusterPlan{
			{ID: "cluster-a", DesiredRole: plan.RoleStandby, View: plan.View{Reach: plan.ReachUp}, Lag: &plan.Window{Upper: &lag}},
			{ID: "cluster-b", DesiredRole: plan.RolePrimary, View: plan.View{Reach: plan.ReachUp, Version: "v2.6.19", Belief: plan.Belief{Kind: plan.BeliefPrimary}}},
		}, Findings: []plan.Finding{{Code: plan.CodeNoStandbyLeft, Severity: plan.SeverityCritical}},
	}}
}

type condition struct{ Type, Status, Reason, Message, LastTransitionTime string }

type object struct {
	Metadata struct {
		Name, UID  string
		Generation int64
	}
	Status struct {
		State, Primary, Transition, Commit, ObservedAt string
		ObservedGeneration                             int64
		Conditions                                     []condition
		Clusters                                       []struct {
			ID         string
			LagSeconds *float64
		}
	}
}

func (o object) condition(kind string) condition {
	for _, c := range o.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return condition{}
}

// health is what kstatus, which Flux and other tools use, makes of the object.
func (o object) health() string {
	switch {
	case o.Status.ObservedGeneration != o.Metadata.Generation, o.condition("Reconciling").Status == "True":
		return "InProgress"
	case o.condition("Stalled").Status == "True":
		return "Failed"
	case o.condition("Ready").Status == "True":
		return "Current"
	}
	return "InProgress"
}

func (l *lab) path(name string) string {
	return strings.TrimSuffix("/apis/reconcile.milvus.io/v1alpha1/namespaces/"+l.namespace+"/replicationtopologystatuses/"+name, "/")
}

func (l *lab) exists(t *testing.T, name string) bool {
	t.Helper()
	code, _ := l.server.Call(t, l.server.Token, http.MethodGet, l.path(name), nil)
	return code == http.StatusOK
}

func (l *lab) get(t *testing.T, name string) object {
	t.Helper()
	var o object
	code, answer := l.server.Call(t, l.server.Token, http.MethodGet, l.path(name), nil)
	if code == http.StatusOK {
		if err := json.Unmarshal(answer, &o); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// table is what kubectl get shows.
func (l *lab) table(t *testing.T) string {
	t.Helper()
	api := &http.Client{Transport: &tableOnly{l.server, t}}
	r, err := api.Get(l.server.URL + l.path(""))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var table struct {
		ColumnDefinitions []struct{ Name string }
		Rows              []struct{ Cells []any }
	}
	if err := json.NewDecoder(r.Body).Decode(&table); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range table.ColumnDefinitions {
		out = append(out, c.Name)
	}
	for _, row := range table.Rows {
		for _, cell := range row.Cells {
			out = append(out, fmt.Sprint(cell))
		}
	}
	return strings.Join(out, " ")
}

// tableOnly asks the API server for tables, as kubectl does.
type tableOnly struct {
	server *kubeserver.Server
	t      *testing.T
}

func (o *tableOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
	r.Header.Set("Authorization", "Bearer "+o.server.Token)
	return transportOf(o.t, o.server.CA).RoundTrip(r)
}

// hangingServer is the kubeconfig of a server that never answers.
func hangingServer(t *testing.T, end chan struct{}) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-end:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() { close(end); s.Close() })
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncontexts: [{name: tests, context: {cluster: tests, user: tests}}]\nclusters: [{name: tests, cluster: {server: %q}}]\nusers: [{name: tests, user: {}}]\n", s.URL)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// transportOf trusts an authority.
func transportOf(t *testing.T, file string) *http.Transport {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
}
