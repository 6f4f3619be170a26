package schema

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"

	"milvus-reconcile/plan"
)

func addSeeds(f *testing.F, texts ...string) {
	f.Helper()
	for _, pattern := range []string{invalidFolder + "/*.yaml", "../topologies/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	for _, text := range texts {
		f.Add([]byte(text))
	}
}

// FuzzParse: whatever the text is, every problem has a place and a hint, and
// whatever is let through obeys the rules.
func FuzzParse(f *testing.F) {
	addSeeds(f, minimal, writtenOut)
	f.Fuzz(func(t *testing.T, data []byte) {
		topologies, problems := Parse("f.yaml", data)
		checkPlaces(t, data, problems)
		for _, x := range topologies {
			checkTopology(t, x)
		}
		again, _ := Parse("f.yaml", data)
		if diff := cmp.Diff(topologies, again); diff != "" {
			t.Errorf("not the same twice:\n%s", diff)
		}
		checkDocuments(t, data, topologies)
	})
}

// FuzzPlainValue: what is read off the nodes is what the other way gives, and
// nothing in it is spelt in a way that is refused.
func FuzzPlainValue(f *testing.F) {
	addSeeds(f, minimal, writtenOut, "a: \"b\"\nc: 'd: e'\nf: [1, 30s, x y]\ng: {h: true, i: }\n", "a: yes\n", "a: 1_0\n", "a: 010\n", "a: ~\n", "a: Null\n", "a: 2026-01-01\n", "? a\n: b\n", "a: b\n  c\n", "a: |\n  b\n", "a: 1:30\n", "a: .5\n", "a: -1\n", "- a\n- \n", "a: b #c\n")
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(checkText("", data)) > 0 {
			return
		}
		for _, c := range split(data) {
			d := newDocument("", c)
			d.parseNodes()
			if d.root == nil || d.broken {
				continue
			}
			got, ok := d.plainValue()
			if !ok {
				continue
			}
			want, err := toValue(sigsyaml.YAMLToJSONStrict, c.data)
			if err != nil {
				t.Fatalf("%q is %v, and has no JSON form: %v", c.data, got, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%q: %s", c.data, diff)
			}
			before := len(d.problems)
			if d.checkSpelling(d.root, want, ""); len(d.problems) != before {
				t.Fatalf("%q: %v", c.data, d.problems)
			}
		}
	})
}

// TestPlainValueIsEnough holds that the usual files need no second parse.
func TestPlainValueIsEnough(t *testing.T) {
	files, err := filepath.Glob("../topologies/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	texts := [][]byte{[]byte(minimal), pairOf("orders")}
	for _, file := range files {
		texts = append(texts, mustRead(t, file))
	}
	for _, text := range texts {
		for _, c := range split(text) {
			d := newDocument("", c)
			if d.parseNodes(); d.root == nil {
				continue
			}
			if _, ok := d.plainValue(); !ok {
				t.Errorf("parsed twice:\n%s", c.data)
			}
		}
	}
}

func checkPlaces(t *testing.T, data []byte, problems Problems) {
	t.Helper()
	lines := bytes.Count(data, []byte("\n")) + 1
	for _, p := range problems {
		whole := p.Line == 0 && p.Column == 0 && p.Path == ""
		if !whole && (p.Line < 1 || p.Line > lines || p.Column < 1) {
			t.Errorf("no place in %d lines: %#v", lines, p)
		}
		if p.File == "" || p.Message == "" || p.Hint == "" || p.Hint == "expected: " {
			t.Errorf("something is missing: %#v", p)
		}
		if text := p.String(); text != printable(text) {
			t.Errorf("a terminal could act on it: %q", text)
		}
	}
}

func checkTopology(t *testing.T, x plan.Topology) {
	t.Helper()
	if _, ok := x.Primary(); !ok {
		t.Error("not exactly one primary")
	}
	if x.Name == "" || x.Generation < 1 || x.Failover.Probes < 1 || x.MaxLag < 0 || x.Failover.UnavailableFor < 0 || x.Switchover.Timeout <= 0 {
		t.Errorf("out of bounds: %+v", x)
	}
	for i, c := range x.Clusters {
		if i > 0 && x.Clusters[i-1].ID >= c.ID {
			t.Errorf("ids not ascending: %q, %q", x.Clusters[i-1].ID, c.ID)
		}
		if len(c.PChannels) == 0 || len(c.PChannels) != len(x.Clusters[0].PChannels) {
			t.Errorf("%s has %d channels", c.ID, len(c.PChannels))
		}
		if !clusterID().MatchString(c.ID) || c.URI == "" || c.ClientAddress == "" || c.Role == plan.RoleUnknown || c.At.Line < 1 {
			t.Errorf("incomplete: %+v", c)
		}
		for _, other := range x.Clusters {
			if other.ID != c.ID && strings.Contains(c.ID, other.ID) {
				t.Errorf("%s contains %s", c.ID, other.ID)
			}
		}
	}
}

// checkDocuments: each good topology is named, by its own hash and primary unless its
// name stands twice.
func checkDocuments(t *testing.T, data []byte, topologies []plan.Topology) {
	t.Helper()
	byName := map[string]Document{}
	for _, d := range documentsIn(data) {
		if _, twice := byName[d.Name]; d.Name == "" || twice {
			t.Errorf("the name %q is empty or stands twice", d.Name)
		}
		byName[d.Name] = d
	}
	for _, x := range topologies {
		d, named := byName[x.Name]
		if !named {
			t.Errorf("%s is not named", x.Name)
		}
		if primary, _ := x.Primary(); d.Primary != "" && d.Primary != primary.ID {
			t.Errorf("%s has the primary %s, not %s", x.Name, primary.ID, d.Primary)
		}
	}
}

// FuzzParseConfig: a configuration is complete or refused.
func FuzzParseConfig(f *testing.F) {
	addSeeds(f, emptyConfig, fullConfig)
	f.Fuzz(func(t *testing.T, data []byte) {
		config, problems := ParseConfig("f.yaml", data)
		checkPlaces(t, data, problems)
		if len(problems) > 0 {
			if diff := cmp.Diff(Config{}, config); diff != "" {
				t.Errorf("problems and a configuration:\n%s", diff)
			}
			return
		}
		q := config.Approval.Quorum
		if min(q.Switchover, q.Failover, q.Other) < 1 || config.Approval.MaxAge.Failover <= 0 || config.Git.PollInterval <= 0 || config.SweepInterval <= 0 {
			t.Errorf("out of bounds: %+v", config)
		}
		for _, r := range config.Redirect {
			if r.Name == "" || r.Timeout <= 0 || (r.Exec == nil && r.Webhook == nil && r.File == nil && r.HAProxy == nil && r.DNS == nil && r.Kubernetes == nil) {
				t.Errorf("incomplete: %+v", r)
			}
		}
	})
}

// FuzzSplit: the cut loses nothing, and finds the same documents as a parser
// that reads the whole stream.
func FuzzSplit(f *testing.F) {
	addSeeds(f, "a\n---\nb\n...\nc", "---\n---\n", "--- a\n... b\n", "a: |\n  ---\n")
	f.Fuzz(func(t *testing.T, data []byte) {
		var joined []byte
		line := 1
		whole := 0
		for _, c := range split(data) {
			if len(c.data) == 0 || c.line != line {
				t.Errorf("chunk of %d bytes on line %d, want line %d", len(c.data), c.line, line)
			}
			joined = append(joined, c.data...)
			line += bytes.Count(c.data, []byte("\n"))
			if countDocuments(c.data) > 0 {
				whole++
			}
		}
		if !bytes.Equal(joined, data) {
			t.Error("text was lost")
		}
		if len(checkText("f", data)) > 0 {
			return
		}
		if n := countDocuments(data); n >= 0 && n != whole {
			t.Errorf("the parser finds %d documents, the cut %d", n, whole)
		}
	})
}

// countDocuments counts the documents with content; -1: not YAML.
func countDocuments(data []byte) int {
	n := 0
	for decoder := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var node yaml.Node
		switch err := decoder.Decode(&node); {
		case errors.Is(err, io.EOF):
			return n
		case err != nil:
			return -1
		case node.Content[0].Tag != "!!null" || node.Content[0].Value != "":
			n++
		}
	}
}

// FuzzEdit: whatever the text is, an edit is refused, or it says what was
// asked for and leaves the other topologies alone.
func FuzzEdit(f *testing.F) {
	addSeeds(f, minimal, writtenOut, handWritten)
	f.Fuzz(func(t *testing.T, data []byte) {
		topologies, _ := Parse("f.yaml", data)
		for i, x := range topologies {
			change := Change{Generation: x.Generation + 1, Roles: map[string]plan.Role{}}
			for j, c := range x.Clusters {
				change.Roles[c.ID] = plan.RoleStale
				if j == 0 {
					change.Roles[c.ID] = plan.RolePrimary
				}
			}
			out, err := Edit("f.yaml", data, x.Name, change)
			if err != nil {
				continue
			}
			again, _ := Parse("f.yaml", out)
			if len(again) != len(topologies) || bytes.Count(out, []byte("\n")) != bytes.Count(data, []byte("\n")) {
				t.Fatalf("the edit of %s changed more than the document:\n%s", x.Name, out)
			}
			for k, y := range again {
				if (k == i) != (y.Generation == x.Generation+1 && y.Name == x.Name) || k != i && Hash(y) != Hash(topologies[k]) {
					t.Errorf("%s is not as it should be:\n%s", y.Name, out)
				}
			}
		}
	})
}
