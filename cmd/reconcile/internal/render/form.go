package render

import (
	"fmt"
	"io"
)

// The forms of a document, as -o names them.
const (
	FormTable    = "table"
	FormJSON     = "json"
	FormYAML     = "yaml"
	FormMarkdown = "markdown"
	FormJUnit    = "junit"
	FormSARIF    = "sarif"
)

// writeText writes finished text at once.
func writeText(w io.Writer, text string) error {
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
