package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"milvus-reconcile/reconcile/gitsource"
	"milvus-reconcile/schema"
)

// namedFile is a file that reconcile rests on, as the operator's configuration names
// it, or the configuration itself.
type namedFile struct {
	path   string
	secret bool // it holds a token, password or private key
}

// namedFiles are all of them, each once.
func (e *environment) namedFiles() []namedFile {
	c := e.config
	var out []namedFile
	plain := func(paths ...string) {
		for _, p := range paths {
			out = append(out, namedFile{path: p})
		}
	}
	secret := func(paths ...string) {
		for _, p := range paths {
			out = append(out, namedFile{path: p, secret: true})
		}
	}
	connection := func(t *schema.TLS) {
		if t != nil {
			plain(t.CAFile, t.CertFile)
			secret(t.KeyFile)
		}
	}
	plain(e.g.configPath(), c.Approval.AllowedSigners, c.Approval.Keyring, c.Ledger.Path, c.Git.CacheDir, c.Git.Auth.CAFile, c.Git.Auth.KnownHostsFile)
	plain(gitsource.KnownHosts(e.git.URL, c.Git.Auth.KnownHostsFile)...)
	secret(c.Git.Auth.SSHKeyFile, c.Git.Auth.SSHKeyPassphrase.File, c.Git.Auth.Username.File, c.Git.Auth.Password.File, c.Serve.WebhookSecret.File)
	connection(c.Serve.TLS)
	if etcd := c.Ledger.Etcd; etcd != nil {
		secret(etcd.Username.File, etcd.Password.File)
		connection(etcd.TLS)
	}
	for _, credential := range c.Credentials {
		secret(credential.Token.File, credential.ReplicationToken.File)
		connection(credential.TLS)
	}
	for _, n := range c.Notify {
		secret(n.Secret.File)
	}
	for _, c := range c.Clusters {
		if c.Restart != nil {
			plain(programFiles(c.Restart.Command)...)
		}
	}
	for _, r := range c.Redirect {
		if r.Webhook != nil {
			secret(r.Webhook.Secret.File)
		}
		plain(redirectFiles(r)...)
	}
	return distinct(out)
}

// distinct drops what stands twice or is empty: thousands of credentials may name
// one file, and following a path costs a call for each of its folders.
func distinct(files []namedFile) []namedFile {
	at := map[string]int{}
	var out []namedFile
	for _, f := range files {
		i, known := at[f.path]
		switch {
		case f.path == "":
		case known:
			out[i].secret = out[i].secret || f.secret
		default:
			at[f.path] = len(out)
			out = append(out, f)
		}
	}
	return out
}

// trusted refuses a configuration that a pull request could change: itself,
// or a file that it rests on, inside the work tree of the repository; and one that
// any user of this machine could change, or put another in its place.
func (e *environment) trusted() error {
	var tops []string
	for _, url := range slices.Compact([]string{e.git.URL, e.config.Git.URL}) {
		if top, ok := workTree(strings.TrimPrefix(url, "file://")); ok {
			tops = append(tops, top)
		}
	}
	var bad []error
	walk := newPathWalk()
	for _, f := range e.namedFiles() {
		way := walk.follow(f.path)
		for _, top := range tops {
			if slices.ContainsFunc(way.passed, func(p string) bool { return within(top, p) }) {
				bad = append(bad, fmt.Errorf("%s lies inside the work tree of the topology repository, where a pull request could change it (hint: move it out)", f.path))
			}
		}
		bad = append(bad, way.anybody...)
	}
	return errors.Join(bad...)
}

// workTree finds the top of the work tree that a local path lies in.
func workTree(path string) (string, bool) {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return "", false
	}
	dir := real(path)
	for {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return dir, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}

// within says whether a path without links lies in a folder without links.
func within(top, path string) bool {
	rel, err := filepath.Rel(top, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// real is a path without links; one that does not exist yet is taken by its
// folder.
func real(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if resolved, err := filepath.EvalSymlinks(abs); err == nil {
		return resolved
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		return filepath.Join(dir, filepath.Base(abs))
	}
	return abs
}
