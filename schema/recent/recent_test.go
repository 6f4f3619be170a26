package recent

import (
	"strings"
	"testing"
)

// TestMapIsBounded: what is used all the time stays, what was used once goes.
func TestMapIsBounded(t *testing.T) {
	c := New[int, int](4)
	for i := range 100 {
		c.Put(i, -i)
		if v, ok := c.Get(0); !ok || v != 0 {
			t.Fatalf("what is used all the time was dropped at %d", i)
		}
		if c.Len() > 2*4 {
			t.Fatalf("it holds %d", c.Len())
		}
	}
	if _, ok := c.Get(50); ok {
		t.Error("what was used once is still there")
	}
}

// TestMapIsBoundedByWeight holds that large folders do not fill the memory.
func TestMapIsBoundedByWeight(t *testing.T) {
	c := NewWeighed[int](100, func(s string) int { return len(s) })
	for i := range 100 {
		c.Put(i, strings.Repeat("x", 30))
		if m := c.Weight(); m > 2*100 {
			t.Fatalf("%d bytes are held", m)
		}
	}
	c.Put(100, strings.Repeat("x", 101))
	if _, ok := c.Get(100); ok || c.Len() == 0 {
		t.Error("one that is too heavy was kept, or drove the others out")
	}
}

// TestRotatedIsTold: each drop of the old half is told once.
func TestRotatedIsTold(t *testing.T) {
	rotated := 0
	m := New[int, int](2)
	m.Rotated = func() { rotated++ }
	for i := range 7 {
		m.Put(i, i)
	}
	if rotated != 3 {
		t.Errorf("told %d times, want 3", rotated)
	}
}
