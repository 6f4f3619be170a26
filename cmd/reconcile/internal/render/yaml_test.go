package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"
)

func TestYAMLSaysWhatJSONSays(t *testing.T) {
	docs := everyDocument(t)
	docs["hostile"] = hostileDocument()
	old := inSync("orders")
	old.Clusters[0].View.Version, old.Clusters[1].View.Version = "off", "1:30"
	docs["what was no text before YAML 1.2"] = document(old)
	for name, d := range docs {
		t.Run(name, func(t *testing.T) {
			var fromYAML, fromOlder, fromJSON any
			if err := sigsyaml.Unmarshal(rendered(t, func(w io.Writer) error { return YAML(w, d) }), &fromOlder); err != nil {
				t.Fatal(err)
			}
			if err := yaml.Unmarshal(rendered(t, func(w io.Writer) error { return YAML(w, d) }), &fromYAML); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(rendered(t, func(w io.Writer) error { return JSON(w, d) }), &fromJSON); err != nil {
				t.Fatal(err)
			}
			a, errA := json.Marshal(fromYAML)
			b, errB := json.Marshal(fromJSON)
			c, errC := json.Marshal(fromOlder)
			if err := errors.Join(errA, errB, errC); err != nil || !bytes.Equal(a, b) || !bytes.Equal(c, b) {
				t.Errorf("%v\nYAML     %s\nYAML 1.1 %s\nJSON     %s", err, a, c, b)
			}
		})
	}
}
