package testkit

import (
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

// What LogExcerpt keeps of a log.
const (
	keptLines      = 60 // that people see
	keptDebugLines = 25
	keptOfALine    = 500
)

// LogExcerpt returns the end of the log in a file, in its order: the last lines that people
// see, and fewer of those for debugging, for the report of a test that failed.
func LogExcerpt(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return err.Error() + "\n"
	}
	var out []string
	seen, debug := 0, 0
	for _, line := range slices.Backward(strings.Split(strings.TrimRight(string(data), "\n"), "\n")) {
		if strings.Contains(line, "level=DEBUG") {
			if debug++; debug > keptDebugLines {
				continue
			}
		} else if seen++; seen > keptLines {
			break
		}
		out = append(out, shortened(line))
	}
	slices.Reverse(out)
	return strings.Join(out, "\n") + "\n"
}

func shortened(line string) string {
	if len(line) <= keptOfALine {
		return line
	}
	cut := keptOfALine
	for !utf8.RuneStart(line[cut]) {
		cut--
	}
	return line[:cut] + " …"
}
