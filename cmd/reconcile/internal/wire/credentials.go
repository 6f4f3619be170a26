package wire

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"milvus-reconcile/reconcile/gitsource"
	"milvus-reconcile/reconcile/kubeapi"
	"milvus-reconcile/reconcile/ledger"
	"milvus-reconcile/reconcile/milvus"
	"milvus-reconcile/reconcile/plainfile"
	"milvus-reconcile/schema"
)

// fleetCredentials turns references into functions that read a secret when it is needed.
// While a secret cannot be read, only its own cluster is out of reach. readTokens has one
// function for each reference to a token, however many clusters have it.
func fleetCredentials(in []schema.Credential, uses *fileUses) (out []milvus.Credential, readTokens []func() (string, error)) {
	shared, tokens := map[schema.TLS]*tlsFiles{}, map[schema.SecretRef]func() (string, error){}
	token := func(r schema.SecretRef) func() (string, error) {
		if tokens[r] == nil && !r.IsZero() {
			tokens[r] = secretReader(r)
			readTokens = append(readTokens, tokens[r])
		}
		return tokens[r]
	}
	for _, c := range in {
		use := "credentials." + c.ClusterID + "."
		one := milvus.Credential{
			ClusterID: c.ClusterID, Address: c.Address, URI: c.URI,
			Token: token(c.Token), ReplicationToken: token(c.ReplicationToken),
		}
		if c.TLS != nil {
			if shared[*c.TLS] == nil {
				shared[*c.TLS] = followTLS(c.TLS, TLSConfig)
			}
			one.TLS = shared[*c.TLS].getter()
			uses.tls(use+"tls", shared[*c.TLS], true)
		}
		uses.secret(use+"tokenFrom", c.Token, true)
		uses.secret(use+"replicationTokenFrom", c.ReplicationToken, true)
		out = append(out, one)
	}
	return out, readTokens
}

func wrapped(err error, what string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// secretReader returns a function that returns the secret as it is at each call, so that a
// rotated file takes effect. It returns nil for an empty reference.
func secretReader(r schema.SecretRef) func() (string, error) {
	if r.IsZero() {
		return nil
	}
	file := plainfile.Follow(r.File)
	return func() (string, error) {
		return secretOf(r, func() ([]byte, error) {
			data, _, err := file.Read()
			return data, err //nolint:wrapcheck // secretOf does
		})
	}
}

// ReadSecret reads a secret; "" for an empty reference.
func ReadSecret(r schema.SecretRef) (string, error) {
	return secretOf(r, func() ([]byte, error) { return plainfile.Read(r.File) })
}

// secretOf returns a secret; readFile reads its file, if it is in one.
func secretOf(r schema.SecretRef, readFile func() ([]byte, error)) (string, error) {
	if r.IsZero() {
		return "", nil
	}
	value := os.Getenv(r.Env)
	if r.File != "" {
		data, err := readFile()
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

// TLSConfig reads the files of a client's TLS configuration. It returns nil for nil,
// which means plaintext.
func TLSConfig(t *schema.TLS) (*tls.Config, error) {
	if t == nil {
		return nil, nil //nolint:nilnil // nil is plaintext, as milvus.Credential says
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := plainfile.Read(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read caFile: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("caFile %s holds no certificate", t.CAFile)
		}
	}
	if t.CertFile != "" || t.KeyFile != "" {
		pair, err := keyPair(t)
		if err != nil {
			return nil, err
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}

// keyPair reads a certificate and its key.
func keyPair(t *schema.TLS) (tls.Certificate, error) {
	cert, certErr := plainfile.Read(t.CertFile)
	key, keyErr := plainfile.Read(t.KeyFile)
	if err := errors.Join(wrapped(certErr, "read certFile"), wrapped(keyErr, "read keyFile")); err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return pair, fmt.Errorf("certFile %s and keyFile %s: %w", t.CertFile, t.KeyFile, err)
	}
	return pair, nil
}

// etcdConfig returns how to reach a ledger in etcd. Each login reads the secrets and
// certificates again.
func (e *Environment) etcdConfig(c schema.LedgerEtcd) ledger.EtcdConfig {
	const use = "ledger.etcd"
	files := followTLS(c.TLS, TLSConfig)
	e.ledgerUses.tls(use+".tls", files, false)
	e.ledgerUses.secret(use+".usernameFrom", c.Username, false)
	e.ledgerUses.secret(use+".passwordFrom", c.Password, false)
	login := func() (out ledger.EtcdLogin, err error) {
		var tlsErr, userErr, passwordErr error
		if files != nil {
			out.TLS, tlsErr = files.current()
		}
		out.Username, userErr = ReadSecret(c.Username)
		out.Password, passwordErr = ReadSecret(c.Password)
		return out, wrapped(errors.Join(tlsErr, userErr, passwordErr), use)
	}
	return ledger.EtcdConfig{Endpoints: c.Endpoints, Prefix: c.Prefix, TTL: c.TTL, Login: login}
}

// kubernetesAPI returns how to reach an API server of Kubernetes.
func kubernetesAPI(a schema.KubernetesAccess) kubeapi.Config {
	return kubeapi.Config{Kubeconfig: a.Kubeconfig, Context: a.Context}
}

// kubernetesAPI is it too, without our secrets for a program that the kubeconfig calls.
func (e *Environment) kubernetesAPI(a schema.KubernetesAccess) kubeapi.Config {
	out := kubernetesAPI(a)
	out.Hidden = e.SecretVariables()
	return out
}

// KubernetesCertificates returns those that a kubeconfig names or holds: ours, and those of the
// authorities that we trust.
func KubernetesCertificates(a schema.KubernetesAccess) (client, authorities []byte, err error) {
	return kubernetesAPI(a).Certificates()
}

// KubernetesHosts returns the host of the API server of a ledger in Kubernetes; empty: it is
// not known.
func (e *Environment) KubernetesHosts() []string {
	address, err := kubeapi.New(e.kubernetesAPI(e.Config.Ledger.Kubernetes.Access)).Address()
	if err != nil {
		return nil
	}
	if host, _, err := net.SplitHostPort(address); err == nil {
		return []string{host}
	}
	return []string{address}
}

// LedgerPlace names where the ledger is.
func (e *Environment) LedgerPlace() string {
	switch l := e.Config.Ledger; {
	case l.Etcd != nil:
		return "etcd " + strings.Join(l.Etcd.Endpoints, ", ") + ", below " + l.Etcd.Prefix
	case l.Kubernetes != nil:
		return "ConfigMap " + l.Kubernetes.Name + " in namespace " + l.Kubernetes.Namespace
	default:
		return l.Path
	}
}

// ServerTLS reads the files of the daemon's own TLS configuration. With a caFile, clients
// must present a certificate of that authority.
func ServerTLS(t *schema.TLS) (*tls.Config, error) {
	conf, err := TLSConfig(t)
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

// serveBy returns a server configuration that reads the files at each handshake. As long
// as the files have never been valid, every handshake fails.
func serveBy(files *tlsFiles) *tls.Config {
	if files == nil {
		return nil
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return files.current() },
	}
}

// gitAuth reads the credentials of a Git remote. Each fetch calls it.
func gitAuth(a schema.GitAuth) (gitsource.Auth, error) {
	out := gitsource.Auth{SSHAgent: a.SSHAgent, KnownHostsFile: a.KnownHostsFile, CAFile: a.CAFile}
	var err error
	if a.SSHKeyFile != "" {
		if out.SSHKey, err = plainfile.Read(a.SSHKeyFile); err != nil {
			return out, fmt.Errorf("read git.auth.sshKeyFile: %w", err)
		}
	}
	for _, s := range []struct {
		ref  schema.SecretRef
		into *string
	}{{a.SSHKeyPassphrase, &out.SSHKeyPassphrase}, {a.Username, &out.Username}, {a.Password, &out.Password}} {
		if *s.into, err = ReadSecret(s.ref); err != nil {
			return out, fmt.Errorf("git.auth: %w", err)
		}
	}
	return out, nil
}
