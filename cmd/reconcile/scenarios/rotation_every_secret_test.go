package scenarios

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	signing "milvus-reconcile/reconcile/notify"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// secured is a daemon. Each of its connections has its secrets in files.
type secured struct {
	*rotating
	a, b, store, forge *door
	sims               [2]string

	mu       sync.Mutex
	password string // of the forge
	fetched  string // the password of the newest fetch
	posted   string // the secret that the newest post was signed with
}

// connections are the doors that ask for a certificate, and the names of their files.
func (d *secured) connections() map[string]*door {
	return map[string]*door{"a": d.a, "b": d.b, "etcd": d.store}
}

func newSecured(t *testing.T) *secured {
	t.Helper()
	d := &secured{rotating: &rotating{Replicas: testkit.NewHealthyReplicas(t, 0), dir: t.TempDir(), serves: freeport.Address(t)}}
	endpoint := testkit.StartEtcd(t)
	d.lockEtcd(t, endpoint)
	files, err := os.ReadFile(filepath.Join(d.Play, "repo", "topologies", "orders.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.sims {
		_, rest, _ := strings.Cut(string(files), fmt.Sprintf("id: %s,", []string{"a", "b"}[i]))
		_, rest, _ = strings.Cut(rest, `uri: "http://`)
		d.sims[i], _, _ = strings.Cut(rest, `"`)
	}
	d.a, d.b, d.store = newDoor(t, d.sims[0]), newDoor(t, d.sims[1]), newDoor(t, endpoint)
	d.forge = newDoor(t, d.startForge(t))
	d.rotate(t, 1)
	d.certify(t, 1)
	d.documents(t, 2, "primary", "standby")
	if err := testkit.CommitApproved(d.Ctx, d.Play, "Reach the clusters over TLS"); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(d.dir, "reconcile.yaml")
	d.Configure(t, config, d.serves, endpoint)
	d.secure(t, config, endpoint)
	d.Start(t, filepath.Join(d.dir, "run.log"), "run", "--config", config)
	d.Await(t, "it to be ready", func() bool { return d.readyz(t) == http.StatusOK })
	return d
}

// documents writes the topology, with the doors as the addresses of its clusters.
func (d *secured) documents(t *testing.T, generation int, a, b string) {
	t.Helper()
	folder := filepath.Join(d.Play, "repo", "topologies")
	testkit.WritePair(t, folder, d.sims[:], generation, a, b)
	path := filepath.Join(folder, "orders.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, door := range []*door{d.a, d.b} {
		uri := `uri: "http://` + d.sims[i] + `"`
		text = []byte(strings.Replace(string(text), uri, uri+`, clientAddress: "`+door.address()+`"`, 1))
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// secure has the configuration name a file for each secret.
func (d *secured) secure(t *testing.T, config, endpoint string) {
	t.Helper()
	data, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	replace := func(old, new string) {
		t.Helper()
		if !strings.Contains(text, old) {
			t.Fatalf("no %q in\n%s", old, text)
		}
		text = strings.Replace(text, old, new, 1)
	}
	connection := func(name string) string {
		return fmt.Sprintf("{caFile: %s, certFile: %s, keyFile: %s}", d.file(name+".ca"), d.file(name+".cert"), d.file(name+".key"))
	}
	for i, id := range []string{"a", "b"} {
		replace(`address: "`+d.sims[i]+`"`, `address: "`+[]*door{d.a, d.b}[i].address()+`"`)
		replace(filepath.Join(d.Play, "token"), d.file("token."+id))
		replace("- clusterId: "+id+"\n", "- clusterId: "+id+"\n    tls: "+connection(id)+"\n")
	}
	replace("ttl: 1m0s}", fmt.Sprintf("ttl: 1m0s, usernameFrom: {file: %s}, passwordFrom: {file: %s}, tls: %s}", d.file("user"), d.file("password"), connection("etcd")))
	replace("http://"+endpoint, "https://"+d.store.address())
	replace("serve: {", fmt.Sprintf("serve: {tls: {certFile: %s, keyFile: %s}, webhookSecretFrom: {file: %s}, ", d.file("cert.pem"), d.file("key.pem"), d.file("webhook")))
	_, rest, _ := strings.Cut(text, "\n  url: ")
	old, _, _ := strings.Cut(rest, "\n")
	replace("  url: "+old, fmt.Sprintf("  url: https://%s/repo\n  auth: {passwordFrom: {file: %s}, caFile: %s}", d.forge.address(), d.file("forge.password"), d.file("forge.ca")))
	text += fmt.Sprintf("redirect: [{name: glb, webhook: {url: %q, secretFrom: {file: %s}}}]\n", d.startReceiver(t), d.file("receiver"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// startForge serves the repository to who has the password.
func (d *secured) startForge(t *testing.T) string {
	t.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	handler := &cgi.Handler{
		Path: git, Args: []string{"http-backend"}, Root: "/", Stderr: io.Discard,
		Env: []string{"GIT_PROJECT_ROOT=" + d.Play, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	}
	forge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		d.mu.Lock()
		right := password == d.password
		if right {
			d.fetched = password
		}
		d.mu.Unlock()
		if !right {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(forge.Close)
	return forge.Listener.Addr().String()
}

// startReceiver takes redirects, and finds out by which secret they are signed.
func (d *secured) startReceiver(t *testing.T) string {
	t.Helper()
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for _, secret := range []string{"receiver 1", "receiver 2"} {
			if signing.Verify(r.Header, secret, body, time.Now()) == nil {
				d.mu.Lock()
				d.posted = secret
				d.mu.Unlock()
			}
		}
	}))
	t.Cleanup(receiver.Close)
	return receiver.URL
}

// rotate gives every connection another authority, certificate and secret.
func (d *secured) rotate(t *testing.T, n int64) {
	t.Helper()
	for i, name := range slices.Sorted(maps.Keys(d.connections())) {
		a := newAuthority(t, 1000*n+int64(i))
		cert, key := a.issue(t, n)
		d.connections()[name].change(t, a, true)
		d.put(t, name+".ca", a.text)
		d.put(t, name+".cert", cert)
		d.put(t, name+".key", key)
	}
	a := newAuthority(t, 1000*n+100)
	d.forge.change(t, a, false)
	d.put(t, "forge.ca", a.text)
	d.mu.Lock()
	d.password, d.fetched = fmt.Sprintf("forge %d", n), ""
	d.mu.Unlock()
	d.put(t, "forge.password", fmt.Sprintf("forge %d", n))
	d.put(t, "webhook", fmt.Sprintf("webhook %d", n))
	d.put(t, "receiver", fmt.Sprintf("receiver %d", n))
	if n == 1 {
		d.put(t, "password", "first")
		d.put(t, "token.a", "root:Milvus")
		d.put(t, "token.b", "root:Milvus")
		return
	}
	encoded := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	if err := testkit.AsRoot(d.sims[0], func(ctx context.Context, c milvuspb.MilvusServiceClient) (*commonpb.Status, error) { // which b takes over
		return c.UpdateCredential(ctx, &milvuspb.UpdateCredentialRequest{Username: "root", OldPassword: encoded("Milvus"), NewPassword: encoded("Changed1")})
	}); err != nil {
		t.Fatal(err)
	}
	d.put(t, "token.a", "root:Changed1")
	d.put(t, "token.b", "root:Changed1")
	if _, err := d.etcd.UserChangePassword(d.Ctx, "reconcile", "second"); err != nil {
		t.Fatal(err)
	}
	d.put(t, "password", "second")
}

// fetchedWith is the password of the newest fetch.
func (d *secured) fetchedWith() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fetched
}

// TestEverySecretIsRotated: each secret, certificate and authority that the
// configuration can name is changed at its server and in its file, and an approved
// failover is carried out with the new ones, without a signal.
func TestEverySecretIsRotated(t *testing.T) {
	t.Parallel()
	d := newSecured(t)

	// A renewal that fails is told, with its cause, and costs nothing yet.
	good, err := os.ReadFile(d.file("b.key"))
	if err != nil {
		t.Fatal(err)
	}
	d.put(t, "b.key", "half of a k")
	d.Await(t, "the log to tell of the key", d.logs("b.key: tls: failed to find any PEM data in key input"))
	d.Await(t, "the metric", func() bool {
		return strings.Contains(d.metrics(t), `reconcile_file_unusable{use="credentials.b.tls"} 1`)
	})
	d.Await(t, "it to be ready while the last good certificate counts", func() bool { return d.readyz(t) == http.StatusOK })
	d.put(t, "b.key", string(good))
	d.Await(t, "the log to tell that it is well", d.logs("can be used again"))

	d.rotate(t, 2)
	for name, door := range d.connections() {
		d.Await(t, "the new certificate at "+name, func() bool { return door.seen() == 2 })
	}
	d.Await(t, "a fetch with the new password", func() bool { return d.fetchedWith() == "forge 2" })
	for secret, want := range map[string]int{"webhook 1": http.StatusForbidden, "webhook 2": http.StatusAccepted} {
		if got := d.pushedTo(t, "https://"+d.forge.address()+"/repo", secret); got != want {
			t.Errorf("a push with the secret %s is answered with %d, want %d", secret, got, want)
		}
	}
	d.Await(t, "both clusters to be seen in sync", func() bool {
		return strings.Contains(d.metrics(t), `reconcile_topology_state{state="in_sync",topology="orders"} 1`)
	})
	d.Await(t, "it to be ready with all that is new", func() bool { return d.readyz(t) == http.StatusOK })

	d.Post(t, "/clusters/a/stop", "")
	if err := d.a.listener.Close(); err != nil {
		t.Fatal(err)
	}
	d.documents(t, 3, "stale", "primary")
	message := "Fail over\n\nFailover-Approved: orders/b\nFailover-Approved-By: Alice Smith <alice@example.com>\nFailover-Reason: a drill\n"
	if err := testkit.CommitApproved(d.Ctx, d.Play, message); err != nil {
		t.Fatal(err)
	}
	d.Await(t, "the failover", func() bool { return d.Effective(t) == 1 })
	d.Await(t, "the redirect, signed with the new secret", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.posted == "receiver 2"
	})
}

// logs says whether the daemon has written a text.
func (d *rotating) logs(text string) func() bool {
	return func() bool {
		data, err := os.ReadFile(d.file("run.log"))
		return err == nil && strings.Contains(string(data), text)
	}
}

// metrics are those of the daemon.
func (d *rotating) metrics(t *testing.T) string {
	t.Helper()
	res, err := unverified().Get("https://" + d.serves + "/metrics")
	if err != nil {
		return ""
	}
	defer res.Body.Close() //nolint:errcheck // only read
	data, _ := io.ReadAll(res.Body)
	return string(data)
}
