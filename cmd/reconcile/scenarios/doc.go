// Package scenarios tests the real program with stories. Most are scripts in
// testdata/script. Those that need more than a script are in Go: several processes, hostile
// servers, secrets that must not be printed.
package scenarios
