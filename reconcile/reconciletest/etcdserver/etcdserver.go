// Package etcdserver starts real etcd servers for tests. The program never links it.
package etcdserver

import (
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"golang.org/x/crypto/bcrypt"

	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// Options say how an etcd of one member runs. The zero value is one with new data at free
// addresses.
type Options struct {
	Dir     string             // of its data; "": a new folder
	Address string             // host:port for clients; "": a free one
	Peer    string             // host:port for other members, by which a cluster is told from another; "": a free one
	TLS     *transport.TLSInfo // for clients; nil: no TLS
	Quota   int64              // bytes that it takes, and then it reports its size at once; 0: the default of etcd
}

// readyWithin is how long an etcd may take to start on a busy machine.
const readyWithin = 5 * time.Minute

// Start starts an etcd, which ends with the test, and returns where clients reach it
// (host:port) and what ends it earlier.
func Start(t testing.TB, o Options) (address string, stop func()) {
	t.Helper()
	c := o.config(t)
	server, err := embed.StartEtcd(c)
	if err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(server.Close)
	t.Cleanup(stop)
	select {
	case <-server.Server.ReadyNotify():
	case <-time.After(readyWithin):
		t.Fatal("etcd does not become ready")
	}
	return c.ListenClientUrls[0].Host, stop
}

func (o Options) config(t testing.TB) *embed.Config {
	t.Helper()
	c := embed.NewConfig()
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	c.TickMs, c.ElectionMs, c.UnsafeNoFsync = 50, 500, true // often ticks cost the machine more than they save
	c.BcryptCost = uint(bcrypt.MinCost)                     // the passwords of tests are no secrets
	if c.Dir = o.Dir; o.Dir == "" {
		c.Dir = filepath.Join(t.TempDir(), "etcd")
	}
	if c.QuotaBackendBytes = o.Quota; o.Quota > 0 {
		c.BackendBatchLimit = 1
	}
	client, peer := url.URL{Scheme: "http", Host: o.Address}, url.URL{Scheme: "http", Host: o.Peer}
	for _, at := range []*url.URL{&client, &peer} {
		if at.Host == "" {
			at.Host = freeport.Address(t)
		}
	}
	if o.TLS != nil {
		client.Scheme, c.ClientTLSInfo = "https", *o.TLS
	}
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	c.ListenPeerUrls, c.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	return c
}
