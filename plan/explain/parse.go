package explain

import (
	"fmt"
	"strings"

	"milvus-reconcile/plan"
)

// parse reads one text:
//
//	# Title
//	KIND, SEVERITY, acceptable: yes|no
//	## Cause … ## Risk … ## Remedy … ## Example
//
// in this order, each once and none of them empty.
func parse(code, text string) (Entry, error) {
	head, rest, ok := strings.Cut(text, "\n## ")
	if !ok {
		return Entry{}, fmt.Errorf("explain %s: no sections", code)
	}
	e, err := parseHead(code, head)
	if err != nil {
		return Entry{}, err
	}
	sections := strings.Split(rest, "\n## ")
	fields := []struct {
		name string
		into *string
	}{{"Cause", &e.Cause}, {"Risk", &e.Risk}, {"Remedy", &e.Remedy}, {"Example", &e.Example}}
	if len(sections) != len(fields) {
		return Entry{}, fmt.Errorf("explain %s: %d sections, want %d", code, len(sections), len(fields))
	}
	for i, f := range fields {
		name, body, _ := strings.Cut(sections[i], "\n")
		*f.into = strings.Trim(body, "\n")
		if name != f.name || *f.into == "" {
			return Entry{}, fmt.Errorf("explain %s: section %d is %q or empty, want %q", code, i+1, name, f.name)
		}
	}
	e.Example = unindent(e.Example)
	return e, nil
}

func parseHead(code, head string) (Entry, error) {
	lines := strings.Split(strings.TrimSpace(head), "\n")
	title, ok := strings.CutPrefix(lines[0], "# ")
	if !ok || len(lines) < 2 {
		return Entry{}, fmt.Errorf("explain %s: no title or no line of facts", code)
	}
	e := Entry{Code: code, Title: title}
	facts := strings.Split(lines[len(lines)-1], ", ")
	if len(facts) != 3 {
		return Entry{}, fmt.Errorf("explain %s: %d facts, want kind, severity, acceptable", code, len(facts))
	}
	e.Kind, e.Severity = Kind(facts[0]), plan.Severity(facts[1])
	switch facts[2] {
	case "acceptable: yes":
		e.Acceptable = true
	case "acceptable: no":
	default:
		return Entry{}, fmt.Errorf("explain %s: %q is neither acceptable: yes nor acceptable: no", code, facts[2])
	}
	return e, nil
}

// unindent removes the four spaces that make the example a block of code.
func unindent(block string) string {
	lines := strings.Split(block, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimPrefix(l, "    ")
	}
	return strings.Join(lines, "\n")
}
