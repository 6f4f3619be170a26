package cli

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc/grpclog"
)

// outliveReaders lets a write to a closed pipe fail instead of ending the process:
// Go ends a program that writes to a closed stdout or stderr by SIGPIPE, unless it
// asked for that signal (os/signal, "SIGPIPE"). A reader that went away must not
// end an apply between its intent and its promotion. Programs that we start get
// the signal as usual.
func ignoreSIGPIPE() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
}

// silenceLibraries keeps what gRPC would write to stderr by itself from it: such a
// write waits for its reader. What it finds out comes back as an error.
var discardGRPCLogs = sync.OnceFunc(func() {
	if os.Getenv("GRPC_GO_LOG_SEVERITY_LEVEL") == "" {
		grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	}
})

// errReaderGone is how a write to stdout fails that nobody reads any more. It ends what
// would go on for its reader.
var errReaderGone = errors.New("nobody reads the result any more")

const (
	// queuedLines is how many lines wait for a reader who is slow.
	queuedLines = 4096
	// lastLinesWithin is for how long the end of the process waits for the reader of
	// its lines, and flushWithin for how long a result does.
	exitFlushTimeout = 2 * time.Second
	flushTimeout     = time.Second
)

// queue is a writer that never waits for its reader: what is sent to a cluster must
// not wait since whoever reads stderr does not. What finds the queue full is left
// out, and counted.
type queue struct {
	to    io.Writer
	lines chan []byte
	done  chan struct{}

	mu      sync.Mutex
	closed  bool
	pending int           // lines that are not written yet
	drained chan struct{} // closed when none is; nil while none is
	stuck   bool          // a flush waited in vain since none was pending
	dropped int           // lines left out that nobody was told of
	// told makes the line that tells how many were left out; counted hears of each.
	makeNotice func(lines int) []byte
	count      func()
}

func newQueue(to io.Writer) *queue {
	q := &queue{to: to, lines: make(chan []byte, queuedLines), done: make(chan struct{})}
	go q.write()
	return q
}

func (q *queue) write() {
	defer close(q.done)
	for line := range q.lines {
		_, _ = q.to.Write(line) // a line that cannot be written stops nothing
		if notice := q.written(); notice != nil {
			_, _ = q.to.Write(notice)
		}
	}
}

// written notes that a line was. With none left to write it returns the notice of
// those that were left out.
func (q *queue) written() []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.pending--; q.pending > 0 {
		return nil
	}
	close(q.drained)
	q.drained, q.stuck = nil, false
	return q.notice()
}

// notice takes what is to be told of lines left out; the lock is held.
func (q *queue) notice() []byte {
	n := q.dropped
	if n == 0 || q.makeNotice == nil {
		return nil
	}
	q.dropped = 0
	return q.makeNotice(n)
}

// tellBy has lines that were left out told by the line that told makes, and counted.
func (q *queue) onDropped(makeNotice func(lines int) []byte, count func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.makeNotice, q.count = makeNotice, count
}

// Write takes one line. It always says that it wrote it.
func (q *queue) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return len(p), nil
	}
	room := cap(q.lines) - len(q.lines) // nobody else puts lines in
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

// put queues a line; the lock is held, and there is room.
func (q *queue) put(line []byte) {
	if q.pending == 0 {
		q.drained = make(chan struct{})
	}
	q.pending++
	q.lines <- line
}

// flush waits until all lines are written, but not for a reader who does not read.
func (q *queue) flush() {
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

// close writes what waits, until the time is over.
func (q *queue) close(limit <-chan time.Time) {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.lines)
	}
	q.mu.Unlock()
	select {
	case <-q.done:
	case <-limit:
	}
}

// results is stdout, beside the lines on stderr: what was said before a result stands
// before it where both go to one place.
type results struct {
	to     io.Writer
	lines  *queue
	failed error // of the first write that failed while there was a reader
}

func (r *results) Write(p []byte) (int, error) {
	r.lines.flush()
	n, err := r.to.Write(p)
	switch {
	case errors.Is(err, syscall.EPIPE):
		return n, errReaderGone
	case err != nil && r.failed == nil:
		r.failed = err
	}
	return n, err
}

// fileOf is the file that a writer of ours writes to.
func fileOf(w io.Writer) (*os.File, bool) {
	switch ours := w.(type) {
	case *queue:
		w = ours.to
	case *results:
		w = ours.to
	}
	f, ok := w.(*os.File)
	return f, ok
}
