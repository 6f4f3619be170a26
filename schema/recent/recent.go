// Package recent has a cache with a size limit, which drops what was not used recently. It
// is only for values that can be computed again: it changes how long an answer takes, and
// never the answer.
package recent

// Map is a bounded map of two halves. When the young half is full it becomes the old
// one, and the old half is dropped; what is found in the old half moves to the young
// one, and so survives. It is not safe for use by several goroutines at once.
type Map[K comparable, V any] struct {
	// Rotated is called whenever the old half was dropped. May be nil.
	Rotated func()

	limit      int // of what the young half weighs
	weigh      func(V) int
	weight     int // of the young half
	young, old map[K]V
}

// New makes a map whose halves hold limit entries each.
func New[K comparable, V any](limit int) *Map[K, V] {
	return NewWeighed[K](limit, func(V) int { return 1 })
}

// NewWeighed makes a map whose halves hold entries that together weigh limit. An entry
// that is heavier by itself is not kept.
func NewWeighed[K comparable, V any](limit int, weigh func(V) int) *Map[K, V] {
	return &Map[K, V]{limit: limit, weigh: weigh, young: map[K]V{}}
}

// Get returns what is kept under a key.
func (m *Map[K, V]) Get(k K) (V, bool) {
	if v, ok := m.young[k]; ok {
		return v, true
	}
	v, ok := m.old[k]
	if ok {
		m.Put(k, v)
	}
	return v, ok
}

// Put keeps a value under a key.
func (m *Map[K, V]) Put(k K, v V) {
	weight := m.weigh(v)
	if weight > m.limit {
		return
	}
	if m.weight += weight; m.weight > m.limit {
		m.old, m.young, m.weight = m.young, map[K]V{}, weight
		if m.Rotated != nil {
			m.Rotated()
		}
	}
	m.young[k] = v
}

// Len is how many entries are kept. One that is in both halves counts twice.
func (m *Map[K, V]) Len() int { return len(m.young) + len(m.old) }

// Weight is what both halves weigh together: at most twice the limit.
func (m *Map[K, V]) Weight() int {
	weight := 0
	for _, half := range []map[K]V{m.young, m.old} {
		for _, v := range half {
			weight += m.weigh(v)
		}
	}
	return weight
}
