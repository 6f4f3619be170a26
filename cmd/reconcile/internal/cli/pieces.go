package cli

import (
	"bytes"
	"slices"
)

// pieces keeps what is written, and copies none of it when it grows.
type pieces struct{ all [][]byte }

// pieceSize is the size of all pieces but larger ones that were written as a whole.
const pieceSize = 64 << 10

// Write keeps a copy of b.
func (p *pieces) Write(b []byte) (int, error) {
	written := len(b)
	if last := len(p.all) - 1; last >= 0 {
		room := min(cap(p.all[last])-len(p.all[last]), len(b))
		p.all[last], b = append(p.all[last], b[:room]...), b[room:]
	}
	if len(b) > 0 {
		p.all = append(p.all, append(make([]byte, 0, max(pieceSize, len(b))), b...))
	}
	return written, nil
}

// bytes returns everything in one.
func (p *pieces) bytes() []byte {
	if len(p.all) == 1 {
		return slices.Clip(p.all[0])
	}
	return bytes.Join(p.all, nil)
}
