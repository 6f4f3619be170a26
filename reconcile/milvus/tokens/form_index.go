package tokens

import (
	"encoding/binary"
	"iter"
	"slices"
	"strings"
)

// formIndex finds the forms of tokens that a text holds. Every name that a server sends is
// looked up, and each of thousands of clusters may have a token of its own, so a form is
// found by its last bytes: where names begin alike, the ends of passwords differ.
type formIndex struct {
	short []string            // shorter than formEnd
	byEnd map[uint64][]string // by their last bytes
	ends  []uint64            // one bit for each hash of an end that occurs: most places of a text need no more
}

const (
	formEnd  = wordBits / byteBits
	endBits  = 1 << endShift // larger than the number of forms that is usual
	endShift = 17
	wordBits = 64
	byteBits = 8
)

// endOf reads the last bytes of a text that is long enough.
func endOf(text string) uint64 {
	end := text[len(text)-formEnd:]
	return binary.LittleEndian.Uint64([]byte(end))
}

// bitOf is where the bit of an end is. It mixes all bytes of the end into the upper ones.
func bitOf(end uint64) (word, mask uint64) {
	const odd = 0x9e3779b97f4a7c15
	bit := end * odd >> (wordBits - endShift)
	return bit / wordBits, 1 << (bit % wordBits)
}

// add adds a form.
func (x *formIndex) add(form string) {
	if len(form) < formEnd {
		if !slices.Contains(x.short, form) {
			x.short = append(x.short, form)
		}
		return
	}
	if x.byEnd == nil {
		x.byEnd, x.ends = map[uint64][]string{}, make([]uint64, endBits/wordBits)
	}
	end := endOf(form)
	if slices.Contains(x.byEnd[end], form) {
		return
	}
	x.byEnd[end] = append(x.byEnd[end], form)
	word, mask := bitOf(end)
	x.ends[word] |= mask
}

// in returns the forms that a text holds, some of them more than once.
func (x *formIndex) in(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, form := range x.short {
			if strings.Contains(text, form) && !yield(form) {
				return
			}
		}
		if x.byEnd == nil {
			return
		}
		var end uint64
		for i := range len(text) {
			end = end>>byteBits | uint64(text[i])<<(wordBits-byteBits)
			if word, mask := bitOf(end); x.ends[word]&mask == 0 {
				continue
			}
			for _, form := range x.byEnd[end] {
				if strings.HasSuffix(text[:i+1], form) && !yield(form) {
					return
				}
			}
		}
	}
}
