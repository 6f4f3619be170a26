package scenarios

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// examined is a healthy pair and a configuration to run doctor with.
type examined struct {
	*testkit.Replicas
	dir, config string
}

func newExamined(t *testing.T) *examined {
	t.Helper()
	d := &examined{Replicas: testkit.NewHealthyReplicas(t, 0), dir: t.TempDir()}
	d.config = filepath.Join(d.dir, "reconcile.yaml")
	d.Configure(t, d.config, freeport.Address(t), testkit.StartEtcd(t))
	return d
}

// change replaces text of the configuration.
func (d *examined) change(t *testing.T, old, text string) {
	t.Helper()
	data, err := os.ReadFile(d.config)
	if err != nil || !strings.Contains(string(data), old) {
		t.Fatalf("%v: no %q in\n%s", err, old, data)
	}
	if err := os.WriteFile(d.config, []byte(strings.Replace(string(data), old, text, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// doctor runs it, and returns what it prints with single blanks.
func (d *examined) doctor(t *testing.T, code int, env ...string) string {
	t.Helper()
	cmd := exec.CommandContext(d.Ctx, "reconcile", "doctor", "--config", d.config)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	got := 0
	if exit := (&exec.ExitError{}); errors.As(err, &exit) {
		got = exit.ExitCode()
	}
	if got != code {
		t.Fatalf("doctor ended with %d, want %d:\n%s", got, code, out)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

func says(t *testing.T, out string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(out, want) {
			t.Errorf("doctor does not say %q:\n%s", want, out)
		}
	}
}

// certificate writes NAME.pem and NAME.key, which count from begin to end.
func (d *examined) certificate(t *testing.T, name string, begin, end time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: begin, NotAfter: end, IsCA: true, BasicConstraintsValid: true,
	}
	cert, certErr := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	raw, keyErr := x509.MarshalECPrivateKey(key)
	if err := errors.Join(
		certErr, keyErr,
		os.WriteFile(filepath.Join(d.dir, name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o644),
		os.WriteFile(filepath.Join(d.dir, name+".key"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw}), 0o600),
	); err != nil {
		t.Fatal(err)
	}
}

// TestDoctorReadsCertificates: our own, and those that servers show.
func TestDoctorReadsCertificates(t *testing.T) {
	t.Parallel()
	d := newExamined(t)
	const day = 24 * time.Hour
	now := time.Now()
	d.certificate(t, "well", now.Add(-day), now.Add(365*day))
	d.certificate(t, "short", now.Add(-day), now.Add(2*day)) // renewed each day or two
	d.certificate(t, "soon", now.Add(-365*day), now.Add(5*day))
	d.certificate(t, "over", now.Add(-365*day), now.Add(-day))
	serve := func(cert, key string) string {
		return "serve: {tls: {certFile: " + filepath.Join(d.dir, cert) + ", keyFile: " + filepath.Join(d.dir, key) + "}, "
	}
	d.change(t, "serve: {", serve("well.pem", "well.key"))
	says(t, d.doctor(t, 0), "certificates (1)")
	for _, c := range []struct{ from, cert, key, want string }{
		{serve("well.pem", "well.key"), "short.pem", "short.key", "certificates (1)"},
		{serve("short.pem", "short.key"), "soon.pem", "soon.key", "soon.pem: warning: it ends at"},
		{serve("soon.pem", "soon.key"), "over.pem", "over.key", "over.pem: failed: it ended at"},
		{serve("over.pem", "over.key"), "well.pem", "soon.key", "serve.tls: failed: run would fail each handshake"},
	} {
		d.change(t, c.from, serve(c.cert, c.key))
		says(t, d.doctor(t, 0), c.want)
	}
	// A receiver whose certificate is trusted: httptest's ends in 2084.
	receiver := httptest.NewUnstartedServer(http.NotFoundHandler())
	receiver.Config.ErrorLog = log.New(io.Discard, "", 0)
	receiver.StartTLS()
	defer receiver.Close()
	trusted := filepath.Join(d.dir, "receiver.pem")
	if err := os.WriteFile(trusted, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: receiver.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	d.change(t, "serve: {", "redirect: [{name: glb, webhook: {url: \""+receiver.URL+"/PATHSECRET\"}}]\nserve: {")
	says(t, d.doctor(t, 0, "SSL_CERT_FILE="+trusted), "certificates (2)", "redirect (1)")
	out := d.doctor(t, 4)
	says(t, out, "glb: reach 127.0.0.1", "certificate signed by unknown authority", "END BADLY")
	if strings.Contains(out, "PATHSECRET") {
		t.Errorf("a secret of the URL is shown:\n%s", out)
	}
}

// TestDoctorNamesExposedSecrets: a token that others can read, unless its folder
// keeps them out.
func TestDoctorNamesExposedSecrets(t *testing.T) {
	t.Parallel()
	d := newExamined(t)
	if err := os.Chmod(d.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	says(t, d.doctor(t, 0), "permissions (1)")
	secret := filepath.Join(d.dir, "hook")
	if err := os.WriteFile(secret, []byte("key"), 0o644); err != nil {
		t.Fatal(err)
	}
	d.change(t, "serve: {", "serve: {webhookSecretFrom: {file: "+secret+"}, ")
	for folder, want := range map[os.FileMode]string{0o755: "chmod o-r " + secret, 0o700: "permissions (1)"} {
		// The folders of a test are open to all from /tmp on, but for this one.
		for dir := filepath.Dir(d.dir); dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(d.dir, folder); err != nil {
			t.Fatal(err)
		}
		says(t, d.doctor(t, 0), want)
	}
	if err := os.Remove(secret); err != nil {
		t.Fatal(err)
	}
	says(t, d.doctor(t, 0), "serve.webhookSecretFrom: failed: run would answer each push with an error")
}

// TestDoctorComparesClocksWithGit: the date of the Git server's answers, and those
// of commits.
func TestDoctorComparesClocksWithGit(t *testing.T) {
	t.Parallel()
	d := newExamined(t)
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	handler := &cgi.Handler{
		Path: git, Args: []string{"http-backend"}, Root: "/", Stderr: io.Discard,
		Env: []string{"GIT_PROJECT_ROOT=" + d.Play, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	}
	off, silent := 0*time.Second, false
	forge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
		if silent {
			w.Header()["Date"] = nil // the server adds none then
		}
		handler.ServeHTTP(w, r)
	}))
	defer forge.Close()
	d.change(t, filepath.Join(d.Play, "repo")+`"`, forge.URL+`/repo"`)
	says(t, d.doctor(t, 0), "clocks (3)")
	off = 630 * time.Second
	says(t, d.doctor(t, 0), "Git: warning: the Git server is 10 min", "ahead of our clock")
	off = -630 * time.Second
	says(t, d.doctor(t, 0), "Git: warning: the Git server is 10 min", "behind our clock")
	silent = true
	says(t, d.doctor(t, 0), "not known · clocks (1)")
}
