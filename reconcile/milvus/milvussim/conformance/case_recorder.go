package conformance

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// recorder keeps what a case says, for the report.
type recorder struct {
	testing.TB
	mu   sync.Mutex
	said []string
}

func (r *recorder) keep(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, strings.TrimSpace(text))
}

func (r *recorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.said, "\n")
}

func (r *recorder) Logf(format string, args ...any) {
	r.Helper()
	r.keep(fmt.Sprintf(format, args...))
	r.TB.Logf(format, args...)
}

func (r *recorder) Error(args ...any) {
	r.Helper()
	r.keep(fmt.Sprintln(args...))
	r.TB.Error(args...)
}

func (r *recorder) Errorf(format string, args ...any) {
	r.Helper()
	r.keep(fmt.Sprintf(format, args...))
	r.TB.Errorf(format, args...)
}

func (r *recorder) Fatal(args ...any) {
	r.Helper()
	r.keep(fmt.Sprintln(args...))
	r.TB.Fatal(args...)
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Helper()
	r.keep(fmt.Sprintf(format, args...))
	r.TB.Fatalf(format, args...)
}

func (r *recorder) Skip(args ...any) {
	r.Helper()
	r.keep(fmt.Sprintln(args...))
	r.TB.Skip(args...)
}
