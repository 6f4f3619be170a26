// Package wire turns the operator's configuration into what a command needs: the
// repository, the clusters, the ledger, redirects and notifications, and the parts of
// the daemon. It connects packages and decides nothing about topologies.
package wire

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/reconcile/gitsource"
	"milvus-reconcile/reconcile/ledger"
	"milvus-reconcile/reconcile/plainfile"
	"milvus-reconcile/schema"
)

// DefaultConfig is the path of the operator's configuration, unless --config or
// $RECONCILE_CONFIG names another.
const DefaultConfig = "/etc/reconcile/reconcile.yaml"

// Messages shows a person what a command does. Its methods are safe for concurrent use.
type Messages interface {
	// Doing shows what the command waits for, until done is called.
	Doing(what string) (done func())
	// Tell prints information. topic is a topology, or another subject.
	Tell(topic, text string)
	// Warn prints a warning.
	Warn(topic, text string)
}

// Options holds what the command line adds to the configuration.
type Options struct {
	ConfigFile  string // of --config; "": $RECONCILE_CONFIG, else DefaultConfig
	Repo        string // instead of git.url
	Ref         string // instead of git.ref
	Path        string // instead of git.path
	Site        string // only topologies that have a cluster there; empty: all
	Concurrency int    // maximum number of topologies processed in parallel
	TellOnce    bool   // a countdown is printed once, not at each round
	// Daemon means that the process is the daemon. It reads the configuration again at
	// each SIGHUP, so that cannot be a pipe. It keeps the copy of a remote repository in
	// the ledger's folder, unless the configuration names another.
	Daemon bool
	// Shard is the shard of the configuration that the daemon acts on; empty: it has none.
	Shard string
	// KeepFor is the maximum age of a connection that reads a cluster; 0 means that each
	// read opens its own.
	KeepFor   time.Duration
	Clock     func() time.Time
	Loader    *desired.Loader
	Messages  Messages
	TestHooks *TestHooks // nil outside tests
}

// ConfigPath returns the path of the operator's configuration.
func (o Options) ConfigPath() string {
	if o.ConfigFile != "" {
		return o.ConfigFile
	}
	if env := os.Getenv("RECONCILE_CONFIG"); env != "" {
		return env
	}
	return DefaultConfig
}

// ReadConfig reads the operator's configuration. If the file exists and is not valid,
// the error is of type schema.Problems.
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

// GitConfig returns which repository to read: the command line's, else the
// configuration's.
func (o Options) GitConfig(c schema.Config) gitsource.Config {
	out := gitsource.Config{
		URL: c.Git.URL, Ref: c.Git.Ref, Path: c.Git.Path, CacheDir: c.Git.CacheDir, Build: thisBuild(),
		Tell: func(text string) { o.Messages.Warn("git", text) },
	}
	if o.Repo != "" {
		out.URL, out.CacheDir = o.Repo, ""
	}
	if o.Daemon && out.CacheDir == "" {
		out.CacheDir = defaultCacheDir(c)
	}
	if o.Ref != "" {
		out.Ref = o.Ref
	}
	if o.Path != "" {
		out.Path = o.Path
	}
	return out
}

// thisBuild identifies the running program by what it was built from, and by its file;
// empty: it is not known.
var thisBuild = sync.OnceValue(func() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	file, err := os.Stat(path)
	if err != nil {
		return ""
	}
	built := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		built = info.String()
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d %s", file.Size(), file.ModTime().UnixNano(), built))
	return hex.EncodeToString(sum[:])
})

// recall reads the ledger and shows progress.
func (o Options) recall(ctx context.Context, l *ledger.Ledger) (ledger.Snapshot, error) {
	defer o.Messages.Doing("reading the ledger")()
	return l.Read(ctx)
}
