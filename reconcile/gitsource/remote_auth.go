package gitsource

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"golang.org/x/crypto/ssh"

	"milvus-reconcile/reconcile/plainfile"
)

// dialTimeout bounds how long a connection to an SSH server may take.
const dialTimeout = 10 * time.Second

// defaultUser is the user name that forges accept with a token or a key.
const defaultUser = "git"

// method returns go-git's authentication for a location; nil: none.
func (a Auth) method(loc location) (transport.AuthMethod, error) {
	switch loc.transport {
	case transportHTTP:
		return a.httpMethod(loc)
	case transportSSH:
		return a.sshMethod(loc)
	case transportGit:
		if a.Password != "" || len(a.SSHKey) > 0 {
			return nil, errors.New("git:// knows no authentication: leave git.auth empty, or use https or ssh")
		}
	case transportLocal:
	}
	return nil, nil //nolint:nilnil // go-git takes nil for no authentication
}

// httpMethod authenticates by password. The password never crosses the network in the
// clear: parseLocation allows plain http only for this machine.
func (a Auth) httpMethod(loc location) (transport.AuthMethod, error) {
	if a.Password == "" {
		return nil, nil //nolint:nilnil // go-git takes nil for no authentication
	}
	u, err := url.Parse(loc.url)
	if err != nil {
		return nil, errors.New("the repository's URL cannot be read")
	}
	user := a.Username
	if user == "" {
		user = u.User.Username()
	}
	if user == "" {
		user = defaultUser
	}
	return &githttp.BasicAuth{Username: user, Password: a.Password}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// authorities reads the CA file for https.
func (a Auth) authorities() ([]byte, error) {
	if a.CAFile == "" {
		return nil, nil
	}
	data, err := plainfile.Read(a.CAFile)
	if err != nil {
		return nil, fmt.Errorf("git.auth.caFile: %w", err)
	}
	if !strings.Contains(string(data), "-----BEGIN CERTIFICATE-----") {
		return nil, fmt.Errorf("git.auth.caFile: %s holds no PEM certificate", a.CAFile)
	}
	return data, nil
}

// sshMethod uses the key, else the agent, else the password. It refuses a host that is
// not in known_hosts, without asking a person.
func (a Auth) sshMethod(loc location) (transport.AuthMethod, error) {
	endpoint, err := transport.NewEndpoint(loc.url)
	if err != nil {
		return nil, fmt.Errorf("git.url: %w", err)
	}
	hosts, err := a.knownHosts(loc.url)
	if err != nil {
		return nil, err
	}
	m := &sshMethod{user: a.user(endpoint.User), host: hostPort(endpoint), hosts: hosts}
	switch {
	case len(a.SSHKey) > 0:
		signer, err := a.signer()
		if err != nil {
			return nil, err
		}
		m.auth = []ssh.AuthMethod{ssh.PublicKeys(signer)}
	case a.SSHAgent:
		agent, err := gitssh.NewSSHAgentAuth(m.user)
		if err != nil {
			return nil, fmt.Errorf("git.auth.sshAgent: %w", err)
		}
		m.auth = []ssh.AuthMethod{ssh.PublicKeysCallback(agent.Callback)}
	case a.Password != "":
		m.auth = []ssh.AuthMethod{ssh.Password(a.Password)}
	default:
		return nil, errors.New("an ssh remote needs git.auth.sshKeyFile or git.auth.sshAgent")
	}
	return m, nil
}

func (a Auth) user(fromURL string) string {
	switch {
	case a.Username != "":
		return a.Username
	case fromURL != "":
		return fromURL
	}
	return defaultUser
}

// signer reads the private key without ever quoting it.
func (a Auth) signer() (ssh.Signer, error) {
	if a.SSHKeyPassphrase != "" {
		s, err := ssh.ParsePrivateKeyWithPassphrase(a.SSHKey, []byte(a.SSHKeyPassphrase))
		if err != nil {
			return nil, errors.New("git.auth.sshKeyFile cannot be read with git.auth.sshKeyPassphraseFrom")
		}
		return s, nil
	}
	s, err := ssh.ParsePrivateKey(a.SSHKey)
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return nil, errors.New("git.auth.sshKeyFile is encrypted: set git.auth.sshKeyPassphraseFrom")
	case err != nil:
		return nil, errors.New("git.auth.sshKeyFile holds no private key that can be read")
	}
	return s, nil
}

// hostKeys holds the known host keys.
type hostKeys struct {
	callback   ssh.HostKeyCallback
	algorithms func(hostPort string) []string
}

// KnownHosts returns the files with the known host keys for an ssh remote: named, else
// those of the user and of the machine, as ssh reads them; none for another remote.
func KnownHosts(url, named string) []string {
	loc, err := parseLocation(url)
	switch {
	case err != nil || loc.transport != transportSSH:
		return nil
	case named != "":
		return []string{named}
	case os.Getenv("SSH_KNOWN_HOSTS") != "": // go-git's own
		return filepath.SplitList(os.Getenv("SSH_KNOWN_HOSTS"))
	}
	out := []string{"/etc/ssh/ssh_known_hosts"}
	if home, err := os.UserHomeDir(); err == nil {
		out = append(out, filepath.Join(home, ".ssh", "known_hosts"))
	}
	return out
}

func (a Auth) knownHosts(url string) (hostKeys, error) {
	var files []string
	for _, path := range KnownHosts(url, a.KnownHostsFile) {
		f, err := plainfile.Open(path)
		switch {
		case err == nil:
			_ = f.Close() // it is read below
		case a.KnownHostsFile == "" && errors.Is(err, fs.ErrNotExist):
			continue
		default:
			return hostKeys{}, fmt.Errorf("git.auth.knownHostsFile: %w", err)
		}
		files = append(files, path)
	}
	if len(files) == 0 {
		return hostKeys{}, errors.New("git.auth.knownHostsFile: there is none, so that no host is known (hint: ssh-keyscan prints its key; compare it with the key that its owner publishes)")
	}
	db, err := gitssh.NewKnownHostsDb(files...)
	if err != nil {
		return hostKeys{}, fmt.Errorf("git.auth.knownHostsFile: %w", err)
	}
	return hostKeys{callback: db.HostKeyCallback(), algorithms: db.HostKeyAlgorithms}, nil
}

// sshMethod is an authentication bound to the hosts that the operator knows.
type sshMethod struct {
	user  string
	host  string
	auth  []ssh.AuthMethod
	hosts hostKeys
}

// Name names the method as go-git has it.
func (m *sshMethod) Name() string { return "reconcile-ssh" }

// String returns the method without secrets.
func (m *sshMethod) String() string { return m.Name() + " user " + m.user }

// ClientConfig returns the configuration of the SSH client.
func (m *sshMethod) ClientConfig() (*ssh.ClientConfig, error) {
	return &ssh.ClientConfig{
		User:              m.user,
		Auth:              m.auth,
		HostKeyCallback:   m.hosts.callback,
		HostKeyAlgorithms: m.hosts.algorithms(m.host),
		Timeout:           dialTimeout,
	}, nil
}

func hostPort(e *transport.Endpoint) string {
	port := e.Port
	if port <= 0 {
		port = gitssh.DefaultPort
	}
	return net.JoinHostPort(e.Host, fmt.Sprint(port))
}
