package scenarios

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// canaries are planted where a secret may stand, one for each place. None of
// them may be seen anywhere but there.
var canaries = map[string]string{
	"token of cluster-a, from the environment":  "zq1canaryenv",
	"token of cluster-b, from a file":           "zq2canaryfile",
	"replication token of cluster-a, by itself": "zq3canaryrepl",
	"git password":                       "zq4canarygit",
	"git user":                           "zq5canaryuser",
	"webhook secret of the daemon":       "zq6canaryhook",
	"secret of a redirect target":        "zq7canaryredirect",
	"secret of a notification":           "zq8canarynotify",
	"password of etcd":                   "zq9canaryetcd",
	"passphrase of an SSH key":           "zq0canaryssh",
	"password in the text of an SSH key": "zqxcanarykey",
}

// leak says which canary is in a text, in any form in which it may stand; "" if
// none is.
func leak(text string) string {
	for place, c := range canaries {
		for _, form := range []string{c, base64.StdEncoding.EncodeToString([]byte("ops:" + c)), base64.StdEncoding.EncodeToString([]byte("repl:" + c)), base64.RawURLEncoding.EncodeToString([]byte(c)), fmt.Sprintf("%x", c)} {
			if strings.Contains(text, form) {
				return place
			}
		}
	}
	return ""
}

// TestLeakIsSeen: the search finds what it is for.
func TestLeakIsSeen(t *testing.T) {
	for place, c := range canaries {
		for _, text := range []string{"x" + c, base64.StdEncoding.EncodeToString([]byte("ops:" + c)), fmt.Sprintf("%x", []byte(c))} {
			if leak("some "+text+" words") != place {
				t.Errorf("%s is not found in %q", place, text)
			}
		}
	}
	if got := leak("no canary at all"); got != "" {
		t.Errorf("%s is found in nothing", got)
	}
}

// aviary is the stage of the canary test: two clusters that each know users with
// canaries for passwords, a Git server and receivers of webhooks that keep what
// they hear, and the files of the operator.
type aviary struct {
	*testkit.Fleet
	t       *testing.T
	outputs string
	forms   []string // of results
	// addresses of the clusters and of what the daemon serves.
	addresses map[string]string

	mu       sync.Mutex
	received []string
	ran      map[string]bool // commands
}

// listener keeps what a receiver hears, but for headers that carry a secret by
// the receiver's own rules. It repeats what it was given.
func (a *aviary) listener(code int) string {
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := r.Header.Clone()
		h.Del("Authorization")
		var body strings.Builder
		_, _ = fmt.Fprintf(&body, "%s %v ", r.URL, h)
		buf := make([]byte, 1<<16)
		for n, err := r.Body.Read(buf); ; n, err = r.Body.Read(buf) {
			body.Write(buf[:n])
			if err != nil {
				break
			}
		}
		a.mu.Lock()
		a.received = append(a.received, body.String())
		a.mu.Unlock()
		rw.WriteHeader(code)
		user, password, _ := r.BasicAuth()
		_, _ = fmt.Fprintf(rw, "no, %s: %s, %s", r.Header.Get("Authorization"), user, password)
	}))
	a.t.Cleanup(server.Close)
	return server.URL
}

// check demands that a text holds no canary.
func (a *aviary) check(where, text string) {
	a.t.Helper()
	if place := leak(text); place != "" {
		a.t.Errorf("%s: the %s is in it:\n%s", where, place, text)
	}
}

// run runs a command at debug level and searches what it says.
func (a *aviary) run(args ...string) (int, string) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.Ctx, time.Minute)
	defer cancel()
	a.mu.Lock()
	a.ran[args[0]] = true
	a.mu.Unlock()
	cmd := a.Command(ctx, append(slices.Clone(args), "--log-level", "debug")...)
	cmd.Dir = filepath.Join(a.Play, "repo")
	began := time.Now()
	defer func() { a.t.Logf("%5.1fs %s", time.Since(began).Seconds(), strings.Join(args, " ")) }()
	out, _ := cmd.CombinedOutput() // a failure is an outcome, and searched too
	a.check(strings.Join(args, " "), string(out))
	return cmd.ProcessState.ExitCode(), string(out)
}

// everyForm runs a command for each form of a result; one that has no such form
// says so.
func (a *aviary) everyForm(args ...string) {
	a.t.Helper()
	for _, form := range a.forms {
		file := filepath.Join(a.outputs, fmt.Sprintf("%s-%s", args[0], form))
		a.run(append(slices.Clone(args), "-o", form, "--output-file", form+"="+file)...)
	}
}

// files searches every file below the stage but those that hold a secret, and
// demands that the main results were written at all.
func (a *aviary) files() {
	a.t.Helper()
	for _, name := range []string{"plan-json", "status-json", "drift-json", "history-json", "salvage-json", "apply-json", "show-sarif"} {
		if info, err := os.Stat(filepath.Join(a.outputs, name)); err != nil || info.Size() == 0 {
			a.t.Errorf("the result %s was not written: %v", name, err)
		}
	}
	err := filepath.WalkDir(filepath.Dir(a.Play), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), "secret-") {
			return err
		}
		data, err := os.ReadFile(path)
		a.check(path, string(data))
		return err
	})
	if err != nil {
		a.t.Fatal(err)
	}
}

// commands are those of the real command tree.
func (a *aviary) commands() []string {
	a.t.Helper()
	out, err := a.Command(a.Ctx, "__complete", "").Output()
	if err != nil {
		a.t.Fatal(err)
	}
	var names []string
	for _, line := range strings.Split(string(out), "\n") {
		if name, _, ok := strings.Cut(line, "\t"); ok && name != "help" && name != "completion" {
			names = append(names, name)
		}
	}
	if len(names) < 15 {
		a.t.Fatalf("only %v", names)
	}
	return names
}

// world is what the simulator says of itself.
func (a *aviary) world() {
	a.t.Helper()
	for _, path := range []string{"/world", "/calls"} {
		data, err := testkit.Request("GET", a.Control+path, "")
		if err != nil {
			a.t.Fatal(err)
		}
		a.check("GET "+path, string(data))
		if path == "/calls" {
			a.strangers(data)
		}
	}
}

// strangers demands that no cluster was called with a token that it does not
// know: each knows only its own.
func (a *aviary) strangers(calls []byte) {
	a.t.Helper()
	var got []struct {
		Cluster, Method, Reason string
		Code                    any
	}
	if err := json.Unmarshal(calls, &got); err != nil {
		a.t.Fatal(err)
	}
	for _, c := range got {
		if c.Code == "Unauthenticated" {
			a.t.Errorf("%s of %s came with another's token: %s", c.Method, c.Cluster, c.Reason)
		}
	}
}
