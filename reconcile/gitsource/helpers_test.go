package gitsource

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"milvus-reconcile/reconcile/approval"
)

var (
	alice = approval.Person{Name: "Alice Smith", Email: "alice@example.com"}
	bob   = approval.Person{Name: "Bob Jones", Email: "bob@example.com"}
	carol = approval.Person{Name: "Carol Lee", Email: "carol@example.com"}
	noon  = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
)

// keysOf reads a toy format, one document a paragraph: "name: N", then lines
// of content; "generation: G" is one of them. Blank space does not matter.
func keysOf(_ string, data []byte) []Document {
	var out []Document
	for part := range strings.SplitSeq(string(data), "---\n") {
		var d Document
		var content []string
		for line := range strings.Lines(part) {
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' {
				continue
			}
			if name, ok := strings.CutPrefix(line, "name: "); ok {
				d.Name = name
			}
			if g, ok := strings.CutPrefix(line, "generation: "); ok {
				d.Generation, _ = strconv.ParseInt(g, 10, 64)
			}
			content = append(content, line)
		}
		sum := sha256.Sum256([]byte(strings.Join(content, "\n")))
		d.Hash = hex.EncodeToString(sum[:8])
		if d.Name != "" {
			out = append(out, d)
		}
	}
	return out
}

// doc builds a document of that format.
func doc(name string, generation int, lines ...string) string {
	return "name: " + name + "\ngeneration: " + strconv.Itoa(generation) + "\n" + strings.Join(lines, "\n") + "\n"
}
