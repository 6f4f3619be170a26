package gitsource

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"
)

// httpRemote serves a repository by the real git http-backend, asking for a
// password if one is given.
func httpRemote(t *testing.T, dir, password string, tls bool) *httptest.Server {
	t.Helper()
	gitPath := program(t, "git")
	quiet := log.New(io.Discard, "", 0)
	backend := &cgi.Handler{
		Logger: quiet, Stderr: io.Discard,
		Path: gitPath, Args: []string{"http-backend"}, Root: "/",
		Env: []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_GLOBAL=/dev/null", "HOME=" + dir, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, given, ok := r.BasicAuth(); password != "" && (!ok || given != password) {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, r)
	})
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = quiet
	if tls {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server
}

// caFile holds the certificate of a test server.
func caFile(t *testing.T, s *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestHTTPRemotes(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
	plain := httpRemote(t, s.dir, "", false)
	guarded := httpRemote(t, s.dir, "s3cret", false)
	secure := httpRemote(t, s.dir, "s3cret", true)
	ca := caFile(t, secure)
	for _, c := range []struct {
		name    string
		config  Config
		problem string
	}{
		{"no authentication", Config{URL: plain.URL + "/.git"}, ""},
		{"a token", Config{URL: guarded.URL + "/.git", Auth: Auth{Password: "s3cret"}}, ""},
		{"user and password", Config{URL: guarded.URL + "/.git", Auth: Auth{Username: "u", Password: "s3cret"}}, ""},
		{"user in the URL", Config{URL: strings.Replace(guarded.URL, "//", "//u@", 1) + "/.git", Auth: Auth{Password: "s3cret"}}, ""},
		{"https with a CA file", Config{URL: secure.URL + "/.git", Auth: Auth{Password: "s3cret", CAFile: ca}}, ""},
		{"a cache on disk", Config{URL: plain.URL + "/.git", CacheDir: filepath.Join(t.TempDir(), "cache")}, ""},
		{"a short ref", Config{URL: plain.URL + "/.git", Ref: "main"}, ""},
		{"https without its CA", Config{URL: secure.URL + "/.git", Auth: Auth{Password: "s3cret"}}, "certificate"},
		{"no password", Config{URL: guarded.URL + "/.git"}, "git.auth"},
		{"a wrong password", Config{URL: guarded.URL + "/.git", Auth: Auth{Password: "wrong"}}, "git.auth"},
		{"a password in the URL", Config{URL: strings.Replace(guarded.URL, "//", "//u:s3cret@", 1) + "/.git"}, "passwordFrom"},
		{"a CA file that is none", Config{URL: secure.URL + "/.git", Auth: Auth{CAFile: filepath.Join(s.dir, "topologies/a.yaml")}}, "caFile"},
		{"no such repository", Config{URL: plain.URL + "/nothing"}, "fetch"},
		{"no such ref", Config{URL: plain.URL + "/.git", Ref: "refs/heads/nothing"}, "no ref"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Open(t.Context(), c.config)
			if c.problem != "" {
				if err == nil || !strings.Contains(err.Error(), c.problem) {
					t.Fatalf("got %v, want something about %s", err, c.problem)
				}
				if strings.Contains(err.Error(), "s3cret") {
					t.Errorf("the error holds the password: %v", err)
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

func TestPasswordIsNotSentInTheClear(t *testing.T) {
	_, err := Open(t.Context(), Config{URL: "http://git.example/x.git", Auth: Auth{Password: "s3cret"}})
	if err == nil || !strings.Contains(err.Error(), "plain http") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v", err)
	}
}

// TestCredentialsDoNotFollowARedirect has a remote send us to another host.
func TestCredentialsDoNotFollowARedirect(t *testing.T) {
	seen := make(chan string, 8)
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Get("Authorization")
	}))
	t.Cleanup(thief.Close)
	other := strings.Replace(thief.URL, "127.0.0.1", "localhost", 1)
	honest := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other+r.URL.RequestURI(), http.StatusFound)
	}))
	t.Cleanup(honest.Close)
	if _, err := Open(t.Context(), Config{URL: honest.URL + "/x.git", Auth: Auth{Password: "s3cret"}}); err == nil {
		t.Fatal("no error")
	}
	close(seen)
	for header := range seen {
		if header != "" {
			t.Errorf("the credentials went to another host: %q", header)
		}
	}
}

func TestFetchFollowsTheRemote(t *testing.T) {
	for _, kind := range []string{"memory", "disk"} {
		t.Run(kind, func(t *testing.T) {
			s := newShell(t)
			first := s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
			s.sshKey(alice)
			c := Config{URL: httpRemote(t, s.dir, "", false).URL + "/.git"}
			if kind == "disk" {
				c.CacheDir = t.TempDir()
			}
			r := s.openWith(c)
			expect := func(what string, carriers int) {
				t.Helper()
				if err := r.Fetch(t.Context()); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if tip, err := r.Resolve(""); err != nil || tip != s.head() {
					t.Fatalf("%s: tip %s, %v; want %s", what, tip, err, s.head())
				}
				if n := len(changeOf(t, r, "orders").Carriers); n != carriers {
					t.Errorf("%s: %d carriers, want %d", what, n, carriers)
				}
			}
			expect("without news", 1)
			second := s.commit(bob, "More", "topologies/a.yaml", doc("orders", 2))
			expect("a commit", 1)
			s.tag(alice, "failover/orders/2/alice", second, approve(alice))
			expect("a tag", 2)
			s.git("tag", "-d", "failover/orders/2/alice")
			expect("a tag withdrawn", 1)
			s.git("reset", "-q", "--hard", first)
			rewritten := s.commit(bob, "Otherwise", "topologies/a.yaml", doc("orders", 3))
			expect("a rewritten branch", 1)
			if ok, err := r.IsAncestor(second, rewritten); err != nil || ok {
				t.Errorf("the old tip counts as an ancestor: %t, %v", ok, err)
			}
			s.git("branch", "-m", "main", "trunk")
			if err := r.Fetch(t.Context()); err == nil {
				t.Error("the tracked branch is gone, and no error said so")
			}
		})
	}
}

// TestFetchBringsOnlyWhatIsTracked keeps other branches and tags out.
func TestFetchBringsOnlyWhatIsTracked(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
	s.git("tag", "v1")
	s.git("checkout", "-q", "-b", "other")
	other := s.commit(bob, "Other", "topologies/a.yaml", doc("orders", 2))
	s.git("checkout", "-q", "main")
	r := s.openWith(Config{URL: httpRemote(t, s.dir, "", false).URL + "/.git"})
	for _, rev := range []string{other, "other", "v1"} {
		if id, err := r.Resolve(rev); err == nil {
			t.Errorf("%s was fetched as %s", rev, id)
		}
	}
}

// TestCacheOnDiskSurvives opens a copy again, whole and damaged.
func TestCacheOnDiskSurvives(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
	c := Config{URL: httpRemote(t, s.dir, "", false).URL + "/.git", CacheDir: t.TempDir()}
	s.openWith(c)
	packs := func() int {
		list, _ := filepath.Glob(filepath.Join(c.CacheDir, "*", "objects", "pack", "*.pack"))
		return len(list)
	}
	if packs() != 1 {
		t.Fatalf("%d packs after the first fetch", packs())
	}
	s.openWith(c)
	if packs() != 1 {
		t.Errorf("%d packs after a fetch without news", packs())
	}
	heads, _ := filepath.Glob(filepath.Join(c.CacheDir, "*", "HEAD"))
	if len(heads) != 1 {
		t.Fatalf("heads: %q", heads)
	}
	if err := os.Remove(heads[0]); err != nil {
		t.Fatal(err)
	}
	changeOf(t, s.openWith(c), "orders")
}

func TestManyFetchesAreJoined(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
	c := Config{URL: httpRemote(t, s.dir, "", false).URL + "/.git", CacheDir: t.TempDir()}
	r := s.openWith(c)
	for i := range repackAbove + 2 {
		s.commit(bob, "More", "topologies/a.yaml", doc("orders", i+2))
		if err := r.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	list, _ := filepath.Glob(filepath.Join(c.CacheDir, "*", "objects", "pack", "*.pack"))
	if len(list) > repackAbove {
		t.Errorf("%d packs", len(list))
	}
	if got := changeOf(t, r, "orders"); got.Commit != s.head() || got.Generation != repackAbove+3 {
		t.Errorf("after joining: %s generation %d", got.Commit, got.Generation)
	}
}

// sshRemote serves repositories by git-upload-pack behind an SSH server.
type sshRemote struct {
	address string
	hosts   string // known_hosts file
}

func newSSHRemote(t *testing.T, client ssh.PublicKey, password string) sshRemote {
	t.Helper()
	program(t, "git")
	host, _ := newSigner(t)
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if client != nil && string(key.Marshal()) == string(client.Marshal()) {
				return nil, nil
			}
			return nil, errors.New("unknown key")
		},
		PasswordCallback: func(_ ssh.ConnMetadata, given []byte) (*ssh.Permissions, error) {
			if password != "" && string(given) == password {
				return nil, nil
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
	url := "ssh://git@" + remote.address + s.dir
	locked := filepath.Join(t.TempDir(), "locked")
	run(t, nil, program(t, "ssh-keygen"), "-q", "-t", "ed25519", "-N", "passphrase", "-f", locked)
	lockedKey, err := os.ReadFile(locked)
	if err != nil {
		t.Fatal(err)
	}
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
		{"another host's key", url, Auth{SSHKey: key, KnownHostsFile: other.hosts}, "knownhosts"},
		{"nothing known of hosts", url, Auth{SSHKey: key, KnownHostsFile: filepath.Join(t.TempDir(), "none")}, "knownHostsFile"},
		{"no way to authenticate", url, Auth{KnownHostsFile: remote.hosts}, "sshKeyFile"},
		{"no private key", url, Auth{SSHKey: []byte("s3cret"), KnownHostsFile: remote.hosts}, "sshKeyFile"},
		{"an encrypted key", url, Auth{SSHKey: lockedKey, KnownHostsFile: remote.hosts}, "sshKeyPassphraseFrom"},
		{"an encrypted key with its passphrase", url, Auth{SSHKey: lockedKey, SSHKeyPassphrase: "passphrase", KnownHostsFile: remote.hosts}, "authenticate"},
		{"a wrong passphrase", url, Auth{SSHKey: lockedKey, SSHKeyPassphrase: "s3cret", KnownHostsFile: remote.hosts}, "sshKeyPassphraseFrom"},
		{"no such repository", "ssh://git@" + remote.address + s.dir + "/nothing", Auth{SSHKey: key, KnownHostsFile: remote.hosts}, "fetch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Open(t.Context(), Config{URL: c.url, Auth: c.auth})
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

func TestSSHAgent(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
	file := s.sshKey(alice)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	private, err := ssh.ParseRawPrivateKey(data)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(data)
	if err != nil {
		t.Fatal(err)
	}
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "agent") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	go func() {
		for {
			conn, err := socket.Accept()
			if err != nil {
				return
			}
			go agent.ServeAgent(ring, conn)
		}
	}()
	t.Setenv("SSH_AUTH_SOCK", filepath.Join(dir, "s"))
	remote := newSSHRemote(t, signer.PublicKey(), "")
	r, err := Open(t.Context(), Config{URL: "ssh://git@" + remote.address + s.dir, Auth: Auth{SSHAgent: true, KnownHostsFile: remote.hosts}})
	if err != nil {
		t.Fatal(err)
	}
	changeOf(t, r, "orders")
}

// TestSilentServer has a server accept and say nothing.
func TestSilentServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	_, key, _, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	hosts := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(hosts, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"ssh", "http"} {
		t.Run(scheme, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err := Open(ctx, Config{URL: fmt.Sprintf("%s://git@%s/x", scheme, listener.Addr()), Auth: Auth{SSHKey: key, KnownHostsFile: hosts}})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestRemoteFormats(t *testing.T) {
	program(t, "git")
	for _, c := range []struct {
		name, problem string
		prepare       func(dir string, s *shell)
	}{
		{"SHA-256", "SHA-256", func(dir string, s *shell) {
			run(t, s.env(), "git", "init", "-q", "--object-format=sha256", "-b", "main", dir)
			run(t, s.env("GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b"), "git", "-C", dir, "commit", "-q", "--allow-empty", "-m", "x")
		}},
		{"empty", "no commit yet", func(dir string, s *shell) {
			run(t, s.env(), "git", "init", "-q", "-b", "main", dir)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShell(t)
			dir := t.TempDir()
			c.prepare(dir, s)
			_, err := Open(t.Context(), Config{URL: httpRemote(t, dir, "", false).URL + "/.git"})
			if err == nil || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("got %v", err)
			}
		})
	}
}
