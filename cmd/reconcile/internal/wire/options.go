// Package wire makes what a command needs of the operator's configuration: the
// repository, the clusters, the ledger, redirects and notifications, and the
// daemon's parts. It joins packages and decides nothing about topologies.
package wire

import (
	"context"
	"fmt"
	"os"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/reconcile/gitsource"
	"milvus-reconcile/reconcile/ledger"
	"milvus-reconcile/reconcile/plainfile"
	"milvus-reconcile/schema"
)

// DefaultConfig is where the operator's configuration is, unless --config or
// $RECONCILE_CONFIG names another place.
const DefaultConfig = "/etc/reconcile/reconcile.yaml"

// Messages tell a person what a command does. All may be called from several
// goroutines at once.
type Messages interface {
	// Doing shows what is waited for, until done is called.
	Doing(what string) (done func())
	// Tell prints what was found out on the way; topic is a topology, or what else
	// it is about.
	Tell(topic, text string)
	// Warn prints what must not be missed.
	Warn(topic, text string)
}

// Options are what the command line says beside the configuration.
type Options struct {
	ConfigFile  string // of --config; "": as the environment says, or DefaultConfig
	Repo        string // instead of git.url
	Ref         string // instead of git.ref
	Path        string // instead of git.path
	Concurrency int    // maximum number of topologies processed in parallel
	TellOnce    bool   // a countdown is told once, and not at each round
	// Daemon: the configuration is read again at each SIGHUP, so it is no pipe, and
	// the copy of a remote repository lies in the ledger's folder, unless the
	// configuration names a place.
	Daemon bool
	// KeepFor is how old a connection may become over which clusters are read; 0:
	// each read makes its own.
	KeepFor  time.Duration
	Clock    func() time.Time
	Loader   *desired.Loader
	Messages Messages
	Drill    *Drill // nil for everybody but tests
}

// ConfigPath is where the operator's configuration is looked for.
func (o Options) ConfigPath() string {
	if o.ConfigFile != "" {
		return o.ConfigFile
	}
	if env := os.Getenv("RECONCILE_CONFIG"); env != "" {
		return env
	}
	return DefaultConfig
}

// ReadConfig reads the operator's configuration. The error is of type
// schema.Problems where the file is there and not valid.
func (o Options) ReadConfig() (schema.Config, error) {
	path := o.ConfigPath()
	read := plainfile.ReadOrPipe
	if o.Daemon {
		read = plainfile.Read // it is read again at each SIGHUP
	}
	data, err := read(path)
	if err != nil {
		return schema.Config{}, fmt.Errorf("read the operator's configuration: %w (hint: pass --config FILE, or create a sandbox with 'reconcile sim --git DIR')", err)
	}
	config, problems := schema.ParseConfig(path, data)
	if len(problems) > 0 {
		return schema.Config{}, problems
	}
	return config, nil
}

// GitConfig says which repository is read.
func (o Options) GitConfig(c schema.Config) gitsource.Config {
	out := gitsource.Config{
		URL: c.Git.URL, Ref: c.Git.Ref, Path: c.Git.Path, CacheDir: c.Git.CacheDir,
		Tell: func(text string) { o.Messages.Warn("git", text) },
	}
	if o.Repo != "" {
		out.URL, out.CacheDir = o.Repo, ""
	}
	if o.Daemon && out.CacheDir == "" {
		out.CacheDir = besideLedger(c)
	}
	if o.Ref != "" {
		out.Ref = o.Ref
	}
	if o.Path != "" {
		out.Path = o.Path
	}
	return out
}

// recall reads the ledger, and shows that it does.
func (o Options) recall(ctx context.Context, l *ledger.Ledger) (ledger.Snapshot, error) {
	defer o.Messages.Doing("reading the ledger")()
	return l.Read(ctx)
}
