package wire

import (
	"context"
	"errors"
	"fmt"
	"time"

	"milvus-reconcile/reconcile/gitsource"
	"milvus-reconcile/reconcile/milvus"
	"milvus-reconcile/schema"
)

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
