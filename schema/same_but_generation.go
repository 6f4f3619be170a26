package schema

import (
	"slices"
	"strconv"
	"strings"
)

// Most versions of a document equal one that was parsed, but for the generation: each
// change raises it, and roles change back and forth. Such a version is not parsed again.

// frame is a text without the digits of its generation.
type frame struct{ before, after string }

// maxDigits bounds the digits of a generation to numbers that are good in every document.
const maxDigits = 15

// frameOf cuts the digits of the generation out of a text. ok is false unless the word
// stands once in the text, in a line "generation: 7", and no escape can write it. Then the
// line is the only one that a good document can have its generation from, and another
// number in it moves nothing else.
func frameOf(text string) (f frame, generation int64, ok bool) {
	const word, key = "generation", "generation: "
	at := strings.Index(text, key)
	if at < 0 || strings.Count(text, word) != 1 || strings.Contains(text, `\`) || len(text) > maxFileSize-maxDigits {
		return f, 0, false
	}
	begin := at + len(key)
	digits, _, ended := strings.Cut(text[begin:], "\n")
	if !ended || len(digits) > maxDigits || strings.Trim(digits, "0123456789") != "" || strings.HasPrefix(digits, "0") {
		return f, 0, false
	}
	generation, err := strconv.ParseInt(digits, 10, 64)
	return frame{text[:begin], text[begin+len(digits):]}, generation, err == nil
}

// keepFrames is what the texts of one half of the frames weigh.
const keepFrames = 4 << 20

// frames says whether other versions can be told from a content: it is one good document.
func (c *content) frames(generation int64) bool {
	return len(c.docs) == 1 && len(c.problems) == 0 && c.docs[0].identity.valid && c.docs[0].topology.Generation == generation
}

// withGeneration is the content of a text that differs in its generation alone. What it
// points to is shared.
func (c *content) withGeneration(generation int64) *content {
	out := &content{docs: slices.Clone(c.docs), file: c.file, placed: c.placed}
	out.docs[0].topology.Generation = generation
	return out
}
