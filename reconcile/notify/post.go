package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"milvus-reconcile/reconcile/foreign"
)

const (
	attemptTimeout = 10 * time.Second
	firstDelay     = time.Second
	longestDelay   = 30 * time.Second
	answerLimit    = 64 << 10
)

// Message is one body to deliver.
type Message struct {
	ID          string // the idempotency key
	ContentType string
	Body        []byte
}

// Poster delivers messages. The zero value works: six attempts of at most 10 s
// over 1, 2, 4, 8 and 16 s, and ten over nine minutes for a mail. It is safe for use by several goroutines.
type Poster struct {
	Client   *http.Client // nil: one that follows no redirect
	Clock    func() time.Time
	Sleep    func(context.Context, time.Duration) error // nil: the real one
	Attempts int                                        // 0: six, and ten for a mail
	Accepted func(answer string)                        // hears what a receiver answered that took a message; nil: nobody
}

// Post delivers one message, signed with secret unless that is nil. It tries
// again after a lost connection, 408, 425, 429 and 5xx, waiting as long as
// Retry-After asks, at most 30 s; any other answer but 2xx ends it. Errors
// name the receiver's host and never the rest of the URL, which may be secret.
func (p Poster) Post(ctx context.Context, target string, m Message, secret func() (string, error)) error {
	return p.deliver(ctx, target, m, func(h http.Header) error { return p.sign(h, m.Body, secret) })
}

func (p Poster) sign(h http.Header, body []byte, secret func() (string, error)) error {
	if secret == nil {
		return nil
	}
	key, err := secret()
	if err != nil {
		return fmt.Errorf("read the secret of the signature: %w", err)
	}
	Sign(h, key, body, p.now())
	return nil
}

// deliver makes the attempts; authorize is asked again for each.
func (p Poster) deliver(ctx context.Context, target string, m Message, authorize func(http.Header) error) error {
	return p.retry(ctx, "post to "+hostOf(target), postDelays, func(ctx context.Context) (time.Duration, bool, error) {
		return p.attempt(ctx, target, m, authorize)
	})
}

// postDelays are the waits between the attempts of a post.
var postDelays = []time.Duration{delay(1), delay(2), delay(3), delay(4), delay(5)}

// retry makes attempts until one succeeds, is refused for good, or was the last: one more
// than there are delays. what says in its error what was tried.
func (p Poster) retry(ctx context.Context, what string, delays []time.Duration, attempt func(context.Context) (time.Duration, bool, error)) error {
	attempts := len(delays) + 1
	if p.Attempts > 0 {
		attempts = min(p.Attempts, attempts)
	}
	var failed error
	for n := 1; n <= attempts; n++ {
		after, again, err := attempt(ctx)
		if err == nil {
			return nil
		}
		failed = fmt.Errorf("%s: %w", what, err)
		if attempts > 1 {
			failed = fmt.Errorf("%s: attempt %d of %d: %w", what, n, attempts, err)
		}
		if again && n == attempts {
			return passingError{failed}
		}
		if !again {
			return failed
		}
		if err := p.sleep(ctx, max(after, delays[n-1])); err != nil {
			return failed
		}
	}
	return failed
}

// passingError is the error of the last attempt, if another could end it.
type passingError struct{ error }

// Unwrap returns what it is.
func (p passingError) Unwrap() error { return p.error }

func (p Poster) accepted(answer string) {
	if p.Accepted != nil {
		p.Accepted(answer)
	}
}

// delay is how long to wait after the n-th attempt.
func delay(n int) time.Duration {
	d := firstDelay
	for ; n > 1 && d < longestDelay; n-- {
		d *= 2
	}
	return min(d, longestDelay)
}

// attempt sends once and says whether, and how soon, it may be sent again.
func (p Poster) attempt(ctx context.Context, target string, m Message, authorize func(http.Header) error) (time.Duration, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(m.Body))
	if err != nil {
		return 0, false, errors.New("the URL is malformed")
	}
	req.Header.Set("Content-Type", m.ContentType)
	req.Header.Set("User-Agent", "reconcile")
	req.Header.Set(HeaderIdempotency, m.ID)
	if err := authorize(req.Header); err != nil {
		return 0, false, err
	}
	res, err := p.client().Do(req)
	if err != nil {
		return 0, true, nameless(err, req.URL)
	}
	defer res.Body.Close() //nolint:errcheck // read as far as it matters
	_, _ = io.CopyN(io.Discard, res.Body, answerLimit)
	if res.StatusCode/100 == 2 {
		p.accepted(answered(res.StatusCode))
		return 0, false, nil
	}
	return retryAfter(res.Header), passing(res.StatusCode), fmt.Errorf("it answered %s", answered(res.StatusCode))
}

// Get asks a URL once, signed like a request with an empty body unless secret
// is nil, and returns the body of an answer 200, at most 64 KiB of it.
func (p Poster) Get(ctx context.Context, target string, secret func() (string, error)) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return nil, errors.New("the URL is malformed")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "reconcile")
	if err := p.sign(req.Header, nil, secret); err != nil {
		return nil, err
	}
	res, err := p.client().Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", hostOf(target), nameless(err, req.URL))
	}
	defer res.Body.Close() //nolint:errcheck // read as far as it matters
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask %s: it answered %s", hostOf(target), answered(res.StatusCode))
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, answerLimit))
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", hostOf(target), err)
	}
	return body, nil
}

// Wait waits after the n-th failed attempt: 1, 2, 4 s and so on, at most 30 s.
func (p Poster) Wait(ctx context.Context, n int) error { return p.sleep(ctx, delay(n)) }

// passing says whether a status may be gone at the next attempt.
func passing(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 3600))*time.Second, longestDelay)
}

// answered is a status in our words: those of the receiver may repeat what only it
// and we know.
func answered(code int) string {
	return strings.TrimSpace(strconv.Itoa(code) + " " + http.StatusText(code))
}

// shortestPart is the shortest part of a path that may be a secret.
const shortestPart = 8

// nameless takes the URL out of an HTTP client's error, also where the receiver put
// it there.
func nameless(err error, target *url.URL) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	password, _ := target.User.Password()
	secrets := []string{password, target.RawQuery}
	for _, part := range append(strings.Split(target.Path, "/"), target.Path, strings.TrimPrefix(target.Path, "/")) {
		if len(part) >= shortestPart { // shorter ones are words
			secrets = append(secrets, part)
		}
	}
	return foreign.Error(err, secrets...)
}

func hostOf(target string) string {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" {
		return "the receiver"
	}
	return u.Host
}

// maxHeaders bounds what a receiver may answer before its body.
const maxHeaders = 64 << 10

// direct follows no redirect.
var direct = sync.OnceValue(func() *http.Client {
	return &http.Client{
		Transport:     bounded(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
})

func bounded() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t = t.Clone()
	t.MaxResponseHeaderBytes = maxHeaders
	return t
}

func (p Poster) client() *http.Client {
	if p.Client != nil {
		return p.Client
	}
	return direct()
}

func (p Poster) now() time.Time {
	if p.Clock != nil {
		return p.Clock()
	}
	return time.Now()
}

func (p Poster) sleep(ctx context.Context, d time.Duration) error {
	if p.Sleep != nil {
		return p.Sleep(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
