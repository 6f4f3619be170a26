//go:build race

package reconcile_test

// underRace: the race detector slows everything down tenfold.
const underRace = true
