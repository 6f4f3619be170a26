package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"milvus-reconcile/reconcile/reconciletest/etcdserver"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// What is known outside of etcd of a ledger whose data was put back.
const (
	nobody  = "nobody"                 // a process that begins
	ongoing = "a process that goes on" // since before the loss
	machine = "this machine"           // a process that begins, where a file names the newest record
)

// TestEtcdThatWasPutBack: each way in which etcd loses what was written, for each that
// can know of it.
func TestEtcdThatWasPutBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		lose   func(*restorable, *testing.T)
		seenBy []string
		why    string
	}{
		{"an older copy of its data", (*restorable).restoreOlder, []string{ongoing, machine}, "it is an older copy"},
		{"older records in a new cluster, as from a snapshot", (*restorable).restoreElsewhere, []string{nobody, ongoing, machine}, "cluster wrote it"},
		{"its keys are deleted", (*restorable).deleteAll, []string{ongoing, machine}, "it is gone or empty, and this machine remembers that it held 4 records"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newRestorable(t)
			note := filepath.Join(t.TempDir(), "note")
			open := func(note string) *Ledger {
				return newEtcd(t, EtcdConfig{Endpoints: []string{e.endpoint}, NotePath: note}, Options{})
			}
			known := open(note)
			fillGenerations(t, known, 1, 1)
			e.keep(t)
			fillGenerations(t, known, 2, 3)
			c.lose(e, t)
			seen := 0
			for _, one := range []struct {
				who    string
				ledger *Ledger
			}{{ongoing, known}, {machine, open(note)}, {nobody, open("")}} {
				_, err := one.ledger.Read(t.Context())
				_, _, makeErr := one.ledger.Ensure(t.Context())
				var corrupt *CorruptError
				refused := errors.As(err, &corrupt) && errors.As(makeErr, &corrupt)
				if want := strings.Contains(strings.Join(c.seenBy, "|"), one.who); refused != want {
					t.Errorf("%s: %v, %v, want that it refuses: %t", one.who, err, makeErr, want)
				}
				if refused {
					seen++
					if !strings.Contains(strings.ReplaceAll(err.Error(), "cluster "+e.first+" ", "cluster "), c.why) || !strings.Contains(err.Error(), "reconcile ledger accept") {
						t.Errorf("%s: %v, want %q and what to do", one.who, err, c.why)
					}
				}
				if one.who == nobody { // the person who types it
					_, err := open("").Accept(t.Context())
					must(t, err)
				}
			}
			if seen != len(c.seenBy) {
				t.Errorf("%d of %d saw it", seen, len(c.seenBy))
			}
			for _, l := range []*Ledger{known, open(note), open("")} {
				s, err := l.Read(t.Context())
				must(t, err)
				if _, accepted := s.Accepted(); !accepted {
					t.Error("it is not accepted")
				}
				fillGenerations(t, l, 7, 7)
			}
			s, err := open(note).Read(t.Context())
			must(t, err)
			if _, whole := s.Proof(); !whole {
				t.Error("the file of this machine does not name the newest record")
			}
		})
	}
}

// TestEtcdWithoutTheNameOfItsWriter: one that an older build wrote is taken over.
func TestEtcdWithoutTheNameOfItsWriter(t *testing.T) {
	l, client := writtenEtcd(t, etcdServer(t, nil))
	b := l.store.(*etcd)
	_, err := client.Delete(t.Context(), b.key("cluster"))
	must(t, err)
	other := newEtcd(t, b.config, Options{})
	fillGenerations(t, other, 100, 100)
	res, err := client.Get(t.Context(), b.key("cluster"))
	must(t, err)
	same(t, string(res.Kvs[0].Value), clusterName(res.Header.ClusterId))
}

// restorable is an etcd whose data can be kept and put back.
type restorable struct {
	dir, kept, endpoint, peer string
	first                     string // cluster
	copied                    []clientv3.Op
	stop                      func()
}

func newRestorable(t *testing.T) *restorable {
	t.Helper()
	e := &restorable{dir: filepath.Join(t.TempDir(), "etcd"), kept: filepath.Join(t.TempDir(), "kept"), endpoint: freeport.Address(t), peer: freeport.Address(t)}
	e.start(t)
	return e
}

func (e *restorable) start(t *testing.T) {
	t.Helper()
	_, e.stop = etcdserver.Start(t, etcdserver.Options{Dir: e.dir, Address: e.endpoint, Peer: e.peer})
}

func (e *restorable) client(t *testing.T) *clientv3.Client {
	t.Helper()
	return etcdClient(t, clientv3.Config{Endpoints: []string{e.endpoint}})
}

// keep remembers what etcd holds: its files, and the ledger's keys.
func (e *restorable) keep(t *testing.T) {
	t.Helper()
	res, err := e.client(t).Get(t.Context(), "/reconcile/", clientv3.WithPrefix())
	must(t, err)
	e.first = clusterName(res.Header.ClusterId)
	for _, kv := range res.Kvs {
		e.copied = append(e.copied, clientv3.OpPut(string(kv.Key), string(kv.Value)))
	}
	e.stop()
	must(t, os.CopyFS(e.kept, os.DirFS(e.dir)))
	e.start(t)
}

func (e *restorable) restoreOlder(t *testing.T) {
	e.stop()
	must(t, os.RemoveAll(e.dir))
	must(t, os.CopyFS(e.dir, os.DirFS(e.kept)))
	e.start(t)
}

func (e *restorable) restoreElsewhere(t *testing.T) {
	e.stop()
	must(t, os.RemoveAll(e.dir))
	e.peer = freeport.Address(t) // by which a cluster is told from another
	e.start(t)
	_, err := e.client(t).Txn(t.Context()).Then(e.copied...).Commit()
	must(t, err)
}

func (e *restorable) deleteAll(t *testing.T) {
	_, err := e.client(t).Delete(t.Context(), "/reconcile/", clientv3.WithPrefix())
	must(t, err)
}
