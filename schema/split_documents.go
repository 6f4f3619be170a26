package schema

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// The bounds of one file. They keep a hostile file from costing much; a real
// topology is a few kilobytes.
const (
	maxFileSize  = 1 << 20
	maxDocuments = 100
	maxDepth     = 32
	maxClusters  = 100     // of one topology, as in the schema
	maxNodes     = 250_000 // of one document: 100 clusters with 1024 listed channels have fewer
	maxProblems  = 1000    // of one document that are told
)

// The bounds of the operator's configuration, which is trusted: credentials of 30,000
// clusters have fewer.
const (
	maxConfigSize  = 4 << 20
	maxConfigNodes = 1_000_000
)

// chunk is the text of one YAML document and the line it starts on.
type chunk struct {
	data []byte
	line int // from 1
}

// split cuts a stream into its documents. YAML allows a line that starts with
// "---" or "..." nowhere but between documents, so this cut needs no parser,
// and a document that cannot be parsed does not take the next one with it.
func split(data []byte) []chunk {
	var out []chunk
	start, startLine, line, pos := 0, 1, 1, 0
	flush := func(end, nextLine int) {
		if end > start {
			out = append(out, chunk{data: data[start:end], line: startLine})
		}
		start, startLine = end, nextLine
	}
	for pos < len(data) {
		next := len(data)
		if i := bytes.IndexByte(data[pos:], '\n'); i >= 0 {
			next = pos + i + 1
		}
		switch text := data[pos:next]; {
		case isMarker(text, "---"):
			flush(pos, line)
		case isMarker(text, "..."):
			flush(next, line+1)
		}
		pos = next
		line++
	}
	flush(len(data), line)
	return out
}

func isMarker(line []byte, marker string) bool {
	if !bytes.HasPrefix(line, []byte(marker)) {
		return false
	}
	return len(line) == len(marker) || strings.IndexByte(" \t\r\n", line[len(marker)]) >= 0
}

// checkText finds what makes a file unreadable as a whole: its size, its
// encoding, and characters that a reviewer cannot see but a parser obeys.
func checkText(file string, data []byte) Problems {
	if len(data) > maxFileSize {
		return Problems{*tooLarge(file, int64(len(data)))}
	}
	return checkRunes(file, data)
}

// checkRunes is checkText without the size.
func checkRunes(file string, data []byte) Problems {
	var out Problems
	line, column := 1, 1
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if message, hint := badRune(r, size, data[i+size:]); message != "" {
			out = append(out, Problem{File: file, Line: line, Column: column, Message: message, Hint: hint})
			if len(out) == 20 {
				return out
			}
		}
		i += size
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
	}
	return out
}

func badRune(r rune, size int, rest []byte) (message, hint string) {
	switch {
	case r == utf8.RuneError && size == 1:
		return "the text is not valid UTF-8", "save the file as UTF-8"
	case r == '\r' && !bytes.HasPrefix(rest, []byte("\n")):
		return "a carriage return is not followed by a line feed", "end lines with a line feed"
	case r == '\n' || r == '\r' || r == '\t':
		return "", ""
	case isHidden(r):
		return fmt.Sprintf("the character U+%04X is not allowed", r), "remove it: it is invisible or changes how the text is shown"
	}
	return "", ""
}

// isHidden names control characters, the Unicode line breaks that YAML obeys
// and editors don't show, and the marks that reorder displayed text.
func isHidden(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r <= 0x9f:
		return true
	case r == 0x2028, r == 0x2029, r == 0xfeff, r == 0x200e, r == 0x200f:
		return true
	}
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// isInvisible names characters that have a use in comments, in several
// scripts, and none in a value.
func isInvisible(r rune) bool {
	return r >= 0x200b && r <= 0x200d || r >= 0x2060 && r <= 0x2065
}

func tooLarge(file string, size int64) *Problem {
	return &Problem{
		File: file, Message: fmt.Sprintf("the file has %d bytes, more than the %d allowed", size, maxFileSize),
		Hint: "split it into several files",
	}
}
