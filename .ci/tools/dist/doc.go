// Package dist holds what .ci/dist builds to what it promises: the same bytes
// wherever and whenever it is built, and what lies next to the binaries. It has
// tests only.
package dist
