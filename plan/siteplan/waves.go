package siteplan

import (
	"path"

	"milvus-reconcile/plan"
)

// Wave is a part of the topologies that move before the next part begins.
type Wave struct {
	Name       string
	Topologies []string          // names or patterns of path.Match; one of them must match
	Labels     map[string]string // that the topology must have, all of them
	// MaxFailed is how many of the wave may fail without stopping what comes after it.
	MaxFailed int
}

// takes says whether a topology belongs to the wave. A wave without rules takes none.
func (w Wave) takes(t plan.Topology) bool {
	if len(w.Topologies) == 0 && len(w.Labels) == 0 {
		return false
	}
	for key, value := range w.Labels {
		if t.Labels[key] != value {
			return false
		}
	}
	if len(w.Topologies) == 0 {
		return true
	}
	for _, pattern := range w.Topologies {
		if ok, err := path.Match(pattern, t.Name); ok && err == nil {
			return true
		}
	}
	return false
}

// Waves are the operator's waves, in their order. What none of them takes comes last, in one
// more wave; so without any there is one wave.
type Waves []Wave

// Of returns the place of a topology's wave: that of the first one that takes it.
func (w Waves) Of(t plan.Topology) int {
	for i, wave := range w {
		if wave.takes(t) {
			return i
		}
	}
	return len(w)
}

// Count is how many waves there are.
func (w Waves) Count() int { return len(w) + 1 }

// At returns a wave by its place.
func (w Waves) At(i int) Wave {
	if i < len(w) {
		return w[i]
	}
	return Wave{Name: "rest"}
}
