package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/console"
	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/tracing"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan/suggest"
)

const (
	defaultTimeout     = 15 * time.Minute
	defaultConcurrency = 16
)

// globals holds the options that every command has, and what one run of the program keeps.
type globals struct {
	console.Messages
	resultWriter

	std   Stdio
	lines *console.Queue // the same as std.Err

	config      string
	repo        string
	ref         string
	path        string
	timeout     time.Duration
	concurrency int
	site        string // of plan, status, drift and doctor

	// keepFor is the maximum age of a connection that reads a cluster (apply, run).
	keepFor time.Duration

	// stopTracing sends the remaining spans; nil if tracing did not start.
	stopTracing func(context.Context) error

	loader desired.Loader

	exit  ExitCode
	acted bool // the exit code says what was done, even if the result could not be written
}

// newGlobals returns the state of a command that uses the clock and the terminal of this
// machine.
func newGlobals(std Stdio, lines *console.Queue) *globals {
	return &globals{
		std: std, lines: lines,
		Messages:     console.Messages{Stderr: std.Err, Clock: time.Now, After: time.After, Terminal: console.IsTerminal},
		resultWriter: resultWriter{stdout: std.Out, toTerminal: console.IsTerminal},
	}
}

func (g *globals) flags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&g.config, "config", "", "the operator's configuration (default $RECONCILE_CONFIG, then "+wire.DefaultConfig+")")
	f.StringVar(&g.repo, "repo", "", "topology repository, instead of git.url")
	f.StringVar(&g.ref, "ref", "", "tracked ref, instead of git.ref")
	f.StringVar(&g.path, "path", "", "folder of the topology files, instead of git.path")
	f.StringVarP(&g.output, "output", "o", "table", "form of the result; the help of each command lists its forms. A table has the width of $COLUMNS or of the terminal, and 80 columns at least")
	f.StringArrayVar(&g.outputFiles, "output-file", nil, "also write the result to a file, as KIND=PATH; may repeat")
	f.DurationVar(&g.timeout, "timeout", defaultTimeout, "time limit of the command; with run and --watch, of each pass. sim has no limit")
	f.IntVar(&g.concurrency, "concurrency", defaultConcurrency, "maximum number of topologies processed in parallel")
	f.StringVar(&g.LogFormat, "log-format", "text", "form of messages on stderr: text or json")
	f.StringVar(&g.LogLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&g.color, "color", "auto", "auto, always or never; NO_COLOR, CLICOLOR and CLICOLOR_FORCE are honoured")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := g.check(cmd); err != nil {
			return err
		}
		stop, err := tracing.Start(cmd.Context(), Version, cmd.Name() == "run", func(err error) { g.Tell("traces", err.Error()) })
		g.stopTracing = stop
		return err
	}
}

// check returns one error for all bad values of global options, before the command does
// anything.
func (g *globals) check(cmd *cobra.Command) error {
	bad := g.checkForms(cmd)
	for _, c := range []struct{ name, value, allowed string }{
		{"--log-format", g.LogFormat, "text json"},
		{"--log-level", g.LogLevel, "debug info warn error"},
		{"--color", g.color, "auto always never"},
	} {
		if !strings.Contains(" "+c.allowed+" ", " "+c.value+" ") || c.value == "" {
			bad = append(bad, suggest.WithHint(fmt.Sprintf("%s is %q", c.name, c.value), suggest.Hint(c.value, strings.Fields(c.allowed), "")))
		}
	}
	if g.timeout <= 0 {
		bad = append(bad, "--timeout must be above 0")
	}
	if g.concurrency < 1 {
		bad = append(bad, "--concurrency must be at least 1")
	}
	if len(bad) > 0 {
		return fmt.Errorf("%s", strings.Join(bad, "; "))
	}
	return nil
}

// options returns what the command line says to package wire.
func (g *globals) options() wire.Options {
	return wire.Options{
		ConfigFile: g.config, Repo: g.repo, Ref: g.ref, Path: g.path, Site: g.site, Concurrency: g.concurrency,
		TellOnce: !console.IsTerminal(g.std.Err), KeepFor: g.keepFor, Clock: g.Clock, Loader: &g.loader,
		Messages: &g.Messages, TestHooks: g.std.TestHooks,
	}
}

// addSite adds the option that selects topologies by a site of their clusters.
func (g *globals) addSite(cmd *cobra.Command) {
	cmd.Flags().StringVar(&g.site, "site", "", "only topologies that have a cluster at this site ('site' of a cluster in the topology file)")
}

// emitAfterAction is emit for a command that has changed clusters. Its exit code says what
// was done even if the result cannot be written, since 1 would mean that nothing was sent.
func (g *globals) emitAfterAction(write writer) {
	g.acted = true
	if err := g.emit(write); err != nil {
		g.Fail(fmt.Errorf("not all of the result could be shown: %w (hint: the exit code still says what was done, and so does 'reconcile history')", err))
	}
}

// traceFlushTimeout is how long the end of a command waits until its spans are sent.
const traceFlushTimeout = 3 * time.Second

// endTracing sends the remaining spans. A failure does not change the exit code.
func (g *globals) endTracing(ctx context.Context) {
	if g.stopTracing == nil {
		return
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), traceFlushTimeout)
	defer cancel()
	if err := g.stopTracing(bounded); err != nil {
		g.Tell("traces", err.Error())
	}
}
