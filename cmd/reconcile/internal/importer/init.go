package importer

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/schema"
)

// Init writes a configuration, the list of approvers and a topology for live clusters and
// a clone of a repository.
type Init struct {
	Request
	Dir string // of the configuration
	// Where the tracked branch is read; empty: the remote origin of the work tree, else the
	// work tree.
	GitURL        string
	GitKey        string // private SSH key of reconcile
	GitKnownHosts string
	GitTokenEnv   string // environment variable of the token for https
}

// defaultLedger is the ledger of a configuration in its default folder.
const defaultLedger = "/var/lib/reconcile/ledger.db"

// Begin writes the three files, or none. It returns the request as it was carried out, the
// work tree, and notes on what was found.
func (i Init) Begin(ctx context.Context, o wire.Options) (Request, WorkTree, []string, error) {
	tree, err := i.findTree(ctx, o)
	if err != nil {
		return Request{}, tree, nil, err
	}
	r, err := i.request(o, tree)
	if err != nil {
		return r, tree, nil, err
	}
	_, notes, err := Run(ctx, o, r)
	if err != nil {
		return r, tree, nil, err
	}
	if err := os.MkdirAll(filepath.Dir(r.Operator.Ledger), 0o750); err != nil {
		notes = append(notes, "the folder of the ledger could not be made, and apply needs it: "+err.Error())
	}
	if len(r.Operator.Approvers) == 1 {
		notes = append(notes, "only one person can approve, and cannot approve their own changes: add others to "+r.Operator.AllowedSigners)
	}
	return r, tree, notes, nil
}

// WorkTree is the clone in which the topology is written.
type WorkTree struct {
	Top    string
	Branch string
	Pushes bool   // the tracked branch is elsewhere
	url    string // what the configuration tracks
}

// findTree finds the work tree, and what of it reconcile shall track.
func (i Init) findTree(ctx context.Context, o wire.Options) (WorkTree, error) {
	top, err := desired.Git(ctx, cmp.Or(o.Repo, "."), "", "rev-parse", "--show-toplevel")
	if err != nil {
		return WorkTree{}, fmt.Errorf("%w (hint: name a clone of your topology repository by --repo, or begin one with 'git init -b main DIR')", err)
	}
	out := WorkTree{Top: top, url: i.GitURL, Pushes: true}
	if out.Branch, err = desired.Git(ctx, top, "", "symbolic-ref", "--short", "HEAD"); err != nil {
		return out, fmt.Errorf("%w (hint: check out the branch that shall be tracked)", err)
	}
	if o.Ref != "" {
		out.Branch = strings.TrimPrefix(o.Ref, "refs/heads/")
	}
	if out.url == "" {
		out.url, err = desired.Git(ctx, top, "", "remote", "get-url", "origin")
		if err != nil {
			out.url, out.Pushes = top, false
		}
	}
	if !strings.Contains(out.url, ":") && !filepath.IsAbs(out.url) {
		out.url = filepath.Join(top, out.url)
	}
	return out, nil
}

// request completes what is asked for.
func (i Init) request(o wire.Options, tree WorkTree) (Request, error) {
	r := i.Request
	dir, err := filepath.Abs(homePath(i.Dir))
	if err != nil {
		return r, err
	}
	path := cmp.Or(o.Path, "topologies")
	r.TopologyPath = filepath.Join(tree.Top, filepath.FromSlash(path), r.Name+".yaml")
	r.ConfigPath = filepath.Join(dir, filepath.Base(o.ConfigPath()))
	r.Operator.AllowedSigners = filepath.Join(dir, "allowed_signers")
	if r.Operator.Ledger == "" {
		r.Operator.Ledger = filepath.Join(dir, "ledger.db")
		if r.ConfigPath == wire.DefaultConfig {
			r.Operator.Ledger = defaultLedger
		}
	}
	if r.Operator.Ledger, err = filepath.Abs(r.Operator.Ledger); err != nil {
		return r, err
	}
	r.Operator.Git = schema.Git{URL: tree.url, Ref: "refs/heads/" + tree.Branch, Path: path}
	r.Operator.Git.Auth, err = i.gitAuth(tree.url)
	return r, err
}

// gitAuth says how to log in to the Git server.
func (i Init) gitAuth(url string) (schema.GitAuth, error) {
	out := schema.GitAuth{Password: schema.SecretRef{Env: i.GitTokenEnv}}
	var err error
	if i.GitKey != "" {
		if out.SSHKeyFile, err = filepath.Abs(homePath(i.GitKey)); err != nil {
			return out, err
		}
	}
	if i.GitKnownHosts != "" {
		if out.KnownHostsFile, err = filepath.Abs(homePath(i.GitKnownHosts)); err != nil {
			return out, err
		}
	}
	scheme, _, whole := strings.Cut(url, "://")
	if ssh := whole && scheme == "ssh" || !whole && !filepath.IsAbs(url); ssh && i.GitKey == "" {
		if os.Getenv("SSH_AUTH_SOCK") == "" {
			return out, fmt.Errorf("reconcile reads %s by ssh and has no key for it (hint: --git-key FILE, or run an agent)", url)
		}
		out.SSHAgent = true
	}
	return out, nil
}
