package render

import (
	"fmt"
	"io"
)

// Build says what a program was made of.
type Build struct {
	Version      string
	Commit, Date string // empty: not known; the date is the commit's, RFC 3339
	Go, OS, Arch string
}

type wireBuild struct {
	FormatVersion string  `json:"formatVersion"`
	Version       string  `json:"version"`
	Commit        *string `json:"commit"`
	Date          *string `json:"date"`
	Go            string  `json:"go"`
	OS            string  `json:"os"`
	Arch          string  `json:"arch"`
}

// Version writes a build as "table" (one line), "json" or "yaml".
func Version(w io.Writer, form string, b Build, o TableOptions) error {
	return answer{name: "version", page: func(p *page) {
		p.line(fmt.Sprintf("reconcile %s (commit %s, %s, %s/%s)", Safe(b.Version), Safe(b.revision()), b.Go, b.OS, b.Arch))
	}, value: func() any {
		return wireBuild{answerFormat, b.Version, textOrNil(b.Commit), textOrNil(b.Date), b.Go, b.OS, b.Arch}
	}}.write(w, form, o)
}

// revision is the commit, with its date where that is known.
func (b Build) revision() string {
	switch {
	case b.Commit == "":
		return "unknown"
	case b.Date == "":
		return b.Commit
	}
	return b.Commit + " of " + b.Date
}
