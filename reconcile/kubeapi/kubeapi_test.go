package kubeapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/reconcile/reconciletest/freeport"
)

const secret = "bearer-that-nobody-may-read"

// kubeconfig writes one with a user whose fields are given.
func kubeconfig(t *testing.T, server, user string) Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: other\ncontexts: [{name: one, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {%s}}]\nusers: [{name: u, user: {%s}}]\n", server, user)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Config{Kubeconfig: path, Context: "one", Wait: time.Minute}
}

// served is an API server that answers everything with one function.
func served(t *testing.T, answer http.HandlerFunc) Config {
	t.Helper()
	s := httptest.NewTLSServer(answer)
	t.Cleanup(s.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	writeFile(t, ca, authorityOf(s))
	return kubeconfig(t, "server: "+s.URL+", certificate-authority: "+ca, "token: "+secret)
}

var anything = Request{Method: http.MethodGet, Path: "/api"}

func TestRefusalsAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		code                                       int
		body                                       string
		notFound, exists, conflict, forbid, refuse bool
	}{
		"an object that is not there": {404, `{"kind":"Status","reason":"NotFound","message":"x"}`, true, false, false, false, true},
		"a proxy that knows no path":  {404, `not found`, false, false, false, false, true},
		"an object that is there":     {409, `{"kind":"Status","reason":"AlreadyExists"}`, false, true, false, false, true},
		"an object that was changed":  {409, `{"kind":"Status","reason":"Conflict"}`, false, false, true, false, true},
		"a right that is missing":     {403, `{"kind":"Status","reason":"Forbidden"}`, false, false, false, true, true},
		"a server that gave up":       {504, `{"kind":"Status","reason":"Timeout"}`, false, false, false, false, false},
		"a redirect":                  {302, ``, false, false, false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			config := served(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://127.0.0.1:1/")
				w.WriteHeader(c.code)
				_, _ = w.Write([]byte(c.body))
			})
			err := New(config).Do(t.Context(), anything, nil)
			got := []bool{IsNotFound(err), IsExists(err), IsConflict(err), IsForbidden(err), Refused(err)}
			if want := []bool{c.notFound, c.exists, c.conflict, c.forbid, c.refuse}; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%v: %v", err, got)
			}
		})
	}
}

func TestTheTokenGoesToItsServerOnly(t *testing.T) {
	others := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { others++ }))
	t.Cleanup(other.Close)
	bearer := ""
	c := New(served(t, func(w http.ResponseWriter, r *http.Request) {
		bearer = r.Header.Get("Authorization")
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}))
	if err := c.Do(t.Context(), anything, nil); !Refused(err) || others != 0 || bearer != "Bearer "+secret {
		t.Errorf("%v, %d requests to another server", err, others)
	}
	elsewhere, err := url.Parse(other.URL)
	if err != nil {
		t.Fatal(err)
	}
	c.current.base = elsewhere
	if err := c.Do(t.Context(), anything, nil); err == nil || others != 0 {
		t.Errorf("%v, %d requests to another server", err, others)
	}
}

func TestTheTokenIsInNoText(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"a refusal": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `{"kind":"Status","message":%q}`, r.Header.Get("Authorization"))
		},
		"no JSON":    func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("Authorization")) },
		"cut off":    func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"no measure": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, longestAnswer+1)) },
	} {
		t.Run(name, func(t *testing.T) {
			err := New(served(t, answer)).Do(t.Context(), anything, &struct{}{})
			if err == nil || strings.Contains(err.Error(), secret) {
				t.Error(err)
			}
		})
	}
}

func TestCredentialsThatAnybodyCouldCatchAreNotUsed(t *testing.T) {
	for name, c := range map[string]struct {
		config Config
		want   string
	}{
		"no certificate is checked": {kubeconfig(t, `server: "https://api.example:6443", insecure-skip-tls-verify: true`, "token: "+secret), "insecure-skip-tls-verify"},
		"http to another machine":   {kubeconfig(t, `server: "http://api.example:8080"`, "token: "+secret), "use https"},
		"no such context":           {Config{Kubeconfig: kubeconfig(t, `server: "https://api.example"`, "token: x").Kubeconfig, Context: "other"}, "get-contexts"},
		"no kubeconfig":             {Config{Kubeconfig: filepath.Join(t.TempDir(), "none"), Context: "one"}, "read the kubeconfig"},
		"not in Kubernetes":         {Config{}, "does not run in Kubernetes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KUBERNETES_SERVICE_HOST", "")
			if err := New(c.config).Do(t.Context(), anything, nil); err == nil || !strings.Contains(err.Error(), c.want) || Refused(err) {
				t.Error(err)
			}
		})
	}
}

func TestAPodUsesItsServiceAccount(t *testing.T) {
	bearer := ""
	s := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { bearer = r.Header.Get("Authorization") }))
	t.Cleanup(s.Close)
	at, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", at.Hostname())
	t.Setenv("KUBERNETES_SERVICE_PORT", at.Port())
	dir := t.TempDir()
	c := Config{Account: dir, Wait: time.Minute}
	if err := New(c).Do(t.Context(), anything, nil); err == nil || !strings.Contains(err.Error(), "automountServiceAccountToken") {
		t.Errorf("without a token: %v", err)
	}
	writeFile(t, filepath.Join(dir, "token"), secret)
	writeFile(t, filepath.Join(dir, "ca.crt"), authorityOf(s))
	if err := New(c).Do(t.Context(), anything, nil); err != nil || bearer != "Bearer "+secret {
		t.Errorf("%v, sent %q", err, bearer)
	}
	writeFile(t, filepath.Join(dir, "ca.crt"), "")
	if err := New(c).Do(t.Context(), anything, nil); err == nil {
		t.Error("without an authority the token went to any server")
	}
}

func TestARotatedTokenIsReadAgain(t *testing.T) {
	valid := secret
	config := served(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+valid {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	c := New(config)
	if err := c.Do(t.Context(), anything, nil); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(config.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	valid = "another"
	if err := c.Do(t.Context(), anything, nil); !Refused(err) {
		t.Errorf("with the old token: %v", err)
	}
	writeFile(t, config.Kubeconfig, strings.ReplaceAll(string(text), secret, valid))
	if err := c.Do(t.Context(), anything, nil); err != nil { // it was read again before the file changed
		t.Logf("with the new token, once: %v", err)
	}
	if err := c.Do(t.Context(), anything, nil); err != nil {
		t.Errorf("with the new token: %v", err)
	}
}

func TestNoServerIsNoRefusal(t *testing.T) {
	c := New(kubeconfig(t, "server: http://"+freeport.Address(t), "token: "+secret))
	if err := c.Do(t.Context(), anything, nil); err == nil || Refused(err) {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Do(ended, anything, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
