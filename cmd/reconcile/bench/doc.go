// Package bench measures the real program: make bench. docs/performance.md has the numbers.
package bench
