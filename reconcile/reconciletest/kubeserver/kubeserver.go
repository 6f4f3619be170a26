// Package kubeserver starts the API server of Kubernetes, on a real etcd, for tests. The
// program never links it.
package kubeserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"milvus-reconcile/reconcile/reconciletest/etcdserver"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// Server is an API server with RBAC. Nothing runs next to it but etcd: no controller, no
// scheduler and no node.
type Server struct {
	URL   string // https://127.0.0.1:PORT
	CA    string // the file of its authority
	Token string // of an administrator

	standIn *standIn // nil: it is a real one
	etcd    string   // host:port
	roots   *x509.CertPool
	client  *http.Client
}

const (
	// readyWithin is how long the server may take to start on a busy machine.
	readyWithin = 5 * time.Minute
	// Demand is the variable that `make test-kubernetes` sets: then a test fails instead of
	// being skipped where the server is not built.
	Demand = "RECONCILE_TEST_KUBERNETES"
	// program is the server below the work tree. `make kube-apiserver` builds it.
	program = "bin/kube-apiserver"
	token   = "administrator-of-the-tests"
)

// Start starts a server and an etcd, which end with the test. It skips the test if the server
// is not built: that takes longer than CI has (CONTRIBUTING.md).
func Start(t testing.TB) *Server {
	t.Helper()
	path := binary(t)
	etcd, _ := etcdserver.Start(t, etcdserver.Options{})
	dir, address := t.TempDir(), freeport.Address(t)
	s := &Server{URL: "https://" + address, CA: filepath.Join(dir, "ca.pem"), Token: token, etcd: etcd}
	s.roots = writeKeys(t, dir)
	s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}}}
	t.Cleanup(s.client.CloseIdleConnections)
	log := s.run(t, path, dir, address)
	if err := s.wait(t); err != nil {
		text, _ := os.ReadFile(log) // else there is no more to tell
		t.Fatalf("kube-apiserver does not become ready: %v\n%s", err, text[max(0, len(text)-4000):])
	}
	return s
}

// Etcd is where the server keeps its objects, host:port.
func (s *Server) Etcd() string { return s.etcd }

// Each runs a test on the stand-in, and on the real server if `make test-kubernetes` demands it
// or if it is built and the test runs in full.
func Each(t *testing.T, do func(*testing.T, *Server)) {
	t.Helper()
	t.Run("stand-in", func(t *testing.T) { do(t, StartStandIn(t)) })
	if os.Getenv(Demand) != "" || !testing.Short() && exists(filepath.Join(workTree(t), program)) {
		t.Run("kube-apiserver", func(t *testing.T) { do(t, Start(t)) })
	}
}

// binary returns the path of the built server.
func binary(t testing.TB) string {
	t.Helper()
	path := filepath.Join(workTree(t), filepath.FromSlash(program))
	if exists(path) {
		return path
	}
	if os.Getenv(Demand) != "" {
		t.Fatalf("%s is not built", program)
	}
	t.Skipf("%s is not built; 'make test-kubernetes' builds it and runs this test", program)
	return ""
}

// workTree returns the folder of the repository.
func workTree(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil && !exists(filepath.Join(dir, "go.mod")) {
		if filepath.Dir(dir) == dir {
			err = errors.New("no go.mod above the folder of the test")
		}
		dir = filepath.Dir(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// run starts the process. It ends with its standard input, at the latest with this process.
func (s *Server) run(t testing.TB, path, dir, address string) (log string) {
	t.Helper()
	_, port, _ := bytes.Cut([]byte(address), []byte(":"))
	in := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.WriteFile(in("tokens.csv"), []byte(token+",administrator,1,system:masters\n"), 0o600))
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path,
		"--etcd-servers=http://"+s.etcd, "--bind-address=127.0.0.1", "--secure-port="+string(port),
		"--tls-cert-file="+in("server.pem"), "--tls-private-key-file="+in("server.key"), "--cert-dir="+dir,
		"--token-auth-file="+in("tokens.csv"), "--authorization-mode=RBAC", "--anonymous-auth=false",
		"--service-account-issuer=https://kubernetes.default.svc", "--api-audiences=https://kubernetes.default.svc",
		"--service-account-key-file="+in("accounts.key"), "--service-account-signing-key-file="+in("accounts.key"),
		// No controller gives an account its token, and none maintains the endpoints of the server.
		"--disable-admission-plugins=ServiceAccount", "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.96.0.0/16",
		"--v=0")
	log = in("log")
	out, err := os.Create(log)
	must(t, err)
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	stdin, err := cmd.StdinPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		cancel()
		_ = cmd.Wait()
	})
	return log
}

// wait waits until the server is ready.
func (s *Server) wait(t testing.TB) error {
	t.Helper()
	deadline := time.Now().Add(readyWithin)
	for {
		status, answer, err := s.do(t.Context(), s.Token, http.MethodGet, "/readyz", "", nil)
		if err == nil && status == http.StatusOK {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d %s %w", status, answer, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// do sends one request with a token.
func (s *Server) do(ctx context.Context, bearer, method, path, kind string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil, fmt.Errorf("read the answer: %w", err)
	}
	return res.StatusCode, out, nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
