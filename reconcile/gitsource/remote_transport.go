package gitsource

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/plumbing/transport/client"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	"golang.org/x/net/proxy"
)

// allowance is the number of bytes that a remote may still send in one fetch: for a list
// of refs, and for a pack once one begins. go-git itself has no limit.
type allowance struct {
	left   atomic.Int64
	ofPack atomic.Int64 // 0: none has begun
	ended  <-chan struct{}
}

func newAllowance(ctx context.Context) *allowance {
	a := &allowance{ended: ctx.Done()}
	a.left.Store(maxRefs)
	return a
}

// allowPack adds the size limit of a pack, once.
func (a *allowance) allowPack(most int64) {
	if a != nil && a.ofPack.CompareAndSwap(0, most) {
		a.left.Add(most)
	}
}

// consume counts n read bytes.
func (a *allowance) consume(n int) error {
	a.left.Add(-int64(n))
	return a.exceeded()
}

// exceeded returns an error with the limit that the remote exceeded; nil: none.
func (a *allowance) exceeded() error {
	if a.left.Load() >= 0 {
		return nil
	}
	if most := a.ofPack.Load(); most > 0 {
		return tooLarge("a pack", most)
	}
	return tooLarge("a list of refs", maxRefs)
}

// reader counts the bytes that are read from in.
func (a *allowance) reader(in io.ReadCloser) io.ReadCloser {
	return partialBody{countingReader{in, a}, in}
}

type countingReader struct {
	io.Reader
	budget *allowance
}

// Read fails after the limit is exceeded.
func (c countingReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if over := c.budget.consume(n); over != nil {
		return 0, over
	}
	return n, err
}

// allowanceKey is where the context of a request holds its allowance.
type allowanceKey struct{}

// sshDialer makes go-git dial an SSH server through DialContext. go-git accepts neither a
// context nor a connection, only the name of a dialer, which is valid until end is called.
func (a *allowance) sshDialer() (o transport.ProxyOptions, end func()) {
	id := strconv.FormatInt(dials.Add(1), 10)
	dialing.Store(id, a)
	return transport.ProxyOptions{URL: dialerName + "://" + id}, func() { dialing.Delete(id) }
}

const dialerName = "reconcile-git"

var (
	dials   atomic.Int64
	dialing sync.Map // *allowance by the name of the host
)

func init() {
	proxy.RegisterDialerType(dialerName, func(u *url.URL, _ proxy.Dialer) (proxy.Dialer, error) {
		a, ok := dialing.Load(u.Host)
		if !ok {
			return nil, context.Canceled // the fetch has ended
		}
		return a.(*allowance), nil
	})
}

// Dial implements proxy.Dialer. It is not called, since DialContext exists.
func (a *allowance) Dial(string, string) (net.Conn, error) { return nil, errors.ErrUnsupported }

// DialContext dials as go-git does, by a proxy if the environment names one. The
// connection ends with the fetch.
func (a *allowance) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := proxy.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	go func() {
		<-a.ended
		_ = conn.Close() // the fetch has ended
	}()
	return countingConn{conn, countingReader{conn, a}}, nil
}

type countingConn struct {
	net.Conn
	in countingReader
}

// Read implements net.Conn.
func (c countingConn) Read(p []byte) (int, error) { return c.in.Read(p) }

// The limits of a forge's refusals and headers. go-git puts the whole body of a refusal
// into its error.
const (
	maxRefusal = 4 << 10
	maxHeaders = 64 << 10
)

// init makes go-git use boundedTransport for HTTP.
func init() {
	w := &boundedTransport{byCA: map[string]*http.Transport{}}
	for _, scheme := range []string{"http", "https"} {
		client.InstallProtocol(scheme, choosing{githttp.NewClient(&http.Client{Transport: w})})
	}
}

// caKey is the context key of a remote's certificate authorities, in PEM. go-git accepts
// them only with its own transport.
type caKey struct{}

func withAuthorities(ctx context.Context, ca []byte) context.Context {
	if len(ca) == 0 {
		return ctx
	}
	return context.WithValue(ctx, caKey{}, ca)
}

// boundedTransport limits the size of a forge's answers.
type boundedTransport struct {
	mu   sync.Mutex
	byCA map[string]*http.Transport
}

// RoundTrip makes one request.
func (w *boundedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	ca, _ := req.Context().Value(caKey{}).([]byte)
	res, err := w.transport(ca).RoundTrip(req)
	allowed, _ := req.Context().Value(allowanceKey{}).(*allowance)
	switch {
	case err != nil:
	case res.StatusCode/100 != 2:
		res.Body = partialBody{io.LimitReader(res.Body, maxRefusal), res.Body}
	case allowed != nil:
		res.Body = allowed.reader(res.Body)
	}
	return res, err //nolint:wrapcheck // http.Client wraps it
}

// partialBody is the beginning of a body.
type partialBody struct {
	io.Reader
	io.Closer
}

func (w *boundedTransport) transport(ca []byte) *http.Transport {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.byCA[string(ca)]
	if t != nil {
		return t
	}
	t = &http.Transport{Proxy: http.ProxyFromEnvironment}
	if usual, ok := http.DefaultTransport.(*http.Transport); ok {
		t = usual.Clone()
	}
	t.MaxResponseHeaderBytes = maxHeaders
	if len(ca) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		pool.AppendCertsFromPEM(ca) // authorities saw to it that there is one
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	w.byCA[string(ca)] = t
	return t
}
