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
