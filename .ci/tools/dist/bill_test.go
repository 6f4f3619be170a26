package dist

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
)

// bill holds a bill of materials to the schema that it names, and to the
// modules that are in the binary.
func bill(t *testing.T, path string, built *debug.BuildInfo) {
	var sbom struct {
		Metadata struct {
			Component struct{ Name, Version string }
		}
		Components []struct {
			Name, Version string
			Licenses      []any
			Evidence      struct{ Licenses []any }
		}
	}
	if err := json.Unmarshal(read(t, path), &sbom); err != nil {
		t.Fatal(err)
	}
	if c := sbom.Metadata.Component; c.Name != built.Main.Path || c.Version != version {
		t.Errorf("it is the bill of %s %s", c.Name, c.Version)
	}
	listed := map[string]string{}
	for _, c := range sbom.Components {
		listed[c.Name] = c.Version
		if c.Name != "std" && len(c.Licenses)+len(c.Evidence.Licenses) == 0 {
			t.Errorf("%s has no licence", c.Name)
		}
	}
	if listed["std"] != runtime.Version() {
		t.Errorf("the standard library is %q", listed["std"])
	}
	for _, m := range built.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		if listed[m.Path] != m.Version {
			t.Errorf("%s %s is listed as %q", m.Path, m.Version, listed[m.Path])
		}
	}
	if len(built.Deps) < 50 || len(listed) != len(built.Deps)+1 {
		t.Errorf("%d modules are listed, the binary has %d and the standard library", len(listed), len(built.Deps))
	}
	valid(t, path)
}

// valid holds a bill to its schema, and shows that a bad one would be told.
func valid(t *testing.T, path string) {
	if _, err := os.Stat("node_modules"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("run `npm ci --ignore-scripts` in .ci/tools/dist")
		}
		t.Skip("the schema of CycloneDX is not installed: npm ci --ignore-scripts in .ci/tools/dist")
	}
	need(t, "node")
	run(t, ".", nil, "node", "validate.mjs", path)
	broken := filepath.Join(t.TempDir(), "broken.json")
	text := bytes.Replace(read(t, path), []byte(`"type": "library"`), []byte(`"type": "bookshop"`), 1)
	if err := os.WriteFile(broken, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("node", "validate.mjs", broken).CombinedOutput(); err == nil {
		t.Errorf("an unknown type passes:\n%s", out)
	}
}
