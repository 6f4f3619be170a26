package console

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// slowReader takes a line only when told to.
type slowReader struct {
	next chan struct{}
	got  chan string
}

func (s slowReader) Write(p []byte) (int, error) {
	<-s.next
	s.got <- string(p)
	return len(p), nil
}

// TestLinesThatNobodyReads: none waits for its reader; those that find no room are
// counted, and told of where they are missing once there is a reader.
func TestLinesThatNobodyReads(t *testing.T) {
	reader := slowReader{next: make(chan struct{}), got: make(chan string, 2*QueuedLines)}
	q, counted := NewQueue(reader, QueuedLines), 0
	q.OnDropped(func(n int) []byte { return fmt.Appendf(nil, "%d dropped\n", n) }, func() { counted++ })
	write := func(n int, text string) {
		for range n {
			fmt.Fprintln(q, text)
		}
	}
	write(1, "first")
	for len(q.lines) > 0 { // until the writer holds it
		runtime.Gosched()
	}
	write(QueuedLines, "kept")
	write(7, "left out")
	if counted != 7 {
		t.Errorf("%d lines are counted, want 7", counted)
	}
	reader.next <- struct{}{}
	if got := <-reader.got; got != "first\n" {
		t.Errorf("the first line is %q", got)
	}
	close(reader.next)
	q.flush()
	write(1, "after")
	q.Close(nil)
	var rest strings.Builder
	close(reader.got)
	for line := range reader.got {
		rest.WriteString(line)
	}
	if want := strings.Repeat("kept\n", QueuedLines) + "7 dropped\nafter\n"; rest.String() != want {
		t.Errorf("%d characters end with %q", rest.Len(), rest.String()[max(0, rest.Len()-60):])
	}
}

// TestALineBeforeItsResult: what was said before a result stands before it.
func TestALineBeforeItsResult(t *testing.T) {
	both := &shared{}
	q := NewQueue(both, QueuedLines)
	out, want := &Results{to: both, lines: q}, ""
	for i := range 100 {
		fmt.Fprintf(q, "line %d\n", i)
		fmt.Fprintf(out, "result %d\n", i)
		want += fmt.Sprintf("line %d\nresult %d\n", i, i)
	}
	q.Close(nil)
	if both.String() != want {
		t.Errorf("got %q", both.String())
	}
	_, ok := FileOf(&Results{to: io.Discard})
	if ok {
		t.Error("what is discarded goes to no file")
	}
}
