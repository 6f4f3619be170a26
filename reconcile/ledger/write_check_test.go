package ledger

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// TestTryLeavesNothing: every ledger can be tried before its birth and after it,
// and holds afterwards what it held.
func TestTryLeavesNothing(t *testing.T) {
	endpoint := etcdServer(t, nil)
	for name, l := range map[string]*Ledger{
		"embedded": mustEmbedded(t, filepath.Join(t.TempDir(), "new", "ledger.db")),
		"etcd":     newEtcd(t, EtcdConfig{Endpoints: []string{endpoint}}, Options{}),
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			if got, err := l.Try(ctx, []string{"orders"}); err != nil || len(got.Held) > 0 {
				t.Fatalf("%+v, %v", got, err)
			}
			if s, err := l.Read(ctx); err != nil || len(s.History("")) > 0 {
				t.Fatalf("it holds records, or %v", err)
			}
			if _, _, err := l.Ensure(ctx); err != nil {
				t.Fatal(err)
			}
			before, err := l.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			lock, err := l.Lock(ctx, "orders", time.Second)
			if err != nil {
				t.Fatal(err)
			}
			got, err := l.Try(ctx, []string{"catalog", "orders"})
			if err != nil || len(got.Held) != 1 || got.Held[0].Topology != "orders" || got.Held[0].Holder.PID != os.Getpid() {
				t.Errorf("%+v, %v", got, err)
			}
			if err := lock.Release(); err != nil {
				t.Fatal(err)
			}
			after, err := l.Read(ctx)
			if err != nil || after.Version() != before.Version() {
				t.Errorf("version %d, then %d, %v", before.Version(), after.Version(), err)
			}
		})
	}
}

func mustEmbedded(t *testing.T, path string) *Ledger {
	t.Helper()
	l, err := Embedded(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestTryFindsWhatCannotBeOpened: each thing next to the ledger that a writer opens.
func TestTryFindsWhatCannotBeOpened(t *testing.T) {
	for _, name := range []string{".head", ".newest", ".leader", ".locks/orders.lock"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger.db")
			l := mustEmbedded(t, path)
			if _, _, err := l.Ensure(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.RemoveAll(path+name), os.MkdirAll(path+name, 0o700)); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Try(t.Context(), []string{"orders"}); err == nil || !strings.Contains(err.Error(), "it is a folder") {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestTryFindsAnEtcdThatMayNotBeWritten: by its alarm, and by a user who may only
// read.
func TestTryFindsAnEtcdThatMayNotBeWritten(t *testing.T) {
	endpoint := etcdServer(t, nil)
	root := etcdClient(t, clientv3.Config{Endpoints: []string{endpoint}})
	ctx := t.Context()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(root.RoleAdd(ctx, "root"))
	must(root.UserAdd(ctx, "root", "root"))
	must(root.UserGrantRole(ctx, "root", "root"))
	must(root.RoleAdd(ctx, "reads"))
	must(root.RoleGrantPermission(ctx, "reads", "/reconcile/", clientv3.GetPrefixRangeEnd("/reconcile/"), clientv3.PermissionType(clientv3.PermRead)))
	must(root.UserAdd(ctx, "reader", "reader"))
	must(root.UserGrantRole(ctx, "reader", "reads"))
	must(root.RoleAdd(ctx, "least"))
	must(root.RoleGrantPermission(ctx, "least", "/reconcile/", clientv3.GetPrefixRangeEnd("/reconcile/"), clientv3.PermissionType(clientv3.PermReadWrite)))
	must(root.UserAdd(ctx, "least", "least"))
	must(root.UserGrantRole(ctx, "least", "least"))
	must(root.AuthEnable(ctx))
	reader := newEtcd(t, EtcdConfig{Endpoints: []string{endpoint}, Login: func() (EtcdLogin, error) { return EtcdLogin{Username: "reader", Password: "reader"}, nil }}, patient)
	if _, err := reader.Try(ctx, []string{"orders"}); !errors.Is(err, rpctypes.ErrPermissionDenied) {
		t.Errorf("a user who may only read: %v", err)
	}
	least := newEtcd(t, EtcdConfig{Endpoints: []string{endpoint}, Login: func() (EtcdLogin, error) { return EtcdLogin{Username: "least", Password: "least"}, nil }}, patient)
	if got, err := least.Try(ctx, []string{"orders"}); err != nil || len(got.Notes) > 0 {
		t.Errorf("the user that docs/ledger.md makes: %+v, %v", got, err)
	}
	writer := newEtcd(t, EtcdConfig{Endpoints: []string{endpoint, "127.0.0.1:1"}, Login: func() (EtcdLogin, error) { return EtcdLogin{Username: "root", Password: "root"}, nil }}, Options{})
	if got, err := writer.Try(ctx, nil); err != nil || len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "127.0.0.1:1 does not report") {
		t.Errorf("one of two members: %+v, %v", got, err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := writer.Try(gone, nil); err == nil {
		t.Error("nobody waits for the answer, and it is that all is well")
	}
}
