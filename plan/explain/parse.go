package explain

import (
	"fmt"
	"strings"
)

// parse reads one text:
//
//	# Title
//	## Cause … ## Risk … ## Remedy … ## Example
//
// in this order, each once and none of them empty. Everything else that an entry
// says of its code comes from [plan.CodeSpecs].
func parse(code, text string) (Entry, error) {
	head, rest, ok := strings.Cut(text, "\n## ")
	if !ok {
		return Entry{}, fmt.Errorf("explain %s: no sections", code)
	}
	title, ok := strings.CutPrefix(strings.TrimSpace(head), "# ")
	if !ok || strings.Contains(title, "\n") {
		return Entry{}, fmt.Errorf("explain %s: it must begin with one line '# Title'", code)
	}
	e := Entry{Code: code, Title: title}
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

// unindent removes the four spaces that make the example a block of code.
func unindent(block string) string {
	lines := strings.Split(block, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimPrefix(l, "    ")
	}
	return strings.Join(lines, "\n")
}
