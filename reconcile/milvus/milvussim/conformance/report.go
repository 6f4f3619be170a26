package conformance

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// Outcome is how a case ended.
type Outcome string

// Outcomes. NotRun is a case that the clusters could have run and that the run
// did not come to.
const (
	Passed  Outcome = "passed"
	Failed  Outcome = "FAILED"
	Skipped Outcome = "skipped"
	NotRun  Outcome = "NOT RUN"
)

// Result is what became of one case.
type Result struct {
	Case    Case
	Outcome Outcome
	Took    time.Duration
	// Said holds the failures, the reason of a skip, and notes.
	Said string
}

// Report is what became of a run. It may be added to by several goroutines.
type Report struct {
	// On names what ran: the simulator, or the clusters and their builds.
	On string
	// Began is when the run began.
	Began time.Time

	mu      sync.Mutex
	results []Result
}

func (r *Report) add(res Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results = append(r.results, res)
}

// Results are those of all cases in order of their ids.
func (r *Report) Results() []Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := slices.Clone(r.results)
	slices.SortStableFunc(out, func(x, y Result) int { return strings.Compare(x.Case.ID+x.Case.Title, y.Case.ID+y.Case.Title) })
	return out
}

// seen says where a case was seen before.
func (c Case) seen() string {
	if c.Seen == "" {
		return "never"
	}
	return c.Seen
}

// WriteTable writes a line for each case, and below it what the case said.
func (r *Report) WriteTable(w io.Writer) error {
	var b strings.Builder
	results := r.Results()
	fmt.Fprintf(&b, "on %s, from %s\n\n%-4s  %-7s  %6s  %s\n", r.On, r.Began.UTC().Format(time.RFC3339), "CASE", "RESULT", "TIME", "TITLE · seen on a real server")
	count := map[Outcome]int{}
	for _, res := range results {
		count[res.Outcome]++
		fmt.Fprintf(&b, "%-4s  %-7s  %5.1fs  %s · %s\n", res.Case.ID, res.Outcome, res.Took.Seconds(), res.Case.Title, res.Case.seen())
		for _, line := range strings.Split(res.Said, "\n") {
			if line != "" {
				fmt.Fprintf(&b, "%23s%s\n", "", line)
			}
		}
	}
	fmt.Fprintf(&b, "\n%d passed, %d failed, %d skipped, %d not run\n", count[Passed], count[Failed], count[Skipped], count[NotRun])
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Errors    int         `xml:"errors,attr"`
	Timestamp string      `xml:"timestamp,attr"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	ClassName string      `xml:"classname,attr"`
	Name      string      `xml:"name,attr"`
	Time      string      `xml:"time,attr"`
	Skipped   string      `xml:"skipped,omitempty"`
	Error     *junitFault `xml:"error"`
	Failure   *junitFault `xml:"failure"`
	Output    string      `xml:"system-out,omitempty"`
}

type junitFault struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes the report in the form that Jenkins and GitLab read. A case
// that was not run is an error.
func (r *Report) WriteJUnit(w io.Writer) error {
	s := junitSuite{Name: r.On, Timestamp: r.Began.UTC().Format("2006-01-02T15:04:05")}
	for _, res := range r.Results() {
		c := junitCase{ClassName: "conformance", Name: res.Case.ID + " " + res.Case.Title, Time: fmt.Sprintf("%.3f", res.Took.Seconds())}
		said := printable(res.Said)
		first, _, _ := strings.Cut(said, "\n")
		fault := &junitFault{Message: cmp.Or(first, string(res.Outcome)), Type: res.Case.ID, Text: said + "\nseen on a real server: " + res.Case.seen()}
		switch res.Outcome {
		case Failed:
			c.Failure, s.Failures = fault, s.Failures+1
		case NotRun:
			c.Error, s.Errors = fault, s.Errors+1
		case Skipped:
			c.Skipped = cmp.Or(said, "skipped")
		default:
			c.Output = strings.TrimSpace("seen on a real server: " + res.Case.seen() + "\n" + said)
		}
		s.Cases = append(s.Cases, c)
	}
	s.Tests = len(s.Cases)
	all := junitSuites{Name: "Milvus replication", Tests: s.Tests, Failures: s.Failures, Errors: s.Errors, Suites: []junitSuite{s}}
	raw, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("encode JUnit: %w", err)
	}
	if _, err := io.WriteString(w, xml.Header+string(raw)+"\n"); err != nil {
		return fmt.Errorf("write JUnit: %w", err)
	}
	return nil
}

// printable leaves out what XML cannot hold.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0xFFFE || r == 0xFFFF {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}
