package ledger

import (
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"milvus-reconcile/reconcile/reconciletest/etcdserver"
)

// etcdServer starts a real etcd of one member and returns its endpoint. With security it
// speaks TLS and demands a client certificate.
func etcdServer(t testing.TB, security *transport.TLSInfo) string {
	t.Helper()
	address, _ := etcdserver.Start(t, etcdserver.Options{TLS: security})
	if security != nil {
		return "https://" + address
	}
	return "http://" + address
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
