package cli

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// outliveReaders lets a write to a closed pipe fail instead of ending the process:
// Go ends a program that writes to a closed stdout or stderr by SIGPIPE, unless it
// asked for that signal (os/signal, "SIGPIPE"). A reader that went away must not
// end an apply between its intent and its promotion. Programs that we start get
// the signal as usual.
func outliveReaders() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
}

// readerGone says whether a write failed only because nobody reads any more.
func readerGone(err error) bool { return errors.Is(err, syscall.EPIPE) }

// errReaderGone ends what would go on for its reader.
var errReaderGone = errors.New("nobody reads the result any more")

// queuedLines is how many writes wait for a reader who is slow.
const queuedLines = 4096

// queue is a writer that never waits for its reader: the daemon's work must not
// stop since whoever reads its log does not. What finds the queue full is left out.
type queue struct {
	mu     sync.Mutex
	closed bool
	lines  chan []byte
	done   chan struct{}
}

func newQueue(w io.Writer) *queue {
	q := &queue{lines: make(chan []byte, queuedLines), done: make(chan struct{})}
	go func() {
		defer close(q.done)
		for line := range q.lines {
			_, _ = w.Write(line) // a log that cannot be written stops nothing
		}
	}()
	return q
}

// Write takes one line. It always says that it wrote it.
func (q *queue) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return len(p), nil
	}
	select {
	case q.lines <- append([]byte(nil), p...):
	default:
	}
	return len(p), nil
}

// close writes what waits, until the time is over.
func (q *queue) close(over <-chan time.Time) {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.lines)
	}
	q.mu.Unlock()
	select {
	case <-q.done:
	case <-over:
	}
}
