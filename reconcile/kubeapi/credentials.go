package kubeapi

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"milvus-reconcile/reconcile/program"
)

// rest returns how client-go reaches the server.
func (c Config) rest() (*rest.Config, error) {
	if c.Kubeconfig == "" {
		return c.ofAccount()
	}
	file, err := c.load()
	if err != nil {
		return nil, err
	}
	if err := c.useProgram(file.AuthInfos[file.Contexts[c.Context].AuthInfo]); err != nil {
		return nil, fmt.Errorf("kubeconfig %s, context %s: %w", c.Kubeconfig, c.Context, err)
	}
	out, err := clientcmd.NewNonInteractiveClientConfig(*file, c.Context, &clientcmd.ConfigOverrides{}, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s, context %s: %w", c.Kubeconfig, c.Context, err)
	}
	return out, nil
}

// load reads the kubeconfig, which must have the context.
func (c Config) load() (*api.Config, error) {
	file, err := clientcmd.LoadFromFile(c.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	if file.Contexts[c.Context] == nil {
		return nil, fmt.Errorf("kubeconfig %s has no context %q (hint: 'kubectl --kubeconfig %s config get-contexts' lists them)", c.Kubeconfig, c.Context, c.Kubeconfig)
	}
	if err := clientcmd.ResolveLocalPaths(file); err != nil {
		return nil, fmt.Errorf("read kubeconfig %s: %w", c.Kubeconfig, err)
	}
	return file, nil
}

// ofAccount is the service account of this pod. client-go reads its token again every minute.
func (c Config) ofAccount() (*rest.Config, error) {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, errors.New("this process does not run in Kubernetes (hint: name a kubeconfig and its context)")
	}
	out := &rest.Config{Host: "https://" + net.JoinHostPort(host, port), BearerTokenFile: filepath.Join(c.Account, "token")}
	ca := filepath.Join(c.Account, "ca.crt")
	_, tokenErr := os.Stat(out.BearerTokenFile)
	authority, caErr := os.ReadFile(ca)
	if err := errors.Join(tokenErr, caErr); err != nil {
		return nil, fmt.Errorf("%w (hint: the pod needs automountServiceAccountToken: true)", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s holds no certificate", ca) // the machine's authorities are not asked instead
	}
	out.CAData = authority
	return out, nil
}

// safeServer returns the address of the server if a credential may go there: only where a
// certificate proves who it is, or on this machine.
func safeServer(c *rest.Config) (*url.URL, error) {
	base, _, err := rest.DefaultServerUrlFor(c)
	if err != nil {
		return nil, fmt.Errorf("the address of the API server: %w", err)
	}
	switch {
	case c.Insecure:
		return nil, fmt.Errorf("%s: insecure-skip-tls-verify would send the credentials to any server (hint: set certificate-authority)", base.Host)
	case base.Scheme == "https":
		return base, nil
	}
	if ip := net.ParseIP(base.Hostname()); base.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("%s: over http the credentials would go to any server (hint: use https)", base.Host)
	}
	return base, nil
}

// Certificates returns those that the context of a kubeconfig names or holds, in PEM: ours, and
// those of the authorities that we trust. Empty: there are none.
func (c Config) Certificates() (client, authorities []byte, err error) {
	if c.Kubeconfig == "" {
		return nil, nil, nil
	}
	config, err := c.rest()
	if err != nil {
		return nil, nil, err
	}
	if err := rest.LoadTLSFiles(config); err != nil {
		return nil, nil, fmt.Errorf("kubeconfig %s, context %s: %w", c.Kubeconfig, c.Context, err)
	}
	return config.CertData, config.CAData, nil
}

// Files are what the credentials are read from.
type Files struct {
	Plain  []string // certificates, and the program that is called for a token, with the files among its arguments
	Secret []string
	// Before are places in $PATH that are searched before that program is found: another one
	// that is put there would be started instead.
	Before []string
}

// Files returns the files that the context of a kubeconfig names, and the kubeconfig.
func (c Config) Files() (Files, error) {
	if c.Kubeconfig == "" {
		return Files{}, nil
	}
	out := Files{Secret: []string{c.Kubeconfig}}
	file, err := c.load()
	if err != nil {
		return out, err
	}
	used := file.Contexts[c.Context]
	if cluster := file.Clusters[used.Cluster]; cluster != nil {
		out.Plain = append(out.Plain, cluster.CertificateAuthority)
	}
	if user := file.AuthInfos[used.AuthInfo]; user != nil {
		out.Plain = append(out.Plain, user.ClientCertificate)
		out.Secret = append(out.Secret, user.ClientKey, user.TokenFile)
		if user.Exec != nil {
			files, before := program.Files(append([]string{user.Exec.Command}, user.Exec.Args...))
			out.Plain, out.Before = append(out.Plain, files...), before
		}
	}
	return out, nil
}
