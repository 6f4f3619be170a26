package logrows

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twpayne/go-geom/encoding/wkb"
	"github.com/twpayne/go-geom/encoding/wkbcommon"
	"github.com/twpayne/go-geom/encoding/wkt"
)

// WKT writes geometries as requests bring them, from the binary form of a log (pkg/common,
// ConvertWKBToWKT). What is empty, in the place of a null, stays so.
func WKT(geometries [][]byte) ([]string, error) {
	out := make([]string, len(geometries))
	for i, raw := range geometries {
		if len(raw) == 0 {
			continue
		}
		text, err := wktOf(raw)
		if err != nil {
			return nil, fmt.Errorf("read geometry %d: %w", i, err)
		}
		out[i] = text
	}
	return out, nil
}

var errGeometry = errors.New("it is cut off, too deep, or of a form that is not known")

func wktOf(raw []byte) (string, error) {
	if rest, ok := afterGeometry(raw, mostNested); !ok || len(rest) > 0 {
		return "", errGeometry
	}
	g, err := wkb.Unmarshal(raw, wkbcommon.WKBOptionEmptyPointHandling(wkbcommon.EmptyPointHandlingNaN))
	if err != nil {
		return "", fmt.Errorf("decode it: %w", err)
	}
	text, err := wkt.Marshal(g)
	if err != nil {
		return "", fmt.Errorf("write it as text: %w", err)
	}
	return text, nil
}

// The kinds of geometries in the binary form. A thousand more has Z, two thousand M, three both.
const (
	kindPoint = iota + 1
	kindLine
	kindPolygon
	kindPoints
	kindLines
	kindPolygons
	kindCollection
)

// mostNested is how deep collections of geometries may lie in one another.
const mostNested = 16

// afterGeometry returns what follows a geometry. ok is false if it claims more elements than it
// has: the decoder believes such a number, and takes that much memory.
func afterGeometry(raw []byte, nested int) (rest []byte, ok bool) {
	const head = 5
	if len(raw) < head || raw[0] > 1 || nested == 0 {
		return nil, false
	}
	order := binary.ByteOrder(binary.BigEndian)
	if raw[0] == 1 {
		order = binary.LittleEndian
	}
	kind := order.Uint32(raw[1:head])
	size, known := map[uint32]int{0: 2, 1: 3, 2: 3, 3: 4}[kind/1000] //nolint:mnd // numbers of a point
	if !known {
		return nil, false
	}
	rest, point := raw[head:], func(b []byte) ([]byte, bool) { return skip(b, 1, 8*size) }
	line := func(b []byte) ([]byte, bool) { return each(b, order, point) }
	switch kind % 1000 {
	case kindPoint:
		return point(rest)
	case kindLine:
		return line(rest)
	case kindPolygon:
		return each(rest, order, line)
	case kindPoints, kindLines, kindPolygons, kindCollection:
		return each(rest, order, func(b []byte) ([]byte, bool) { return afterGeometry(b, nested-1) })
	default:
		return nil, false
	}
}

// skip leaves out n elements of a size.
func skip(raw []byte, n, size int) ([]byte, bool) {
	if len(raw)/size < n {
		return nil, false
	}
	return raw[n*size:], true
}

// each reads a number, and then so many elements. An element has a byte at least, so that the
// number ends with what is there.
func each(raw []byte, order binary.ByteOrder, element func([]byte) ([]byte, bool)) ([]byte, bool) {
	const number = 4
	if len(raw) < number {
		return nil, false
	}
	n, rest, ok := order.Uint32(raw), raw[number:], true
	if int64(n) > int64(len(rest)) {
		return nil, false
	}
	for range n {
		if rest, ok = element(rest); !ok {
			return nil, false
		}
	}
	return rest, true
}
