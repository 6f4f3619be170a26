package serve

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// maxPush bounds the body of a push. Forges cut the list of commits long
// before it is that long.
const maxPush = 1 << 20

// Trust says whose pushes count. The zero value trusts nobody.
type Trust struct {
	// Secret is shared with the forge. It is asked for each push, so that a rotated
	// one counts at once; nil: the webhook is closed.
	Secret     func() (string, error)
	Repository string // as git.url says it
	Ref        string // the tracked ref by its full name; empty or HEAD: any branch
}

// Webhook takes push notifications of GitHub, GitLab and Gitea. It believes
// nothing that they say: a push of the tracked ref, or of a failover tag, by
// somebody who knows the secret, makes the daemon fetch.
type Webhook struct {
	Push func() // asks for a fetch; must not block
	Log  *slog.Logger

	mu    sync.Mutex
	trust Trust
	seen  deliveries
	long  longBodies
}

// A body up to shortBody is read beside any others. Of longer ones, which anybody may
// send, mostLong are held at once.
const (
	shortBody = 64 << 10
	mostLong  = 16
)

var errBusy = errors.New("too many long bodies at once; send it again")

// longBodies counts the long bodies that are being read.
type longBodies struct{ atomic.Int32 }

func (l *longBodies) read(body io.Reader) ([]byte, error) {
	begins, err := io.ReadAll(io.LimitReader(body, shortBody))
	if err != nil || len(begins) < shortBody {
		return begins, err
	}
	defer l.Add(-1)
	if l.Add(1) > mostLong {
		return nil, errBusy
	}
	rest, err := io.ReadAll(body)
	return append(begins, rest...), err
}

// Configure replaces whom it trusts.
func (h *Webhook) Configure(t Trust) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trust = t
}

// ServeHTTP answers 202 when a fetch was asked for, 200 when there was
// nothing to do, and refuses the rest: 403 without a good signature or from
// another repository, 409 for a delivery that was seen, 413 for one that is
// too long, 400 for what cannot be read.
func (h *Webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	t := h.trust
	h.mu.Unlock()
	code, text := h.take(t, w, r)
	if code >= http.StatusBadRequest {
		h.Log.Warn("a push notification was refused", "status", code, "reason", text, "from", r.RemoteAddr)
	} else {
		h.Log.Debug("a push notification", "status", code, "result", text)
	}
	answer(w, code, text)
}

func (h *Webhook) take(t Trust, w http.ResponseWriter, r *http.Request) (code int, text string) {
	if t.Secret == nil {
		return http.StatusForbidden, "the webhook is closed: serve.webhookSecretFrom is not set"
	}
	secret, err := t.Secret()
	if err != nil || secret == "" {
		h.Log.Error("the secret of the webhook cannot be read", "error", err)
		return http.StatusServiceUnavailable, "the secret of the webhook cannot be read"
	}
	d, ok := deliveryOf(r.Header)
	if !ok {
		return http.StatusBadRequest, "it carries no signature of GitHub, GitLab or Gitea"
	}
	body, err := h.long.read(http.MaxBytesReader(w, r.Body, maxPush))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is longer than %d bytes", maxPush)
	case errors.Is(err, errBusy):
		return http.StatusServiceUnavailable, err.Error()
	case err != nil:
		return http.StatusBadRequest, "the body could not be read"
	}
	if !d.signed(secret, body) {
		return http.StatusForbidden, "the signature does not hold: the forge and serve.webhookSecretFrom need the same secret"
	}
	return h.heed(t, d, body)
}

// heed judges what a signed delivery says.
func (h *Webhook) heed(t Trust, d delivery, body []byte) (code int, text string) {
	switch d.event {
	case "ping":
		return http.StatusOK, "pong"
	case "push", "Push Hook", "Tag Push Hook":
	default:
		return http.StatusOK, "nothing to do: not a push"
	}
	var p push
	if err := json.Unmarshal(body, &p); err != nil {
		return http.StatusBadRequest, "the body is no JSON of a push: let the forge send application/json"
	}
	if !p.of(t.Repository) {
		return http.StatusForbidden, "it is about another repository than git.url"
	}
	if !tracked(p.Ref, t.Ref) {
		return http.StatusOK, "nothing to do: not the tracked ref and not a failover tag"
	}
	if !h.first(d, body) {
		return http.StatusConflict, "this delivery was taken before"
	}
	h.Push()
	return http.StatusAccepted, "fetching"
}

// first remembers a delivery by its id and by its content: the id is not
// signed, so a replay could carry another one.
func (h *Webhook) first(d delivery, body []byte) bool {
	sum := sha256.Sum256(body)
	h.mu.Lock()
	defer h.mu.Unlock()
	known := d.id != "" && h.seen.has("id "+d.id) || h.seen.has("body "+hex.EncodeToString(sum[:]))
	if !known {
		h.seen.add("body " + hex.EncodeToString(sum[:]))
		if d.id != "" {
			h.seen.add("id " + d.id)
		}
	}
	return !known
}

// keptDeliveries bounds what is remembered, ids and bodies together.
const keptDeliveries = 4096

// deliveries are the newest that were taken.
type deliveries struct {
	known map[string]bool
	order []string // a ring, oldest at next once it is full
	next  int
}

func (d *deliveries) has(key string) bool { return d.known[key] }

func (d *deliveries) add(key string) {
	if d.known == nil {
		d.known = map[string]bool{}
	}
	if len(d.order) < keptDeliveries {
		d.order = append(d.order, key)
	} else {
		delete(d.known, d.order[d.next])
		d.order[d.next] = key
		d.next = (d.next + 1) % keptDeliveries
	}
	d.known[key] = true
}

// delivery is what the headers of a forge say.
type delivery struct {
	event, id string
	mac       string // hex of HMAC-SHA256 over the body
	token     string // GitLab sends the secret itself
}

// deliveryOf tells the forges apart. Gitea also sends GitHub's headers, so it
// is asked for first.
func deliveryOf(h http.Header) (delivery, bool) {
	switch {
	case h.Get("X-Gitea-Signature") != "":
		return delivery{event: h.Get("X-Gitea-Event"), id: h.Get("X-Gitea-Delivery"), mac: h.Get("X-Gitea-Signature")}, true
	case h.Get("X-Hub-Signature-256") != "":
		mac, ok := strings.CutPrefix(h.Get("X-Hub-Signature-256"), "sha256=")
		return delivery{event: h.Get("X-Github-Event"), id: h.Get("X-Github-Delivery"), mac: mac}, ok
	case h.Get("X-Gitlab-Token") != "":
		return delivery{event: h.Get("X-Gitlab-Event"), id: h.Get("X-Gitlab-Event-Uuid"), token: h.Get("X-Gitlab-Token")}, true
	}
	return delivery{}, false
}

// signed checks the signature, or the token, in constant time.
func (d delivery) signed(secret string, body []byte) bool {
	if d.mac == "" {
		want, got := sha256.Sum256([]byte(secret)), sha256.Sum256([]byte(d.token))
		return d.token != "" && subtle.ConstantTimeCompare(want[:], got[:]) == 1
	}
	got, err := hex.DecodeString(d.mac)
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hmac.Equal(mac.Sum(nil), got)
}

// failoverTags is where approvals by tag stand.
const failoverTags = "refs/tags/failover/"

// push is what the three forges say of a push; each names the repository in
// its own keys.
type push struct {
	Ref        string     `json:"ref"`
	Repository repository `json:"repository"`
	Project    repository `json:"project"` // GitLab
}

type repository struct {
	CloneURL   string `json:"clone_url"`    // GitHub, Gitea
	SSHURL     string `json:"ssh_url"`      // GitHub, Gitea
	HTMLURL    string `json:"html_url"`     // GitHub, Gitea
	GitHTTPURL string `json:"git_http_url"` // GitLab
	GitSSHURL  string `json:"git_ssh_url"`  // GitLab
	URL        string `json:"url"`
}

// of says whether the push names the repository by any of its URLs.
func (p push) of(repo string) bool {
	want := place(repo)
	var named []string
	for _, r := range []repository{p.Repository, p.Project} {
		named = append(named, r.CloneURL, r.SSHURL, r.HTMLURL, r.GitHTTPURL, r.GitSSHURL, r.URL)
	}
	return want != "" && slices.ContainsFunc(named, func(u string) bool { return u != "" && place(u) == want })
}

// place is a repository's host and path, without what differs between the
// ways to reach it: scheme, user, port and the ending .git.
func place(raw string) string {
	host, rest := "", raw
	switch u, err := url.Parse(raw); {
	case err == nil && u.Scheme != "" && strings.Contains(raw, "://"):
		host, rest = u.Hostname(), u.Path
	case strings.Contains(raw, "@") && strings.Contains(raw, ":"): // user@host:path
		_, after, _ := strings.Cut(raw, "@")
		host, rest, _ = strings.Cut(after, ":")
	}
	rest = strings.TrimSuffix(strings.Trim(path.Clean("/"+rest), "/"), ".git")
	if rest == "" {
		return ""
	}
	return strings.ToLower(host) + "/" + rest
}

// tracked says whether a push of this ref can change what the daemon sees.
func tracked(ref, want string) bool {
	switch {
	case strings.HasPrefix(ref, failoverTags):
		return true
	case want == "" || want == "HEAD":
		return strings.HasPrefix(ref, "refs/heads/")
	default:
		return ref == want
	}
}
