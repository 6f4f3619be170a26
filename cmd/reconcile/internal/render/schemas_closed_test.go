package render

import (
	"encoding/json"
	"testing"

	"github.com/xeipuuv/gojsonschema"

	"milvus-reconcile/schema"
)

// closed is a published schema that allows no field which it does not describe.
func closed(t *testing.T, kind string) *gojsonschema.Schema {
	t.Helper()
	text, ok := schema.JSON(kind)
	if !ok {
		t.Fatalf("no schema for %s", kind)
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
	return compiled(t, text)
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
