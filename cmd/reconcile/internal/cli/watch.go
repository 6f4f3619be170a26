package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/console"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/cmd/reconcile/internal/safetext"
	"milvus-reconcile/cmd/reconcile/internal/screen"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
)

// watching says whether and how often a query is repeated.
type watching struct {
	on       bool
	interval time.Duration
}

// watchHelp is the part of a command's help about --watch.
const watchHelp = `--watch repeats until it is interrupted. On a terminal the table fits the window and
scrolls: the arrow keys or j and k, page up and down, g and G, space to pause, r to repeat
now, q to end. If there is no terminal, each repetition prints a document.
--timeout then limits each repetition.`

// addWatch gives a command the options of a repeated query.
func addWatch(cmd *cobra.Command, w *watching) {
	cmd.Long = strings.TrimLeft(cmd.Long+"\n\n"+watchHelp, "\n")
	cmd.Flags().BoolVar(&w.on, "watch", false, "repeat until interrupted")
	cmd.Flags().DurationVar(&w.interval, "interval", 5*time.Second, "time between two repetitions of --watch")
}

// watch repeats a query until it is interrupted, which is exit code 0. If the first pass
// fails, the command fails; a later failure is shown and tried again.
func (w watching) watch(ctx context.Context, g *globals, q query) error {
	if w.interval <= 0 {
		return errors.New("--interval must be above 0")
	}
	g.Quiet = true // the page shows its own time
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	e, err := g.options().OpenToRead(ctx)
	if err != nil {
		return err
	}
	defer e.Close()
	if out, ok := console.FileOf(g.std.Out); ok && g.output == "table" && console.IsTerminal(g.std.Out) && os.Getenv("TERM") != "dumb" {
		err = newWatchScreen(g, e, q, w.interval, out).run(ctx)
	} else {
		err = w.print(ctx, g, e, q)
	}
	if ctx.Err() != nil || err == nil {
		g.exit = ExitOK
		return nil
	}
	return err
}

// print prints one document after the other.
func (w watching) print(ctx context.Context, g *globals, e *wire.Environment, q query) error {
	for n := 0; ; n++ {
		err := g.printPass(ctx, e, q, n)
		switch {
		case ctx.Err() != nil, errors.Is(err, console.ErrReaderGone):
			return nil
		case err != nil && n == 0:
			return err
		case err != nil:
			g.Tell("watch", err.Error())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-g.After(w.interval):
		}
	}
}

func (g *globals) printPass(ctx context.Context, e *wire.Environment, q query, n int) error {
	write, err := g.watchPass(ctx, e, q, n)
	if err != nil {
		return err
	}
	out, err := g.renderOutputs(write)
	if err != nil {
		return err
	}
	if _, err := g.std.Out.Write(g.separated(out.Bytes(), n)); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// watchPass makes the nth pass. Each but the first reads Git again.
func (g *globals) watchPass(ctx context.Context, e *wire.Environment, q query, n int) (writer, error) {
	defer wire.SpareMoreMemory()()
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	if n > 0 {
		if err := e.Fetch(ctx); err != nil {
			return nil, err
		}
	}
	write, _, err := g.runPass(ctx, e, q)
	return write, err
}

// passResult is what one pass of a watch came to.
type passResult struct {
	write writer
	err   error
	at    time.Time
}

// watchScreen repeats a query on a terminal.
type watchScreen struct {
	g        *globals
	e        *wire.Environment
	query    query
	interval time.Duration
	terminal *screen.Terminal
	view     screen.View

	passes  chan passResult
	shown   passResult // the newest that could be shown
	waiting *passResult
	note    string // the newest message, or why the newest pass failed
	began   time.Time
	running bool
	paused  bool
	n       int // passes begun
	told    chan string
	warned  []string // printed when the screen is given back
}

func newWatchScreen(g *globals, e *wire.Environment, q query, interval time.Duration, out *os.File) *watchScreen {
	in, _ := g.std.In.(*os.File)
	w := &watchScreen{
		g: g, e: e, query: q, interval: interval, terminal: screen.Open(in, out),
		passes: make(chan passResult, 1), told: make(chan string, 16),
	}
	w.view.Color = g.colored()
	w.view.Keys = "q quit · ↑↓ scroll · space pause · r now"
	if !w.terminal.Typed() {
		w.view.Keys = "Ctrl-C ends it"
	}
	return w
}

// minWatchWidth is the least width that a table is made for. A narrower screen shows a part
// of it.
const minWatchWidth = 60

// run shows the passes until the person or ctx ends it. It returns an error if the first
// pass fails or the terminal is gone. It gives the terminal back in any case.
func (w *watchScreen) run(ctx context.Context) error {
	defer w.settle()
	resized, resumed := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	signal.Notify(resumed, syscall.SIGCONT)
	defer signal.Stop(resized)
	defer signal.Stop(resumed)
	w.g.Hold(w.hold)
	defer w.release()
	if err := w.terminal.TakeOver(); err != nil {
		return err
	}
	defer w.terminal.GiveBack()

	ctx, cancel := context.WithCancel(ctx) // ends a pass that is under way
	defer cancel()
	return w.showPasses(ctx, resized, resumed)
}

// showPasses draws the screen after each thing that happens: a pass ends or is due, a key, a
// message, a new size of the terminal, or the return from the background.
func (w *watchScreen) showPasses(ctx context.Context, resized, resumed <-chan os.Signal) error {
	w.begin(ctx)
	next := w.g.After(w.interval)
	for {
		if err := w.draw(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case r := <-w.passes:
			w.running = false
			if r.err != nil && w.shown.write == nil && ctx.Err() == nil {
				return r.err
			}
			w.take(r)
			next = w.g.After(w.interval)
		case <-next:
			next = w.g.After(min(w.interval, console.ProgressEvery)) // shows how long a pass takes
			if !w.running && !w.paused {
				w.begin(ctx)
			}
		case k := <-w.terminal.Keys():
			if k == screen.KeyQuit {
				return nil
			}
			if err := w.key(ctx, k); err != nil {
				return err
			}
		case text := <-w.told:
			w.view.Bad, w.note = false, text
		case <-resized:
		case <-resumed:
			if err := w.terminal.TakeOver(); err != nil {
				return err
			}
		}
	}
}

func (w *watchScreen) begin(ctx context.Context) {
	w.running, w.began = true, w.g.Clock()
	n := w.n
	w.n++
	go func() {
		write, err := w.g.watchPass(ctx, w.e, w.query, n)
		w.passes <- passResult{write, err, w.g.Clock()}
	}()
}

// settle waits for a pass that is under way, which was told to end. What it uses is closed
// next.
func (w *watchScreen) settle() {
	if w.running {
		select {
		case <-w.passes:
		case <-w.g.After(settleTimeout):
		}
	}
}

const settleTimeout = 2 * time.Second

// take shows a result, or keeps it until the pause ends.
func (w *watchScreen) take(r passResult) {
	switch {
	case w.paused:
		w.waiting = &r
	case r.err != nil:
		w.fail(r.at, r.err)
	default:
		w.shown, w.view.Bad, w.note = r, false, ""
		w.g.fitWidth = 0
		if err := w.g.writeFiles(r.write); err != nil {
			w.fail(r.at, err)
		}
	}
}

func (w *watchScreen) fail(at time.Time, err error) {
	w.view.Bad, w.note = true, "failed at "+at.UTC().Format(time.TimeOnly)+"Z, tried again: "+err.Error()
}

func (w *watchScreen) key(ctx context.Context, k screen.Key) error {
	switch {
	case w.view.Move(k):
	case k == screen.KeyPause:
		if w.paused = !w.paused; !w.paused && w.waiting != nil {
			w.take(*w.waiting)
			w.waiting = nil
		}
	case k == screen.KeyNow && !w.running:
		w.paused = false
		w.begin(ctx)
	case k == screen.KeySuspend:
		w.terminal.GiveBack()
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGTSTP); err != nil {
			return fmt.Errorf("suspend: %w", err)
		}
		return w.terminal.TakeOver()
	}
	return nil
}

// draw paints the screen in the size that the terminal has now.
func (w *watchScreen) draw() error {
	w.view.Width, w.view.Height = w.terminal.Size()
	w.view.Title, w.view.Note = w.title(), safetext.Safe(w.note)
	document := []byte("reading the clusters …\n")
	if w.shown.write != nil {
		w.g.fitWidth = max(w.view.Width, minWatchWidth)
		var b bytes.Buffer
		if err := w.shown.write(&b, render.FormTable); err != nil {
			return err
		}
		document = b.Bytes()
	}
	w.view.SetDocument(document)
	return w.terminal.Write(w.view.Draw())
}

// title says what is shown, how often it is read, and of when it is.
func (w *watchScreen) title() string {
	parts := []string{"reconcile " + strings.Join(append([]string{string(w.query.kind)}, w.query.names...), " "), "every " + plan.DurationText(w.interval)}
	if w.shown.write != nil {
		parts = append(parts, "as of "+w.shown.at.UTC().Format(time.TimeOnly)+"Z")
	}
	if w.paused {
		parts = append(parts, "PAUSED")
	}
	if took := w.g.Clock().Sub(w.began).Truncate(console.ProgressEvery); w.running && took >= console.ProgressEvery {
		parts = append(parts, "reading for "+plan.DurationText(took))
	}
	return safetext.Safe(strings.Join(parts, " · "))
}

// hold keeps messages from the screen: the newest is shown on it, and warnings are printed
// when it is given back.
func (w *watchScreen) hold(level, topic, text string) {
	line := strings.TrimPrefix(topic+": "+text, ": ")
	select {
	case w.told <- line:
	default: // the newest few are enough
	}
	if level != "info" && !slices.Contains(w.warned, line) && len(w.warned) < mostWarnings {
		w.warned = append(w.warned, line)
	}
}

const mostWarnings = 20

func (w *watchScreen) release() {
	w.g.Hold(nil)
	for _, line := range w.warned {
		w.g.Warn("", line)
	}
}
