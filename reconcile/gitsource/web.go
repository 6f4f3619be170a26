package gitsource

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"sync"

	"github.com/go-git/go-git/v5/plumbing/transport/client"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// What a forge may answer beside what git asks for. go-git takes the whole body of
// a refusal into its error.
const (
	maxRefusal = 4 << 10
	maxHeaders = 64 << 10
)

// init has go-git reach remotes over HTTP as we do.
func init() {
	w := &web{byCA: map[string]*http.Transport{}}
	for _, scheme := range []string{"http", "https"} {
		client.InstallProtocol(scheme, githttp.NewClient(&http.Client{Transport: w}))
	}
}

// caKey is where a context holds the authorities of a remote, in PEM. go-git would
// take them itself, but only with a transport of its own kind.
type caKey struct{}

func withAuthorities(ctx context.Context, ca []byte) context.Context {
	if len(ca) == 0 {
		return ctx
	}
	return context.WithValue(ctx, caKey{}, ca)
}

// web bounds what comes from a forge.
type web struct {
	mu   sync.Mutex
	byCA map[string]*http.Transport
}

// RoundTrip makes one request.
func (w *web) RoundTrip(req *http.Request) (*http.Response, error) {
	ca, _ := req.Context().Value(caKey{}).([]byte)
	res, err := w.transport(ca).RoundTrip(req)
	allowed, _ := req.Context().Value(allowanceKey{}).(*allowance)
	switch {
	case err != nil:
	case res.StatusCode/100 != 2:
		res.Body = begun{io.LimitReader(res.Body, maxRefusal), res.Body}
	case allowed != nil:
		res.Body = allowed.reader(res.Body)
	}
	return res, err //nolint:wrapcheck // http.Client wraps it
}

// begun is the beginning of a body.
type begun struct {
	io.Reader
	io.Closer
}

func (w *web) transport(ca []byte) *http.Transport {
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
