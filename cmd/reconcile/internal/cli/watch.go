package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/console"
	"milvus-reconcile/cmd/reconcile/internal/wire"
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
