package cli

import (
	"encoding/json"
	"io"

	"milvus-reconcile/schema"
)

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

type problemRow struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Path    string `json:"path"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

func problemRows(problems schema.Problems) []problemRow {
	out := []problemRow{}
	for _, p := range problems {
		out = append(out, problemRow(p))
	}
	return out
}
