package gitsource

import (
	"bufio"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"milvus-reconcile/reconcile/reconciletest/needs"
)

// sshRemote serves repositories by git-upload-pack behind an SSH server.
type sshRemote struct {
	address string
	hosts   string // known_hosts file
}

func newSSHRemote(t *testing.T, client ssh.PublicKey, password string) sshRemote {
	t.Helper()
	needs.Program(t, "git")
	host, _ := newSigner(t)
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if client != nil && string(key.Marshal()) == string(client.Marshal()) {
				return nil, nil //nolint:nilnil // the key is accepted
			}
			return nil, errors.New("unknown key")
		},
		PasswordCallback: func(_ ssh.ConnMetadata, given []byte) (*ssh.Permissions, error) {
			if password != "" && string(given) == password {
				return nil, nil //nolint:nilnil // the key is accepted
			}
			return nil, errors.New("wrong password")
		},
	}
	config.AddHostKey(host)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serveSSH(conn, config)
		}
	}()
	out := sshRemote{address: listener.Addr().String(), hosts: filepath.Join(t.TempDir(), "known_hosts")}
	line := knownhosts.Line([]string{knownhosts.Normalize(out.address)}, host.PublicKey())
	if err := os.WriteFile(out.hosts, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}

func serveSSH(conn net.Conn, config *ssh.ServerConfig) {
	server, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		conn.Close()
		return
	}
	defer server.Close()
	go ssh.DiscardRequests(requests)
	for c := range channels {
		channel, requests, err := c.Accept()
		if err != nil {
			return
		}
		go serveChannel(channel, requests)
	}
}

func serveChannel(channel ssh.Channel, requests <-chan *ssh.Request) {
	defer channel.Close()
	for req := range requests {
		if req.Type != "exec" {
			req.Reply(false, nil)
			continue
		}
		req.Reply(true, nil)
		var command struct{ Line string }
		if ssh.Unmarshal(req.Payload, &command) != nil {
			return
		}
		dir, ok := strings.CutPrefix(command.Line, "git-upload-pack ")
		if !ok {
			return
		}
		cmd := exec.Command("git", "-c", "safe.directory=*", "upload-pack", strings.Trim(dir, "'"))
		stdin, err := cmd.StdinPipe()
		if err != nil {
			return
		}
		cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
		if cmd.Start() != nil {
			return
		}
		go func() {
			defer stdin.Close()
			buffer := make([]byte, 4096)
			for {
				n, err := channel.Read(buffer)
				if _, werr := stdin.Write(buffer[:n]); err != nil || werr != nil {
					return
				}
			}
		}()
		status := struct{ Code uint32 }{}
		if cmd.Wait() != nil {
			status.Code = 1
		}
		channel.SendRequest("exit-status", false, ssh.Marshal(status))
		return
	}
}

func TestSSHRemotes(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
	signer, key, _, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	_, stranger, _, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	remote := newSSHRemote(t, signer.PublicKey(), "s3cret")
	other := newSSHRemote(t, signer.PublicKey(), "")
	reused := filepath.Join(t.TempDir(), "known_hosts")
	rewriteHost(t, other.hosts, other.address, remote.address, reused)
	url := "ssh://git@" + remote.address + s.dir
	locked := filepath.Join(t.TempDir(), "locked")
	run(t, nil, needs.Program(t, "ssh-keygen"), "-q", "-t", "ed25519", "-N", "passphrase", "-f", locked)
	lockedKey, err := os.ReadFile(locked)
	if err != nil {
		t.Fatal(err)
	}
	unlocked, err := ssh.ParsePrivateKeyWithPassphrase(lockedKey, []byte("passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	takesLocked := newSSHRemote(t, unlocked.PublicKey(), "")
	for _, c := range []struct {
		name    string
		url     string
		auth    Auth
		problem string
	}{
		{"a key", url, Auth{SSHKey: key, KnownHostsFile: remote.hosts}, ""},
		{"a password", url, Auth{Password: "s3cret", KnownHostsFile: remote.hosts}, ""},
		{"a user of its own", "ssh://" + remote.address + s.dir, Auth{Username: "git", SSHKey: key, KnownHostsFile: remote.hosts}, ""},
		{"another key", url, Auth{SSHKey: stranger, KnownHostsFile: remote.hosts}, "authenticate"},
		{"a host that nobody knows", url, Auth{SSHKey: key, KnownHostsFile: other.hosts}, "ssh-keyscan"},
		{"a host with another key than is known", url, Auth{SSHKey: key, KnownHostsFile: reused}, "another key"},
		{"nothing known of hosts", url, Auth{SSHKey: key, KnownHostsFile: filepath.Join(t.TempDir(), "none")}, "knownHostsFile"},
		{"no way to authenticate", url, Auth{KnownHostsFile: remote.hosts}, "sshKeyFile"},
		{"no private key", url, Auth{SSHKey: []byte("s3cret"), KnownHostsFile: remote.hosts}, "sshKeyFile"},
		{"an encrypted key", url, Auth{SSHKey: lockedKey, KnownHostsFile: remote.hosts}, "sshKeyPassphraseFrom"},
		{"an encrypted key with its passphrase", "ssh://git@" + takesLocked.address + s.dir, Auth{SSHKey: lockedKey, SSHKeyPassphrase: "passphrase", KnownHostsFile: takesLocked.hosts}, ""},
		{"a wrong passphrase", url, Auth{SSHKey: lockedKey, SSHKeyPassphrase: "s3cret", KnownHostsFile: remote.hosts}, "sshKeyPassphraseFrom"},
		{"no such repository", "ssh://git@" + remote.address + s.dir + "/nothing", Auth{SSHKey: key, KnownHostsFile: remote.hosts}, "fetch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Open(t.Context(), Config{URL: c.url, Auth: fixed(c.auth)})
			if c.problem != "" {
				if err == nil || !strings.Contains(err.Error(), c.problem) || strings.Contains(err.Error(), "s3cret") {
					t.Fatalf("got %v, want something about %s", err, c.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tip, err := r.Resolve(""); err != nil || tip != s.head() {
				t.Errorf("tip %s, %v; want %s", tip, err, s.head())
			}
		})
	}
}

// rewriteHost copies a known_hosts file as if it were about another address.
func rewriteHost(t *testing.T, file, address, other, to string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(data), knownhosts.Normalize(address), knownhosts.Normalize(other), 1)
	if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestSSHAgent has the real ssh-agent hold the key.
func TestSSHAgent(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
	data, err := os.ReadFile(s.sshKey(alice))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(data)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "agent") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	held := exec.CommandContext(t.Context(), needs.Program(t, "ssh-agent"), "-D", "-a", socket)
	out, err := held.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := held.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = held.Process.Kill()
		_ = held.Wait()
	})
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil { // it says where, once it listens
		t.Fatal(err)
	}
	t.Setenv("SSH_AUTH_SOCK", socket)
	remote := newSSHRemote(t, signer.PublicKey(), "")
	c := Config{URL: "ssh://git@" + remote.address + s.dir, Auth: fixed(Auth{SSHAgent: true, KnownHostsFile: remote.hosts}), Path: "topologies"}
	if _, err := Open(t.Context(), c); err == nil {
		t.Error("an agent without keys was enough")
	}
	run(t, nil, needs.Program(t, "ssh-add"), "-q", s.key[alice.Email])
	r, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	changeOf(t, r, "orders")
	t.Setenv("SSH_AUTH_SOCK", filepath.Join(dir, "none"))
	if _, err := Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), "git.auth.sshAgent") {
		t.Errorf("no agent: %v", err)
	}
}
