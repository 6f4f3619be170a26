package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/serve"
	"milvus-reconcile/plan"
	"milvus-reconcile/plan/suggest"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/kubeview"
	"milvus-reconcile/reconcile/ledger"
	"milvus-reconcile/schema"
)

// StopGrace is how long a running apply may continue after SIGTERM. It is less than the
// 30 s after which Kubernetes kills the process.
const StopGrace = 20 * time.Second

// KeptConnections is the maximum age of a connection that reads a cluster. While it
// lives, a change of the cluster's DNS name has no effect.
const KeptConnections = 5 * time.Minute

// RunOptions holds what the daemon needs besides Options.
type RunOptions struct {
	Log         *slog.Logger
	After       func(time.Duration) <-chan time.Time
	PassTimeout time.Duration
	Profiles    bool // also serve profiles of this process
	// CountDropped is called once with a function. That function is to be called for each
	// dropped line of the log.
	CountDropped func(count func())
}

// service is the running daemon. It outlives each configuration.
type service struct {
	options  Options
	run      RunOptions
	config   schema.Config // as first read: what a reload cannot change
	ledger   *ledger.Ledger
	webhook  *serve.Webhook
	loop     *daemon.Loop
	metrics  *serve.Metrics
	notifier *passNotifier
	auditor  *auditor
	view     *kubeview.Writer // nil: there is none
	serving  *servingReader
	log      *slog.Logger
	files    fileWatch
	// lastLedgerRead is the ledger as it was last read for clients.
	lastLedgerRead lastRead
	cache          ledgerCache
	newest         atomic.Pointer[followed]
}

// Run runs the daemon until SIGTERM, SIGINT or the end of ctx.
func (o Options) Run(ctx context.Context, run RunOptions) error {
	o.Daemon, o.KeepFor = true, KeptConnections
	defer SpareMemory()()
	e, err := o.Prepare()
	if err != nil {
		return err
	}
	if err := checkRunnable(e.Config, o.Shard); err != nil {
		return err
	}
	d := &service{options: o, run: run, config: e.Config, notifier: newPassNotifier(), log: run.Log}
	defer d.notifier.close(ctx)
	if d.ledger, err = e.Ledger(); err != nil {
		return err
	}
	defer d.ledger.Close() //nolint:errcheck // the process ends
	d.auditor, d.serving = newAuditor(d), newServingReader(d)
	defer d.auditor.close()
	defer d.serving.close()
	settings, err := d.firstSettings(ctx, e)
	if err != nil {
		return err
	}
	d.notifier.use(ctx, e)
	d.auditor.use(e)
	d.serving.use(e)
	d.webhook = &serve.Webhook{Log: d.log}
	board := &daemon.Board{}
	d.metrics, d.notifier.status = serve.NewMetrics(board), board.Status
	run.CountDropped(d.metrics.LineDropped)
	d.view = d.newView(e, board)
	d.loop = daemon.New(daemon.Options{
		Board: board, Metrics: d.metrics, OnFirstSweep: debug.FreeOSMemory, OnPass: d.onPass, OnEvent: d.onEvent,
		Records: loopRecords{d.ledger}, Ledger: d.ledger.Kind(), Election: election{d.ledger}, Shard: o.Shard, Log: d.log, Grace: StopGrace,
	}, settings)
	d.webhook.Push = d.loop.FetchNow
	d.configureWebhook(e)
	served := followTLS(e.Config.Serve.TLS, ServerTLS)
	server, err := d.server(e.Config, served)
	if err != nil {
		return err
	}
	d.files.fixed = e.ledgerUses
	d.files.fixed.tls("serve.tls", served, false)
	d.useFilesOf(e)
	serving := []any{"address", server.Address(), "mode", string(e.Config.Mode)}
	if o.Shard != "" {
		serving = append(serving, "shard", o.Shard)
	}
	d.log.Info("serving", serving...)
	return d.runUntilSignal(ctx, server)
}

// sparingGC is the GOGC in percent of the daemon, and patientGC that of commands that read the
// progress of every standby: what lost clusters hold while they are waited for is then not
// doubled. An idle daemon makes little garbage, and such a command waits more than it works, so
// collecting it more often costs little.
const (
	sparingGC = 50
	patientGC = 35
)

// SpareMemory collects garbage more often, unless the environment sets GOGC. before
// restores the old pace.
func SpareMemory() (before func()) { return collectAt(sparingGC) }

// SpareMoreMemory is SpareMemory of a command that waits for many clusters.
func SpareMoreMemory() (before func()) { return collectAt(patientGC) }

// quickGC is the GOGC in percent of a command that observes once: it ends before most of its
// garbage would have to be collected.
const quickGC = 150

// SpareTime collects garbage less often, unless the environment sets GOGC. before restores
// the old pace.
func SpareTime() (before func()) { return collectAt(quickGC) }

// actingGC is the GOGC in percent of an apply: it ends soon too, and while it acts on many
// topologies each collection goes through the stacks of hundreds of connections. With 900
// clusters some 25 MB are in use.
const actingGC = 400

// SpareTimeActing is SpareTime of an apply.
func SpareTimeActing() (before func()) { return collectAt(actingGC) }

func collectAt(percent int) (before func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	old := debug.SetGCPercent(percent)
	return func() { debug.SetGCPercent(old) }
}

// checkRunnable returns what the configuration lacks for the daemon.
func checkRunnable(c schema.Config, shard string) error {
	var bad []error
	if c.Mode == schema.ModeUnsaid {
		bad = append(bad, errors.New("run needs a mode (hint: write 'mode: observe' to report only, 'mode: apply' to carry out what is approved)"))
	}
	if c.Ledger.IsZero() {
		bad = append(bad, errors.New("run needs a ledger (hint: set ledger.path in the operator's configuration)"))
	}
	return errors.Join(append(bad, checkShard(c, shard))...)
}

// checkShard returns an error unless --shard names one of the shards, or there are none.
func checkShard(c schema.Config, shard string) error {
	names := make([]string, len(c.Shards))
	for i, s := range c.Shards {
		names[i] = s.Name
	}
	switch {
	case shard == "" && len(names) > 0:
		return errors.New("the configuration has shards, but this daemon has no --shard (hint: add --shard and one of " + strings.Join(names, ", ") + "; two daemons never act on one topology)")
	case shard != "" && len(names) == 0:
		return fmt.Errorf("the configuration has no shards, so --shard %s has no effect (hint: add 'shards', or leave --shard out)", shard)
	case shard != "" && !slices.Contains(names, shard):
		return errors.New(suggest.WithHint(fmt.Sprintf("the configuration has no shard %q", shard), suggest.Hint(shard, names, "it has "+strings.Join(names, ", "))))
	}
	return nil
}

// onPass hands a pass on to those who follow passes.
func (d *service) onPass(s daemon.TopologyStatus, leads bool) {
	d.notifier.onPass(s, leads)
	d.auditor.onPass(s, leads)
	d.serving.onPass(s, leads)
}

// fetched hands the documents of a tip on to those who read the clusters between sweeps.
func (d *service) fetched(topologies []plan.Topology) {
	d.auditor.fetched(topologies)
	d.serving.fetched(topologies)
}

// runUntilSignal runs the loop and the server until SIGTERM, SIGINT or the end of ctx.
func (d *service) runUntilSignal(ctx context.Context, server *serve.Server) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	working, stop := context.WithCancel(ctx)
	defer stop()
	serving, shut := context.WithCancel(context.WithoutCancel(ctx))
	var served sync.WaitGroup
	var serveErr error
	served.Go(func() {
		defer stop() // a daemon without its server would be invisible
		serveErr = server.Run(serving)
	})
	served.Go(func() { d.watchFiles(serving) })
	if d.view != nil {
		served.Go(func() { d.view.Run(serving) })
	}
	ended := make(chan struct{})
	served.Go(func() { d.handleSignals(ctx, signals, stop, ended) })
	err := d.loop.Run(working)
	close(ended)
	shut()
	served.Wait()
	return errors.Join(err, serveErr)
}

// handleSignals handles signals until the loop has ended. SIGHUP reloads, the first other
// signal stops, the next one ends the grace period.
func (d *service) handleSignals(ctx context.Context, signals <-chan os.Signal, stop func(), ended <-chan struct{}) {
	endGrace := sync.OnceFunc(d.loop.EndGrace)
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
				endGrace()
			default:
				asked = true
				stop()
			}
		}
	}
}

// settings returns the settings of the loop for a configuration.
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
		Apply: a, Source: &follower{Environment: e, ledger: d.ledger, newest: &d.newest, fetched: d.fetched, since: d.auditor.began},
		SweepInterval: e.Config.SweepInterval, PollInterval: e.Config.Git.PollInterval,
		PassTimeout: d.run.PassTimeout, TokenOf: e.tokenSource, Close: func() {
			e.Fleet.Close()
			_ = e.Repo.Close() // only read
		},
	}, nil
}

// ledgerRetryEvery is the pause between two tries to reach the ledger at the start.
const ledgerRetryEvery = 2 * time.Second

// firstSettings are the settings that the daemon starts with. While the ledger cannot be
// reached it tries again, and logs each cause once: etcd, or a secret for it, may come
// later. Nothing is served until then, so no probe calls the daemon ready.
func (d *service) firstSettings(ctx context.Context, e *Environment) (daemon.Settings, error) {
	logged := ""
	for {
		settings, err := d.settings(ctx, e)
		mayPass := errors.Is(err, ledger.ErrUnreachable) || errors.Is(err, ledger.ErrBusy)
		if !mayPass || ctx.Err() != nil {
			return settings, err
		}
		if cause := err.Error(); cause != logged {
			logged = cause
			d.log.Warn("the daemon waits for its ledger", "error", err)
		}
		select {
		case <-ctx.Done():
			return daemon.Settings{}, err
		case <-d.run.After(ledgerRetryEvery):
		}
	}
}

// reload reads the configuration again. A bad one changes nothing.
func (d *service) reload(ctx context.Context) {
	e, err := d.options.Prepare()
	if err == nil {
		err = errors.Join(checkRunnable(e.Config, d.options.Shard), d.checkUnchanged(e.Config))
	}
	var settings daemon.Settings
	if err == nil {
		settings, err = d.settings(ctx, e)
	}
	if err != nil {
		d.loop.Refused(err)
		return
	}
	d.configureWebhook(e)
	d.notifier.use(ctx, e)
	d.auditor.use(e)
	d.serving.use(e)
	d.loop.Configure(settings)
	d.useFilesOf(e)
}

// checkUnchanged returns an error for each changed setting that needs a restart.
func (d *service) checkUnchanged(c schema.Config) error {
	var bad []error
	if !reflect.DeepEqual(d.config.Ledger, c.Ledger) {
		bad = append(bad, errors.New("a change of the ledger needs a restart"))
	}
	if d.config.Serve.Address != c.Serve.Address || !reflect.DeepEqual(d.config.Serve.TLS, c.Serve.TLS) {
		bad = append(bad, errors.New("a change of serve.address or serve.tls needs a restart"))
	}
	if !reflect.DeepEqual(d.config.KubernetesStatus, c.KubernetesStatus) {
		bad = append(bad, errors.New("a change of kubernetesStatus needs a restart"))
	}
	return errors.Join(bad...)
}

// defaultCacheDir returns where the daemon keeps its copy of a remote repository.
func defaultCacheDir(c schema.Config) string {
	if c.Ledger.Path == "" {
		return ""
	}
	return filepath.Join(filepath.Dir(c.Ledger.Path), "git")
}
