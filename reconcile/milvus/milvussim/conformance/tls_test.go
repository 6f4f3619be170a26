package conformance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// certified is a self-signed certificate for loopback, in files.
func certified(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "milvus"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// terminate takes TLS off in front of an address, for clients that have a
// certificate of the same authority (tlsMode 2).
func terminate(t *testing.T, cert, key, address string) string {
	t.Helper()
	cfg, err := TLSFromFiles(cert, cert, key)
	if err != nil {
		t.Fatal(err)
	}
	cfg.ClientAuth, cfg.ClientCAs, cfg.NextProtos = tls.RequireAndVerifyClientCert, cfg.RootCAs, []string{"h2"}
	l, err := tls.Listen("tcp", "127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			front, err := l.Accept()
			if err != nil {
				return
			}
			back, err := net.Dial("tcp", address)
			if err != nil {
				_ = front.Close()
				continue
			}
			pipe := func(to, from net.Conn) {
				_, _ = io.Copy(to, from) // ends with either connection
				_ = to.Close()
			}
			serving.Go(func() { pipe(front, back) })
			serving.Go(func() { pipe(back, front) })
		}
	})
	return l.Addr().String()
}

// TestTargetOverTLS runs the cases that may run on any clusters over TLS, with
// the certificates of both sides checked.
func TestTargetOverTLS(t *testing.T) {
	cert, key := certified(t)
	w := milvussim.New(milvussim.Options{})
	defer w.Close()
	target := outside(t, milvussim.Converged(milvussim.Pair("a", "b")), w)
	for _, c := range []*Cluster{&target.A, &target.B} {
		c.Address, c.Secured = terminate(t, cert, key, c.Address), true
	}
	t.Run("trusted", func(t *testing.T) {
		var err error
		if target.TLS, err = TLSFromFiles(cert, cert, key); err != nil {
			t.Fatal(err)
		}
		RunTarget(t, target)
	})
	for _, tc := range []struct{ name, ca, cert, key string }{
		{"an unknown authority", "", cert, key},
		{"no certificate of our own", cert, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg, err := TLSFromFiles(tc.ca, tc.cert, tc.key)
			if err != nil {
				t.Fatal(err)
			}
			conn, err := grpc.NewClient(target.A.Address, grpc.WithTransportCredentials(target.A.credentials(cfg)))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if _, err := milvuspb.NewMilvusServiceClient(conn).GetVersion(t.Context(), &milvuspb.GetVersionRequest{}); err == nil {
				t.Error("it was let in")
			}
		})
	}
}

func TestTLSFiles(t *testing.T) {
	cert, key := certified(t)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, ca, cert, key, want string }{
		{"no such file", "/no/such/file", "", "", "read the certificate authority"},
		{"no certificate in it", empty, "", "", "holds no certificate"},
		{"a key alone", "", "", key, "needs its key"},
		{"a certificate alone", "", cert, "", "needs its key"},
		{"a key that is none", "", cert, cert, "read the client certificate"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := TLSFromFiles(tc.ca, tc.cert, tc.key); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}
