package gitsource

import (
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/reconcile/reconciletest/freeport"
	"milvus-reconcile/reconcile/reconciletest/needs"
)

// gitDaemon serves a repository by the real `git daemon` on loopback.
func gitDaemon(t *testing.T, s *shell) string {
	t.Helper()
	needs.Program(t, "git")
	path := strings.TrimSpace(run(t, s.env(), "git", "--exec-path"))
	needs.Program(t, filepath.Join(path, "git-daemon"))
	host, port, _ := net.SplitHostPort(freeport.Address(t))
	cmd := exec.CommandContext(t.Context(), filepath.Join(path, "git-daemon"), "--reuseaddr", "--export-all", "--base-path="+s.dir, "--listen="+host, "--port="+port, s.dir)
	cmd.Env = s.env()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); ; {
		conn, err := net.Dial("tcp", net.JoinHostPort(host, port))
		if err == nil {
			_ = conn.Close()
			return "git://" + net.JoinHostPort(host, port) + "/.git"
		}
		if time.Now().After(deadline) {
			t.Fatalf("git daemon does not listen: %v", err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// TestGitDaemon fetches by git's own protocol, which is for this machine only.
func TestGitDaemon(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
	s.sshKey(alice)
	url := gitDaemon(t, s)
	for name, dir := range map[string]string{"memory": "", "disk": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			r := s.openWith(Config{URL: url, CacheDir: dir})
			next := s.commit(bob, "More of "+name, "topologies/a.yaml", doc("orders", len(name)))
			s.tag(alice, "failover/orders/"+name, next, approve(alice))
			if err := r.Fetch(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := changeOf(t, r, "orders"); got.Commit != next || len(got.Carriers) != 2 {
				t.Errorf("governed by %s with %d carriers, want %s with 2", got.Commit, len(got.Carriers), next)
			}
		})
	}
	if _, err := Open(t.Context(), Config{URL: url, Auth: fixed(Auth{Password: "s3cret"})}); err == nil || !strings.Contains(err.Error(), "git.auth") {
		t.Errorf("a password for a protocol without any was let through: %v", err)
	}
	if _, err := Open(t.Context(), Config{URL: "git://git.example/x.git"}); err == nil || !strings.Contains(err.Error(), "this machine only") {
		t.Errorf("another machine's daemon was let through: %v", err)
	}
}
