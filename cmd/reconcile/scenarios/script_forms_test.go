package scenarios

import (
	"os"
	"os/exec"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/xeipuuv/gojsonschema"
	sigsyaml "sigs.k8s.io/yaml"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/schema"
)

// conforms KIND FILE…: demands that files are as their schemas say. KIND is one
// of 'reconcile schema', of JSON or YAML, or sarif, or junit, which needs
// xmllint.
func conforms(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: conforms KIND FILE…")
	}
	kind := args[0]
	for _, name := range args[1:] {
		switch kind {
		case "junit":
			conformsXML(ts, name, "jenkins-junit.xsd", "junit.xsd")
		case "sarif":
			for _, file := range []string{"sarif-2.1.0-rtm.5.json", "sarif.schema.json"} {
				text, err := os.ReadFile(formSchema(file))
				ts.Check(err)
				conformsJSON(ts, name, text)
			}
		default:
			text, ok := schema.JSON(kind)
			if !ok {
				ts.Fatalf("there is no schema %q", kind)
			}
			conformsJSON(ts, name, text)
		}
	}
}

// formSchema is where the schemas of other people's forms lie.
func formSchema(name string) string {
	return filepath.Join(testkit.Repository(), "cmd", "reconcile", "internal", "render", "testdata", name)
}

func conformsJSON(ts *testscript.TestScript, name string, published []byte) {
	document, err := sigsyaml.YAMLToJSON([]byte(ts.ReadFile(name))) // JSON is YAML
	ts.Check(err)
	result, err := gojsonschema.Validate(gojsonschema.NewBytesLoader(published), gojsonschema.NewBytesLoader(document))
	ts.Check(err)
	for _, e := range result.Errors() {
		ts.Logf("%s: %s", name, e)
	}
	if !result.Valid() {
		ts.Fatalf("%s is not as its schema says", name)
	}
}

func conformsXML(ts *testscript.TestScript, name string, schemas ...string) {
	if present, err := conditions("needs:xmllint"); !present {
		ts.Check(err)
		ts.Logf("skipped: xmllint is not installed")
		return
	}
	for _, file := range schemas {
		out, err := exec.Command("xmllint", "--noout", "--nonet", "--schema", formSchema(file), ts.MkAbs(name)).CombinedOutput()
		if err != nil {
			ts.Fatalf("%v\n%s", err, out)
		}
	}
}
