package wire

import (
	"context"
	"net/http"
	"net/http/pprof"
	"runtime"
	"slices"
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
	// readers is the maximum number of event streams. Each holds a connection.
	readers = 64
	// recordsWithin is the time limit of a ledger read for clients.
	recordsWithin = 3 * time.Second
	// mutexEvery and blockedFor are the sampling rates of --pprof: one of so many
	// mutex contentions, and one blocking event for so much time spent blocked.
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
	s.HandleLimited("GET /metrics", d.metrics.Handler())
	page := serve.NewPage(board, d.pageRecords, d.sitePage)
	s.HandleLimited("GET /{$}", page.Overview())
	s.HandleLimited("GET /topologies/{topology}", page.Topology())
	s.HandleLimited("GET /sites/{site}", page.Site())
	s.HandleLimited("GET /api/v1/sites/{site}", serve.SiteStatus(board, d.sitePage))
	events := serve.NewEvents(board, readers)
	s.OnStop(events.Close)
	s.Handle("GET /events", events)
	s.HandleLimited("GET /api/v1/status", serve.Status(board))
	s.HandleLimited("GET /t/{topology}/global-cluster/topology", serve.NewDocuments(board, endpointsOf(c), d.statusFromLedger))
	if d.run.Profiles {
		runtime.SetMutexProfileFraction(mutexEvery)
		runtime.SetBlockProfileRate(int(blockedFor.Nanoseconds()))
		s.Handle("GET /debug/pprof/", http.HandlerFunc(pprof.Index))
		s.Handle("GET /debug/pprof/profile", http.HandlerFunc(pprof.Profile))
		s.Handle("GET /debug/pprof/trace", http.HandlerFunc(pprof.Trace))
	}
	return s, nil
}

// endpointsOf returns what SDKs connect to, by cluster id: the uri of the credential, else
// its address with http or https. Topology files have no influence on it.
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

// ledgerCache is the ledger as clients see it. It is read at most once a second, however
// many clients ask, so that they do not slow down an apply.
type ledgerCache struct {
	mu      sync.Mutex
	at      time.Time // of the newest read
	memory  reconcile.Remembered
	history []ledger.Record
	err     error
}

// ledgerCacheFor is the maximum age of the ledgerCache.
const ledgerCacheFor = time.Second

// readLedger returns the ledger as it was within the last second. A client that
// disconnects does not end the read, since others wait for it.
func (d *service) readLedger(ctx context.Context) (reconcile.Remembered, []ledger.Record, error) {
	t := &d.cache
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := d.options.Clock(); t.at.IsZero() || now.Sub(t.at) >= ledgerCacheFor || now.Before(t.at) {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordsWithin)
		defer cancel()
		var s ledger.Snapshot
		if t.memory, t.err = (ledgerRecord{options: d.options, ledger: d.ledger, last: &d.lastLedgerRead}).Read(bounded); t.err == nil {
			s, t.err = d.ledger.Read(bounded)
		}
		t.history, t.at = s.History(""), d.options.Clock()
	}
	return t.memory, t.history, t.err
}

// statusFromLedger returns what the ledger says of a topology that the loop does not know.
func (d *service) statusFromLedger(ctx context.Context, topology string) (daemon.TopologyStatus, bool) {
	m, _, err := d.readLedger(ctx)
	if err != nil {
		return daemon.TopologyStatus{}, false
	}
	return daemon.StatusFromLedger(m, topology)
}

// pageRecords returns what happened to a topology, oldest first; nil if the ledger cannot be
// read. The page tells of a silence that lasts and of a change to come by itself.
func (d *service) pageRecords(ctx context.Context, topology string) []serve.Record {
	known, history, err := d.readLedger(ctx)
	if err != nil {
		return nil
	}
	var git []ledger.Event
	if f := d.newest.Load(); f != nil {
		// Without Git the ledger tells its part; the page says elsewhere that Git fails.
		git, _ = f.gitEventsAt(f.revision, history, topology)
	}
	own := slices.DeleteFunc(slices.Clone(history), func(r ledger.Record) bool { return r.Topology != topology })
	var out []serve.Record
	for _, t := range ledger.Timeline(own, nil, append(git, ledger.EndedOutages(known.Memory.Ended, topology)...)) {
		out = append(out, serve.Record{At: t.At, Text: strings.Join(t.Lines, "\n")})
	}
	return out
}
