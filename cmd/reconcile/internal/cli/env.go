package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/gitsource"
	"milvus-reconcile/reconcile/ledger"
	"milvus-reconcile/reconcile/milvus"
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
	opened *ledger.Ledger // nil until it is needed
}

// open reads the configuration, opens the repository and prepares the fleet.
// Nothing is called yet but Git.
func (g *globals) open(ctx context.Context) (*environment, error) {
	e, err := g.prepare()
	if err != nil {
		return nil, err
	}
	if err := e.repo.Fetch(ctx); err != nil {
		e.close()
		return nil, fmt.Errorf("%w (hint: if this Git is lost, act from a clone: --repo CLONE; or promote by hand, and 'reconcile adopt' afterwards)", err)
	}
	return e, nil
}

// openToLook is open for commands that change nothing: while the remote cannot
// be read, they look with the copy of the last fetch, and say so.
func (g *globals) openToLook(ctx context.Context) (*environment, error) {
	e, err := g.prepare()
	if err != nil {
		return nil, err
	}
	down := e.repo.Fetch(ctx)
	if down == nil {
		return e, nil
	}
	fetched, err := e.repo.UseCopy()
	if err != nil {
		e.close()
		return nil, down
	}
	g.warn("git", fmt.Sprintf("%v; what follows is from the copy of %s: newer commits, approvals and withdrawals are missing, and 'apply' refuses to rest on it",
		down, fetched.Format(time.RFC3339)))
	return e, nil
}

// prepare is open without a call to anybody.
func (g *globals) prepare() (*environment, error) {
	config, err := g.readConfig()
	if err != nil {
		return nil, err
	}
	e := &environment{g: g, config: config, git: gitConfig(g, config)}
	if e.git.URL == "" {
		return nil, errors.New("no topology repository is named (hint: set git.url in the configuration, or give --repo)")
	}
	if err := e.trusted(); err != nil {
		return nil, err
	}
	if err := e.keys(); err != nil {
		return nil, err
	}
	if e.git.Auth, err = gitAuth(config.Git.Auth); err != nil {
		return nil, err
	}
	if err := e.dial(); err != nil {
		return nil, err
	}
	if e.repo, err = gitsource.New(e.git); err != nil {
		return nil, err
	}
	return e, nil
}

// beside is the environment of a command that works on a file of a work tree:
// the clusters, and no repository of its own.
func (g *globals) beside(top string) (*environment, error) {
	config, err := g.readConfig()
	if err != nil {
		return nil, err
	}
	e := &environment{g: g, config: config, git: gitsource.Config{URL: top}}
	if err := e.trusted(); err != nil {
		return nil, err
	}
	return e, e.dial()
}

// dial prepares the fleet; it calls nobody yet.
func (e *environment) dial() error {
	credentials, err := fleetCredentials(e.config.Credentials)
	if err != nil {
		return err
	}
	e.fleet = milvus.NewFleet(milvus.Config{Credentials: credentials, Concurrency: e.g.concurrency})
	return nil
}

func (e *environment) close() { e.fleet.Close() }

func (g *globals) readConfig() (schema.Config, error) {
	path := g.configPath()
	data, err := os.ReadFile(path)
	if err != nil {
		return schema.Config{}, fmt.Errorf("read the operator's configuration: %w (hint: --config names it; 'reconcile sim --git DIR' makes one to try)", err)
	}
	config, problems := schema.ParseConfig(path, data)
	if len(problems) > 0 {
		return schema.Config{}, problems
	}
	return config, nil
}

func gitConfig(g *globals, c schema.Config) gitsource.Config {
	out := gitsource.Config{URL: c.Git.URL, Ref: c.Git.Ref, Path: c.Git.Path, CacheDir: c.Git.CacheDir}
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

// keys reads who may approve. A default file that is not there is nobody.
func (e *environment) keys() error {
	a := e.config.Approval
	var err error
	e.git.AllowedSigners, err = os.ReadFile(a.AllowedSigners)
	if err != nil && !(a.AllowedSigners == schema.DefaultAllowedSigners && errors.Is(err, fs.ErrNotExist)) {
		return fmt.Errorf("read approval.allowedSigners: %w", err)
	}
	if a.Keyring != "" {
		if e.git.Keyring, err = os.ReadFile(a.Keyring); err != nil {
			return fmt.Errorf("read approval.keyring: %w", err)
		}
	}
	e.policy = approval.Policy{
		Configured:        len(e.git.AllowedSigners) > 0 || len(e.git.Keyring) > 0,
		SignatureOptional: !a.SignatureRequired,
		AuthorMayApprove:  !a.DistinctAuthor,
		Quorum:            approval.Quorum(a.Quorum),
		MaxAge:            approval.MaxAge(a.MaxAge),
	}
	return nil
}

// revision reads the topologies at a commit; base keeps those that differ
// from another commit, names those that were asked for.
func (e *environment) revision(ctx context.Context, commit, base string, names []string) (revision, error) {
	rev, err := loadRevision(ctx, e.repo, commit)
	if err != nil {
		return revision{}, err
	}
	if err := rev.choose(names); err != nil {
		return revision{}, err
	}
	if base != "" {
		other, err := loadRevision(ctx, e.repo, base)
		if err != nil {
			return revision{}, fmt.Errorf("--base: %w (hint: a shallow clone lacks old commits; 'git fetch --unshallow' brings them)", err)
		}
		rev.differing(other)
	}
	rev.desired.Limits = e.config.Limits
	rev.desired.Fence = standingFences(e.config.Fence, rev.desired.Topologies)
	return rev, nil
}

// pass prepares one look. It reads the ledger if there is one and never makes
// one.
func (e *environment) pass(ctx context.Context, rev revision) (reconcile.Pass, error) {
	p := reconcile.Pass{
		Desired: rev.desired, Changes: rev.changes, Policy: e.policy,
		Observer: observer{e.fleet.Reader()}, Clock: e.g.clock,
		Concurrency: e.g.concurrency, Tell: e.g.tell,
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
	p.Ledger = ledgerRecord{ledger: l}
	if rev.commit != "" && !e.elsewhere("") {
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
	} else if conf, wrong := etcdConfig(*c); wrong != nil {
		return nil, fmt.Errorf("ledger.etcd: %w", wrong)
	} else {
		e.opened, err = ledger.Etcd(conf, options)
	}
	return e.opened, err
}

// apply prepares a run that may act. The ledger is made if it is new.
func (e *environment) apply(ctx context.Context, rev revision) (reconcile.Apply, error) {
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
		return reconcile.Apply{}, fmt.Errorf("open the ledger: %w", err)
	}
	p.Ledger = ledgerRecord{ledger: l, isNew: isNew}
	a := reconcile.Apply{Pass: p, Actor: actor{e.fleet}, Suspended: e.config.Suspend, Identity: identity()}
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
