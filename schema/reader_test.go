package schema

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// namedFiles names its files by their bytes.
type namedFiles struct{ fstest.MapFS }

func (n namedFiles) ContentID(file string) (string, error) {
	f := n.MapFS[file]
	if f == nil {
		return "", fs.ErrNotExist
	}
	return string(f.Data), nil
}

func contentOf(data []byte) Content {
	return Content{ID: string(data), Read: func() ([]byte, error) { return data, nil }}
}

func pairOf(name string) []byte {
	return []byte(fmt.Sprintf(`apiVersion: reconcile/v1alpha1
kind: ReplicationTopology
metadata: {name: %[1]s}
spec:
  generation: 1
  clusters:
    - {id: %[1]s-a, role: primary, uri: "http://%[1]s-a:19530"}
    - {id: %[1]s-b, role: standby, uri: "http://%[1]s-b:19530"}
`, name))
}

// TestAContentIsParsedOnce in trees, in a history and alone.
func TestAContentIsParsedOnce(t *testing.T) {
	var r Reader
	orders, users := pairOf("orders"), pairOf("users")
	broken := []byte("kind: [")
	tip := namedFiles{fstest.MapFS{"t/orders.yaml": {Data: orders}, "t/users.yaml": {Data: users}, "t/broken.yaml": {Data: broken}}}
	base := namedFiles{fstest.MapFS{"t/old/orders.yaml": {Data: orders}, "t/users.yaml": {Data: users}}}
	expect := func(what string, want int) {
		t.Helper()
		if got := r.Parsed(); got != want {
			t.Errorf("after %s %d contents were parsed, want %d", what, got, want)
		}
	}
	for range 2 {
		if topologies, problems := r.Load(tip, "t"); len(topologies) != 2 || len(problems) != 1 {
			t.Fatalf("%d topologies, %v", len(topologies), problems)
		}
		expect("the tip", 3)
	}
	if topologies, problems := r.Load(base, "t"); len(topologies) != 2 || len(problems) != 0 {
		t.Fatalf("%d topologies, %v", len(topologies), problems)
	}
	expect("the base", 3)
	for range 2 {
		for _, data := range [][]byte{orders, broken} {
			got, err := r.Documents(contentOf(data))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(documentsIn(data), got, cmp.Transformer("none", func(d []Document) []Document { return append([]Document{}, d...) })); diff != "" {
				t.Error(diff)
			}
		}
	}
	expect("the history", 3)
	if topologies, _, err := r.Parse("elsewhere.yaml", contentOf(users)); err != nil || len(topologies) != 1 {
		t.Fatalf("%d topologies, %v", len(topologies), err)
	}
	expect("an earlier version", 3)
	unnamed := Content{Read: func() ([]byte, error) { return users, nil }}
	if _, _, err := r.Parse("x.yaml", unnamed); err != nil {
		t.Fatal(err)
	}
	expect("a content without a name", 4)
}

// TestAContentThatCannotBeReadIsNotKept asks for it again.
func TestAContentThatCannotBeReadIsNotKept(t *testing.T) {
	var r Reader
	gone := errors.New("gone")
	if _, _, err := r.Parse("a.yaml", Content{ID: "1", Read: func() ([]byte, error) { return nil, gone }}); !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
	if got, _, err := r.Parse("a.yaml", Content{ID: "1", Read: func() ([]byte, error) { return pairOf("orders"), nil }}); err != nil || len(got) != 1 {
		t.Errorf("%d topologies, %v", len(got), err)
	}
	large := namedFiles{fstest.MapFS{"a.yaml": {Data: []byte(strings.Repeat("#", maxFileSize+1))}}}
	for range 2 {
		if _, problems := r.Load(large, "."); len(problems) != 1 || problems[0].File != "a.yaml" {
			t.Errorf("%v", problems)
		}
	}
}

// lockedFiles are read under a lock that others hold while they ask a Reader, as
// the trees of a Git repository are.
type lockedFiles struct {
	namedFiles
	lock func() (unlock func())
}

func (l lockedFiles) ContentID(file string) (string, error) {
	defer l.lock()()
	return l.namedFiles.ContentID(file)
}

func (l lockedFiles) Open(file string) (fs.File, error) {
	defer l.lock()()
	return l.namedFiles.Open(file)
}

// TestAReaderHoldsNoLockWhileItReads: one goroutine asks it under a lock that
// reading takes in another.
func TestAReaderHoldsNoLockWhileItReads(t *testing.T) {
	files := namedFiles{fstest.MapFS{"o.yaml": {Data: pairOf("orders")}}}
	for name, read := range map[string]func(*Reader, func() (unlock func())){
		"load": func(r *Reader, lock func() func()) {
			if got, problems := r.Load(lockedFiles{files, lock}, "."); len(got) != 1 || len(problems) != 0 {
				t.Errorf("%d topologies, %v", len(got), problems)
			}
		},
		"parse": func(r *Reader, lock func() func()) {
			locked := Content{ID: "1", Read: func() ([]byte, error) { defer lock()(); return pairOf("orders"), nil }}
			if got, _, err := r.Parse("o.yaml", locked); len(got) != 1 || err != nil {
				t.Errorf("%d topologies, %v", len(got), err)
			}
		},
		"documents": func(r *Reader, lock func() func()) {
			locked := Content{ID: "1", Read: func() ([]byte, error) { defer lock()(); return pairOf("orders"), nil }}
			if got, err := r.Documents(locked); len(got) != 1 || err != nil {
				t.Errorf("%d documents, %v", len(got), err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r Reader
			reading, asked := make(chan struct{}), make(chan struct{})
			var once sync.Once
			var others sync.WaitGroup
			others.Go(func() { // holds the lock until it has its answer
				defer close(asked)
				<-reading
				if _, err := r.Documents(contentOf(pairOf("users"))); err != nil {
					t.Error(err)
				}
			})
			read(&r, func() func() {
				once.Do(func() { close(reading) })
				<-asked
				return func() {}
			})
			others.Wait()
		})
	}
}

// TestAReaderIsAskedSideBySide for the same contents as files of other names.
func TestAReaderIsAskedSideBySide(t *testing.T) {
	var r Reader
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			at := fmt.Sprintf("t%d", i%3)
			tree := namedFiles{fstest.MapFS{
				at + "/o.yaml": {Data: pairOf("orders")}, at + "/u.yaml": {Data: pairOf("users")},
				at + "/twice.yaml": {Data: pairOf("users")}, at + "/broken.yaml": {Data: []byte("kind: [")},
			}}
			want := fmt.Sprint(Load(tree.MapFS, "."))
			for range 20 {
				if got := fmt.Sprint(r.Load(tree, ".")); got != want {
					t.Errorf("%s\nwant %s", got, want)
				}
				if _, err := r.Documents(contentOf(pairOf("orders"))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// TestAKnownContentNamesTheFileAtHand takes every bad file under two names.
func TestAKnownContentNamesTheFileAtHand(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(invalidFolder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	var r Reader
	for _, from := range files {
		data := mustRead(t, from)
		for _, file := range []string{"one.yaml", "eu/other.yaml"} {
			wantTopologies, wantProblems := Parse(file, data)
			topologies, problems, err := r.Parse(file, contentOf(data))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wantTopologies, topologies) + cmp.Diff(wantProblems, problems); diff != "" {
				t.Errorf("%s: %s", from, diff)
			}
			for _, p := range problems {
				if p.File != file {
					t.Errorf("%s as %s: %v", from, file, p)
				}
			}
		}
	}
	if r.Parsed() != len(files) {
		t.Errorf("%d files were parsed, of %d", r.Parsed(), len(files))
	}
	twice := namedFiles{fstest.MapFS{"a.yaml": {Data: pairOf("orders")}, "b/c.yaml": {Data: pairOf("orders")}}}
	want := fmt.Sprint(Load(twice.MapFS, "."))
	if got := fmt.Sprint(r.Load(twice, ".")); got != want || !strings.Contains(got, "b/c.yaml") {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// TestAReaderKnowsWhatChanged gives what Load gives, whatever was read before.
func TestAReaderKnowsWhatChanged(t *testing.T) {
	orders, parts := topologyText("orders", "a", "b"), topologyText("parts", "c", "d")
	var r Reader
	for _, step := range []struct {
		name   string
		files  fstest.MapFS
		parsed int
	}{
		{"two files", fstest.MapFS{"o.yaml": file(orders), "p.yaml": file(parts)}, 2},
		{"the same again", fstest.MapFS{"o.yaml": file(orders), "p.yaml": file(parts)}, 2},
		{"one is bad", fstest.MapFS{"o.yaml": file("bad: ["), "p.yaml": file(parts)}, 3},
		{"one takes the other's cluster", fstest.MapFS{"o.yaml": file(topologyText("orders", "a", "c")), "p.yaml": file(parts)}, 4},
		{"and gives it back", fstest.MapFS{"o.yaml": file(orders), "p.yaml": file(parts)}, 4},
		{"one has another name", fstest.MapFS{"q.yaml": file(orders), "p.yaml": file(parts)}, 4},
		{"one is gone", fstest.MapFS{"p.yaml": file(parts)}, 4},
		{"all are gone", fstest.MapFS{}, 4},
	} {
		got, problems := r.Load(namedFiles{step.files}, ".")
		want, wrong := Load(step.files, ".")
		if diff := cmp.Diff(want, got) + cmp.Diff(wrong, problems); diff != "" {
			t.Errorf("%s: %s", step.name, diff)
		}
		if r.Parsed() != step.parsed {
			t.Errorf("%s: %d contents were parsed, want %d", step.name, r.Parsed(), step.parsed)
		}
	}
}

// TestWhatStandsIsShared: what a reader gives twice is told to be the same without
// being compared.
func TestWhatStandsIsShared(t *testing.T) {
	var r Reader
	files := namedFiles{fstest.MapFS{"o.yaml": file(topologyText("orders", "a", "b"))}}
	first, _ := r.Load(files, ".")
	again, _ := r.Load(files, ".")
	if &first[0].Clusters[0] != &again[0].Clusters[0] {
		t.Error("the same file was made twice")
	}
}

// TestVersionsShareTheirChannels, unless they have others.
func TestVersionsShareTheirChannels(t *testing.T) {
	var r Reader
	channelsIn := func(text string) []string {
		t.Helper()
		got, problems, err := r.Parse("a.yaml", contentOf([]byte(text)))
		if err != nil || len(got) != 1 {
			t.Fatalf("%v, %v", problems, err)
		}
		return got[0].Clusters[0].PChannels
	}
	first := string(pairOf("orders"))
	one, two := channelsIn(first), channelsIn(strings.Replace(first, "generation: 1", "generation: 2", 1))
	if &one[0] != &two[0] {
		t.Error("equal lists are held twice")
	}
	if more := channelsIn(strings.ReplaceAll(first, "role:", "pchannels: {count: 17}, role:")); len(one) != 16 || len(more) != 17 {
		t.Errorf("%d and %d channels", len(one), len(more))
	}
}

// TestAReaderIsBounded reads more than it may keep, with one file that is asked
// for all the time, and files whose channels outweigh their text.
func TestAReaderIsBounded(t *testing.T) {
	var r Reader
	used := pairOf("used")
	for i := range 600 {
		many := strings.ReplaceAll(string(pairOf(fmt.Sprintf("t%d", i))), "role:", "pchannels: {count: 1024}, role:")
		if _, _, err := r.Parse("a.yaml", contentOf([]byte(many))); err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.Parse("b.yaml", contentOf(used)); err != nil {
			t.Fatal(err)
		}
	}
	if r.Parsed() != 601 {
		t.Errorf("%d were parsed: what is used all the time was dropped", r.Parsed())
	}
	weight := r.known.Weight()
	if weight > 2*keepParsed || weight < keepParsed/2 || r.known.Len() > 590 {
		t.Errorf("%d contents of %d bytes are kept", r.known.Len(), weight)
	}
}
