package ledger

import (
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/reconciletest/kubeserver"
)

// configMap is the object of a ledger, as a person edits it.
type configMap struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   map[string]any    `json:"metadata"`
	Data       map[string]string `json:"data,omitempty"`
	BinaryData map[string][]byte `json:"binaryData,omitempty"`
}

var ledgerPath = kubeserver.Path(ledgerNamespace, "configmaps", "ledger")

// edited changes the object of the ledger as `kubectl edit` does.
func edited(t *testing.T, s *kubeserver.Server, edit func(*configMap)) {
	t.Helper()
	var o configMap
	s.Do(t, http.MethodGet, ledgerPath, nil, &o)
	edit(&o)
	s.Do(t, http.MethodPut, ledgerPath, o, nil)
}

// madeAgain deletes the object and makes it again with the same content.
func madeAgain(t *testing.T, s *kubeserver.Server) {
	t.Helper()
	var o configMap
	s.Do(t, http.MethodGet, ledgerPath, nil, &o)
	s.Do(t, http.MethodDelete, ledgerPath, nil, nil)
	o.Metadata = map[string]any{"name": "ledger", "labels": o.Metadata["labels"]}
	s.Do(t, http.MethodPost, kubeserver.Path(ledgerNamespace, "configmaps", ""), o, nil)
}

const thirdRecord = "record-00000000000000000003"

// Damage is found by a process that knew the ledger and by one that begins; nothing is read
// from the damaged record on, and nothing is written.
func TestKubernetesDamageIsReported(t *testing.T) {
	kubeserver.Each(t, func(t *testing.T, s *kubeserver.Server) {
		c := configFor(t, s, kubeserver.LedgerGrants(t))
		for name, one := range map[string]struct {
			edit func(*configMap)
			seq  uint64
		}{
			"an edited record": {func(o *configMap) {
				o.Data[thirdRecord] = strings.Replace(o.Data[thirdRecord], `"generation":8`, `"generation":9`, 1)
			}, 3},
			"a torn record":          {func(o *configMap) { o.Data[thirdRecord] = "x" }, 3},
			"a record taken out":     {func(o *configMap) { delete(o.Data, thirdRecord) }, 3},
			"a record put behind":    {func(o *configMap) { o.Data["record-00000000000000000006"] = "x" }, 6},
			"the head taken out":     {func(o *configMap) { delete(o.Data, "head") }, 6},
			"the format taken out":   {func(o *configMap) { delete(o.Data, "format") }, 0},
			"everything taken out":   {func(o *configMap) { o.Data, o.BinaryData = nil, nil }, 0},
			"latest values replaced": {func(o *configMap) { o.BinaryData["latest"] = []byte("x") }, 0},
			"latest values removed":  {func(o *configMap) { delete(o.BinaryData, "latest") }, 0},
		} {
			t.Run(name, func(t *testing.T) {
				c.Name = "ledger"
				l := newKubernetes(t, c, Options{})
				fillLedger(t, l)
				_, err := l.Read(t.Context())
				must(t, err)
				edited(t, s, one.edit)
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
				s.Do(t, http.MethodDelete, ledgerPath, nil, nil)
				_, err = newKubernetes(t, c, Options{}).Accept(t.Context())
				must(t, err)
				s.Do(t, http.MethodDelete, ledgerPath, nil, nil)
				removeLeases(t, s)
			})
		}
	})
}

// removeLeases deletes what shows that there was a ledger.
func removeLeases(t *testing.T, s *kubeserver.Server) {
	t.Helper()
	var all struct {
		Items []struct{ Metadata struct{ Name string } }
	}
	s.Do(t, http.MethodGet, kubeserver.Path(ledgerNamespace, "leases", "")+"?labelSelector=reconcile%2Fledger%3Dledger", nil, &all)
	for _, o := range all.Items {
		s.Do(t, http.MethodDelete, kubeserver.Path(ledgerNamespace, "leases", o.Metadata.Name), nil, nil)
	}
}

// Each way in which the ledger is lost or put back, for each that can know of it.
func TestKubernetesThatWasPutBack(t *testing.T) {
	kubeserver.Each(t, func(t *testing.T, s *kubeserver.Server) {
		c := configFor(t, s, kubeserver.LedgerGrants(t))
		var older configMap
		for name, one := range map[string]struct {
			lose   func(*testing.T)
			seenBy []string
			why    string
		}{
			"an older copy in the same object, as from a snapshot of etcd": {func(t *testing.T) {
				edited(t, s, func(o *configMap) { o.Data, o.BinaryData = older.Data, older.BinaryData })
			}, []string{ongoing, machine}, "it is an older copy"},
			"the same content in a new object, as from a backup": {func(t *testing.T) { madeAgain(t, s) }, []string{nobody, ongoing, machine}, "made again from a copy"},
			"it is deleted": {func(t *testing.T) { s.Do(t, http.MethodDelete, ledgerPath, nil, nil) }, []string{nobody, ongoing, machine}, "it is gone or empty, and Lease ledger."},
			"everything is deleted": {func(t *testing.T) {
				s.Do(t, http.MethodDelete, ledgerPath, nil, nil)
				removeLeases(t, s)
			}, []string{ongoing, machine}, "it is gone or empty, and this machine remembers"},
		} {
			t.Run(name, func(t *testing.T) {
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
				older = configMap{}
				s.Do(t, http.MethodGet, ledgerPath, nil, &older)
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
				s.Do(t, http.MethodDelete, ledgerPath, nil, nil)
				removeLeases(t, s)
			})
		}
	})
}
