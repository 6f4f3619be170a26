package wire

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/gitsource"
	"milvus-reconcile/reconcile/ledger"
	"milvus-reconcile/reconcile/milvus"
	"milvus-reconcile/reconcile/plainfile"
	"milvus-reconcile/schema"
)

// Environment is what the commands that read clusters share: the operator's
// configuration, the repository and the clusters.
type Environment struct {
	Config schema.Config
	Git    gitsource.Config
	Repo   *gitsource.Repo // nil where no repository is needed
	Fleet  *milvus.Fleet
	Policy approval.Policy

	options    Options
	uses       fileUses
	ledgerUses fileUses       // of the ledger, once it is opened
	opened     *ledger.Ledger // nil until it is needed

	configured *gitsource.Repo // of the configured ref, where that is not Repo; nil until it is needed
	lost       bool            // it could not be read
}

// Close ends all connections to clusters.
func (e *Environment) Close() { e.Fleet.Close() }

// keys makes the policy, and has who may approve read whenever Git is.
func (e *Environment) keys() {
	a := e.Config.Approval
	e.Git.Keys = e.ReadKeys
	e.Policy = approval.Policy{
		Configured:        true, // a list that holds nobody is told by what reads it
		SignatureOptional: !a.SignatureRequired,
		AuthorMayApprove:  !a.DistinctAuthor,
		Repository:        a.Repository,
		Quorum:            a.Quorum,
		MaxAge:            a.MaxAge,
	}
}

// ReadKeys reads who may approve. A default file that is not there is nobody.
func (e *Environment) ReadKeys() (k gitsource.Keys, err error) {
	a := e.Config.Approval
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
func (e *Environment) checkKeys() error {
	k, err := e.ReadKeys()
	if err == nil {
		err = k.Check()
	}
	return err
}

// Revision reads the topologies at a commit; base keeps those that differ
// from another commit, names those that were asked for.
func (e *Environment) Revision(ctx context.Context, commit, base string, names []string) (desired.Revision, error) {
	defer e.options.Messages.Doing("reading the topology files and their history")()
	rev, err := e.options.Loader.Load(ctx, e.Repo, commit)
	if err != nil {
		return desired.Revision{}, err
	}
	if err := rev.Choose(names); err != nil {
		return desired.Revision{}, err
	}
	if base != "" {
		other, err := e.options.Loader.Load(ctx, e.Repo, base)
		if err != nil {
			return desired.Revision{}, fmt.Errorf("--base: %w (hint: a shallow clone lacks old commits; 'git fetch --unshallow' brings them)", err)
		}
		rev.KeepChanged(other)
	}
	rev.Desired.Limits = e.Config.Limits
	rev.Desired.Fence = standingFences(e.Config.Fence, rev.Desired.Topologies)
	return rev, nil
}

// Pass prepares one pass. It reads the ledger if there is one and never makes
// one.
func (e *Environment) Pass(ctx context.Context, rev desired.Revision) (reconcile.Pass, error) {
	p := reconcile.Pass{
		Desired: rev.Desired, Changes: rev.Changes, Policy: e.Policy,
		Observer: observer{e.Fleet.Reader(), e.options.Messages}, Clock: e.options.Clock,
		Concurrency: e.options.Concurrency, Tell: e.options.Messages.Tell, TellOnce: e.options.TellOnce,
	}
	r, err := e.Redirector()
	if err != nil {
		return p, err
	}
	if r != nil {
		p.Traffic = trafficChecker{r}
	}
	if e.Config.Ledger.IsZero() {
		return p, nil
	}
	l, err := e.Ledger()
	if err != nil {
		return p, err
	}
	p.Ledger = ledgerRecord{options: e.options, ledger: l, last: &lastRead{}}
	if rev.Commit != "" && !e.Elsewhere("") {
		p.Rewritten, err = e.Rewritten(ctx, l, rev)
	}
	return p, err
}

// Ledger opens the ledger of the configuration, once.
func (e *Environment) Ledger() (*ledger.Ledger, error) {
	if e.opened != nil {
		return e.opened, nil
	}
	options := ledger.Options{Clock: e.options.Clock, Host: e.options.Drill.host()}
	var err error
	if c := e.Config.Ledger.Etcd; c == nil {
		e.opened, err = ledger.Embedded(e.Config.Ledger.Path, options)
	} else {
		conf := e.etcdConfig(*c)
		if dir := e.Config.Git.CacheDir; dir != "" {
			conf.NotePath = dir + ".ledger" + strings.ReplaceAll(strings.TrimSuffix("/"+strings.Trim(c.Prefix, "/"), "/"), "/", "-")
		}
		e.opened, err = ledger.Etcd(conf, options)
	}
	return e.opened, err
}

// Apply prepares a run that may act. The ledger is made if it is new.
func (e *Environment) Apply(ctx context.Context, rev desired.Revision) (reconcile.Apply, error) {
	if e.Config.Ledger.IsZero() {
		return reconcile.Apply{}, errors.New("apply needs a ledger (hint: set ledger.path in the operator's configuration)")
	}
	p, err := e.Pass(ctx, rev)
	if err != nil {
		return reconcile.Apply{}, err
	}
	l, err := e.Ledger()
	if err != nil {
		return reconcile.Apply{}, err
	}
	_, isNew, err := l.Ensure(ctx)
	if err != nil {
		return reconcile.Apply{}, fmt.Errorf("open the ledger: %w", WithoutLedger(err))
	}
	p.Ledger = ledgerRecord{options: e.options, ledger: l, isNew: isNew, last: &lastRead{}}
	a := reconcile.Apply{Pass: p, Actor: actor{e.Fleet}, Suspended: e.Config.Suspend, Identity: identity()}
	if r := e.restarter(); r != nil {
		a.Restart = r
	}
	e.options.Drill.attach(&a)
	r, err := e.Redirector()
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

// standingFences asks for the fence of every stale cluster, where the
// operator's configuration wants that of every run.
func standingFences(how schema.Fence, topologies []plan.Topology) []plan.FenceRequest {
	if how != schema.FenceAuto {
		return nil
	}
	var out []plan.FenceRequest
	for _, t := range topologies {
		for _, c := range t.Clusters {
			if c.Role == plan.RoleStale {
				out = append(out, plan.FenceRequest{Topology: t.Name, Cluster: c.ID, Standing: true})
			}
		}
	}
	return out
}

// Now is the time by the clock of the command.
func (e *Environment) Now() time.Time { return e.options.Clock() }

// Doing shows what is waited for, until done is called.
func (e *Environment) Doing(what string) (done func()) { return e.options.Messages.Doing(what) }

// Recall reads the ledger, and shows that it does.
func (e *Environment) Recall(ctx context.Context, l *ledger.Ledger) (ledger.Snapshot, error) {
	return e.options.recall(ctx, l)
}

// Observer reads the clusters, and shows that it does.
func (e *Environment) Observer() reconcile.Observer {
	return observer{e.Fleet.Reader(), e.options.Messages}
}

// Checker repeats the checks of a promotion, without a lock.
func (e *Environment) Checker() reconcile.Verifier { return checker{e.Fleet} }

// Open reads the configuration, opens the repository and prepares the fleet.
// Nothing is called yet but Git.
func (o Options) Open(ctx context.Context) (*Environment, error) {
	e, err := o.prepareOnce()
	if err != nil {
		return nil, err
	}
	if err := e.Fetch(ctx); err != nil {
		e.Close()
		return nil, fmt.Errorf("%w (hint: if this Git is lost, act from a clone: --repo CLONE; or promote by hand, and 'reconcile adopt' afterwards)", err)
	}
	return e, nil
}

// OpenToRead is Open for commands that change nothing: while the remote cannot
// be read, they read the copy of the last fetch, and say so.
func (o Options) OpenToRead(ctx context.Context) (*Environment, error) {
	e, err := o.prepareOnce()
	if err != nil {
		return nil, err
	}
	down := e.Fetch(ctx)
	if down == nil {
		return e, nil
	}
	fetched, err := e.Repo.UseCopy()
	if err != nil {
		e.Close()
		return nil, down
	}
	o.Messages.Warn("git", fmt.Sprintf("%v; what follows is from the copy of %s: newer commits, approvals and withdrawals are missing, and 'apply' refuses to rest on it",
		down, fetched.Format(time.RFC3339)))
	return e, nil
}

// Fetch brings the tracked ref and the approvals, and shows that it does.
func (e *Environment) Fetch(ctx context.Context) error {
	defer e.options.Messages.Doing("fetching the topology repository")()
	return e.Repo.Fetch(ctx)
}

// prepareOnce is Prepare for a command that runs once: that nobody's approval could
// be checked ends it, whereas the daemon denies, and goes on when the list is mended.
func (o Options) prepareOnce() (*Environment, error) {
	e, err := o.Prepare()
	if err != nil {
		return nil, err
	}
	return e, e.checkKeys()
}

// Prepare is Open without a call to anybody.
func (o Options) Prepare() (*Environment, error) {
	config, err := o.ReadConfig()
	if err != nil {
		return nil, err
	}
	e := &Environment{options: o, Config: config, Git: o.GitConfig(config)}
	if e.Git.URL == "" {
		return nil, errors.New("no topology repository is named (hint: set git.url in the configuration, or give --repo)")
	}
	if err := e.trusted(); err != nil {
		return nil, err
	}
	e.keys()
	e.Git.Auth = func() (gitsource.Auth, error) { return gitAuth(config.Git.Auth) }
	e.dial()
	if e.Repo, err = gitsource.New(e.Git); err != nil {
		return nil, err
	}
	return e, nil
}

// OpenForWorkTree is the environment of a command that works on a file of a work tree:
// the clusters, and no repository of its own.
func (o Options) OpenForWorkTree(top string) (*Environment, error) {
	config, err := o.ReadConfig()
	if err != nil {
		return nil, err
	}
	e := &Environment{options: o, Config: config, Git: gitsource.Config{URL: top}}
	if err := e.trusted(); err != nil {
		return nil, err
	}
	e.dial()
	return e, nil
}

// dial prepares the fleet; it calls nobody yet.
func (e *Environment) dial() {
	e.Fleet = milvus.NewFleet(milvus.Config{Credentials: fleetCredentials(e.Config.Credentials, &e.uses), Concurrency: e.options.Concurrency, KeepFor: e.options.KeepFor})
}

// ForLedger is the environment of a command that needs the ledger alone: neither Git
// nor a cluster.
func (o Options) ForLedger() (*Environment, error) {
	config, err := o.ReadConfig()
	if err != nil {
		return nil, err
	}
	if config.Ledger.IsZero() {
		return nil, errors.New("there is no ledger (hint: set ledger.path in the operator's configuration)")
	}
	return o.With(config), nil
}

// With is the environment of a configuration that was read already; nothing is opened.
func (o Options) With(config schema.Config) *Environment {
	return &Environment{options: o, Config: config}
}

// ForClusters is the environment of a command that knows clusters without a
// configuration. A secret or certificate that cannot be read is an error.
func (o Options) ForClusters(credentials []schema.Credential) (*Environment, error) {
	e := &Environment{options: o, Config: schema.Config{Credentials: credentials}}
	e.dial()
	for _, f := range e.uses.faults(o.Clock()) {
		e.Close()
		return nil, fmt.Errorf("%s: %w", f.spoken, f.err)
	}
	return e, nil
}
