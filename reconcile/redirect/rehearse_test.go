package redirect_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"milvus-reconcile/reconcile/redirect"
)

// TestRehearseHAProxy judges the state that a set would leave, and sets nothing.
func TestRehearseHAProxy(t *testing.T) {
	for _, c := range []struct{ name, states, level, say string }{
		{"before a failover", servers("a1 2 0 1", "b1 0 1 1"), "admin", ""},
		{"an older HAProxy tells no level", servers("a1 2 0 1", "b1 0 1 1"), "Unknown command", ""},
		{"both in use", servers("a1 2 0 1", "b1 2 0 1"), "admin", ""},
		{"the new one is drained", servers("a1 2 0 1", "b1 2 8 1"), "admin", ""},
		{"the old one is not there", servers("b1 0 5 1"), "admin", ""},
		{"the new one is not there", servers("a1 2 0 1", "b2 0 1 1"), "admin", "backend milvus has no server b1"},
		{"the old one has another name", servers("a2 2 0 1", "b1 0 1 1"), "admin", "server a2, which no cluster is mapped to, is in use"},
		{"the new one is down", servers("a1 2 0 1", "b1 0 0 1"), "admin", "server b1 of cluster-b is down"},
		{"the new one has no weight", servers("a1 2 0 1", "b1 0 1 0"), "admin", "has the weight 0"},
		{"the new one has no address", servers("a1 2 0 1", "b1 0 64 1"), "admin", "is disabled"},
		{"the new one follows another into maintenance", servers("a1 2 0 1", "b1 0 2 1"), "admin", "is disabled"},
		{"no such backend", "Can't find backend.\n", "admin", "Can't find backend"},
		{"a socket that may only read", servers("a1 2 0 1", "b1 0 1 1"), "user", "has the level user"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newRuntimeAPI(t, c.states)
			a.answer = func(command string) string {
				if command == "show cli level" {
					return c.level + "\n\n"
				}
				return ""
			}
			r, _ := made(t, lb(a.address))
			s := only(t, r.Rehearse(t.Context(), "orders", "cluster-b", []string{"cluster-a"}))
			if s.OK != (c.say == "") || !strings.Contains(s.Detail, c.say) {
				t.Errorf("got %+v", s)
			}
			for _, command := range a.commands {
				if !strings.HasPrefix(command, "show ") {
					t.Errorf("it sends %q", command)
				}
			}
		})
	}
}

// TestRehearseFile leaves the folder as it was.
func TestRehearseFile(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	if err := errors.Join(os.WriteFile(out, []byte("old"), 0o600), os.Mkdir(filepath.Join(dir, "folder"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, template, path, say string }{
		{"well", "{{.primary.address}}", out, ""},
		{"a new file", "{{.primary.address}}", filepath.Join(dir, "new"), ""},
		{"it fails for this primary", `{{if eq .primary.cluster "cluster-b"}}{{.nothing}}{{end}}`, out, "fill the template"},
		{"it fails for this stale one", `{{range .stale}}{{.nothing}}{{end}}`, out, "fill the template"},
		{"no such folder", "x", filepath.Join(dir, "nowhere", "out"), "no such file"},
		{"a folder", "x", filepath.Join(dir, "folder"), "it is a folder"},
	} {
		t.Run(c.name, func(t *testing.T) {
			template := write(t, filepath.Join(t.TempDir(), "template"), c.template, 0o600)
			r, _ := made(t, redirect.Target{Name: "f", File: &redirect.File{Template: template, Path: c.path, Mode: 0o644}})
			s := only(t, r.Rehearse(t.Context(), "orders", "cluster-b", []string{"cluster-a"}))
			if s.OK != (c.say == "") || !strings.Contains(s.Detail, c.say) {
				t.Errorf("got %+v", s)
			}
			entries, err := os.ReadDir(dir)
			if err != nil || len(entries) != 2 || read(t, out) != "old" {
				t.Errorf("it left %v, %v", entries, err)
			}
		})
	}
}

// TestRehearseExecStartsNothing: neither the program nor its check.
func TestRehearseExecStartsNothing(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	program := script(t, `touch "$1"`)
	for argv, say := range map[string]string{program: "", "/no/such/program": "no such file"} {
		for _, check := range [][]string{nil, {program, mark}} {
			r, _ := made(t, redirect.Target{Name: "x", Exec: &redirect.Exec{Command: []string{argv, mark}, Check: check}})
			s := only(t, r.Rehearse(t.Context(), "orders", "cluster-b", nil))
			if s.OK != (say == "") || !strings.Contains(s.Detail, say) {
				t.Errorf("got %+v", s)
			}
		}
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("a program was started")
	}
}

// TestRehearseWebhookPostsNothing: it is reached, and only its check is asked.
func TestRehearseWebhookPostsNothing(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/where" {
			t.Errorf("it was asked %s %s", r.Method, r.URL)
		}
		_, _ = w.Write([]byte(`{"primary":"cluster-a"}`))
	}))
	defer s.Close()
	secret := func(err error) func() (string, error) { return func() (string, error) { return "key", err } }
	for _, c := range []struct {
		name string
		hook redirect.Webhook
		say  string
	}{
		{"well", redirect.Webhook{URL: s.URL + "/set", Secret: secret(nil)}, ""},
		{"with a check that names another", redirect.Webhook{URL: s.URL + "/set", CheckURL: s.URL + "/where"}, ""},
		{"no secret", redirect.Webhook{URL: s.URL + "/set", Secret: secret(errors.New("it is not there"))}, "read the secret"},
		{"nobody listens", redirect.Webhook{URL: "http://127.0.0.1:1/PATHSECRET"}, "reach 127.0.0.1:1"},
		{"no such name", redirect.Webhook{URL: "http://nowhere.invalid/PATHSECRET"}, "reach nowhere.invalid"},
		{"no TLS", redirect.Webhook{URL: "https://" + strings.TrimPrefix(s.URL, "http://") + "/PATHSECRET"}, "reach 127.0.0.1"},
		{"a check that does not answer", redirect.Webhook{URL: s.URL + "/set", CheckURL: "http://127.0.0.1:1/PATHSECRET"}, "its check: ask 127.0.0.1:1"},
	} {
		r, _ := made(t, redirect.Target{Name: "w", Webhook: &c.hook})
		got := only(t, r.Rehearse(t.Context(), "orders", "cluster-b", nil))
		if got.OK != (c.say == "") || !strings.Contains(got.Detail, c.say) || strings.Contains(got.Detail, "PATHSECRET") {
			t.Errorf("%s: got %+v", c.name, got)
		}
	}
}
