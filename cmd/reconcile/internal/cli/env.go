package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/gitsource"
	"milvus-reconcile/reconcile/ledger"
	"milvus-reconcile/reconcile/milvus"
	"milvus-reconcile/reconcile/plainfile"
	"milvus-reconcile/schema"
)

// environment is what the commands that look at the world share: the
// operator's configuration, the repository and the clusters.
type environment struct {
	g      *globals
	config schema.Config
	git    gitsource.Config
	repo   *gitsource.Repo
	fleet  *milvus.Fleet
	policy approval.Policy
	uses   fileUses

	ledgerUses fileUses       // of the ledger, once it is opened
	opened     *ledger.Ledger // nil until it is needed

	configured *gitsource.Repo // of the configured ref, where that is not repo; nil until it is needed
	lost       bool            // it could not be read
}

func (e *environment) close() { e.fleet.Close() }

func (g *globals) readConfig() (schema.Config, error) {
	path := g.configPath()
	read := plainfile.ReadOrPipe
	if g.keepsCopy {
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

func gitConfig(g *globals, c schema.Config) gitsource.Config {
	out := gitsource.Config{
		URL: c.Git.URL, Ref: c.Git.Ref, Path: c.Git.Path, CacheDir: c.Git.CacheDir,
		Tell: func(text string) { g.warn("git", text) },
	}
	if g.repo != "" {
		out.URL, out.CacheDir = g.repo, ""
	}
	if g.keepsCopy && out.CacheDir == "" {
		out.CacheDir = besideLedger(c)
	}
	if g.ref != "" {
		out.Ref = g.ref
	}
	if g.path != "" {
		out.Path = g.path
	}
	return out
}

// keys makes the policy, and has who may approve read whenever Git is.
func (e *environment) keys() {
	a := e.config.Approval
	e.git.Keys = e.readKeys
	e.policy = approval.Policy{
		Configured:        true, // a list that holds nobody is told by what reads it
		SignatureOptional: !a.SignatureRequired,
		AuthorMayApprove:  !a.DistinctAuthor,
		Repository:        a.Repository,
		Quorum:            a.Quorum,
		MaxAge:            a.MaxAge,
	}
}

// readKeys reads who may approve. A default file that is not there is nobody.
func (e *environment) readKeys() (k gitsource.Keys, err error) {
	a := e.config.Approval
	k.AllowedSigners, err = plainfile.Read(a.AllowedSigners)
	if err != nil && !(a.AllowedSigners == schema.DefaultAllowedSigners && errors.Is(err, fs.ErrNotExist)) {
		return k, fmt.Errorf("read approval.allowedSigners: %w", err)
	}
	if a.Keyring == "" {
		return k, nil
	}
	if k.Keyring, err = plainfile.Read(a.Keyring); err != nil {
		return k, fmt.Errorf("read approval.keyring: %w", err)
	}
	return k, nil
}

// checkKeys says why nobody could approve anything now.
func (e *environment) checkKeys() error {
	k, err := e.readKeys()
	if err == nil {
		err = k.Check()
	}
	return err
}

// revision reads the topologies at a commit; base keeps those that differ
// from another commit, names those that were asked for.
func (e *environment) revision(ctx context.Context, commit, base string, names []string) (desired.Revision, error) {
	defer e.g.doing("reading the topology files and their history")()
	rev, err := e.g.loader.Load(ctx, e.repo, commit)
	if err != nil {
		return desired.Revision{}, err
	}
	if err := rev.Choose(names); err != nil {
		return desired.Revision{}, err
	}
	if base != "" {
		other, err := e.g.loader.Load(ctx, e.repo, base)
		if err != nil {
			return desired.Revision{}, fmt.Errorf("--base: %w (hint: a shallow clone lacks old commits; 'git fetch --unshallow' brings them)", err)
		}
		rev.KeepChanged(other)
	}
	rev.Desired.Limits = e.config.Limits
	rev.Desired.Fence = standingFences(e.config.Fence, rev.Desired.Topologies)
	return rev, nil
}

// pass prepares one look. It reads the ledger if there is one and never makes
// one.
func (e *environment) pass(ctx context.Context, rev desired.Revision) (reconcile.Pass, error) {
	p := reconcile.Pass{
		Desired: rev.Desired, Changes: rev.Changes, Policy: e.policy,
		Observer: observer{e.fleet.Reader(), e.g}, Clock: e.g.clock,
		Concurrency: e.g.concurrency, Tell: e.g.tell, TellOnce: !isTerminal(e.g.std.Err),
	}
	r, err := e.redirector()
	if err != nil {
		return p, err
	}
	if r != nil {
		p.Traffic = trafficChecker{r}
	}
	if e.config.Ledger.IsZero() {
		return p, nil
	}
	l, err := e.ledger()
	if err != nil {
		return p, err
	}
	p.Ledger = ledgerRecord{g: e.g, ledger: l, last: &lastRead{}}
	if rev.Commit != "" && !e.elsewhere("") {
		p.Rewritten, err = e.rewritten(ctx, l, rev)
	}
	return p, err
}

func (e *environment) ledger() (*ledger.Ledger, error) {
	if e.opened != nil {
		return e.opened, nil
	}
	options := ledger.Options{Clock: e.g.clock, Host: e.g.std.Drill.host()}
	var err error
	if c := e.config.Ledger.Etcd; c == nil {
		e.opened, err = ledger.Embedded(e.config.Ledger.Path, options)
	} else {
		conf := e.etcdConfig(*c)
		if dir := e.config.Git.CacheDir; dir != "" {
			conf.NotePath = dir + ".ledger" + strings.ReplaceAll(strings.TrimSuffix("/"+strings.Trim(c.Prefix, "/"), "/"), "/", "-")
		}
		e.opened, err = ledger.Etcd(conf, options)
	}
	return e.opened, err
}

// apply prepares a run that may act. The ledger is made if it is new.
func (e *environment) apply(ctx context.Context, rev desired.Revision) (reconcile.Apply, error) {
	if e.config.Ledger.IsZero() {
		return reconcile.Apply{}, errors.New("apply needs a ledger (hint: set ledger.path in the operator's configuration)")
	}
	p, err := e.pass(ctx, rev)
	if err != nil {
		return reconcile.Apply{}, err
	}
	l, err := e.ledger()
	if err != nil {
		return reconcile.Apply{}, err
	}
	_, isNew, err := l.Ensure(ctx)
	if err != nil {
		return reconcile.Apply{}, fmt.Errorf("open the ledger: %w", withoutLedger(err))
	}
	p.Ledger = ledgerRecord{g: e.g, ledger: l, isNew: isNew, last: &lastRead{}}
	a := reconcile.Apply{Pass: p, Actor: actor{e.fleet}, Suspended: e.config.Suspend, Identity: identity()}
	if r := e.restarter(); r != nil {
		a.Restart = r
	}
	e.g.std.Drill.attach(&a)
	r, err := e.redirector()
	if r != nil {
		a.Redirect = r
	}
	return a, err
}

// identity names this process for people who read the ledger later.
func identity() string {
	host, err := os.Hostname()
	if err != nil {
		host = "a machine without a name"
	}
	return fmt.Sprintf("process %d on %s", os.Getpid(), host)
}
