package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"milvus-reconcile/reconcile/gitsource"
	"milvus-reconcile/reconcile/milvus"
)

// open reads the configuration, opens the repository and prepares the fleet.
// Nothing is called yet but Git.
func (g *globals) open(ctx context.Context) (*environment, error) {
	e, err := g.prepareOnce()
	if err != nil {
		return nil, err
	}
	if err := e.fetch(ctx); err != nil {
		e.close()
		return nil, fmt.Errorf("%w (hint: if this Git is lost, act from a clone: --repo CLONE; or promote by hand, and 'reconcile adopt' afterwards)", err)
	}
	return e, nil
}

// openToLook is open for commands that change nothing: while the remote cannot
// be read, they look with the copy of the last fetch, and say so.
func (g *globals) openToLook(ctx context.Context) (*environment, error) {
	e, err := g.prepareOnce()
	if err != nil {
		return nil, err
	}
	down := e.fetch(ctx)
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

// fetch brings the tracked ref and the approvals, and shows that it does.
func (e *environment) fetch(ctx context.Context) error {
	defer e.g.doing("fetching the topology repository")()
	return e.repo.Fetch(ctx)
}

// prepareOnce is prepare for a command that runs once: that nobody's approval could
// be checked ends it, whereas the daemon denies, and goes on when the list is mended.
func (g *globals) prepareOnce() (*environment, error) {
	e, err := g.prepare()
	if err != nil {
		return nil, err
	}
	return e, e.checkKeys()
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
	e.keys()
	e.git.Auth = func() (gitsource.Auth, error) { return gitAuth(config.Git.Auth) }
	e.dial()
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
	e.dial()
	return e, nil
}

// dial prepares the fleet; it calls nobody yet.
func (e *environment) dial() {
	e.fleet = milvus.NewFleet(milvus.Config{Credentials: fleetCredentials(e.config.Credentials, &e.uses), Concurrency: e.g.concurrency, KeepFor: e.g.keepFor})
}
