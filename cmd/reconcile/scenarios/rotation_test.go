package scenarios

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// rotating is a daemon whose secrets lie in files: the password of etcd, its own
// certificate and the webhook's secret.
type rotating struct {
	*testkit.Replicas
	dir    string
	serves string
	etcd   *clientv3.Client // as root
}

func newRotating(t *testing.T) *rotating {
	t.Helper()
	d := &rotating{Replicas: testkit.NewHealthyReplicas(t, 0), dir: t.TempDir(), serves: freeport.Address(t)}
	endpoint := testkit.StartEtcd(t)
	d.lockEtcd(t, endpoint)
	d.put(t, "password", "first")
	d.put(t, "webhook", "first")
	d.certify(t, 1)
	config := filepath.Join(d.dir, "reconcile.yaml")
	d.Configure(t, config, d.serves, endpoint)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "ttl: 1m0s}", fmt.Sprintf("ttl: 1m0s, usernameFrom: {file: %s}, passwordFrom: {file: %s}}", d.file("user"), d.file("password")), 1)
	changed = strings.Replace(changed, "serve: {", fmt.Sprintf("serve: {tls: {certFile: %s, keyFile: %s}, webhookSecretFrom: {file: %s}, ", d.file("cert.pem"), d.file("key.pem"), d.file("webhook")), 1)
	if err := os.WriteFile(config, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	d.Start(t, filepath.Join(d.dir, "run.log"), "run", "--config", config)
	d.Await(t, "it to be ready", func() bool { return d.readyz(t) == http.StatusOK })
	return d
}

func (d *rotating) file(name string) string { return filepath.Join(d.dir, name) }

func (d *rotating) put(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(d.file(name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// lockEtcd has etcd ask for a password from now on.
func (d *rotating) lockEtcd(t *testing.T, endpoint string) {
	t.Helper()
	d.put(t, "user", "reconcile")
	config := clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: testkit.Patience, Logger: zap.NewNop()}
	client, err := clientv3.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	_, roleErr := client.RoleAdd(ctx, "root")
	_, rootErr := client.UserAdd(ctx, "root", "root")
	_, grantErr := client.UserGrantRole(ctx, "root", "root")
	_, userErr := client.UserAdd(ctx, "reconcile", "first")
	_, mayErr := client.UserGrantRole(ctx, "reconcile", "root")
	_, onErr := client.AuthEnable(ctx)
	if err := errors.Join(roleErr, rootErr, grantErr, userErr, mayErr, onErr, client.Close()); err != nil {
		t.Fatal(err)
	}
	config.Username, config.Password = "root", "root"
	if d.etcd, err = clientv3.New(config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.etcd.Close() }) // only used here
}

// certify writes a new certificate of this server.
func (d *rotating) certify(t *testing.T, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "reconcile"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, certErr := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	raw, keyErr := x509.MarshalECPrivateKey(key)
	if err := errors.Join(certErr, keyErr); err != nil {
		t.Fatal(err)
	}
	d.put(t, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})))
	d.put(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw})))
}

// unverified takes whatever certificate there is: the test looks at it.
func unverified() *http.Client {
	return &http.Client{Timeout: testkit.Patience, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
}

func (d *rotating) readyz(t *testing.T) int {
	t.Helper()
	res, err := unverified().Get("https://" + d.serves + "/readyz")
	if err != nil {
		return 0
	}
	defer res.Body.Close() //nolint:errcheck // only read
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

func (d *rotating) serial(t *testing.T) int64 {
	t.Helper()
	conn, err := tls.Dial("tcp", d.serves, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // only its certificate is wanted
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// TestRotatedSecrets: what is rotated in its file counts without a signal, and an
// approved failover is carried out afterwards.
func TestRotatedSecrets(t *testing.T) {
	t.Parallel()
	d := newRotating(t)
	if got := d.serial(t); got != 1 {
		t.Fatalf("it serves the certificate %d", got)
	}
	d.put(t, "cert.pem", "half of a certi") // a renewal is under way: the last good one stays
	if got := d.serial(t); got != 1 {
		t.Errorf("during the renewal it serves the certificate %d", got)
	}
	d.certify(t, 2)
	if got := d.serial(t); got != 2 {
		t.Errorf("it serves the certificate %d, want the renewed one", got)
	}

	d.put(t, "webhook", "second")
	for secret, want := range map[string]int{"first": http.StatusForbidden, "second": http.StatusAccepted} {
		if got := d.pushed(t, secret); got != want {
			t.Errorf("a push with the %s secret is answered with %d, want %d", secret, got, want)
		}
	}

	if _, err := d.etcd.UserChangePassword(d.Ctx, "reconcile", "second"); err != nil {
		t.Fatal(err)
	}
	d.Await(t, "it to say that it cannot act", func() bool { return d.readyz(t) == http.StatusServiceUnavailable })
	d.put(t, "password", "second")
	d.Await(t, "it to be ready with the new password", func() bool { return d.readyz(t) == http.StatusOK })

	d.Post(t, "/clusters/a/stop", "")
	d.Replicas.FailOver(t)
	d.Await(t, "the failover", func() bool { return d.Effective(t) == 1 })
}

// pushed tells the daemon of a push, as GitHub does.
func (d *rotating) pushed(t *testing.T, secret string) int {
	t.Helper()
	return d.pushedTo(t, filepath.Join(d.Play, "repo"), secret)
}

// pushedTo is pushed for another name of the repository.
func (d *rotating) pushedTo(t *testing.T, repository, secret string) int {
	t.Helper()
	body := fmt.Sprintf(`{"ref":"refs/heads/main","at":%d,"repository":{"clone_url":%q}}`, time.Now().UnixNano(), repository)
	req, err := testkit.PushRequest("https://"+d.serves, "github", body, secret)
	if err != nil {
		t.Fatal(err)
	}
	res, err := unverified().Do(req.WithContext(context.WithoutCancel(d.Ctx)))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close() // its status says it all
	return res.StatusCode
}
