package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
)

// What may become of each part of an embedded ledger.
var (
	dbStates     = []string{"kept", "empty", "older copy", "absent", "another ledger", "garbage"}
	headStates   = []string{"kept", "absent", "damaged", "older"}
	newestStates = []string{"kept", "absent"} // the copy of the note
	locksStates  = []string{"kept", "absent"} // with the file of who leads
)

// What comes of a loss.
const (
	works    = "works"
	isNew    = "is new"              // nothing shows that there was one (documented)
	takes    = "takes it as it is"   // approvals from before count no more
	refuses  = "refuses"             // until it is accepted
	unknowns = "works, and is older" // nothing can tell (documented)
)

// comes is what must come of a loss.
func comes(db, head, newest, locks string) string {
	lost := db != "kept"
	switch {
	case db == "garbage":
		return refuses
	case head == "kept", newest == "kept": // one of the notes names the newest record
		if lost {
			return refuses
		}
		return works
	case head == "older" && db == "older copy":
		return unknowns
	case head == "older" && db == "kept":
		return works
	case head == "older", head == "damaged", locks == "kept": // there was one
		return refuses
	case db == "empty", db == "absent":
		return isNew
	}
	return takes
}

// TestALedgerThatWasLostIsNotNew: each way in which a ledger and what lies next to it
// can be lost, for a process that knew it and for one that did not.
func TestALedgerThatWasLostIsNotNew(t *testing.T) {
	t.Parallel()
	w := newWhole(t)
	n := map[string]int{}
	for _, db := range dbStates {
		for _, head := range headStates {
			for _, newest := range newestStates {
				for _, locks := range locksStates {
					want := comes(db, head, newest, locks)
					n[want]++
					t.Run(fmt.Sprintf("ledger %s, head %s, its copy %s, locks %s", db, head, newest, locks), func(t *testing.T) {
						t.Parallel()
						lose := func(path string) { w.lose(t, path, db, head, newest, locks) }
						w.loses(t, false, want, lose)
						want = refuses // who read it remembers the newest record
						if db == "kept" {
							want = works
						}
						w.loses(t, true, want, lose)
					})
				}
			}
		}
	}
	t.Logf("of %d: %v", len(dbStates)*len(headStates)*len(newestStates)*len(locksStates), n)
}

// whole holds the files of a ledger at two moments, and of another ledger.
type whole struct {
	newest, older, another map[string][]byte
}

func newWhole(t *testing.T) whole {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := mustEmbedded(t, path)
	leads, err := l.Campaign(t.Context(), Holder{})
	must(t, err)
	must(t, leads.Resign(t.Context()))
	lock, err := l.Lock(t.Context(), "orders", 0)
	must(t, err)
	must(t, lock.Release())
	fillGenerations(t, l, 1, 3)
	out := whole{older: files(t, path)}
	fillGenerations(t, l, 4, 6)
	out.newest = files(t, path)
	path = filepath.Join(t.TempDir(), "ledger.db")
	fillGenerations(t, mustEmbedded(t, path), 1, 9)
	out.another = files(t, path)
	return out
}

// fillGenerations records generations.
func fillGenerations(t *testing.T, l *Ledger, from, to int64) {
	t.Helper()
	for g := from; g <= to; g++ {
		must(t, l.RecordGeneration(t.Context(), plan.GenerationMark{Topology: "orders", Generation: g, Document: "d"}))
	}
}

// files are a ledger's, by what follows its name.
func files(t *testing.T, path string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, name := range []string{"", ".head", ".newest", ".leader", ".locks/orders.lock"} {
		data, err := os.ReadFile(path + name)
		if err == nil {
			out[name] = data
		} else if !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return out
}

func (w whole) lose(t *testing.T, path, db, head, newest, locks string) {
	t.Helper()
	put := func(name string, data []byte) { must(t, os.WriteFile(path+name, data, 0o600)) }
	switch db {
	case "empty":
		put("", nil)
	case "older copy":
		put("", w.older[""])
	case "absent":
		must(t, os.Remove(path))
	case "another ledger":
		put("", w.another[""])
	case "garbage":
		put("", []byte(strings.Repeat("garbage\n", 2048)))
	}
	switch head {
	case "absent":
		must(t, os.Remove(path+".head"))
	case "damaged":
		put(".head", []byte{0})
	case "older":
		put(".head", w.older[".head"])
	}
	if newest == "absent" {
		must(t, os.Remove(path+".newest"))
	}
	if locks == "absent" {
		must(t, errors.Join(os.RemoveAll(path+".locks"), os.Remove(path+".leader")))
	}
}

// loses lets a ledger be lost and looks at what comes of it.
func (w whole) loses(t *testing.T, known bool, want string, lose func(path string)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	must(t, os.MkdirAll(path+".locks", 0o700))
	for name, data := range w.newest {
		must(t, os.WriteFile(path+name, data, 0o600))
	}
	l := mustEmbedded(t, path)
	if known {
		s, err := l.Read(t.Context())
		must(t, err)
		same(t, len(s.History("")), 7)
	}
	lose(path)
	before, readErr := l.Read(t.Context())
	_, made, makeErr := l.Ensure(t.Context())
	_, lockErr := l.Lock(t.Context(), "users", 0)
	same(t, made, want == isNew)
	for what, err := range map[string]error{"read": readErr, "write": makeErr, "lock": lockErr} {
		var corrupt *CorruptError
		if refused := errors.As(err, &corrupt); refused != (want == refuses) || err != nil && !refused {
			t.Errorf("known %v: %s: %v, want that it %s", known, what, err, want)
		}
	}
	if want == refuses {
		if strings.Contains(readErr.Error(), "hint:") && !strings.Contains(readErr.Error(), "reconcile ledger accept") {
			t.Errorf("it does not say what to do: %v", readErr)
		}
		_, err := l.Accept(t.Context())
		must(t, err)
	}
	for who, ledger := range []*Ledger{l, mustEmbedded(t, path)} { // this process, and then another
		fillGenerations(t, ledger, 10, 10)
		lock, err := ledger.Lock(t.Context(), "orders", 0)
		must(t, err)
		must(t, lock.Release())
		s, err := ledger.Read(t.Context())
		must(t, err)
		if at, accepted := s.Accepted(); accepted != (want == refuses || want == takes) || accepted && time.Since(at) > time.Hour {
			t.Errorf("%d: accepted at %v, want that it %s", who, at, want)
		}
	}
	if want == works && len(before.History("")) != 7 {
		t.Errorf("it holds %d records", len(before.History("")))
	}
}

// TestALedgerWhoseFolderIsGone: whatever a process wants of a ledger that it knew, it puts
// nothing where the folder was, so that the folder can be renamed back, and then works.
func TestALedgerWhoseFolderIsGone(t *testing.T) {
	t.Parallel()
	mark := plan.GenerationMark{Topology: "orders", Generation: 2, Document: "d"}
	for name, do := range map[string]func(*testing.T, *Ledger, *Lock, *Leadership) error{
		"a generation": func(t *testing.T, l *Ledger, _ *Lock, _ *Leadership) error {
			return l.RecordGeneration(t.Context(), mark)
		},
		"progress": func(t *testing.T, l *Ledger, _ *Lock, _ *Leadership) error {
			return l.RecordProgress(t.Context(), plan.ProgressRecord{Cluster: "b", Source: "a", At: time.Unix(1, 0)})
		},
		"outages": func(t *testing.T, l *Ledger, _ *Lock, _ *Leadership) error {
			return l.RecordOutages(t.Context(), []plan.Outage{{Cluster: "a", Topology: "orders", Since: start, Until: start.Add(time.Second)}}, nil)
		},
		"an intent": func(t *testing.T, _ *Ledger, k *Lock, _ *Leadership) error {
			return k.Begin(t.Context(), failover("orders", 2, "digest"))
		},
		"a lock": func(t *testing.T, l *Ledger, _ *Lock, _ *Leadership) error {
			_, err := l.Lock(t.Context(), "users", 0)
			return err
		},
		"a leadership": func(t *testing.T, l *Ledger, _ *Lock, _ *Leadership) error {
			_, err := l.Campaign(t.Context(), Holder{})
			return err
		},
		"a claim": func(t *testing.T, _ *Ledger, _ *Lock, p *Leadership) error {
			_, err := p.Claim(t.Context(), "users", func(Holder) {})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := filepath.Join(t.TempDir(), "led")
			l := mustEmbedded(t, filepath.Join(folder, "ledger.db"))
			fillGenerations(t, l, 1, 1)
			leads, err := l.Campaign(t.Context(), Holder{})
			must(t, err)
			lock, err := l.Lock(t.Context(), "orders", 0)
			must(t, err)
			must(t, os.Rename(folder, folder+".elsewhere"))
			if err := do(t, l, lock, leads); err == nil {
				t.Error("it is done without the ledger")
			}
			if _, err := os.Lstat(folder); !errors.Is(err, os.ErrNotExist) {
				t.Fatalf("something is where the folder was: %v", err)
			}
			must(t, os.Rename(folder+".elsewhere", folder))
			must(t, l.RecordGeneration(t.Context(), mark))
		})
	}
}

// TestALedgerWithASecondName: under a hard link it has other locks, so that nobody acts
// by either name; a symbolic link is followed.
func TestALedgerWithASecondName(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ledger.db")
	l := mustEmbedded(t, path)
	fillGenerations(t, l, 1, 2)
	must(t, os.Symlink(path, filepath.Join(dir, "link.db")))
	must(t, os.Link(path, filepath.Join(dir, "second.db")))
	for _, name := range []string{"ledger.db", "link.db", "second.db"} {
		if _, err := mustEmbedded(t, filepath.Join(dir, name)).Lock(t.Context(), "orders", 0); err == nil || !strings.Contains(err.Error(), "hard link") {
			t.Errorf("%s is locked: %v", name, err)
		}
	}
	must(t, os.Remove(filepath.Join(dir, "second.db")))
	lock, err := mustEmbedded(t, filepath.Join(dir, "link.db")).Lock(t.Context(), "orders", 0)
	must(t, err)
	defer lock.Release() //nolint:errcheck // the test ends
	var held *HeldError
	if _, err := l.Lock(t.Context(), "orders", 0); !errors.As(err, &held) {
		t.Errorf("the lock under a symbolic link is another one: %v", err)
	}
}

// TestAcceptanceSetsTheClock: a record of a clock that ran ahead makes every approval
// old, until the ledger is accepted by a clock that is right.
func TestAcceptanceSetsTheClock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	ahead, err := Embedded(path, Options{Clock: func() time.Time { return time.Now().AddDate(1, 0, 0) }})
	must(t, err)
	fillGenerations(t, ahead, 1, 2)
	l := mustEmbedded(t, path)
	_, err = l.Accept(t.Context())
	must(t, err)
	s, err := l.Read(t.Context())
	must(t, err)
	if off := time.Since(s.Newest()); off < 0 || off > time.Hour {
		t.Errorf("the newest record is of %v", s.Newest())
	}
	fillGenerations(t, l, 3, 3)
}
