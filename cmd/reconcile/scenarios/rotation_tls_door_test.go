package scenarios

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"
)

// authority issues certificates for 127.0.0.1.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	text string
}

func newAuthority(t *testing.T, serial int64) *authority {
	t.Helper()
	a := &authority{}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: fmt.Sprintf("authority %d", serial)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	a.text, a.key = a.sign(t, a.cert, nil)
	return a
}

// sign makes a certificate of a template; of the authority itself where no key is its
// own yet.
func (a *authority) sign(t *testing.T, template *x509.Certificate, by *ecdsa.PrivateKey) (string, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if by == nil {
		by = key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})), key
}

// issue gives a certificate and its key, for servers and clients.
func (a *authority) issue(t *testing.T, serial int64) (cert, key string) {
	t.Helper()
	cert, private := a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "any"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, a.key)
	raw, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return cert, string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw}))
}

// door is a TLS server before a plain one. It lets in who has a certificate of its
// authority, and knows which one came last.
type door struct {
	listener net.Listener
	target   string

	mu     sync.Mutex
	conf   *tls.Config
	open   map[net.Conn]bool
	serial int64 // of the client's certificate
}

func newDoor(t *testing.T, target string) *door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{listener: l, target: target, open: map[net.Conn]bool{}}
	t.Cleanup(func() { _ = l.Close() }) // it may be closed
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go d.carry(conn)
		}
	}()
	return d
}

func (d *door) address() string { return d.listener.Addr().String() }

func (d *door) carry(raw net.Conn) {
	defer raw.Close() //nolint:errcheck // its user sees the end
	d.mu.Lock()
	conf := d.conf
	d.mu.Unlock()
	near := tls.Server(raw, conf)
	if near.Handshake() != nil {
		return
	}
	far, err := net.Dial("tcp", d.target)
	if err != nil {
		return
	}
	defer far.Close() //nolint:errcheck // its user sees the end
	d.mu.Lock()
	if peers := near.ConnectionState().PeerCertificates; len(peers) > 0 {
		d.serial = peers[0].SerialNumber.Int64()
	}
	d.open[near] = true
	stale := d.conf != conf
	d.mu.Unlock()
	if stale {
		return
	}
	go func() {
		_, _ = io.Copy(far, near)
		_ = far.Close() // ends the other way
	}()
	_, _ = io.Copy(near, far)
	d.mu.Lock()
	delete(d.open, near)
	d.mu.Unlock()
}

// change takes another authority, and ends what is open. Clients that show no
// certificate are let in only where nobody must.
func (d *door) change(t *testing.T, a *authority, asks bool) {
	t.Helper()
	cert, key := a.issue(t, 1)
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	conf := &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}}
	if asks {
		conf.ClientCAs, conf.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		conf.ClientCAs.AppendCertsFromPEM([]byte(a.text))
	} else {
		conf.NextProtos = nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conf, d.serial = conf, 0
	for conn := range d.open {
		_ = conn.Close() // its user connects again
	}
	d.open = map[net.Conn]bool{}
}

func (d *door) seen() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.serial
}
