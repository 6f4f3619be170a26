package wire

import (
	"context"
	"net/http"
	"net/http/pprof"
	"runtime"
	"strings"
	"sync"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/serve"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/ledger"
	"milvus-reconcile/schema"
)

const (
	// readers bounds the streams of events, each of which holds a connection.
	readers = 64
	// recordsShown is how many entries of the ledger the page shows of a topology.
	recordsShown = 5
	// recordsWithin bounds a read of the ledger for whoever asks.
	recordsWithin = 3 * time.Second
	// mutexEvery and blockedFor say what the profiles of --pprof sample: one in so
	// many contentions, and one wait in so much time spent waiting.
	mutexEvery = 10
	blockedFor = time.Millisecond
)

// server listens where the configuration says.
func (d *service) server(c schema.Config, files *tlsFiles) (*serve.Server, error) {
	board := d.loop.Board()
	s, err := serve.Listen(serve.Options{
		Address: c.Serve.Address, Hosts: c.Serve.Hosts, TLS: serveBy(files), Health: d.loop.Health, Webhook: d.webhook, Log: d.log,
		Ready: func() error { return serve.Ready(board.Snapshot()) },
		Note:  func() string { return board.Snapshot().GitCopy },
	})
	if err != nil {
		return nil, err
	}
	s.HandleGated("GET /metrics", d.metrics.Handler())
	s.HandleGated("GET /{$}", serve.NewPage(board, d.records))
	events := serve.NewEvents(board, readers)
	s.OnStop(events.Close)
	s.Handle("GET /events", events)
	s.HandleGated("GET /api/v1/status", serve.Status(board))
	s.HandleGated("GET /t/{topology}/global-cluster/topology", serve.NewDocuments(board, endpointsOf(c), d.recall))
	if d.run.Profiles {
		runtime.SetMutexProfileFraction(mutexEvery)
		runtime.SetBlockProfileRate(int(blockedFor.Nanoseconds()))
		s.Handle("GET /debug/pprof/", http.HandlerFunc(pprof.Index))
		s.Handle("GET /debug/pprof/profile", http.HandlerFunc(pprof.Profile))
		s.Handle("GET /debug/pprof/trace", http.HandlerFunc(pprof.Trace))
	}
	return s, nil
}

// endpointsOf are what SDKs connect to: the bound uri of each cluster, else
// its address with the scheme of its TLS. Topology files have no say in it.
func endpointsOf(c schema.Config) map[string]string {
	out := map[string]string{}
	for _, cred := range c.Credentials {
		switch {
		case cred.URI != "":
			out[cred.ClusterID] = cred.URI
		case cred.TLS != nil:
			out[cred.ClusterID] = "https://" + cred.Address
		default:
			out[cred.ClusterID] = "http://" + cred.Address
		}
	}
	return out
}

// told is what clients are told of the ledger. It is read once a second at most, however
// many ask: whatever is carried out needs the ledger, too.
type told struct {
	mu      sync.Mutex
	at      time.Time // of the newest read
	memory  reconcile.Remembered
	history []ledger.Record
	err     error
}

// fresh is how old what clients are told of the ledger may be.
const fresh = time.Second

// tell reads the ledger, unless that was done within the last second. A client that
// goes ends no read: others wait for it.
func (d *service) tell(ctx context.Context) (reconcile.Remembered, []ledger.Record, error) {
	t := &d.told
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := d.options.Clock(); t.at.IsZero() || now.Sub(t.at) >= fresh || now.Before(t.at) {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordsWithin)
		defer cancel()
		var s ledger.Snapshot
		if t.memory, t.err = (ledgerRecord{options: d.options, ledger: d.ledger, last: &d.recalled}).Read(bounded); t.err == nil {
			s, t.err = d.ledger.Read(bounded)
		}
		t.history, t.at = s.History(""), d.options.Clock()
	}
	return t.memory, t.history, t.err
}

// recall is what the ledger says of a topology that the loop does not know.
func (d *service) recall(ctx context.Context, topology string) (daemon.TopologyStatus, bool) {
	m, _, err := d.tell(ctx)
	if err != nil {
		return daemon.TopologyStatus{}, false
	}
	return daemon.StatusFromLedger(m, topology)
}

// records are the newest entries of the ledger by topology, newest first. A
// ledger that does not answer leaves the page without them.
func (d *service) records(ctx context.Context) map[string][]serve.Record {
	_, history, err := d.tell(ctx)
	if err != nil {
		return nil
	}
	out := map[string][]serve.Record{}
	for i := len(history) - 1; i >= 0; i-- {
		if r := history[i]; r.Topology != "" && len(out[r.Topology]) < recordsShown {
			out[r.Topology] = append(out[r.Topology], serve.Record{At: r.At, Text: recordWords(r)})
		}
	}
	return out
}

func recordWords(r ledger.Record) string {
	words := []string{string(r.Kind)}
	for _, more := range []string{r.TransitionText(), r.Result, strings.Join(r.By, ", "), r.Detail} {
		if more != "" {
			words = append(words, more)
		}
	}
	return strings.Join(words, ": ")
}
