package console

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/term"
	"google.golang.org/grpc/grpclog"
)

// IgnoreSIGPIPE makes a write to a closed pipe fail instead of ending the process. By
// default Go ends a program that writes to a closed stdout or stderr, unless it handles
// the signal (os/signal, "SIGPIPE"). That must not happen between the intent and the
// promotion of an apply. Child processes get the signal as usual.
func IgnoreSIGPIPE() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
}

// DiscardGRPCLogs discards what gRPC writes to stderr by itself, since such a write waits
// for its reader. gRPC also returns its errors.
var DiscardGRPCLogs = sync.OnceFunc(func() {
	if os.Getenv("GRPC_GO_LOG_SEVERITY_LEVEL") == "" {
		grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	}
})

// ErrReaderGone is the error of a write to stdout after its reader closed the pipe. It
// ends a command that repeats its output.
var ErrReaderGone = errors.New("the reader of the result has closed the pipe")

const (
	// QueuedLines is how many lines wait for a slow reader of stderr.
	QueuedLines = 4096
	// ExitFlushTimeout is how long the end of the process waits until its lines are
	// read; flushTimeout is how long a result waits.
	ExitFlushTimeout = 2 * time.Second
	flushTimeout     = time.Second
)

// Queue is a writer that never waits for its reader, so that a slow reader of stderr does
// not delay requests to clusters. It drops and counts lines that find the queue full.
type Queue struct {
	to   io.Writer
	most int // lines that it holds
	done chan struct{}

	mu      sync.Mutex
	lines   chan []byte // nil until the first line: most commands tell nothing
	closed  bool
	pending int           // lines not written yet
	drained chan struct{} // closed when no line is pending; nil while none is
	stuck   bool          // a flush timed out, and lines are still pending
	dropped int           // dropped lines that no notice reported yet
	// makeNotice makes the line that reports dropped lines; count is called for each.
	makeNotice func(lines int) []byte
	count      func()
}

// NewQueue returns a queue of that many lines.
func NewQueue(to io.Writer, lines int) *Queue {
	return &Queue{to: to, most: lines, done: make(chan struct{})}
}

// write writes what is queued, until the queue is closed.
func (q *Queue) write(lines <-chan []byte) {
	defer close(q.done)
	for line := range lines {
		_, _ = q.to.Write(line) // a line that cannot be written stops nothing
		if notice := q.written(); notice != nil {
			_, _ = q.to.Write(notice)
		}
	}
}

// written counts a written line. If none is pending, it returns a notice of dropped lines.
func (q *Queue) written() []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.pending--; q.pending > 0 {
		return nil
	}
	close(q.drained)
	q.drained, q.stuck = nil, false
	return q.notice()
}

// notice returns the notice of dropped lines, or nil, and resets their number. The caller
// holds the lock.
func (q *Queue) notice() []byte {
	n := q.dropped
	if n == 0 || q.makeNotice == nil {
		return nil
	}
	q.dropped = 0
	return q.makeNotice(n)
}

// OnDropped sets what makes the notice of dropped lines, and what counts each of them.
func (q *Queue) OnDropped(makeNotice func(lines int) []byte, count func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.makeNotice, q.count = makeNotice, count
}

// Write queues one line. It never fails.
func (q *Queue) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return len(p), nil
	}
	if q.lines == nil {
		q.lines = make(chan []byte, q.most)
		go q.write(q.lines)
	}
	room := cap(q.lines) - len(q.lines) // only the holder of the lock adds lines
	if room == 0 || q.dropped > 0 && room == 1 {
		q.dropped++
		if q.count != nil {
			q.count()
		}
		return len(p), nil
	}
	if notice := q.notice(); notice != nil {
		q.put(notice)
	}
	q.put(append([]byte(nil), p...))
	return len(p), nil
}

// put queues a line. The caller holds the lock, and there is room.
func (q *Queue) put(line []byte) {
	if q.pending == 0 {
		q.drained = make(chan struct{})
	}
	q.pending++
	q.lines <- line
}

// flush waits until all lines are written, at most flushTimeout.
func (q *Queue) flush() {
	q.mu.Lock()
	drained, stuck := q.drained, q.stuck
	q.mu.Unlock()
	if drained == nil || stuck {
		return
	}
	select {
	case <-drained:
	case <-time.After(flushTimeout):
		q.mu.Lock()
		q.stuck = q.drained != nil
		q.mu.Unlock()
	}
}

// Close writes the pending lines, until limit fires.
func (q *Queue) Close(limit <-chan time.Time) {
	q.mu.Lock()
	if !q.closed {
		if q.closed = true; q.lines != nil {
			close(q.lines)
		} else {
			close(q.done)
		}
	}
	q.mu.Unlock()
	select {
	case <-q.done:
	case <-limit:
	}
}

// Results writes to stdout. It first flushes stderr, so that messages before a result
// also precede it if both go to one file.
type Results struct {
	to     io.Writer
	lines  *Queue
	failed error
}

// NewResults returns a writer to stdout that flushes the lines for stderr first.
func NewResults(to io.Writer, lines *Queue) *Results { return &Results{to: to, lines: lines} }

// Err returns the first write error other than a closed pipe.
func (r *Results) Err() error { return r.failed }

// Write writes a part of the result.
func (r *Results) Write(p []byte) (int, error) {
	r.lines.flush()
	n, err := r.to.Write(p)
	switch {
	case errors.Is(err, syscall.EPIPE):
		return n, ErrReaderGone
	case err != nil && r.failed == nil:
		r.failed = err
	}
	return n, err
}

// FileOf returns the file that a Queue or Results writes to.
func FileOf(w io.Writer) (*os.File, bool) {
	switch ours := w.(type) {
	case *Queue:
		w = ours.to
	case *Results:
		w = ours.to
	}
	f, ok := w.(*os.File)
	return f, ok
}

// IsTerminal says whether a writer, or what a Queue or Results writes to, is a terminal.
func IsTerminal(w io.Writer) bool {
	f, ok := FileOf(w)
	return ok && term.IsTerminal(int(f.Fd()))
}
