package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/wire"
)

// The control sequences that redraw a terminal without flicker: go to the top, clear the
// rest of each line, clear what remains below.
const (
	toTop     = "\x1b[H"
	restOfRow = "\x1b[K"
	restBelow = "\x1b[J"
)

// runWatch repeats a query until it is interrupted, which is exit code 0. If the first
// pass fails, the command fails; a later failure is printed and tried again.
func runWatch(ctx context.Context, g *globals, l query, interval time.Duration) error {
	if interval <= 0 {
		return errors.New("--interval must be above 0")
	}
	g.quiet = true // the page shows its own time
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	e, err := g.options().OpenToRead(ctx)
	if err != nil {
		return err
	}
	defer e.Close()
	for n := 0; ; n++ {
		err := g.watchOnce(ctx, e, l, n)
		switch {
		case ctx.Err() != nil:
			g.exit = ExitOK
			return nil
		case errors.Is(err, errReaderGone):
			return nil
		case err != nil && n == 0:
			return err
		case err != nil:
			g.info("watch", err.Error())
		}
		select {
		case <-ctx.Done():
			g.exit = ExitOK
			return nil
		case <-g.after(interval):
		}
	}
}

func (g *globals) watchOnce(ctx context.Context, e *wire.Environment, l query, n int) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	if n > 0 {
		if err := e.Fetch(ctx); err != nil {
			return err
		}
	}
	write, err := g.runPass(ctx, e, l)
	if err != nil {
		return err
	}
	out, err := g.renderOutputs(write)
	if err != nil {
		return err
	}
	if _, err := g.std.Out.Write(g.frame(out, n)); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

func redrawn(document []byte) []byte {
	lines := bytes.ReplaceAll(document, []byte("\n"), []byte(restOfRow+"\n"))
	return append(append([]byte(toTop), lines...), restBelow...)
}
