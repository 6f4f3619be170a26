//go:build !race

package gitsource

const underRace = false
