package gitsource

// cache is a bounded map: when its young half is full the old half is
// dropped, so what is still used survives. Everything in it can be rebuilt.
type cache[K comparable, V any] struct {
	limit      int // of what the young half weighs
	weigh      func(V) int
	weight     int
	young, old map[K]V
}

// newCache makes a cache whose halves hold limit entries each.
func newCache[K comparable, V any](limit int) *cache[K, V] {
	return newWeighedCache[K](limit, func(V) int { return 1 })
}

// newWeighedCache makes a cache whose halves hold entries of that weight in all.
// One that is heavier by itself is not kept.
func newWeighedCache[K comparable, V any](limit int, weigh func(V) int) *cache[K, V] {
	return &cache[K, V]{limit: limit, weigh: weigh, young: map[K]V{}}
}

func (c *cache[K, V]) get(k K) (V, bool) {
	if v, ok := c.young[k]; ok {
		return v, true
	}
	v, ok := c.old[k]
	if ok {
		c.put(k, v)
	}
	return v, ok
}

func (c *cache[K, V]) put(k K, v V) {
	weight := c.weigh(v)
	if weight > c.limit {
		return
	}
	if c.weight += weight; c.weight > c.limit {
		c.old, c.young, c.weight = c.young, map[K]V{}, weight
	}
	c.young[k] = v
}
