package logrows

import (
	"slices"
	"testing"

	"github.com/twpayne/go-geom/encoding/wkb"
	"github.com/twpayne/go-geom/encoding/wkbcommon"
	"github.com/twpayne/go-geom/encoding/wkt"
)

func wkbOf(t *testing.T, text string) []byte {
	t.Helper()
	g, err := wkt.Unmarshal(text)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := wkb.Marshal(g, wkb.NDR, wkbcommon.WKBOptionEmptyPointHandling(wkbcommon.EmptyPointHandlingNaN))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestGeometriesComeBackAsTheyWere: the text that is made of the binary form gives the same
// binary form again, for every kind.
func TestGeometriesComeBackAsTheyWere(t *testing.T) {
	for _, text := range []string{
		"POINT (1 2)", "POINT EMPTY", "POINT Z (0.1 1e-300 -7)", "POINT M (1 2 3)", "POINT ZM (1 2 3 4)",
		"LINESTRING (0 0, 1 1, 2 3.0000000000000004)", "LINESTRING EMPTY", "POLYGON ((0 0, 4 0, 4 4, 0 0), (1 1, 2 1, 2 2, 1 1))",
		"MULTIPOINT ((1 2), (3 4))", "MULTILINESTRING ((0 0, 1 1), (2 2, 3 3))", "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((5 5, 6 5, 6 6, 5 5)))",
		"GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (0 0, 1 1))", "GEOMETRYCOLLECTION EMPTY",
	} {
		raw := wkbOf(t, text)
		got, err := WKT([][]byte{raw, nil})
		if err != nil || got[1] != "" {
			t.Errorf("%s: %q, %v", text, got, err)
			continue
		}
		if back := wkbOf(t, got[0]); !slices.Equal(back, raw) {
			t.Errorf("%s became %s", text, got[0])
		}
	}
}

// TestAGeometryThatLiesIsRefused, and takes no memory: one that is cut off anywhere, that claims
// more than it has, or that nests without end.
func TestAGeometryThatLiesIsRefused(t *testing.T) {
	whole := wkbOf(t, "GEOMETRYCOLLECTION (POLYGON ((0 0, 4 0, 4 4, 0 0)), MULTIPOINT ((1 2), (3 4)))")
	for n := 1; n < len(whole); n++ {
		if _, err := WKT([][]byte{whole[:n]}); err == nil {
			t.Errorf("the first %d of %d bytes were accepted", n, len(whole))
		}
	}
	deep := []byte{}
	for range 1000 {
		deep = append(deep, 1, kindCollection, 0, 0, 0, 1, 0, 0, 0)
	}
	for name, raw := range map[string][]byte{
		"more points than bytes": {1, kindLine, 0, 0, 0, 255, 255, 255, 127},
		"more rings than bytes":  {1, kindPolygon, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0},
		"no end of collections":  append(deep, wkbOf(t, "POINT (1 2)")...),
		"an unknown kind":        {1, 99, 0, 0, 0, 0, 0, 0, 0},
		"another byte order":     {7, kindPoint, 0, 0, 0},
		"something behind it":    append(slices.Clone(whole), 0),
	} {
		if _, err := WKT([][]byte{raw}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
