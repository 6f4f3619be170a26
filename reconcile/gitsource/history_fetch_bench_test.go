package gitsource

import (
	"crypto/rand"
	"fmt"
	"maps"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// size is how large a repository is.
type size struct{ commits, topologies int }

func (z size) String() string {
	return fmt.Sprintf("%d commits, %d topologies", z.commits, z.topologies)
}

// sizes are those that benchmarks compare: five times the commits, twice the files.
var (
	middle = size{2_000, 500}
	large  = size{10_000, 1_000}
)

// bigRepository has many topologies in files of their own and many commits,
// each changes one, packed by git.
func bigRepository(b testing.TB, z size) *shell {
	b.Helper()
	s := newShell(b)
	var in strings.Builder
	commit := func(n int, files map[int]int) {
		fmt.Fprintf(&in, "commit refs/heads/main\ncommitter %s <%s> %d +0000\ndata 6\nChange\n", bob.Name, bob.Email, noon.Unix()+int64(n))
		for topology, generation := range files {
			name := fmt.Sprintf("t%03d", topology)
			content := doc(name, generation, "cluster a primary", "cluster b standby", strings.Repeat("# filling\n", 60))
			fmt.Fprintf(&in, "M 100644 inline topologies/%s.yaml\ndata %d\n%s\n", name, len(content), content)
		}
	}
	all := map[int]int{}
	for i := range z.topologies {
		all[i] = 1
	}
	commit(0, all)
	for n := 1; n < z.commits; n++ {
		commit(n, map[int]int{n % z.topologies: 1 + n/z.topologies + 1})
	}
	cmd := exec.Command("git", "fast-import", "--quiet")
	cmd.Dir, cmd.Env, cmd.Stdin = s.dir, s.env(), strings.NewReader(in.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	s.git("reset", "-q", "--hard")
	s.git("gc", "-q")
	return s
}

// Whose processor time is measured: the machine may be busy, so times say little.
const (
	ours = syscall.RUSAGE_SELF
	gits = syscall.RUSAGE_CHILDREN
)

// measure repeats a step and reports its processor time. What is prepared
// before each step is not counted.
func measure(b *testing.B, who int, prepare func(n int), step func()) {
	b.Helper()
	spent := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	var sum time.Duration
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		if prepare != nil {
			prepare(n)
		}
		before := spent()
		b.StartTimer()
		step()
		sum += spent() - before
	}
	b.ReportMetric(float64(sum.Microseconds())/1000/float64(b.N), "cpu-ms/op")
}

// reader finds the governing commits and counts what it takes.
type reader struct {
	*Repo
	b      testing.TB
	z      size
	parsed int
	before map[plumbing.ObjectType]int
}

// changes asks for the newest change of every topology.
func (r *reader) changes() {
	r.b.Helper()
	r.before, r.parsed = maps.Clone(r.reads), 0
	tip, err := r.Resolve("")
	if err != nil {
		r.b.Fatal(err)
	}
	all, err := r.Changes(r.b.Context(), tip, func(blob string, data []byte) []Document {
		r.parsed++
		return keysOf(blob, data)
	})
	if err != nil || len(all) != r.z.topologies {
		r.b.Fatalf("%d changes, %v", len(all), err)
	}
}

func (r *reader) fetch() {
	r.b.Helper()
	if err := r.Fetch(r.b.Context()); err != nil {
		r.b.Fatal(err)
	}
}

// counts are objects.
type counts struct{ commits, folders, files, parsed int }

// counts says how many objects the last question took.
func (r *reader) counts() counts {
	read := func(kind plumbing.ObjectType) int { return r.reads[kind] - r.before[kind] }
	return counts{read(plumbing.CommitObject), read(plumbing.TreeObject), read(plumbing.BlobObject), r.parsed}
}

func (r *reader) report(b *testing.B) {
	c := r.counts()
	b.ReportMetric(float64(c.commits), "commits")
	b.ReportMetric(float64(c.folders), "folders")
	b.ReportMetric(float64(c.files), "files")
	b.ReportMetric(float64(c.parsed), "parsed")
}

// BenchmarkGoverning finds the governing commit of every topology.
func BenchmarkGoverning(b *testing.B) {
	for _, z := range []size{middle, large} {
		b.Run(z.String(), func(b *testing.B) { benchmarkGoverning(b, z) })
	}
}

func benchmarkGoverning(b *testing.B, z size) {
	s := bigRepository(b, z)
	b.Run("cold", func(b *testing.B) {
		var r *reader
		measure(b, ours, nil, func() {
			r = &reader{Repo: s.open(), b: b, z: z}
			r.changes()
		})
		r.report(b)
	})
	b.Run("git log for one topology", func(b *testing.B) {
		measure(b, gits, nil, func() { s.git("log", "-1", "--first-parent", "--format=%H", "--", "topologies/t499.yaml") })
	})
	b.Run("git log for all topologies", func(b *testing.B) {
		measure(b, gits, nil, func() { s.git("log", "--first-parent", "--format=%H", "--name-only", "--", "topologies") })
	})
	b.Run("git log with every version", func(b *testing.B) {
		measure(b, gits, nil, func() { s.git("log", "--first-parent", "--format=%H", "--patch", "--", "topologies") })
	})
	r := &reader{Repo: s.open(), b: b, z: z}
	r.changes()
	look := func() {
		r.fetch()
		r.changes()
	}
	b.Run("without news", func(b *testing.B) {
		r.b = b
		measure(b, ours, nil, look)
		r.report(b)
	})
	b.Run("one new commit", func(b *testing.B) {
		r.b = b
		measure(b, ours, func(n int) { s.commit(bob, "More", "topologies/t001.yaml", doc("t001", 1000+n)) }, look)
		r.report(b)
	})
}

// BenchmarkFetch fetches from a real git http-backend.
func BenchmarkFetch(b *testing.B) {
	for _, z := range []size{middle, large} {
		b.Run(z.String(), func(b *testing.B) { benchmarkFetch(b, z) })
	}
}

func benchmarkFetch(b *testing.B, z size) {
	s := bigRepository(b, z)
	url := httpRemote(b, s.dir, "", false).URL + "/.git"
	more := func(n int) { s.commit(bob, "More", "topologies/t001.yaml", doc("t001", 1000+n)) }
	for _, kind := range []string{"in memory", "on disk"} {
		config := func() Config {
			c := Config{URL: url}
			if kind == "on disk" {
				c.CacheDir = b.TempDir()
			}
			return c
		}
		b.Run(kind+", everything", func(b *testing.B) {
			measure(b, ours, nil, func() { s.openWith(config()) })
		})
		r := &reader{Repo: s.openWith(config()), b: b, z: z}
		b.Run(kind+", without news", func(b *testing.B) { measure(b, ours, nil, r.fetch) })
		b.Run(kind+", one new commit", func(b *testing.B) { measure(b, ours, more, r.fetch) })
	}
	dir := b.TempDir()
	clone := func() { run(b, s.env(), "git", "clone", "-q", "--bare", url, dir+"/"+rand.Text()) }
	b.Run("git, everything", func(b *testing.B) { measure(b, gits, nil, clone) })
	run(b, s.env(), "git", "clone", "-q", "--bare", url, dir+"/copy")
	fetch := func() {
		run(b, s.env(), "git", "-C", dir+"/copy", "fetch", "-q", url, "+refs/heads/main:refs/heads/main")
	}
	b.Run("git, without news", func(b *testing.B) { measure(b, gits, nil, fetch) })
	b.Run("git, one new commit", func(b *testing.B) { measure(b, gits, more, fetch) })
}
