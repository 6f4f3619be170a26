package console

import (
	"bytes"
	"slices"
)

// Pieces keeps what is written, and copies none of it when it grows.
type Pieces struct{ All [][]byte }

// Each piece is twice as large as the one before, up to maxPiece, unless more is written at
// once: a short answer takes little memory, and a long one few pieces.
const (
	firstPiece = 4 << 10
	maxPiece   = 64 << 10
)

// Write keeps a copy of b.
func (p *Pieces) Write(b []byte) (int, error) {
	written := len(b)
	if last := len(p.All) - 1; last >= 0 {
		room := min(cap(p.All[last])-len(p.All[last]), len(b))
		p.All[last], b = append(p.All[last], b[:room]...), b[room:]
	}
	if len(b) > 0 {
		p.All = append(p.All, append(make([]byte, 0, max(min(firstPiece<<min(len(p.All), 4), maxPiece), len(b))), b...))
	}
	return written, nil
}

// Bytes returns everything in one.
func (p *Pieces) Bytes() []byte {
	if len(p.All) == 1 {
		return slices.Clip(p.All[0])
	}
	return bytes.Join(p.All, nil)
}
