package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/schema"
)

// modeline tells an editor by which schema it can check what follows.
const modeline = "# yaml-language-server: $schema="

// notOurs are examples for other programs: one for which nobody publishes a
// schema, and those that name one of the web.
var notOurs = regexp.MustCompile(`(?m)^apiVersion: milvus\.io/|\A# yaml-language-server: \$schema=https://`)

// yamlFiles are those that a reader may copy: all that git holds but what the
// tests compare with.
func yamlFiles(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"topologies/*.y*ml", ".pre-commit-hooks.yaml", "docs/*.y*ml", "docs/*/*.y*ml", "docs/*/*/*.y*ml"} {
		files, err := filepath.Glob(filepath.Join(testkit.Repository(), pattern))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, files...)
	}
	if len(out) < 10 {
		t.Fatalf("only %q were found", out)
	}
	return out
}

// TestFilesNameTheirSchema: each document of each file begins with the line
// that lets an editor check it.
func TestFilesNameTheirSchema(t *testing.T) {
	for _, file := range yamlFiles(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, document := range regexp.MustCompile(`(?m)^---\n`).Split(string(text), -1) {
			if !strings.HasPrefix(document, modeline) {
				t.Errorf("document %d of %s does not begin with a yaml-language-server line", i+1, file)
			}
		}
	}
}

// block is a YAML example of a page.
type block struct {
	page string
	text string
}

// yamlBlocks are the YAML examples of all pages, unindented.
func yamlBlocks(t *testing.T) []block {
	t.Helper()
	fence := regexp.MustCompile("(?ms)^( *)```yaml\n(.*?)^ *```$")
	var out []block
	for _, page := range pages(t) {
		if strings.HasPrefix(page, "docs/design/") {
			continue // the contract abbreviates its examples
		}
		text, err := os.ReadFile(filepath.Join(testkit.Repository(), page))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
			out = append(out, block{page, regexp.MustCompile("(?m)^"+m[1]).ReplaceAllString(m[2], "")})
		}
	}
	if len(out) < 10 {
		t.Fatalf("only %d examples were found", len(out))
	}
	return out
}

// TestExamplesAreGood: every YAML example of the documentation is what the
// program takes, a whole one as it stands, a part in its place. A whole one
// names its schema.
func TestExamplesAreGood(t *testing.T) {
	for _, b := range yamlBlocks(t) {
		whole := strings.Contains(b.text, "apiVersion: ")
		switch {
		case notOurs.MatchString(b.text):
			continue
		case whole && !strings.HasPrefix(b.text, modeline):
			t.Errorf("%s has an example without a yaml-language-server line:\n%s", b.page, b.text)
		case whole && strings.Contains(b.text, "kind: ReplicationTopology"):
			good(t, b, b.text, "ReplicationTopology")
		case whole:
			good(t, b, b.text, "Config")
		case strings.HasPrefix(strings.TrimSpace(b.text), "- "):
			good(t, b, clustersAround(b.text), "ReplicationTopology")
		default:
			good(t, b, "apiVersion: reconcile/v1alpha1\nkind: Config\n"+b.text, "Config")
		}
	}
}

// clustersAround makes a topology of entries of its list of clusters.
func clustersAround(entries string) string {
	return "apiVersion: reconcile/v1alpha1\nkind: ReplicationTopology\nmetadata: {name: orders}\nspec:\n  generation: 2\n  clusters:\n" +
		"    - {id: leader, role: primary, uri: \"http://leader.example:19530\"}\n" + entries
}

// good demands that a document of that kind has no problem.
func good(t *testing.T, b block, text, kind string) {
	t.Helper()
	problems := schema.Problems(nil)
	if kind == "Config" {
		_, problems = schema.ParseConfig(b.page, []byte(text))
	} else {
		_, problems = schema.Parse(b.page, []byte(text))
	}
	if len(problems) > 0 {
		t.Errorf("an example of %s is not good:\n%v\n%s", b.page, problems, text)
	}
}

// TestFilesAreGood: the topologies, and the configuration within the manifest
// for Kubernetes, are what the program takes.
func TestFilesAreGood(t *testing.T) {
	examples, err := filepath.Glob(filepath.Join(testkit.Repository(), "topologies", "*.yaml"))
	if err != nil || len(examples) < 2 {
		t.Fatalf("%q, %v", examples, err)
	}
	for _, file := range examples {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		good(t, block{page: file}, string(text), "ReplicationTopology")
	}
	manifest, err := os.ReadFile(filepath.Join(testkit.Repository(), "docs", "deploy", "kubernetes", "reconcile.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^  reconcile\.yaml: \|\n((?:    .*\n)+)`).FindSubmatch(manifest)
	if m == nil || !strings.HasPrefix(string(m[1]), "    "+modeline) {
		t.Fatal("the manifest holds no configuration that names its schema")
	}
	text := regexp.MustCompile(`(?m)^    `).ReplaceAllString(string(m[1]), "")
	good(t, block{page: "docs/deploy/kubernetes/reconcile.yaml"}, text, "Config")
	if config, _ := schema.ParseConfig("", []byte(text)); config.Ledger.Kubernetes == nil {
		t.Error("the ledger is not in Kubernetes, and replicas can share no file")
	}
}
