package wire

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

// NamedFile is a file that reconcile rests on, as the operator's configuration names
// it, or the configuration itself.
type NamedFile struct {
	Path   string
	Secret bool // it holds a token, password or private key
}

// NamedFiles are all of them, each once.
func (e *Environment) NamedFiles() []NamedFile {
	c := e.Config
	var out []NamedFile
	plain := func(paths ...string) {
		for _, p := range paths {
			out = append(out, NamedFile{Path: p})
		}
	}
	secret := func(paths ...string) {
		for _, p := range paths {
			out = append(out, NamedFile{Path: p, Secret: true})
		}
	}
	connection := func(t *schema.TLS) {
		if t != nil {
			plain(t.CAFile, t.CertFile)
			secret(t.KeyFile)
		}
	}
	plain(e.options.ConfigPath(), c.Approval.AllowedSigners, c.Approval.Keyring, c.Ledger.Path, c.Git.CacheDir, c.Git.Auth.CAFile, c.Git.Auth.KnownHostsFile)
	plain(gitsource.KnownHosts(e.Git.URL, c.Git.Auth.KnownHostsFile)...)
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
func distinct(files []NamedFile) []NamedFile {
	at := map[string]int{}
	var out []NamedFile
	for _, f := range files {
		i, known := at[f.Path]
		switch {
		case f.Path == "":
		case known:
			out[i].Secret = out[i].Secret || f.Secret
		default:
			at[f.Path] = len(out)
			out = append(out, f)
		}
	}
	return out
}

// trusted refuses a configuration that a pull request could change: itself,
// or a file that it rests on, inside the work tree of the repository; and one that
// any user of this machine could change, or put another in its place.
func (e *Environment) trusted() error {
	var tops []string
	for _, url := range slices.Compact([]string{e.Git.URL, e.Config.Git.URL}) {
		if top, ok := workTree(strings.TrimPrefix(url, "file://")); ok {
			tops = append(tops, top)
		}
	}
	var bad []error
	walk := NewPathWalk()
	for _, f := range e.NamedFiles() {
		way := walk.Follow(f.Path)
		for _, top := range tops {
			if slices.ContainsFunc(way.passed, func(p string) bool { return within(top, p) }) {
				bad = append(bad, fmt.Errorf("%s lies inside the work tree of the topology repository, where a pull request could change it (hint: move it out)", f.Path))
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
	dir := RealPath(path)
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

// RealPath is a path without links; one that does not exist yet is taken by its
// folder.
func RealPath(path string) string {
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
