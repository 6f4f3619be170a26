package wire

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/serve"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/ledger"
	"milvus-reconcile/schema"
)

// StopGrace is how long an apply may go on after the end was asked for: less
// than the 30 s after which Kubernetes kills.
const StopGrace = 20 * time.Second

// KeptConnections is how old a connection may become over which clusters are
// looked at: as long as it lives, a name that leads elsewhere is not noticed.
const KeptConnections = 5 * time.Minute

// RunOptions are what the daemon is told beside Options.
type RunOptions struct {
	Log         *slog.Logger
	After       func(time.Duration) <-chan time.Time
	PassTimeout time.Duration
	Profiles    bool // serve profiles of this process, too
	// CountDropped is given what counts each line of the log that is dropped.
	CountDropped func(count func())
}

// service is what stays while configurations come and go.
type service struct {
	options Options
	run     RunOptions
	config  schema.Config // as first read: what a reload cannot change
	ledger  *ledger.Ledger
	webhook *serve.Webhook
	loop    *daemon.Loop
	metrics *serve.Metrics
	herald  *herald
	log     *slog.Logger
	files   fileWatch
	// recalled is what was last read of the ledger for clients.
	recalled lastRead
	told     told
}

// Run runs the daemon until SIGTERM, SIGINT or the end of ctx.
func (o Options) Run(ctx context.Context, run RunOptions) error {
	o.Daemon, o.KeepFor = true, KeptConnections
	defer collectAt(daemonGC)()
	e, err := o.Prepare()
	if err != nil {
		return err
	}
	if err := runnable(e.Config); err != nil {
		return err
	}
	d := &service{options: o, run: run, config: e.Config, herald: newHerald(), log: run.Log}
	defer d.herald.close(ctx)
	if d.ledger, err = e.Ledger(); err != nil {
		return err
	}
	defer d.ledger.Close() //nolint:errcheck // the process ends
	settings, err := d.settings(ctx, e)
	if err != nil {
		return err
	}
	d.herald.use(ctx, e)
	d.webhook = &serve.Webhook{Log: d.log}
	board := &daemon.Board{}
	d.metrics = serve.NewMetrics(board)
	run.CountDropped(d.metrics.LineDropped)
	d.loop = daemon.New(daemon.Options{
		Board: board, Metrics: d.metrics, OnFirstSweep: debug.FreeOSMemory, OnPass: d.herald.judged, OnEvent: d.herald.heard,
		Records: loopRecords{d.ledger}, Election: election{d.ledger}, Log: d.log, Grace: StopGrace,
	}, settings)
	d.webhook.Push = d.loop.FetchNow
	d.hook(e)
	served := followTLS(e.Config.Serve.TLS, ServerTLS)
	server, err := d.server(e.Config, served)
	if err != nil {
		return err
	}
	d.files.fixed = e.ledgerUses
	d.files.fixed.tls("serve.tls", served, false)
	d.watch(e)
	d.log.Info("serving", "address", server.Address(), "mode", string(e.Config.Mode))
	return d.until(ctx, server)
}

// daemonGC is how much garbage there may be next to what is in use, in percent. A
// daemon at rest makes little, so that memory is dearer than collecting it.
const daemonGC = 50

// collectAt sets the pace of the collection, unless the environment does.
func collectAt(percent int) (before func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	old := debug.SetGCPercent(percent)
	return func() { debug.SetGCPercent(old) }
}

// runnable refuses what only the daemon needs.
func runnable(c schema.Config) error {
	var bad []error
	if c.Mode == schema.ModeUnsaid {
		bad = append(bad, errors.New("run needs a mode (hint: write 'mode: observe' to look and apply nothing, 'mode: apply' to carry out what is approved)"))
	}
	if c.Ledger.IsZero() {
		bad = append(bad, errors.New("run needs a ledger (hint: set ledger.path in the operator's configuration)"))
	}
	return errors.Join(bad...)
}

// until runs the loop and the server until a signal, or the end of ctx.
func (d *service) until(ctx context.Context, server *serve.Server) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	working, stop := context.WithCancel(ctx)
	defer stop()
	serving, shut := context.WithCancel(context.WithoutCancel(ctx))
	var served sync.WaitGroup
	var serveErr error
	served.Go(func() {
		defer stop() // without its server it cannot be seen: it ends
		serveErr = server.Run(serving)
	})
	served.Go(func() { d.watchFiles(serving) })
	ended := make(chan struct{})
	served.Go(func() { d.heed(ctx, signals, stop, ended) })
	err := d.loop.Run(working)
	close(ended)
	shut()
	served.Wait()
	return errors.Join(err, serveErr)
}

// heed does what signals ask for, until the loop has ended.
func (d *service) heed(ctx context.Context, signals <-chan os.Signal, stop func(), ended <-chan struct{}) {
	hurry := sync.OnceFunc(d.loop.Hurry)
	asked := false
	for {
		select {
		case <-ended:
			return
		case s := <-signals:
			switch {
			case s == syscall.SIGHUP:
				d.reload(ctx)
			case asked:
				hurry()
			default:
				asked = true
				stop()
			}
		}
	}
}

// settings are what a configuration makes of the loop.
func (d *service) settings(ctx context.Context, e *Environment) (daemon.Settings, error) {
	e.opened = d.ledger
	a, err := e.Apply(ctx, desired.Revision{})
	if err != nil {
		return daemon.Settings{}, err
	}
	a.Observing = e.Config.Mode != schema.ModeApply
	if a.Traffic != nil {
		a.Traffic, a.Redirect = daemon.InBackground(a.Traffic, a.Redirect)
	}
	return daemon.Settings{
		Apply: a, Source: &follower{Environment: e, ledger: d.ledger},
		SweepInterval: e.Config.SweepInterval, PollInterval: e.Config.Git.PollInterval,
		PassTimeout: d.run.PassTimeout, Close: func() {
			e.Fleet.Close()
			_ = e.Repo.Close() // only read
		},
	}, nil
}

// reload rereads the configuration. One that is not good changes nothing.
func (d *service) reload(ctx context.Context) {
	e, err := d.options.Prepare()
	if err == nil {
		err = errors.Join(runnable(e.Config), d.unchanged(e.Config))
	}
	var settings daemon.Settings
	if err == nil {
		settings, err = d.settings(ctx, e)
	}
	if err != nil {
		d.loop.Refused(err)
		return
	}
	d.hook(e)
	d.herald.use(ctx, e)
	d.loop.Configure(settings)
	d.watch(e)
}

// unchanged refuses what a running process cannot take over.
func (d *service) unchanged(c schema.Config) error {
	var bad []error
	if !reflect.DeepEqual(d.config.Ledger, c.Ledger) {
		bad = append(bad, errors.New("another ledger takes a restart"))
	}
	if d.config.Serve.Address != c.Serve.Address || !reflect.DeepEqual(d.config.Serve.TLS, c.Serve.TLS) {
		bad = append(bad, errors.New("another serve.address or serve.tls takes a restart"))
	}
	return errors.Join(bad...)
}

// besideLedger is where run keeps its copy of a remote repository.
func besideLedger(c schema.Config) string {
	if c.Ledger.Path == "" {
		return ""
	}
	return filepath.Join(filepath.Dir(c.Ledger.Path), "git")
}
