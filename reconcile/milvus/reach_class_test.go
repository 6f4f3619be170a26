package milvus

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
)

// listen takes connections and hands each to serve. They stay open until the
// test is over: one that nobody holds is closed by the garbage collector.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	over := make(chan struct{})
	t.Cleanup(func() { close(over); _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				serve(conn)
				<-over
				_ = conn.Close()
			}()
		}
	}()
	return l.Addr().String()
}

// Real sockets that are not a Milvus: only nobody at all, or silence, may
// count as a cluster that is gone.
func TestReachOfWhatIsNoMilvus(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.EnableHTTP2 = true
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	secureAddress := secure.Listener.Addr().String()
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	stranger := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	trusting := &tls.Config{RootCAs: secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, MinVersion: tls.VersionTLS12, ServerName: "example.com"}

	cases := map[string]struct {
		address string
		tls     *tls.Config
		reach   plan.Reach
		class   plan.ErrorClass
	}{
		"nobody listens": {"127.0.0.1:1", nil, plan.ReachUnreachable, plan.ClassRefused},
		"it takes the connection and is silent, as a frozen process": {
			listen(t, func(net.Conn) {}), nil, plan.ReachUnreachable, plan.ClassTimeout,
		},
		"it is silent instead of TLS": {listen(t, func(net.Conn) {}), stranger, plan.ReachUnreachable, plan.ClassTimeout},
		"it closes at once":           {listen(t, func(c net.Conn) { _ = c.Close() }), nil, plan.ReachUnknown, plan.ClassTLS},
		"it answers garbage": {
			listen(t, func(c net.Conn) { _, _ = c.Write([]byte("SSH-2.0-OpenSSH_9.2\r\n")) }), nil, plan.ReachUnknown, plan.ClassTLS,
		},
		"it closes after half a word": {
			listen(t, func(c net.Conn) { _, _ = c.Write([]byte{0x15, 3}); _ = c.Close() }), nil, plan.ReachUnknown, plan.ClassTLS,
		},
		"it speaks TLS and we do not":           {secureAddress, nil, plan.ReachUnknown, plan.ClassTLS},
		"it speaks HTTP and not HTTP/2":         {plain.Listener.Addr().String(), nil, plan.ReachUnknown, plan.ClassTLS},
		"we speak TLS and it does not":          {plain.Listener.Addr().String(), stranger, plan.ReachUnknown, plan.ClassTLS},
		"its certificate is not trusted":        {secureAddress, stranger, plan.ReachUnknown, plan.ClassTLS},
		"its name does not resolve":             {"nobody.invalid:19530", nil, plan.ReachUnknown, plan.ClassDNS},
		"an HTTP/2 server that knows no Milvus": {secureAddress, trusting, plan.ReachUp, plan.ClassUnimplemented},
		"an address that is none":               {"nonsense", nil, plan.ReachUnknown, plan.ClassOther},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := NewFleet(Config{
				ReadTimeout: 700 * time.Millisecond,
				Credentials: []Credential{{ClusterID: "a", Address: c.address, URI: "http://a", TLS: fixedTLS(c.tls)}},
			})
			t.Cleanup(f.Close)
			topology := plan.Topology{Clusters: []plan.Cluster{{ID: "a", ClientAddress: c.address, URI: "http://a", PChannels: []string{"a_0"}}}}
			v := f.Reader().Observe(t.Context(), []plan.Topology{topology}, plan.Depth{Progress: true})[0]
			if v.Reach != c.reach || v.Class != c.class || v.Error == "" {
				t.Errorf("%s, %s: %s", v.Reach, v.Class, v.Error)
			}
			if v.Belief.Kind != plan.BeliefUnknown || v.IdentityProven || v.ForcePromotes == plan.SupportYes {
				t.Errorf("believed: %+v", v)
			}
		})
	}
}

// TestTransportFaultsAreNamed: what is wrong between us and a cluster that is not reached is
// said in words, which stay the same from one sweep to the next.
func TestTransportFaultsAreNamed(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	certify := func(from, until time.Time) (tls.Certificate, *x509.CertPool) {
		form := &x509.Certificate{
			SerialNumber: big.NewInt(1), DNSNames: []string{"milvus.example"}, NotBefore: from, NotAfter: until,
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		}
		raw, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
		must(t, err)
		cert, err := x509.ParseCertificate(raw)
		must(t, err)
		pool := x509.NewCertPool()
		pool.AddCert(cert)
		return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, pool
	}
	serve := func(cert tls.Certificate, client tls.ClientAuthType) string {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.EnableHTTP2, s.TLS = true, &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: client, MinVersion: tls.VersionTLS12}
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	trust := func(pool *x509.CertPool, name string) *tls.Config {
		return &tls.Config{RootCAs: pool, ServerName: name, MinVersion: tls.VersionTLS12}
	}
	now := time.Now()
	good, pool := certify(now.Add(-time.Hour), now.Add(time.Hour))
	old, oldPool := certify(now.Add(-48*time.Hour), now.Add(-time.Hour))
	early, earlyPool := certify(now.Add(time.Hour), now.Add(48*time.Hour))
	secure, plain := serve(good, tls.NoClientCert), httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	for name, c := range map[string]struct {
		address string
		tls     *tls.Config
		words   string
		or      string // what it says if the connection is gone before the alert is read
	}{
		"a wrong authority":        {secure, trust(x509.NewCertPool(), "milvus.example"), "TLS fails: its certificate is signed by an authority that is not trusted (hint: tls.caFile", ""},
		"a wrong name":             {secure, trust(pool, "other.example"), "TLS fails: its certificate has another name (x509: certificate is valid for milvus.example, not other.example; hint: tls.serverName", ""},
		"an address without name":  {secure, trust(pool, ""), "TLS fails: its certificate has another name (", ""},
		"it expired":               {serve(old, tls.NoClientCert), trust(oldPool, "milvus.example"), "TLS fails: its certificate, or one above it, expired at " + now.Add(-time.Hour).UTC().Format(time.RFC3339), ""},
		"it is not valid yet":      {serve(early, tls.NoClientCert), trust(earlyPool, "milvus.example"), "TLS fails: its certificate, or one above it, is valid only from ", ""},
		"it wants a certificate":   {serve(good, tls.RequireAnyClientCert), trust(pool, "milvus.example"), "TLS fails: it does not accept our client certificate (remote error: tls: ", "TLS fails: it ends the connection once TLS is agreed on (hint: it may want a client certificate"},
		"TLS to a plain port":      {plain.Listener.Addr().String(), trust(pool, ""), "TLS fails: it does not speak TLS there (hint: check the port", ""},
		"plain to a port with TLS": {secure, nil, "it ends the connection before gRPC begins (hint: check the port; if the server speaks TLS, set tls in its credential", ""},
		"plain to another service": {plain.Listener.Addr().String(), nil, "the server there does not speak gRPC (hint: check the port", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := NewFleet(Config{
				ReadTimeout: 700 * time.Millisecond,
				Credentials: []Credential{{ClusterID: "a", Address: c.address, URI: "http://a", TLS: fixedTLS(c.tls)}},
			})
			t.Cleanup(f.Close)
			topology := plan.Topology{Clusters: []plan.Cluster{{ID: "a", ClientAddress: c.address, URI: "http://a", PChannels: []string{"a_0"}}}}
			for range 2 {
				v := f.Reader().Observe(t.Context(), []plan.Topology{topology}, plan.Depth{})[0]
				if v.Reach != plan.ReachUnknown || v.Class != plan.ClassTLS || !strings.HasPrefix(v.Error, c.words) && (c.or == "" || !strings.HasPrefix(v.Error, c.or)) {
					t.Errorf("%s, %s: %s", v.Reach, v.Class, v.Error)
				}
			}
		})
	}
}

func TestAClosedFleetCallsNobody(t *testing.T) {
	w := pair(t, "")
	f := w.fleet()
	f.Close()
	v := f.Reader().Observe(w.ctx(), []plan.Topology{w.topology}, plan.Depth{})[0]
	if v.Reach != plan.ReachUnknown || !strings.Contains(v.Error, "closed") || w.calls("a", "") != 0 {
		t.Errorf("%+v", v)
	}
}

func TestTwoCredentialsForOneClusterAreNone(t *testing.T) {
	w := pair(t, "")
	w.config.Credentials = append(w.config.Credentials, w.config.Credentials[0])
	if v := w.observe(plan.Depth{})["a"]; v.Credential != plan.CredentialMissing || w.calls("a", "") != 0 {
		t.Errorf("%+v", v)
	}
}

// fixedTLS is a configuration that never changes.
func fixedTLS(conf *tls.Config) func() (*tls.Config, error) {
	if conf == nil {
		return nil
	}
	return func() (*tls.Config, error) { return conf, nil }
}
