// Package kubeapi sends requests to the API server of Kubernetes, and knows why one was
// refused. It has no types of objects: each caller has those that it needs.
package kubeapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"milvus-reconcile/reconcile/foreign"
)

// AccountDir is where Kubernetes mounts the token of a pod's service account.
const AccountDir = "/var/run/secrets/kubernetes.io/serviceaccount"

// longestAnswer bounds what is read of an answer: etcd holds no object of this size.
const longestAnswer = 4 << 20

// ErrTooLarge says that an answer is larger than any object: less must be asked for at once.
var ErrTooLarge = errors.New("the answer is too large")

// Config says how to reach the API server. The zero value is the server of the cluster
// that this process runs in.
type Config struct {
	Kubeconfig string        // a file; empty: the service account of this pod
	Context    string        // of the kubeconfig; its current context may change at any time, so it is never used
	Account    string        // the folder of the service account; AccountDir if empty
	Wait       time.Duration // for one request; 5 s if 0
	// Hidden names variables of our environment that a program which the kubeconfig calls for a
	// token gets empty: they hold secrets of others.
	Hidden []string
}

// Client talks to one API server. Goroutines may share it. The first request connects.
type Client struct {
	config Config

	mu      sync.Mutex
	current *connection     // nil until it is used
	token   string          // that was sent last, to hide it in texts
	left    <-chan struct{} // closed when the request that was left behind has ended; nil: none was
}

// connection is a client with the credentials of one moment, and the server that they are for.
type connection struct {
	http    *http.Client
	base    *url.URL
	program string // that the kubeconfig calls for a token; empty: none
}

// New returns a client. It reads nothing yet.
func New(c Config) *Client {
	if c.Wait <= 0 {
		c.Wait = 5 * time.Second
	}
	if c.Account == "" {
		c.Account = AccountDir
	}
	return &Client{config: c}
}

// Where names the server for people, without its address: a kubeconfig may change that.
func (c *Client) Where() string {
	if c.config.Kubeconfig == "" {
		return "the API server of this cluster"
	}
	return "the API server of context " + c.config.Context
}

// Address returns the host and port of the server.
func (c *Client) Address() (string, error) {
	at, err := c.connect()
	if err != nil {
		return "", err
	}
	return at.base.Host, nil
}

// connect reads the kubeconfig or the service account at the first use, or again after that
// failed.
func (c *Client) connect() (*connection, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil {
		return c.current, nil
	}
	config, err := c.config.rest()
	if err != nil {
		return nil, err
	}
	base, err := safeServer(config)
	if err != nil {
		return nil, err
	}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &bound{next: next, to: base.Host, note: c.sent} })
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("use the credentials for the API server: %w", err)
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.current = &connection{http: client, base: base}
	if config.ExecProvider != nil {
		c.current.program = config.ExecProvider.Command
	}
	return c.current, nil
}

// sent remembers the token of a request.
func (c *Client) sent(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token = token
}

// Close closes idle connections.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil {
		c.current.http.CloseIdleConnections()
	}
}

// Request is one call.
type Request struct {
	Method string
	Path   string // as /api/v1/namespaces/x/configmaps
	Query  url.Values
	Type   string // of the body; application/json if empty
	Body   any    // to JSON; nil: none
}

// Do sends a request and reads the answer into out, if it is not nil. It fails with a
// *StatusError if the server refused the request, and with any other error if it is not known
// what became of it.
func (c *Client) Do(ctx context.Context, r Request, out any) error {
	at, err := c.connect()
	if err != nil {
		return err
	}
	err = c.send(ctx, at, r, out)
	var refused *StatusError
	if err != nil && (!errors.As(err, &refused) || refused.Code == http.StatusUnauthorized) {
		c.retire(at)
	}
	return err
}

// retire makes the next request read the credentials again: they may have been rotated.
func (c *Client) retire(at *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == at {
		c.current = nil
	}
}

func (c *Client) send(ctx context.Context, at *connection, r Request, out any) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.Wait)
	defer cancel()
	req, err := at.request(ctx, r)
	if err != nil {
		return err
	}
	res, err := c.do(ctx, at, req)
	if err != nil {
		return c.safe(withoutURL(err))
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, longestAnswer+1))
	switch {
	case err != nil:
		return c.safe(fmt.Errorf("read the answer: %w", err))
	case len(raw) > longestAnswer:
		return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, longestAnswer)
	case res.StatusCode < http.StatusOK || res.StatusCode >= http.StatusMultipleChoices:
		return c.safe(refusal(res, raw))
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return c.safe(fmt.Errorf("read the answer: %w", err))
	}
	return nil
}

func (c *connection) request(ctx context.Context, r Request) (*http.Request, error) {
	var body io.Reader
	if r.Body != nil {
		raw, err := json.Marshal(r.Body)
		if err != nil {
			return nil, fmt.Errorf("encode a request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	to := c.base.JoinPath(r.Path)
	to.RawQuery = r.Query.Encode()
	req, err := http.NewRequestWithContext(ctx, r.Method, to.String(), body)
	if err != nil {
		return nil, fmt.Errorf("build a request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", r.contentType())
	}
	return req, nil
}

func (r Request) contentType() string {
	if r.Type == "" {
		return "application/json"
	}
	return r.Type
}

// safe returns an error as one line without the token.
func (c *Client) safe(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return foreign.Error(err, c.token)
}

// withoutURL takes the method and the address off an error of net/http.
func withoutURL(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// bound sends requests to one server only, and says which token it sent: a credential never
// goes anywhere else.
type bound struct {
	next http.RoundTripper
	to   string
	note func(token string)
}

// RoundTrip is the last step before the connection, after the token was set.
func (b *bound) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != b.to {
		return nil, fmt.Errorf("a request for %s was not sent: the token is for %s", r.URL.Host, b.to)
	}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		b.note(token)
	}
	return b.next.RoundTrip(r)
}

// WrappedRoundTripper is for client-go, which looks for what a wrapper hides.
func (b *bound) WrappedRoundTripper() http.RoundTripper { return b.next }
