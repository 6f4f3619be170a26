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

// maxPush is the maximum size of the body of a push, in bytes. Forges shorten the list of
// commits long before.
const maxPush = 1 << 20

// Trust says which pushes the webhook accepts. The zero value accepts none.
type Trust struct {
	// Secret returns the secret shared with the forge. Each push calls it, so that a
	// rotated secret takes effect at once. nil closes the webhook.
	Secret     func() (string, error)
	Repository string // as git.url says it
	Ref        string // the tracked ref by its full name; empty or HEAD: any branch
}

// Webhook receives push notifications of GitHub, GitLab and Gitea. A signed push of the
// tracked ref, or of a failover tag, only makes the daemon fetch; its content is not used.
type Webhook struct {
	Push func() // asks for a fetch; must not block
	Log  *slog.Logger

	mu    sync.Mutex
	trust Trust
	seen  deliveries
	long  longBodies
}

// Bodies up to shortBody are read without a limit on their number. At most mostLong longer
// ones are in memory at a time, since any client may send them.
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

// Configure replaces the Trust.
func (h *Webhook) Configure(t Trust) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trust = t
}

// ServeHTTP answers 202 if it asked for a fetch, 200 if there was nothing to do, 403 for a
// bad signature or another repository, 409 for a repeated delivery, 413 for a long body,
// 400 for one that cannot be read, and 503 if it is busy or the secret cannot be read.
func (h *Webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	t := h.trust
	h.mu.Unlock()
	code, text := h.accept(t, w, r)
	if code >= http.StatusBadRequest {
		h.Log.Warn("a push notification was refused", "status", code, "reason", text, "from", r.RemoteAddr)
	} else {
		h.Log.Debug("a push notification", "status", code, "result", text)
	}
	answer(w, code, text)
}

func (h *Webhook) accept(t Trust, w http.ResponseWriter, r *http.Request) (code int, text string) {
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
		return http.StatusForbidden, "the signature is wrong: the forge and serve.webhookSecretFrom need the same secret"
	}
	return h.evaluate(t, d, body)
}

// evaluate handles a signed delivery.
func (h *Webhook) evaluate(t Trust, d delivery, body []byte) (code int, text string) {
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
	if !p.isAbout(t.Repository) {
		return http.StatusForbidden, "it is about another repository than git.url"
	}
	if !isTracked(p.Ref, t.Ref) {
		return http.StatusOK, "nothing to do: not the tracked ref and not a failover tag"
	}
	if !h.isNew(d, body) {
		return http.StatusConflict, "this delivery was taken before"
	}
	h.Push()
	return http.StatusAccepted, "fetching"
}

// isNew remembers a delivery by its id and its body, and reports whether both were new.
// The id is not signed, so a replay could carry another id.
func (h *Webhook) isNew(d delivery, body []byte) bool {
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

// keptDeliveries is how many ids and bodies are remembered together.
const keptDeliveries = 4096

// deliveries remembers the newest accepted deliveries.
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

// delivery holds the headers of a push.
type delivery struct {
	event, id string
	mac       string // hex of HMAC-SHA256 over the body
	token     string // GitLab sends the secret itself
}

// deliveryOf reads the headers of each forge. Gitea comes first, since it also sends
// GitHub's headers.
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

// failoverTags is the prefix of the tags that approve.
const failoverTags = "refs/tags/failover/"

// push is the body of a push. Each forge names the repository in keys of its own.
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

// isAbout reports whether the push names the repository by any of its URLs.
func (p push) isAbout(repo string) bool {
	want := repositoryAddress(repo)
	var named []string
	for _, r := range []repository{p.Repository, p.Project} {
		named = append(named, r.CloneURL, r.SSHURL, r.HTMLURL, r.GitHTTPURL, r.GitSSHURL, r.URL)
	}
	return want != "" && slices.ContainsFunc(named, func(u string) bool { return u != "" && repositoryAddress(u) == want })
}

// repositoryAddress returns the host and path of a repository, without scheme, user, port
// and the ending .git.
func repositoryAddress(raw string) string {
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

// isTracked reports whether a push of this ref can change what the daemon reads.
func isTracked(ref, want string) bool {
	switch {
	case strings.HasPrefix(ref, failoverTags):
		return true
	case want == "" || want == "HEAD":
		return strings.HasPrefix(ref, "refs/heads/")
	default:
		return ref == want
	}
}
