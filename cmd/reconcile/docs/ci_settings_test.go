package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// settings are the patterns by which the files of docs/ci ask for something
// that somebody has to set, by what a file's name ends with.
var settings = map[string][]*regexp.Regexp{
	".sh": {regexp.MustCompile(`\$\{?([A-Z][A-Z0-9_]+)`)},
	".yml": {
		regexp.MustCompile(`\b(?:vars|secrets)\.([A-Z][A-Z0-9_]+)`),
		regexp.MustCompile(`(?m)^  ([A-Z][A-Z0-9_]+): `), // of the workflow
		regexp.MustCompile(`environment: (?:\{name: )?([a-z-]+)`),
	},
}

// setByForge begins the names that a forge's runner sets itself.
var setByForge = regexp.MustCompile(`^(GITHUB|RUNNER|CI|GIT)_`)

// TestWhatToSetIsTold: everything that the workflows and their scripts read is
// named in docs/ci.md.
func TestWhatToSetIsTold(t *testing.T) {
	told := testkit.Contents(t, "docs/ci.md")
	files, err := filepath.Glob(ci("*"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, pattern := range settings[filepath.Ext(file)] {
			for _, match := range pattern.FindAllStringSubmatch(string(text), -1) {
				name := match[1]
				found[name] = true
				if !setByForge.MatchString(name) && !strings.Contains(told, "`"+name+"`") {
					t.Errorf("%s reads %s, which docs/ci.md does not name", filepath.Base(file), name)
				}
			}
		}
	}
	for _, name := range []string{"FORGE_TOKEN", "RECONCILE_ALLOWED_SIGNERS", "RECONCILE_BIN", "CLUSTER_A_TOKEN", "reconcile-plan"} {
		if !found[name] {
			t.Errorf("%s was not found: the patterns miss it", name)
		}
	}
}

// TestHooksAreAsPreCommitWantsThem: the manifest has the keys that pre-commit
// requires and only such as it knows (pre-commit/clientlib.py, MANIFEST_HOOK_DICT).
func TestHooksAreAsPreCommitWantsThem(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(testkit.Repository(), ".pre-commit-hooks.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var hooks []struct {
		ID            string `json:"id"`
		Name          string `json:"name"`
		Entry         string `json:"entry"`
		Language      string `json:"language"`
		Description   string `json:"description"`
		Files         string `json:"files"`
		PassFilenames *bool  `json:"pass_filenames"`
	}
	if err := yaml.UnmarshalStrict(raw, &hooks); err != nil {
		t.Fatal(err)
	}
	if len(hooks) == 0 {
		t.Fatal("no hook")
	}
	for _, h := range hooks {
		if h.ID == "" || h.Name == "" || h.Entry == "" {
			t.Errorf("a required key is missing: %+v", h)
		}
		// The program is installed by the user; pre-commit builds nothing.
		if h.Language != "system" || h.PassFilenames == nil || *h.PassFilenames {
			t.Errorf("%s is run otherwise than docs/ci.md says: %+v", h.ID, h)
		}
		files, err := regexp.Compile(h.Files)
		if err != nil || !files.MatchString("topologies/orders.yaml") || files.MatchString("docs/orders.yaml") {
			t.Errorf("%s is run for the wrong files, %q: %v", h.ID, h.Files, err)
		}
	}
}
