//go:build race

package gitsource

// underRace: the race detector slows everything down tenfold.
const underRace = true
