//go:build race

package plan

// underRace: the race detector slows everything down tenfold, and this package starts no
// goroutine.
const underRace = true
