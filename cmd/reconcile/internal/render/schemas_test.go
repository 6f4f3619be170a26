package render

import (
	"encoding/json"
	"io"
	"os"
	"testing"

	"github.com/xeipuuv/gojsonschema"

	"milvus-reconcile/plan"
	"milvus-reconcile/schema"
)

// The published schema lets later versions add fields, so it is closed first:
// a field that it does not describe is a field that nobody can rely on.
func TestJSONIsAsItsPublishedSchemaSays(t *testing.T) {
	text, ok := schema.JSON("plan")
	if !ok {
		t.Fatal("no schema for plans")
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	closeObjects(tree)
	text, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	published := compiled(t, text)
	for name, d := range everyDocument(t) {
		t.Run(name, func(t *testing.T) {
			validate(t, published, rendered(t, func(w io.Writer) error { return JSON(w, d) }))
		})
	}
	for name, c := range applyGoldens() {
		t.Run(name, func(t *testing.T) {
			validate(t, published, rendered(t, func(w io.Writer) error { return Apply(w, FormJSON, c.document, c.results, TableOptions{}) }))
		})
	}
}

func closeObjects(node any) {
	switch v := node.(type) {
	case map[string]any:
		if _, object := v["properties"].(map[string]any); object {
			v["additionalProperties"] = false
		}
		for _, child := range v {
			closeObjects(child)
		}
	case []any:
		for _, child := range v {
			closeObjects(child)
		}
	}
}

// The standard says what a reader of SARIF accepts. Our own schema is stricter:
// it allows exactly what we mean to write of it.
func TestSARIFIsAsItsSchemasSay(t *testing.T) {
	docs := everyDocument(t)
	docs["hostile"] = hostileDocument()
	docs["nowhere"] = document(plan.TopologyPlan{Name: "gone", Findings: []plan.Finding{{Code: "TOPOLOGY_REMOVED", Severity: plan.SeverityWarning, Message: "gone"}}})
	for _, name := range []string{"sarif-2.1.0-rtm.5.json", "sarif.schema.json"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		schema := compiled(t, text)
		for doc, d := range docs {
			t.Run(name+" "+doc, func(t *testing.T) {
				validate(t, schema, rendered(t, func(w io.Writer) error { return SARIF(w, d) }))
			})
		}
	}
}

// everyDocument is each golden document, each transition planned without a
// look and from somebody else's, and the plan of each finding.
func everyDocument(t *testing.T) map[string]Document {
	t.Helper()
	docs := map[string]Document{}
	for name, d := range goldens() {
		docs[name] = d
		d.Observed = ObservedElsewhere
		docs[name+" observed elsewhere"] = d
		d.Observed, d.Plan.Offline = ObservedNone, true
		docs[name+" offline"] = d
		d.Kind = KindStatus
		docs[name+" as a status"] = d
	}
	for _, code := range plan.AllCodes() {
		if unsaid[code] == "" {
			docs[string(code)] = documentWith(t, code)
		}
	}
	return docs
}

func compiled(t *testing.T, text []byte) *gojsonschema.Schema {
	t.Helper()
	s, err := gojsonschema.NewSchema(gojsonschema.NewBytesLoader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t *testing.T, schema *gojsonschema.Schema, document []byte) {
	t.Helper()
	result, err := schema.Validate(gojsonschema.NewBytesLoader(document))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range result.Errors() {
		t.Error(e)
	}
}
