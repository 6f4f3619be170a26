package ledger

import (
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// etcdServer starts a real etcd of one member and returns its endpoint. With
// security it speaks TLS and demands a client certificate.
func etcdServer(t testing.TB, security *transport.TLSInfo) string {
	t.Helper()
	endpoint := free(t)
	startEtcd(t, filepath.Join(t.TempDir(), "etcd"), endpoint, free(t), security)
	if security != nil {
		return "https://" + endpoint
	}
	return "http://" + endpoint
}

// startEtcd starts one whose data lies in dir, and returns what ends it.
func startEtcd(t testing.TB, dir, endpoint, at string, security *transport.TLSInfo) (stop func()) {
	t.Helper()
	c := embed.NewConfig()
	c.Dir = dir
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	c.TickMs, c.ElectionMs = 10, 100
	c.UnsafeNoFsync = true
	c.MaxTxnOps = embed.DefaultMaxTxnOps
	scheme := "http"
	if security != nil {
		scheme = "https"
		c.ClientTLSInfo = *security
	}
	client, peer := url.URL{Scheme: scheme, Host: endpoint}, url.URL{Scheme: "http", Host: at}
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	c.ListenPeerUrls, c.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	server, err := embed.StartEtcd(c)
	if err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(server.Close)
	t.Cleanup(stop)
	select {
	case <-server.Server.ReadyNotify():
	case <-time.After(20 * time.Second):
		t.Fatal("etcd does not become ready")
	}
	return stop
}

func free(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// etcdClient is for what the ledger itself does not do.
func etcdClient(t testing.TB, c clientv3.Config) *clientv3.Client {
	t.Helper()
	c.Logger, c.DialTimeout = zap.NewNop(), 5*time.Second
	client, err := clientv3.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// newEtcd opens a ledger in an etcd that is there.
func newEtcd(t testing.TB, c EtcdConfig, o Options) *Ledger {
	t.Helper()
	l, err := Etcd(c, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}
