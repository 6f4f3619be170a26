// Package race tells tests whether the race detector is on. It slows everything down
// tenfold, and sees nothing more in the hundredth repetition of a test than in the tenth:
// a run without it has all of them.
package race
