package render

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"

	"milvus-reconcile/cmd/reconcile/internal/safetext"
	"milvus-reconcile/plan"
)

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
	Timestamp string      `xml:"timestamp,attr,omitempty"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	ClassName string        `xml:"classname,attr"`
	Name      string        `xml:"name,attr"`
	Failure   *junitFailure `xml:"failure"`
	Error     *junitFailure `xml:"error"`
	Output    string        `xml:"system-out,omitempty"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// JUnit writes, in the form that Jenkins and GitLab read, one suite for each topology and one for the problems of files.
// A test fails for a blocking finding, and in a drift report for a difference; other findings are the output of a test
// that passed.
func JUnit(w io.Writer, d Document) error {
	all := junitSuites{Name: "reconcile " + string(d.kind())}
	if s := problemSuite(d.Problems); len(s.Cases) > 0 {
		all.Suites = append(all.Suites, s)
	}
	for _, t := range d.topologies() {
		all.Suites = append(all.Suites, d.junitSuite(t))
	}
	for i := range all.Suites {
		s := &all.Suites[i]
		s.count()
		if at := d.generatedAt(); !at.IsZero() {
			s.Timestamp = at.UTC().Format("2006-01-02T15:04:05")
		}
		all.Tests, all.Failures, all.Errors = all.Tests+s.Tests, all.Failures+s.Failures, all.Errors+s.Errors
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	enc := xml.NewEncoder(&b)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return fmt.Errorf("encode JUnit: %w", err)
	}
	b.WriteByte('\n')
	return writeText(w, b.String())
}

func (s *junitSuite) count() {
	s.Tests = len(s.Cases)
	for _, c := range s.Cases {
		s.Failures += one(c.Failure != nil)
		s.Errors += one(c.Error != nil)
	}
}

func problemSuite(problems []Problem) junitSuite {
	s := junitSuite{Name: "topology files"}
	for _, p := range problems {
		s.Cases = append(s.Cases, junitCase{
			ClassName: "topology files", Name: safetext.Safe(p.where()),
			Error: &junitFailure{Message: safetext.Safe(p.what()), Type: ruleProblem, Text: safetext.Safe(p.Hint)},
		})
	}
	return s
}

func (d Document) junitSuite(t plan.TopologyPlan) junitSuite {
	name := safetext.Safe(t.Name)
	s := junitSuite{Name: name, Cases: []junitCase{d.junitState(t)}}
	for _, f := range t.Findings {
		c := junitCase{ClassName: name, Name: findingName(f)}
		text := placed(f.At, safetext.Safe(string(f.Severity)+": "+f.Message))
		switch {
		case f.Severity == plan.SeverityBlocking && !f.Accepted && !d.inOrder(t, f), d.kind() == KindDrift && drifts(t, f):
			c.Failure = &junitFailure{Message: safetext.Safe(f.Message), Type: safetext.Safe(string(f.Code)), Text: placed(f.At, safetext.Safe(findingRemedy(f)))}
		case f.Accepted:
			c.Output = "accepted: " + text
		default:
			c.Output = text
		}
		s.Cases = append(s.Cases, c)
	}
	return s
}

// drifts reports whether a finding counts as drift: what is critical does, but
// for a stale cluster that Git knows and that can take no writes.
func drifts(t plan.TopologyPlan, f plan.Finding) bool {
	if f.Code == plan.CodeStalePrimary {
		for _, c := range t.Clusters {
			if c.ID == f.Cluster && c.DesiredRole == plan.RoleStale {
				return c.View.Reach != plan.ReachUnreachable && c.View.Belief.Kind != plan.BeliefStandby
			}
		}
	}
	return f.Severity == plan.SeverityCritical || f.Code == plan.CodeUnmanagedDrift
}

// junitState is the test of the topology as a whole.
func (d Document) junitState(t plan.TopologyPlan) junitCase {
	headline, _ := d.headline(t)
	c := junitCase{ClassName: safetext.Safe(t.Name), Name: "in sync"}
	if d.kind() == KindDrift && !t.InSync {
		c.Failure = &junitFailure{Message: safetext.Safe(headline), Type: "DRIFT", Text: placed(t.At, safetext.Safe(happening(t)))}
		return c
	}
	if d.kind() != KindDrift {
		c.Name = "planned"
	}
	c.Output = placed(t.At, safetext.Safe(headline))
	return c
}

// placed adds the place in the file: the format has no attribute for it.
func placed(at plan.Position, text string) string {
	if where := place(at.File, at.Line, at.Column); where != "" {
		return text + "\n" + safetext.Safe(where)
	}
	return text
}

func findingName(f plan.Finding) string {
	if f.Cluster == "" {
		return safetext.Safe(string(f.Code))
	}
	return safetext.Safe(string(f.Code) + " " + f.Cluster)
}
