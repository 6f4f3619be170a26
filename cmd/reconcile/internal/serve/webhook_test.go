package serve

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const secret = "between the forge and us"

func sign(body, with string) string {
	mac := hmac.New(sha256.New, []byte(with))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

// forge sends what one of the three forges would.
func forge(name, event, body, with, id string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/webhook/git", strings.NewReader(body))
	headers := map[string][]string{
		"github": {"X-GitHub-Event", event, "X-Hub-Signature-256", "sha256=" + sign(body, with), "X-GitHub-Delivery", id},
		"gitea":  {"X-Gitea-Event", event, "X-GitHub-Event", event, "X-Gitea-Signature", sign(body, with), "X-Gitea-Delivery", id},
		"gitlab": {"X-Gitlab-Event", event, "X-Gitlab-Token", with, "X-Gitlab-Event-UUID", id},
	}[name]
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

const (
	ourPush = `{"ref":"refs/heads/main","repository":{"clone_url":"https://git.example/platform/topologies.git"}}`
	ourTag  = `{"ref":"refs/tags/failover/orders/7/alice@example.com","repository":{"ssh_url":"git@git.example:platform/topologies.git"}}`
	gitlab  = `{"ref":"refs/heads/main","project":{"git_ssh_url":"ssh://git@git.example:2222/platform/topologies.git"}}`
	feature = `{"ref":"refs/heads/feature","repository":{"clone_url":"https://git.example/platform/topologies.git"}}`
	release = `{"ref":"refs/tags/v1","repository":{"clone_url":"https://git.example/platform/topologies.git"}}`
	foreign = `{"ref":"refs/heads/main","repository":{"clone_url":"https://git.example/somebody/topologies.git"}}`
	nowhere = `{"ref":"refs/heads/main"}`
)

func TestWebhook(t *testing.T) {
	unsigned := httptest.NewRequest(http.MethodPost, "/webhook/git", strings.NewReader(ourPush))
	broken := forge("github", "push", ourPush, secret, "1")
	broken.Header.Set("X-Hub-Signature-256", "sha256=zz")
	old := forge("github", "push", ourPush, secret, "1")
	old.Header.Set("X-Hub-Signature-256", "sha1="+sign(ourPush, secret))
	for _, c := range []struct {
		name    string
		secret  string
		request *http.Request
		code    int
		fetches int
	}{
		{"GitHub", secret, forge("github", "push", ourPush, secret, "1"), http.StatusAccepted, 1},
		{"Gitea", secret, forge("gitea", "push", ourPush, secret, "1"), http.StatusAccepted, 1},
		{"GitLab", secret, forge("gitlab", "Push Hook", gitlab, secret, "1"), http.StatusAccepted, 1},
		{"a failover tag", secret, forge("github", "push", ourTag, secret, "1"), http.StatusAccepted, 1},
		{"a failover tag at GitLab", secret, forge("gitlab", "Tag Push Hook", ourTag, secret, "1"), http.StatusAccepted, 1},
		{"GitHub, signed with another secret", secret, forge("github", "push", ourPush, "guess", "1"), http.StatusForbidden, 0},
		{"Gitea, signed with another secret", secret, forge("gitea", "push", ourPush, "guess", "1"), http.StatusForbidden, 0},
		{"GitLab, with another token", secret, forge("gitlab", "Push Hook", gitlab, "guess", "1"), http.StatusForbidden, 0},
		{"a signature that is none", secret, broken, http.StatusForbidden, 0},
		{"a signature by SHA-1", secret, old, http.StatusBadRequest, 0},
		{"no signature", secret, unsigned, http.StatusBadRequest, 0},
		{"no secret is configured", "", forge("github", "push", ourPush, "", "1"), http.StatusForbidden, 0},
		{"another repository", secret, forge("github", "push", foreign, secret, "1"), http.StatusForbidden, 0},
		{"no repository", secret, forge("github", "push", nowhere, secret, "1"), http.StatusForbidden, 0},
		{"another branch", secret, forge("github", "push", feature, secret, "1"), http.StatusOK, 0},
		{"another tag", secret, forge("github", "push", release, secret, "1"), http.StatusOK, 0},
		{"a ping", secret, forge("github", "ping", `{}`, secret, "1"), http.StatusOK, 0},
		{"another event", secret, forge("github", "issues", ourPush, secret, "1"), http.StatusOK, 0},
		{"a form instead of JSON", secret, forge("github", "push", "payload=%7B", secret, "1"), http.StatusBadRequest, 0},
		{"too long", secret, forge("github", "push", strings.Repeat(" ", maxPush+1)+ourPush, secret, "1"), http.StatusRequestEntityTooLarge, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, fetches := webhook(c.secret)
			if code := send(h, c.request); code != c.code || *fetches != c.fetches {
				t.Errorf("answered %d after %d fetches, want %d after %d", code, *fetches, c.code, c.fetches)
			}
		})
	}
}

func webhook(with string) (*Webhook, *int) {
	fetches := 0
	h := &Webhook{Push: func() { fetches++ }, Log: slog.New(slog.DiscardHandler)}
	h.Configure(Trust{Secret: known(with), Repository: "ssh://git@git.example/platform/topologies.git", Ref: "refs/heads/main"})
	return h, &fetches
}

func send(h http.Handler, r *http.Request) int {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

// TestReplayedPush: a delivery counts once, even under another id, which no
// forge signs; and what is remembered is bounded.
func TestReplayedPush(t *testing.T) {
	h, fetches := webhook(secret)
	for i, want := range []int{http.StatusAccepted, http.StatusConflict} {
		if code := send(h, forge("github", "push", ourPush, secret, "1")); code != want {
			t.Errorf("delivery %d: %d, want %d", i, code, want)
		}
	}
	if code := send(h, forge("github", "push", ourPush, secret, "2")); code != http.StatusConflict {
		t.Errorf("the same body under another id: %d", code)
	}
	if code := send(h, forge("github", "push", ourTag, secret, "1")); code != http.StatusConflict {
		t.Errorf("another body under the same id: %d", code)
	}
	if *fetches != 1 {
		t.Errorf("%d fetches, want 1", *fetches)
	}
	for i := range 2 * keptDeliveries {
		body := fmt.Sprintf(`{"ref":"refs/heads/main","n":%d,"repository":{"clone_url":"https://git.example/platform/topologies"}}`, i)
		if code := send(h, forge("gitea", "push", body, secret, fmt.Sprint("id", i))); code != http.StatusAccepted {
			t.Fatalf("delivery %d: %d", i, code)
		}
	}
	if len(h.seen.known) != keptDeliveries || len(h.seen.order) != keptDeliveries {
		t.Errorf("%d deliveries are remembered", len(h.seen.known))
	}
}

func TestPlace(t *testing.T) {
	for raw, want := range map[string]string{
		"https://git.example/platform/topologies.git":        "git.example/platform/topologies",
		"https://user@git.example:8443/platform/topologies/": "git.example/platform/topologies",
		"git@git.example:platform/topologies.git":            "git.example/platform/topologies",
		"ssh://git@Git.Example:2222/platform/topologies.git": "git.example/platform/topologies",
		"/srv/git/topologies.git":                            "/srv/git/topologies",
		"file:///srv/git/topologies.git":                     "/srv/git/topologies",
		"":                                                   "",
		"https://git.example/":                               "",
	} {
		if got := repositoryAddress(raw); got != want {
			t.Errorf("%q is %q, want %q", raw, got, want)
		}
	}
}

// FuzzPush: whatever a signed body says, nothing but a push of the tracked ref
// of our repository makes the daemon fetch.
func FuzzPush(f *testing.F) {
	for _, body := range []string{ourPush, ourTag, gitlab, feature, foreign, nowhere, "", "[]", `{"ref":1}`} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		h, fetches := webhook(secret)
		code := send(h, forge("github", "push", body, secret, "1"))
		if (code == http.StatusAccepted) != (*fetches == 1) {
			t.Errorf("answered %d after %d fetches", code, *fetches)
		}
		if *fetches == 1 && !strings.Contains(strings.ToLower(body), "topologies") {
			t.Errorf("%q made it fetch", body)
		}
		if code := send(h, forge("github", "push", body, "guess", "2")); code != http.StatusForbidden && code != http.StatusRequestEntityTooLarge {
			t.Errorf("a bad signature was answered with %d", code)
		}
	})
}

// known is a secret that is there; an empty one is not configured.
func known(secret string) func() (string, error) {
	if secret == "" {
		return nil
	}
	return func() (string, error) { return secret, nil }
}
