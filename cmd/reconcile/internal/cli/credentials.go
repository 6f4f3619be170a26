package cli

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"milvus-reconcile/reconcile/gitsource"
	"milvus-reconcile/reconcile/ledger"
	"milvus-reconcile/reconcile/milvus"
	"milvus-reconcile/schema"
)

// fleetCredentials turns references into functions that read a secret when it
// is needed; a missing one is an error now, all of them at once.
func fleetCredentials(in []schema.Credential) ([]milvus.Credential, error) {
	var out []milvus.Credential
	var bad []error
	for _, c := range in {
		conf, err := followTLS(c.TLS, tlsConfig)
		bad = append(bad, wrapped(err, "credential of "+c.ClusterID))
		out = append(out, milvus.Credential{
			ClusterID: c.ClusterID, Address: c.Address, URI: c.URI, TLS: conf.getter(),
			Token: secretOf(c.Token), ReplicationToken: secretOf(c.ReplicationToken),
		})
	}
	return out, errors.Join(bad...)
}

func wrapped(err error, what string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// secretOf reads a secret anew at each use, so that a rotated file is seen;
// nil for a reference to nothing.
func secretOf(r schema.SecretRef) func() (string, error) {
	if r.IsZero() {
		return nil
	}
	return func() (string, error) { return readSecret(r) }
}

func readSecret(r schema.SecretRef) (string, error) {
	if r.IsZero() {
		return "", nil
	}
	value := os.Getenv(r.Env)
	if r.File != "" {
		data, err := os.ReadFile(r.File)
		if err != nil {
			return "", fmt.Errorf("read a secret: %w", err)
		}
		value = string(data)
	}
	if value = strings.TrimSpace(value); value == "" {
		return "", fmt.Errorf("%s holds no secret", r)
	}
	return value, nil
}

func tlsConfig(t *schema.TLS) (*tls.Config, error) {
	if t == nil {
		return nil, nil //nolint:nilnil // nil is plaintext, as milvus.Credential says
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read caFile: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("caFile %s holds no certificate", t.CAFile)
		}
	}
	if t.CertFile != "" || t.KeyFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read certFile and keyFile: %w", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}

// etcdConfig says how to reach a ledger in etcd. Secrets and certificates are read
// again whenever it logs in; a missing one is an error now.
func etcdConfig(c schema.LedgerEtcd) (ledger.EtcdConfig, error) {
	conf, err := followTLS(c.TLS, tlsConfig)
	if err != nil {
		return ledger.EtcdConfig{}, fmt.Errorf("tls: %w", err)
	}
	login := func() (ledger.EtcdLogin, error) {
		var out ledger.EtcdLogin
		if conf != nil {
			out.TLS = conf.current()
		}
		var userErr, passwordErr error
		out.Username, userErr = readSecret(c.Username)
		out.Password, passwordErr = readSecret(c.Password)
		return out, errors.Join(userErr, passwordErr)
	}
	_, err = login()
	return ledger.EtcdConfig{Endpoints: c.Endpoints, Prefix: c.Prefix, TTL: c.TTL, Login: login}, err
}

// serverTLS is the daemon's own; with a caFile its clients must show a
// certificate of that authority.
func serverTLS(t *schema.TLS) (*tls.Config, error) {
	conf, err := tlsConfig(t)
	if err != nil || conf == nil {
		return conf, err
	}
	if len(conf.Certificates) == 0 {
		return nil, errors.New("a server needs certFile and keyFile")
	}
	if conf.RootCAs != nil {
		conf.ClientCAs, conf.ClientAuth, conf.RootCAs = conf.RootCAs, tls.RequireAndVerifyClientCert, nil
	}
	return conf, nil
}

// serverTLSOf serves by the files as they are at each handshake.
func serverTLSOf(t *schema.TLS) (*tls.Config, error) {
	files, err := followTLS(t, serverTLS)
	if err != nil || files == nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return files.current(), nil },
	}, nil
}

// gitAuth reads what a remote asks for, again for every fetch.
func gitAuth(a schema.GitAuth) (gitsource.Auth, error) {
	out := gitsource.Auth{SSHAgent: a.SSHAgent, KnownHostsFile: a.KnownHostsFile, CAFile: a.CAFile}
	var err error
	if a.SSHKeyFile != "" {
		if out.SSHKey, err = os.ReadFile(a.SSHKeyFile); err != nil {
			return out, fmt.Errorf("read git.auth.sshKeyFile: %w", err)
		}
	}
	for _, s := range []struct {
		ref  schema.SecretRef
		into *string
	}{{a.SSHKeyPassphrase, &out.SSHKeyPassphrase}, {a.Username, &out.Username}, {a.Password, &out.Password}} {
		if *s.into, err = readSecret(s.ref); err != nil {
			return out, fmt.Errorf("git.auth: %w", err)
		}
	}
	return out, nil
}

// trusted refuses a configuration that a pull request could change: itself,
// or a file that it rests on, inside the work tree of the repository; and one that
// any user of this machine could change.
func (e *environment) trusted() error {
	var bad []error
	files := distinct(e.trustedFiles())
	for _, url := range distinct([]string{e.git.URL, e.config.Git.URL}) {
		top, ok := workTree(strings.TrimPrefix(url, "file://"))
		if !ok {
			continue
		}
		for _, p := range files {
			if within(top, p) {
				bad = append(bad, fmt.Errorf("%s lies inside the work tree of the topology repository, where a pull request could change it (hint: move it out)", p))
			}
		}
	}
	for _, p := range files {
		bad = append(bad, writableByAll(p))
	}
	return errors.Join(bad...)
}

// writableByAll refuses a file that every user of this machine may change, or
// replace in its folder: who may approve and where tokens go would be theirs to say.
// A sticky folder, such as /tmp and the volumes of Kubernetes, lets only the owner
// replace a file. What cannot be looked at is for whoever reads it.
func writableByAll(path string) error {
	const others, hint = 0o002, "is writable by every user of this machine (hint: chmod o-w %s)"
	real := real(path)
	if info, err := os.Stat(real); err == nil && info.Mode().Perm()&others != 0 {
		return fmt.Errorf("%s "+hint, path, path)
	}
	folder := filepath.Dir(real)
	if info, err := os.Stat(folder); err == nil && info.Mode().Perm()&others != 0 && info.Mode()&os.ModeSticky == 0 {
		return fmt.Errorf("the folder of %s "+hint, path, folder)
	}
	return nil
}

// distinct drops what stands twice or is empty: thousands of credentials may name
// one file, and resolving a path costs a call for each of its folders.
func distinct(paths []string) []string {
	seen := map[string]bool{"": true}
	return slices.DeleteFunc(slices.Clone(paths), func(p string) bool {
		known := seen[p]
		seen[p] = true
		return known
	})
}

func (e *environment) trustedFiles() []string {
	c := e.config
	out := []string{e.g.configPath(), c.Approval.AllowedSigners, c.Approval.Keyring, c.Ledger.Path, c.Git.Auth.SSHKeyFile, c.Git.Auth.KnownHostsFile, c.Git.Auth.CAFile}
	if etcd := c.Ledger.Etcd; etcd != nil {
		out = append(out, etcd.Username.File, etcd.Password.File)
		if etcd.TLS != nil {
			out = append(out, etcd.TLS.CAFile, etcd.TLS.CertFile, etcd.TLS.KeyFile)
		}
	}
	for _, cred := range c.Credentials {
		out = append(out, cred.Token.File, cred.ReplicationToken.File)
		if cred.TLS != nil {
			out = append(out, cred.TLS.CAFile, cred.TLS.CertFile, cred.TLS.KeyFile)
		}
	}
	for _, n := range c.Notify {
		out = append(out, n.Secret.File)
	}
	for _, c := range c.Clusters {
		if c.Restart != nil {
			out = append(out, programFiles(c.Restart.Command)...)
		}
	}
	for _, r := range c.Redirect {
		out = append(out, redirectFiles(r)...)
	}
	return out
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

func within(top, path string) bool {
	rel, err := filepath.Rel(top, real(path))
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
