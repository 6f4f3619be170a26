package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// event is one line of `go test -json`.
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Elapsed    float64 // seconds
	Output     string
}

// test is one test of a package, in the order in which they began.
type test struct {
	pkg, name string
	took      time.Duration
	began     time.Time
	output    []string
}

// report is what was heard so far.
type report struct {
	out    io.Writer
	now    func() time.Time
	began  time.Time
	spoke  time.Time
	begun  map[string]time.Time // packages that are running
	open   map[string]*test     // tests that are running
	said   map[string][]string  // by package, outside its tests
	ended  map[string][]*test   // by package
	all    []*test
	skips  map[string][]string // by reason
	builds map[string][]string // what the compiler said
	failed []string
	count  struct{ packages, passed, failed, skipped int }
}

func newReport(out io.Writer, now func() time.Time) *report {
	return &report{
		out: out, now: now, began: now(), spoke: now(), begun: map[string]time.Time{}, open: map[string]*test{},
		said: map[string][]string{}, ended: map[string][]*test{}, skips: map[string][]string{}, builds: map[string][]string{},
	}
}

func (r *report) say(format string, args ...any) {
	r.spoke = r.now()
	fmt.Fprintf(r.out, format+"\n", args...)
}

// short is a package without the name of its module.
func short(pkg string) string {
	_, rest, found := strings.Cut(pkg, "/")
	if !found {
		return pkg
	}
	return rest
}

// take notes one event.
func (r *report) take(e event) {
	if e.Action == "build-output" {
		r.builds[e.ImportPath] = append(r.builds[e.ImportPath], e.Output)
		return
	}
	if e.Action == "build-fail" {
		r.say("FAIL  %s does not compile:\n%s", e.ImportPath, strings.Join(r.builds[e.ImportPath], ""))
		return
	}
	if e.Test == "" {
		r.takePackage(e)
		return
	}
	key := e.Package + " " + e.Test
	t := r.open[key]
	if t == nil {
		t = &test{pkg: e.Package, name: e.Test, began: r.now()}
		r.open[key] = t
	}
	switch e.Action {
	case "output":
		t.output = append(t.output, e.Output)
	case "pass", "fail", "skip":
		delete(r.open, key)
		r.end(t, e)
	}
}

// end notes the end of a test, and drops what it said unless it failed.
func (r *report) end(t *test, e event) {
	t.took = time.Duration(e.Elapsed * float64(time.Second))
	r.ended[t.pkg] = append(r.ended[t.pkg], t)
	r.all = append(r.all, t)
	switch e.Action {
	case "pass":
		r.count.passed++
		t.output = nil
	case "skip":
		r.count.skipped++
		reason := reasonOf(t.output)
		r.skips[reason] = append(r.skips[reason], short(t.pkg)+" "+t.name)
		t.output = nil
	default:
		r.count.failed++
		r.failed = append(r.failed, short(t.pkg)+" "+t.name)
		r.say("FAIL  %s %s, after %s:\n%s", short(t.pkg), t.name, seconds(t.took), strings.Join(t.output, ""))
		t.output = nil
	}
}

// reasonOf is what a skipped test said, without the place in its file.
func reasonOf(output []string) string {
	for _, line := range output {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "===") || strings.HasPrefix(line, "---") || line == "" {
			continue
		}
		if _, text, found := strings.Cut(line, ": "); found {
			return text
		}
		return line
	}
	return "it does not say why"
}

func (r *report) takePackage(e event) {
	switch e.Action {
	case "start":
		r.begun[e.Package] = r.now()
	case "output":
		r.said[e.Package] = append(r.said[e.Package], e.Output)
	case "pass", "fail", "skip":
		delete(r.begun, e.Package)
		r.endPackage(e)
	}
}

// endPackage says how a package ended, and all that was said outside its tests
// or by tests that never ended if it failed.
func (r *report) endPackage(e event) {
	said := strings.Join(r.said[e.Package], "")
	took := seconds(time.Duration(e.Elapsed * float64(time.Second)))
	switch {
	case e.Action == "skip":
		return // it has no tests
	case e.Action == "pass" && strings.Contains(said, "(cached)"):
		took = "cached"
	case e.Action == "fail":
		for _, t := range r.openIn(e.Package) {
			r.count.failed++
			r.failed = append(r.failed, short(t.pkg)+" "+t.name)
			r.say("FAIL  %s %s did not end:\n%s", short(t.pkg), t.name, strings.Join(t.output, ""))
			delete(r.open, t.pkg+" "+t.name)
		}
		r.say("FAIL  %-44s %8s\n%s", short(e.Package), took, said)
		r.count.packages++
		if !slices.ContainsFunc(r.failed, func(f string) bool { return strings.HasPrefix(f, short(e.Package)+" ") }) {
			r.failed = append(r.failed, short(e.Package))
		}
		return
	}
	r.count.packages++
	var slow []string
	for _, t := range slowest(r.ended[e.Package], 3, 2*time.Second) {
		slow = append(slow, fmt.Sprintf("%s %s", t.name, seconds(t.took)))
	}
	r.say("ok    %-44s %8s  %s", short(e.Package), took, strings.Join(slow, ", "))
}

func (r *report) openIn(pkg string) []*test {
	var out []*test
	for _, t := range r.open {
		if t.pkg == pkg {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b *test) int { return cmp.Or(a.began.Compare(b.began), cmp.Compare(a.name, b.name)) })
	return out
}

// slowest are the tests that took at least so long, most first; a test that
// has subtests stands for them.
func slowest(tests []*test, most int, least time.Duration) []*test {
	out := slices.DeleteFunc(slices.Clone(tests), func(t *test) bool {
		parent, _, _ := strings.Cut(t.name, "/")
		return t.took < least || parent == t.name && slices.ContainsFunc(tests, func(o *test) bool {
			return o.pkg == t.pkg && strings.HasPrefix(o.name, t.name+"/") && o.took >= least
		})
	})
	slices.SortStableFunc(out, func(a, b *test) int { return cmp.Compare(b.took, a.took) })
	return out[:min(most, len(out))]
}

// running says which packages and which of their tests are running, when
// nothing was said for a while.
func (r *report) running() {
	if r.now().Sub(r.spoke) < quiet || len(r.begun) == 0 {
		return
	}
	var parts []string
	for _, pkg := range slices.Sorted(maps.Keys(r.begun)) {
		tests := r.openIn(pkg)
		part := fmt.Sprintf("%s for %s", short(pkg), seconds(r.now().Sub(r.begun[pkg])))
		if n := len(r.ended[pkg]); n > 0 {
			part += fmt.Sprintf(", %d tests ended", n)
		}
		if len(tests) > 0 {
			part += ", now " + tests[len(tests)-1].name
		}
		parts = append(parts, part)
	}
	r.say("...   %s: %s", seconds(r.now().Sub(r.began)), strings.Join(parts, "; "))
}

// verdict says what was slow, what was skipped and how all of it ended.
func (r *report) verdict(ok bool) {
	if slow := slowest(r.all, 10, 5*time.Second); len(slow) > 0 {
		r.say("\nslowest tests:")
		for _, t := range slow {
			r.say("  %8s  %s %s", seconds(t.took), short(t.pkg), t.name)
		}
	}
	if len(r.skips) > 0 {
		r.say("\nskipped:")
		for _, reason := range slices.Sorted(maps.Keys(r.skips)) {
			names := r.skips[reason]
			line := fmt.Sprintf("  %s: %s", reason, names[0])
			if len(names) > 1 {
				line += fmt.Sprintf(" and %d more", len(names)-1)
			}
			r.say("%s", line)
		}
	}
	if len(r.failed) > 0 {
		r.say("\nfailed:")
		for _, name := range r.failed {
			r.say("  %s", name)
		}
	}
	word := "PASS"
	if !ok {
		word = "FAIL"
	}
	r.say("\n%s: %d packages, %d tests passed, %d failed, %d skipped, in %s",
		word, r.count.packages, r.count.passed, r.count.failed, r.count.skipped, seconds(r.now().Sub(r.began)))
}

func seconds(d time.Duration) string {
	if d >= time.Minute {
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%.1fs", d.Seconds())
}
