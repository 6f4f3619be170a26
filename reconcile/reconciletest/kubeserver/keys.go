package kubeserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// writeKeys writes the files of an authority, a certificate for the server, and the key that
// signs the tokens of accounts.
func writeKeys(t testing.TB, dir string) *x509.CertPool {
	t.Helper()
	authority, server, accounts := newKey(t), newKey(t), newKey(t)
	own := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of the tests"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "kube-apiserver"},
		NotBefore: own.NotBefore, NotAfter: own.NotAfter, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost", "kubernetes.default.svc"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	ca, err := x509.CreateCertificate(rand.Reader, own, own, authority.Public(), authority)
	must(t, err)
	cert, err := x509.CreateCertificate(rand.Reader, leaf, own, server.Public(), authority)
	must(t, err)
	write := func(name, kind string, der []byte) {
		must(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	}
	write("ca.pem", "CERTIFICATE", ca)
	write("server.pem", "CERTIFICATE", cert)
	write("server.key", "EC PRIVATE KEY", keyBytes(t, server))
	write("accounts.key", "EC PRIVATE KEY", keyBytes(t, accounts))
	parsed, err := x509.ParseCertificate(ca)
	must(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return roots
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return key
}

func keyBytes(t testing.TB, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(key)
	must(t, err)
	return der
}
