package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/plainfile"
)

// TestOutagesBeforeTheLedger: a command that only plans keeps the first failed probe next
// to a ledger that does not exist yet, and the first that makes one takes it over.
func TestOutagesBeforeTheLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	open := func() *Ledger {
		l, err := Embedded(path, Options{Clock: func() time.Time { return start }})
		must(t, err)
		return l
	}
	outages := func() []plan.Outage {
		m, err := open().Memory(t.Context())
		must(t, err)
		return m.Outages
	}
	seen := plan.Outage{Cluster: "a", Topology: "orders", Since: start, Until: start}
	must(t, open().RecordOutages(t.Context(), []plan.Outage{seen, {Cluster: "b", Topology: "users", Since: start, Until: start}}, nil))
	later := seen
	later.Since, later.Until = start.Add(time.Minute), start.Add(time.Minute)
	must(t, open().RecordOutages(t.Context(), []plan.Outage{later}, []string{"b"}))
	want := seen
	want.Until = later.Until
	same(t, outages(), []plan.Outage{want})
	drifted := plan.DriftMark{Topology: "orders", At: start, Drifted: true, Codes: []plan.Code{plan.CodeNoPrimary}}
	must(t, open().RecordDrifts(t.Context(), []plan.DriftMark{drifted}))
	remembers := func() {
		t.Helper()
		m, err := open().Memory(t.Context())
		must(t, err)
		same(t, m.Drifts, []plan.DriftMark{drifted})
		same(t, m.Ended, []plan.EndedOutage{{Cluster: "b", Topology: "users", Since: start, Until: start, UpAt: start}})
	}
	remembers()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("there is a ledger: %v", err)
	}
	_, isNew, err := open().Ensure(t.Context())
	must(t, err)
	same(t, isNew, true)
	same(t, outages(), []plan.Outage{want})
	remembers()
	if _, err := os.Stat(path + outagesSuffix); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the file is still there: %v", err)
	}
	must(t, os.WriteFile(path+outagesSuffix, []byte("{"), 0o600))
	same(t, outages(), []plan.Outage{want})
}

// TestTheFileBeforeTheLedgerHasManyWriters: goroutines and processes that keep outages and
// progress at once lose none of them, and none fails.
func TestTheFileBeforeTheLedgerHasManyWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	open := func() *Ledger {
		l, err := Embedded(path, Options{Clock: func() time.Time { return start }})
		must(t, err)
		return l
	}
	const writers = 24
	var all sync.WaitGroup
	for i := range writers {
		l, cluster := open(), fmt.Sprintf("c%02d", i) // each as a process of its own
		all.Go(func() {
			if err := l.RecordOutages(t.Context(), []plan.Outage{{Cluster: cluster, Topology: "orders", Since: start, Until: start}}, nil); err != nil {
				t.Error(err)
			}
			if err := l.RecordProven(t.Context(), []plan.ProgressRecord{{Cluster: cluster, Source: "a", At: start, NoBacklogAt: start}}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	m, err := open().Memory(t.Context())
	must(t, err)
	same(t, len(m.Outages), writers)
	same(t, len(m.Progress), writers)
	left, err := filepath.Glob(path + "*")
	must(t, err)
	same(t, left, []string{path + outagesSuffix})
	_, _, err = open().Ensure(t.Context())
	must(t, err)
	m, err = open().Memory(t.Context())
	must(t, err)
	same(t, len(m.Outages), writers)
	same(t, len(m.Progress), writers)
}

// TestTheFileOfAnOlderBuildIsRead: it is the list of outages alone.
func TestTheFileOfAnOlderBuildIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	must(t, os.WriteFile(path+outagesSuffix, []byte(`[{"cluster":"a","topology":"orders","since":"2026-11-20T12:00:00Z","until":"2026-11-20T12:01:00Z"}]`), 0o600))
	l, err := Embedded(path, Options{})
	must(t, err)
	m, err := l.Memory(t.Context())
	must(t, err)
	same(t, len(m.Outages), 1)
	same(t, m.Outages[0].Cluster, "a")
}

// TestMuchIsKeptBeforeTheLedger: the file of many topologies is larger than other files may
// be, and each record keeps what the others wrote.
func TestMuchIsKeptBeforeTheLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	open := func() *Ledger {
		l, err := Embedded(path, Options{Clock: func() time.Time { return start }})
		must(t, err)
		return l
	}
	proven := []plan.ProgressRecord{{Cluster: "c", Source: "a", At: start, NoBacklogAt: start, Collections: []string{strings.Repeat("x", plainfile.Largest)}}}
	one := open()
	must(t, one.RecordProven(t.Context(), proven))
	must(t, one.RecordOutages(t.Context(), []plan.Outage{{Cluster: "b", Topology: "orders", Since: start, Until: start}}, nil))
	must(t, open().RecordDrifts(t.Context(), []plan.DriftMark{{Topology: "orders", At: start}}))
	for _, l := range []*Ledger{one, open()} {
		m, err := l.Memory(t.Context())
		must(t, err)
		same(t, m.Progress, proven)
		same(t, []int{len(m.Outages), len(m.Drifts)}, []int{1, 1})
	}
}

// TestOutagesOfAReader: a process that may not write plans all the same.
func TestOutagesOfAReader(t *testing.T) {
	if os.Getuid() == 0 {
		t.Log("root may write everywhere: only the missing folder is tried")
	}
	path := filepath.Join(t.TempDir(), "none", "ledger.db")
	l, err := Embedded(path, Options{})
	must(t, err)
	if err := l.RecordOutages(t.Context(), []plan.Outage{{Cluster: "a", Since: start, Until: start}}, nil); err == nil {
		t.Error("a folder that is not there keeps outages")
	}
	if _, err := l.Read(t.Context()); err != nil {
		t.Error(err)
	}
}
