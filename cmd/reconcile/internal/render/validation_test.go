package render

import (
	"io"
	"testing"
)

// invalid is a folder with two bad files; nothing of one of them can be read.
func invalid() Validation {
	return Validation{Topologies: 1, Problems: []Problem{
		{File: "topologies/carts.yaml", Line: 12, Column: 13, Path: "spec.clusters[1].uri", Message: "the uri has no scheme", Hint: "write http://cluster-d.example:19530"},
		{File: "topologies/\x1b[2Jusers.yaml", Message: "the file is empty"},
	}}
}

func TestGoldenValidation(t *testing.T) {
	for _, form := range []string{FormTable, FormJSON, FormYAML} {
		t.Run(form, func(t *testing.T) {
			compare(t, "validate."+form, func(w io.Writer) error { return Validate(w, form, invalid(), TableOptions{}) })
		})
	}
	if err := Validate(io.Discard, FormMarkdown, invalid(), TableOptions{}); err == nil {
		t.Error("a validation as Markdown was accepted")
	}
}
