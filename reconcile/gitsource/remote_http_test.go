package gitsource

import (
	"context"
	"encoding/base64"
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
	"sync"
	"testing"
	"time"

	"milvus-reconcile/reconcile/gitsource/gitdir"
	"milvus-reconcile/reconcile/reconciletest/needs"
)

// httpRemote serves a repository by the real git http-backend, asking for a
// password if one is given.
func httpRemote(t testing.TB, dir, password string, tls bool) *httptest.Server {
	t.Helper()
	gitPath := needs.Program(t, "git")
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
		{"a token", Config{URL: guarded.URL + "/.git", Auth: fixed(Auth{Password: "s3cret"})}, ""},
		{"user and password", Config{URL: guarded.URL + "/.git", Auth: fixed(Auth{Username: "u", Password: "s3cret"})}, ""},
		{"user in the URL", Config{URL: strings.Replace(guarded.URL, "//", "//u@", 1) + "/.git", Auth: fixed(Auth{Password: "s3cret"})}, ""},
		{"https with a CA file", Config{URL: secure.URL + "/.git", Auth: fixed(Auth{Password: "s3cret", CAFile: ca})}, ""},
		{"a cache on disk", Config{URL: plain.URL + "/.git", CacheDir: filepath.Join(t.TempDir(), "cache")}, ""},
		{"a short ref", Config{URL: plain.URL + "/.git", Ref: "main"}, ""},
		{"https without its CA", Config{URL: secure.URL + "/.git", Auth: fixed(Auth{Password: "s3cret"})}, "certificate"},
		{"no password", Config{URL: guarded.URL + "/.git"}, "git.auth"},
		{"a wrong password", Config{URL: guarded.URL + "/.git", Auth: fixed(Auth{Password: "wrong"})}, "git.auth"},
		{"a password in the URL", Config{URL: strings.Replace(guarded.URL, "//", "//u:s3cret@", 1) + "/.git"}, "passwordFrom"},
		{"a CA file that is none", Config{URL: secure.URL + "/.git", Auth: fixed(Auth{CAFile: filepath.Join(s.dir, "topologies/a.yaml")})}, "caFile"},
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
			for _, rev := range []string{"", s.head()[:8]} {
				if tip, err := r.Resolve(rev); err != nil || tip != s.head() {
					t.Errorf("revision %q: %s, %v; want %s", rev, tip, err, s.head())
				}
			}
		})
	}
}

func TestPasswordIsNotSentInTheClear(t *testing.T) {
	_, err := Open(t.Context(), Config{URL: "http://git.example/x.git", Auth: fixed(Auth{Password: "s3cret"})})
	if err == nil || !strings.Contains(err.Error(), "http:// proves nobody") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v", err)
	}
}

// TestCredentialsDoNotFollowARedirect has a remote send us to another host, where
// a real repository is served to the end, so that nothing stops the dialog early.
func TestCredentialsDoNotFollowARedirect(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", ordersFile, doc("orders", 1))
	backend := httpRemote(t, s.dir, "", false).Config.Handler
	var mu sync.Mutex
	requests := 0
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		requests++
		if given := r.Header.Get("Authorization"); given != "" {
			t.Errorf("the credentials went to another host with %s %s: %q", r.Method, r.URL.Path, given)
		}
		mu.Unlock()
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(thief.Close)
	other := strings.Replace(thief.URL, "127.0.0.1", "localhost", 1)
	honest := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other+r.URL.RequestURI(), http.StatusFound)
	}))
	t.Cleanup(honest.Close)
	_, err := Open(t.Context(), Config{URL: honest.URL + "/.git", Auth: fixed(Auth{Password: "s3cret"})})
	mu.Lock()
	defer mu.Unlock()
	if requests == 0 {
		t.Errorf("the redirect was not followed, so nothing was tried: %v", err)
	}
}

// TestForgeRepeatsAPassword has a forge answer with what it was given, and with
// more than anybody reads.
func TestForgeRepeatsAPassword(t *testing.T) {
	for _, code := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusTeapot} {
		forge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			user, password, _ := r.BasicAuth()
			w.WriteHeader(code)
			fmt.Fprintf(w, "%s, %s:%s and %s", password, user, password, r.Header.Get("Authorization"))
			for page := make([]byte, 1<<20); r.Context().Err() == nil; {
				if _, err := w.Write(page); err != nil {
					return
				}
			}
		}))
		_, err := Open(t.Context(), Config{URL: forge.URL + "/.git", Auth: fixed(Auth{Username: "ops", Password: "s3cret-of-git"})})
		basic := base64.StdEncoding.EncodeToString([]byte("ops:s3cret-of-git"))
		if err == nil || strings.Contains(err.Error(), "s3cret-of-git") || strings.Contains(err.Error(), basic) || len(err.Error()) > 1000 {
			t.Errorf("%d: %.2000v", code, err)
		}
		forge.CloseClientConnections()
		forge.Close()
	}
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
			_, err := Open(ctx, Config{URL: fmt.Sprintf("%s://git@%s/x", scheme, listener.Addr()), Auth: fixed(Auth{SSHKey: key, KnownHostsFile: hosts})})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestSHA256IsRefused has a repository and a remote with SHA-256 names of objects: both
// are refused, and the command that the error gives makes one that is read.
func TestSHA256IsRefused(t *testing.T) {
	s := newShell(t)
	s.remove(".git")
	s.git("init", "-q", "--template=", "--object-format=sha256", "-b", "main", ".")
	s.commit(bob, "Begin", ordersFile, doc("orders", 1))
	s.commit(bob, "More", ordersFile, doc("orders", 2))
	s.as(alice, "tag", "-a", "-m", approve(alice), "failover/orders/2/alice", "main")
	for name, url := range map[string]string{"local": s.dir, "remote": httpRemote(t, s.dir, "", false).URL + "/.git"} {
		_, err := Open(t.Context(), Config{URL: url})
		if !errors.Is(err, gitdir.ErrFormat) || !strings.Contains(err.Error(), "SHA-1") || strings.Count(err.Error(), "`") != 2 {
			t.Fatalf("%s: %v", name, err)
		}
		made := filepath.Join(filepath.Dir(s.dir), "sha1.git")
		check(t, os.RemoveAll(made))
		cmd := exec.Command("sh", "-c", strings.Split(err.Error(), "`")[1])
		cmd.Dir, cmd.Env = s.dir, s.env()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		got := changeOf(t, s.openWith(Config{URL: made}), "orders")
		if got.Generation != 2 || got.GreatestEarlier != 1 || len(got.Carriers) != 2 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestEmptyRemote has a remote without a commit.
func TestEmptyRemote(t *testing.T) {
	s := newShell(t)
	_, err := Open(t.Context(), Config{URL: httpRemote(t, s.dir, "", false).URL + "/.git"})
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "no commit yet") {
		t.Errorf("got %v", err)
	}
}

// fixed are credentials that never change.
func fixed(a Auth) func() (Auth, error) { return func() (Auth, error) { return a, nil } }
