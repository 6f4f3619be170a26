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

// Environment holds what commands share: the operator's configuration, the repository,
// the clusters and the ledger.
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

	configured *gitsource.Repo // of the configured ref, if that is not Repo; nil until needed
	gitLost    bool            // it could not be read
}

// Close ends all connections to clusters.
func (e *Environment) Close() { e.Fleet.Close() }

// setPolicy sets the approval policy. Each read of Git also reads who may approve.
func (e *Environment) setPolicy() {
	a := e.Config.Approval
	e.Git.Keys = e.ReadKeys
	e.Policy = approval.Policy{
		Configured:        true, // ReadKeys reports an empty list
		SignatureOptional: !a.SignatureRequired,
		AuthorMayApprove:  !a.DistinctAuthor,
		Repository:        a.Repository,
		Quorum:            a.Quorum,
		MaxAge:            a.MaxAge,
	}
}

// ReadKeys reads who may approve. If the default file does not exist, that is no error:
// no person may approve.
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

// checkKeys returns an error if no approval could be checked now.
func (e *Environment) checkKeys() error {
	k, err := e.ReadKeys()
	if err == nil {
		err = k.Check()
	}
	return err
}

// Revision reads the topologies at a commit; an empty commit is the tip of the tracked
// ref. base keeps only those that differ from another commit, names only those named.
func (e *Environment) Revision(ctx context.Context, commit, base string, names []string) (desired.Revision, error) {
	defer e.options.Messages.Doing("reading the topology files and their history")()
	rev, err := e.options.Loader.Load(ctx, e.Repo, commit)
	if err != nil {
		return desired.Revision{}, err
	}
	if err := rev.Choose(names); err != nil {
		return desired.Revision{}, err
	}
	if err := rev.ChooseSite(e.options.Site); err != nil {
		return desired.Revision{}, err
	}
	if base != "" {
		other, err := e.options.Loader.Load(ctx, e.Repo, base)
		if err != nil {
			return desired.Revision{}, desired.BaseError(base, err)
		}
		rev.KeepChanged(other)
	}
	rev.Desired.Limits, rev.Desired.Shards = e.Config.Limits, e.Config.Shards
	rev.Desired.AuditEvery = e.Config.Audit.Every
	rev.Desired.Rebuilders = rebuilders(e.Config.Clusters)
	rev.Desired.Loads = e.Config.Load == schema.LoadAuto
	rev.Desired.Fence = standingFences(e.Config.Fence, rev.Desired.Topologies)
	return rev, nil
}

// Pass prepares one pass. It reads the ledger if there is one, and never creates one.
func (e *Environment) Pass(ctx context.Context, rev desired.Revision) (reconcile.Pass, error) {
	p := reconcile.Pass{
		Desired: rev.Desired, Changes: rev.Changes, Policy: e.Policy,
		Observer: observer{e.Fleet.Reader(), e.options.Messages}, Clock: e.options.Clock, Freeze: e.Config.Freeze.Evaluator(),
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
	if rev.Commit != "" && !e.OverridesTip("") {
		p.Rewritten, err = e.Rewritten(ctx, l, rev)
	}
	return p, err
}

// Ledger returns the ledger of the configuration. It opens it at the first call.
func (e *Environment) Ledger() (*ledger.Ledger, error) {
	if e.opened != nil {
		return e.opened, nil
	}
	options := ledger.Options{Clock: e.options.Clock, Host: e.options.TestHooks.host(), Shard: e.options.Shard}
	var err error
	switch c := e.Config.Ledger; {
	case c.Kubernetes != nil:
		k := c.Kubernetes
		e.opened, err = ledger.Kubernetes(ledger.KubernetesConfig{
			API: e.kubernetesAPI(k.Access), Namespace: k.Namespace, Name: k.Name, TTL: k.TTL, NotePath: e.notePath("kubernetes", k.Namespace, k.Name),
		}, options)
	case c.Etcd != nil:
		conf := e.etcdConfig(*c.Etcd)
		conf.NotePath = e.notePath(strings.Split(strings.Trim(c.Etcd.Prefix, "/"), "/")...)
		e.opened, err = ledger.Etcd(conf, options)
	default:
		e.opened, err = ledger.Embedded(c.Path, options)
	}
	return e.opened, err
}

// notePath returns the file that names the newest record of a ledger elsewhere; empty: there
// is no folder for it.
func (e *Environment) notePath(parts ...string) string {
	dir := e.Config.Git.CacheDir
	if dir == "" {
		return ""
	}
	return strings.TrimSuffix(dir+".ledger-"+strings.Join(parts, "-"), "-")
}

// Apply prepares a run that may change clusters. It creates the ledger if there is none.
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
	p.Ledger = ledgerRecord{options: e.options, ledger: l, isNew: isNew, last: &lastRead{}, hide: e.Fleet.Hide}
	a := reconcile.Apply{Pass: p, Actor: actor{e.Fleet}, Suspended: e.Config.Suspend, Waves: e.Config.Waves, Site: e.options.Site, Identity: identity(e.options.Shard)}
	a.Loading.Note = e.noteServing
	if e.Config.Load == schema.LoadAuto {
		a.Loading.Loader = loader{e.Fleet}
	}
	if e.Config.ProbeEvery > 0 {
		a.Probe = probeClient{e.Fleet, e.Config.ProbeEvery}
	}
	if r := e.restarter(); r != nil {
		a.Restart = r
	}
	a.Rebuilds.Audit = e.auditRebuilt
	if r := e.rebuilder(); r != nil {
		a.Rebuilds.Program = r
	}
	e.options.TestHooks.install(&a)
	r, err := e.Redirector()
	if r != nil {
		a.Redirect = r
	}
	return a, err
}

// identity names this process in the records of the ledger.
func identity(shard string) string {
	if shard != "" {
		shard = ", shard " + shard
	}
	return fmt.Sprintf("process %d on %s%s", os.Getpid(), hostName(), shard)
}

// standingFences returns a fence request for every stale cluster if the configuration
// says fence: auto.
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

// Doing shows what the command waits for, until done is called.
func (e *Environment) Doing(what string) (done func()) { return e.options.Messages.Doing(what) }

// Recall reads the ledger and shows progress.
func (e *Environment) Recall(ctx context.Context, l *ledger.Ledger) (ledger.Snapshot, error) {
	return e.options.recall(ctx, l)
}

// Observer returns a reader of the clusters that shows progress.
func (e *Environment) Observer() reconcile.Observer {
	return observer{e.Fleet.Reader(), e.options.Messages}
}

// Checker returns a verifier that repeats the checks of a promotion without a lock.
func (e *Environment) Checker() reconcile.Verifier { return checker{e.Fleet} }

// Open reads the configuration, fetches the repository and prepares the clients of the
// clusters. It calls no cluster.
func (o Options) Open(ctx context.Context) (*Environment, error) {
	e, err := o.prepareOnce()
	if err != nil {
		return nil, err
	}
	if err := e.Fetch(ctx); err != nil {
		e.Close()
		return nil, fmt.Errorf("%w (hint: if this Git is lost, act from a clone: --repo CLONE; or promote by hand, and 'reconcile adopt TOPOLOGY' afterwards)", err)
	}
	return e, nil
}

// OpenToRead is Open for commands that change nothing. If the remote cannot be read, it
// uses the copy of the last fetch and warns.
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
	o.Messages.Warn("git", fmt.Sprintf("%v; this output uses the copy of %s: newer commits, approvals and withdrawals are missing, and 'apply' refuses to use it",
		down, fetched.Format(time.RFC3339)))
	return e, nil
}

// Fetch fetches the tracked ref and the approvals, and shows progress.
func (e *Environment) Fetch(ctx context.Context) error {
	defer e.options.Messages.Doing("fetching the topology repository")()
	return e.Repo.Fetch(ctx)
}

// prepareOnce is Prepare for a command that runs once. It fails if no approval could be
// checked. The daemon denies instead, and continues once the list can be read.
func (o Options) prepareOnce() (*Environment, error) {
	e, err := o.Prepare()
	if err != nil {
		return nil, err
	}
	return e, e.checkKeys()
}

// Prepare is Open without any call over the network.
func (o Options) Prepare() (*Environment, error) {
	config, err := o.ReadConfig()
	if err != nil {
		return nil, err
	}
	e := &Environment{options: o, Config: config, Git: o.GitConfig(config)}
	if e.Git.URL == "" {
		return nil, errors.New("no topology repository is named (hint: set git.url in the configuration, or give --repo)")
	}
	if err := e.checkFileTrust(); err != nil {
		return nil, err
	}
	e.setPolicy()
	e.Git.Auth = func() (gitsource.Auth, error) { return gitAuth(config.Git.Auth) }
	e.prepareFleet()
	if e.Repo, err = gitsource.New(e.Git); err != nil {
		return nil, err
	}
	return e, nil
}

// Check fails if the configuration, a file that it names or the list of approvers cannot
// be used. It makes no call over the network.
func (o Options) Check() error {
	e, err := o.prepareOnce()
	if e != nil {
		e.Close()
	}
	return err
}

// OpenForWorkTree returns the environment of a command that edits a file of a work tree.
// It has the clusters and no repository.
func (o Options) OpenForWorkTree(top string) (*Environment, error) {
	config, err := o.ReadConfig()
	if err != nil {
		return nil, err
	}
	e := &Environment{options: o, Config: config, Git: gitsource.Config{URL: top}}
	if err := e.checkFileTrust(); err != nil {
		return nil, err
	}
	e.prepareFleet()
	return e, nil
}

// prepareFleet prepares the clients of the clusters. It calls none.
func (e *Environment) prepareFleet() {
	credentials, tokens := fleetCredentials(e.Config.Credentials, &e.uses)
	e.Fleet = milvus.NewFleet(milvus.Config{Credentials: credentials, Tokens: tokens, Concurrency: e.options.Concurrency, KeepFor: e.options.KeepFor, OneShot: !e.options.Daemon})
}

// ForLedger returns the environment of a command that needs only the ledger, neither Git
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

// With returns the environment of a configuration that was read already. It opens
// nothing.
func (o Options) With(config schema.Config) *Environment {
	return &Environment{options: o, Config: config}
}

// ForClusters returns the environment of a command that has credentials but no
// configuration. It fails if a secret or certificate cannot be read.
func (o Options) ForClusters(credentials []schema.Credential) (*Environment, error) {
	e := &Environment{options: o, Config: schema.Config{Credentials: credentials}}
	e.prepareFleet()
	for _, f := range e.uses.faults(o.Clock()) {
		e.Close()
		return nil, fmt.Errorf("%s: %w", f.names, f.err)
	}
	return e, nil
}
