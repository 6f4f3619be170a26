// Package scenarios runs the real program in stories: testdata/script, one file each, and
// what needs more than a script can tell: several processes, hostile servers, secrets
// that must not be printed.
package scenarios
