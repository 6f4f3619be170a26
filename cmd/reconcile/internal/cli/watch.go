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

// The codes that redraw a terminal without flicker: to the top, over each line
// to its end, and away with what is left below.
const (
	toTop     = "\x1b[H"
	restOfRow = "\x1b[K"
	restBelow = "\x1b[J"
)

// runWatch looks until it is interrupted, which is how it ends well. The first
// look must succeed; a later one that fails is told and tried again.
func runWatch(ctx context.Context, g *globals, l query, interval time.Duration) error {
	if interval <= 0 {
		return errors.New("--interval must be above 0")
	}
	g.quiet = true // the page itself says when it is from
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

// frame puts one document after the last: over it on a terminal, else below it,
// so that a stream of YAML stays one of documents.
func (g *globals) frame(document []byte, n int) []byte {
	switch {
	case g.output == "table" && isTerminal(g.std.Out):
		return redrawn(document)
	case n > 0 && g.output == "yaml":
		return append([]byte("---\n"), document...)
	case n > 0 && g.output != "json":
		return append([]byte("\n"), document...)
	}
	return document
}

func redrawn(document []byte) []byte {
	lines := bytes.ReplaceAll(document, []byte("\n"), []byte(restOfRow+"\n"))
	return append(append([]byte(toTop), lines...), restBelow...)
}
