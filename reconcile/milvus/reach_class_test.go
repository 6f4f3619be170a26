package milvus

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
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
