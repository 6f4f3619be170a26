package ledger

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/reconciletest/kubeserver"
)

const thirdRecord = "record-00000000000000000003"

// kubernetesDamage are edits by hand, each with the record at fault.
var kubernetesDamage = map[string]struct {
	object string
	edit   func(*configMap)
	seq    uint64
}{
	"an edited record": {ordersObject, func(o *configMap) {
		o.Data[thirdRecord] = strings.Replace(o.Data[thirdRecord], `"generation":8`, `"generation":9`, 1)
	}, 3},
	"a torn record":              {ordersObject, func(o *configMap) { o.Data[thirdRecord] = "x" }, 3},
	"a record taken out":         {ordersObject, func(o *configMap) { delete(o.Data, thirdRecord) }, 3},
	"a record put behind":        {ordersObject, func(o *configMap) { o.Data["record-00000000000000000006"] = "x" }, 6},
	"a topology that is older":   {ordersObject, func(o *configMap) { o.Data["number"] = "2" }, 0},
	"a topology that is newer":   {ordersObject, func(o *configMap) { o.Data["number"] = "99" }, 0},
	"a topology without number":  {ordersObject, func(o *configMap) { delete(o.Data, "number") }, 0},
	"a topology that is emptied": {ordersObject, func(o *configMap) { o.Data, o.BinaryData = nil, nil }, 0},
	"a topology without values":  {ordersObject, func(o *configMap) { delete(o.BinaryData, "latest") }, 0},
	"a topology of another ledger": {ordersObject, func(o *configMap) {
		o.Data["ledger"] = "another"
	}, 0},
	"latest values replaced":         {restObject, func(o *configMap) { o.BinaryData["latest"] = []byte("x") }, 0},
	"latest values removed":          {restObject, func(o *configMap) { delete(o.BinaryData, "latest") }, 0},
	"the head taken out":             {headObject, func(o *configMap) { delete(o.Data, "head") }, 6},
	"the format taken out":           {headObject, func(o *configMap) { delete(o.Data, "format") }, 0},
	"the last transaction taken out": {headObject, func(o *configMap) { delete(o.BinaryData, "last") }, 0},
	"the hash of objects edited":     {headObject, func(o *configMap) { o.Data["objects"] = strings.Repeat("00", 32) }, 0},
	"everything taken out":           {headObject, func(o *configMap) { o.Data, o.BinaryData = nil, nil }, 0},
}

// Damage is found by a process that knew the ledger and by one that begins; nothing is read
// from the damaged record on, and nothing is written.
func TestKubernetesDamageIsReported(t *testing.T) {
	kubeserver.Each(t, func(t *testing.T, s *kubeserver.Server) {
		c := configFor(t, s, kubeserver.LedgerGrants(t))
		rechecks := c
		rechecks.Recheck = 1
		for name, one := range kubernetesDamage {
			t.Run(name, func(t *testing.T) {
				defer removeLedger(t, s)
				l := newKubernetes(t, rechecks, Options{})
				fillLedger(t, l)
				_, err := l.Read(t.Context())
				must(t, err)
				edited(t, s, one.object, one.edit)
				for what, reader := range map[string]*Ledger{"known": l, "fresh": newKubernetes(t, c, Options{})} {
					snapshot, err := reader.Read(t.Context())
					var damaged *CorruptError
					if !errors.As(err, &damaged) || damaged.Seq != one.seq || damaged.Path != l.store.name() {
						t.Errorf("%s: %v", what, err)
					}
					same(t, snapshot.Memory(), plan.Memory{})
					if err := reader.RecordHome(t.Context(), plan.Home{Cluster: "q", Topology: "orders"}); !errors.As(err, &damaged) {
						t.Errorf("%s: written to a damaged ledger: %v", what, err)
					}
					if _, err := reader.Lock(t.Context(), "users", 0); !errors.As(err, &damaged) {
						t.Errorf("%s: locked in a damaged ledger: %v", what, err)
					}
				}
				_, err = newKubernetes(t, c, Options{}).Accept(t.Context())
				hint := "'kubectl -n reconcile-ledger delete configmap " + headObject + "'"
				if gone := name == "everything taken out" || name == "the format taken out"; gone != (err == nil) || !gone && !strings.Contains(err.Error(), hint) {
					t.Errorf("%v, want %q in it, unless nothing is left", err, hint)
				}
				deleted(t, s, headObject)
				_, err = newKubernetes(t, c, Options{}).Accept(t.Context())
				must(t, err)
				fillLedger(t, newKubernetes(t, c, Options{})) // over what the old one left
			})
		}
	})
}

// A process that goes on does not read all objects each time. Before it writes, it reads those
// that it will change: what somebody edited or put back is refused, and the head stays.
func TestKubernetesIsReadBeforeItIsWritten(t *testing.T) {
	kubeserver.Each(t, func(t *testing.T, s *kubeserver.Server) {
		c := configFor(t, s, kubeserver.LedgerGrants(t))
		older := configMap{}
		for name, edit := range map[string]func(){
			"a record is edited": func() {
				edited(t, s, ordersObject, func(o *configMap) { o.Data[thirdRecord] += " " })
			},
			"a value is edited": func() {
				edited(t, s, ordersObject, func(o *configMap) { o.BinaryData["latest"] = []byte("x") })
			},
			"it is deleted":                func() { deleted(t, s, ordersObject) },
			"it is an older copy":          func() { edited(t, s, ordersObject, func(o *configMap) { o.Data = older.Data }) },
			"it is made again, and older":  func() { madeAgain(t, s, ordersObject, older) },
			"it is one of another ledger":  func() { edited(t, s, ordersObject, func(o *configMap) { o.Data["ledger"] = "x" }) },
			"it says that it is of nobody": func() { edited(t, s, ordersObject, func(o *configMap) { delete(o.Data, "ledger") }) },
		} {
			t.Run(name, func(t *testing.T) {
				defer removeLedger(t, s)
				l := newKubernetes(t, c, Options{})
				k, err := l.Lock(t.Context(), "orders", 0)
				must(t, err)
				must(t, k.Begin(t.Context(), failover("orders", 8, "d1")))
				older = objectsOf(t, s, "configmaps")[ordersObject]
				must(t, k.Sent(t.Context()))
				must(t, l.RecordHome(t.Context(), plan.Home{Cluster: "x", Topology: "users"}))
				edit()
				before := objectsOf(t, s, "configmaps")
				for what, err := range map[string]error{"the process that holds the lock": k.Effected(t.Context()), "another": newKubernetes(t, c, Options{}).RecordHome(t.Context(), plan.Home{Cluster: "q", Topology: "users"})} {
					var damaged *CorruptError
					if !errors.As(err, &damaged) {
						t.Errorf("%s: %v", what, err)
					}
				}
				same(t, objectsOf(t, s, "configmaps"), before)
				must(t, k.Release())
			})
		}
	})
}

// Each way in which the ledger is lost or put back, for each that can know of it.
func TestKubernetesThatWasPutBack(t *testing.T) {
	kubeserver.Each(t, func(t *testing.T, s *kubeserver.Server) {
		c := configFor(t, s, kubeserver.LedgerGrants(t))
		var older map[string]configMap
		everybody := []string{nobody, ongoing, machine}
		for name, one := range map[string]struct {
			lose   func(*testing.T)
			seenBy []string
			why    string
		}{
			"an older copy in the same objects, as from a snapshot of etcd": {func(t *testing.T) { putBack(t, s, older) }, []string{ongoing, machine}, "it is an older copy"},
			"the same content in new objects, as from a backup": {func(t *testing.T) {
				for name, o := range objectsOf(t, s, "configmaps") {
					madeAgain(t, s, name, o)
				}
			}, everybody, "made again from a copy"},
			"it is deleted": {func(t *testing.T) { deleted(t, s, headObject) }, everybody, "it is gone or empty, and Lease ledger."},
			"it is deleted with its Leases": {func(t *testing.T) {
				left := objectsOf(t, s, "configmaps")[ordersObject]
				removeLedger(t, s)
				left.Metadata = map[string]any{"name": ordersObject, "labels": left.Metadata["labels"]}
				s.Do(t, "POST", configMapPath(""), left, nil)
			}, everybody, "it is gone or empty, and ConfigMap " + ordersObject},
			"everything is deleted": {func(t *testing.T) { removeLedger(t, s) }, []string{ongoing, machine}, "it is gone or empty, and this machine remembers"},
		} {
			t.Run(name, func(t *testing.T) {
				defer removeLedger(t, s)
				note := filepath.Join(t.TempDir(), "note")
				open := func(note string) *Ledger {
					c.NotePath = note
					return newKubernetes(t, c, Options{})
				}
				known := open(note)
				fillGenerations(t, known, 1, 1)
				k, err := known.Lock(t.Context(), "orders", 0)
				must(t, err)
				must(t, k.Release())
				older = objectsOf(t, s, "configmaps")
				fillGenerations(t, known, 2, 3)
				one.lose(t)
				for _, reader := range []struct {
					who    string
					ledger *Ledger
				}{{ongoing, known}, {machine, open(note)}, {nobody, open("")}} {
					_, err := reader.ledger.Read(t.Context())
					var corrupt *CorruptError
					refused := errors.As(err, &corrupt)
					if want := strings.Contains(strings.Join(one.seenBy, "|"), reader.who); refused != want {
						t.Errorf("%s: %v, want that it refuses: %t", reader.who, err, want)
					}
					if refused && (!strings.Contains(err.Error(), one.why) || !strings.Contains(err.Error(), "reconcile ledger accept")) {
						t.Errorf("%s: %v, want %q and what to do", reader.who, err, one.why)
					}
				}
				_, err = open("").Accept(t.Context())
				must(t, err)
				for _, l := range []*Ledger{known, open(note), open("")} {
					snapshot, err := l.Read(t.Context())
					must(t, err)
					if _, accepted := snapshot.Accepted(); !accepted {
						t.Error("it is not accepted")
					}
					fillGenerations(t, l, 7, 7)
				}
			})
		}
	})
}

// One object of several that is an older copy is found by everybody, whichever it is.
func TestKubernetesOneObjectThatWasPutBack(t *testing.T) {
	kubeserver.Each(t, func(t *testing.T, s *kubeserver.Server) {
		c := configFor(t, s, kubeserver.LedgerGrants(t))
		for _, name := range []string{headObject, ordersObject} {
			t.Run(name, func(t *testing.T) {
				defer removeLedger(t, s)
				known := newKubernetes(t, c, Options{})
				fillLedger(t, known)
				older := objectsOf(t, s, "configmaps")[name]
				fillGenerations(t, known, 20, 22)
				must(t, known.RecordHome(t.Context(), plan.Home{Cluster: "x", Topology: "users"}))
				edited(t, s, name, func(o *configMap) { o.Data, o.BinaryData = older.Data, older.BinaryData })
				_, err := newKubernetes(t, c, Options{}).Read(t.Context())
				var corrupt *CorruptError
				if !errors.As(err, &corrupt) {
					t.Error(err)
				}
			})
		}
	})
}
