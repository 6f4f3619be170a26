package milvussim

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"sync"
	"time"
)

// Authority signs the certificates of clusters that speak TLS. Each gets one of its own,
// for the address at which it is called.
type Authority struct {
	own  *x509.Certificate
	key  *ecdsa.PrivateKey
	mu   sync.Mutex
	made map[string]*tls.Certificate // by host
}

// validity is for how long certificates are valid, also before now: clocks differ.
const validity = 24 * time.Hour

// NewAuthority makes an authority with a new key.
func NewAuthority() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	own := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "milvus simulator"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-validity), NotAfter: time.Now().Add(validity),
	}
	raw, err := x509.CreateCertificate(rand.Reader, own, own, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make an authority: %w", err)
	}
	own.Raw = raw
	return &Authority{own: own, key: key, made: map[string]*tls.Certificate{}}, nil
}

// PEM is the certificate of the authority, as a caFile holds it.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.own.Raw})
}

// server is the TLS of the clusters.
func (a *Authority) server() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		host, _, err := net.SplitHostPort(hello.Conn.LocalAddr().String())
		if err != nil {
			return nil, fmt.Errorf("the address of a connection: %w", err)
		}
		return a.certificate(host)
	}}
}

// certificate returns the one certificate of an address.
func (a *Authority) certificate(host string) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if known := a.made[host]; known != nil {
		return known, nil
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(a.made)) + 2), Subject: pkix.Name{CommonName: host},
		IPAddresses: []net.IP{net.ParseIP(host)}, DNSNames: []string{"localhost"},
		NotBefore: a.own.NotBefore, NotAfter: a.own.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, leaf, a.own, a.key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	a.made[host] = &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: a.key}
	return a.made[host], nil
}
