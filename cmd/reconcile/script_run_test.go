package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// hookSecret is what a script's forge and daemon share.
const hookSecret = "a webhook secret of the scripts"

// runconfig MODE [LINE…]: makes the playground's configuration one for the
// daemon, which serves at $SERVE, sweeps often and polls as often as LINE says.
func runconfig(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: runconfig MODE [LINE…]")
	}
	path := ts.Getenv("RECONCILE_CONFIG")
	var kept []string
	for _, line := range strings.Split(ts.ReadFile(path), "\n") {
		if !slices.ContainsFunc([]string{"mode:", "sweepInterval:", "serve:", "suspend:", "fence:", "  pollInterval:"}, func(key string) bool { return strings.HasPrefix(line, key) }) {
			kept = append(kept, line)
		}
		if strings.HasPrefix(line, "git:") {
			kept = append(kept, "  pollInterval: 250ms")
		}
	}
	text := strings.Join(kept, "\n") + fmt.Sprintf("\nmode: %s\nsweepInterval: 400ms\nserve: {address: %q, webhookSecretFrom: {env: HOOK_SECRET}}\n", args[0], ts.Getenv("SERVE"))
	ts.Check(os.WriteFile(path, []byte(text+strings.Join(args[1:], "\n")+"\n"), 0o644))
	ts.Setenv("HOOK_SECRET", hookSecret)
}

// notify SIGNAL NAME: sends a signal to a command that runs in the background
// with that argument.
func notify(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "INT": syscall.SIGINT}
	if neg || len(args) != 2 || signals[args[0]] == 0 {
		ts.Fatalf("usage: notify HUP|TERM|INT ARGUMENT")
	}
	for _, c := range ts.BackgroundCmds() {
		if slices.Contains(c.Args, args[1]) {
			ts.Check(c.Process.Signal(signals[args[0]]))
			return
		}
	}
	ts.Fatalf("no command runs with the argument %s", args[1])
}

// webhook CODE FORGE REF [SECRET]: tells the daemon of a push, as the forge
// does, and demands the status of its answer.
func webhook(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: webhook CODE FORGE REF [SECRET]")
	}
	secret := hookSecret
	if len(args) > 3 {
		secret = args[3]
	}
	repo := filepath.Join(ts.Getenv("PLAY"), "repo")
	body := fmt.Sprintf(`{"ref":%q,"at":%d,"repository":{"clone_url":%q}}`, args[2], time.Now().UnixNano(), repo)
	code, err := push("http://"+ts.Getenv("SERVE"), args[1], body, secret)
	ts.Check(err)
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("the webhook answered %d, want %s", code, args[0])
	}
}

// push sends one notification and returns the status of the answer.
func push(base, forge, body, secret string) (int, error) {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	sum := hex.EncodeToString(mac.Sum(nil))
	headers := map[string]map[string]string{
		"github": {"X-GitHub-Event": "push", "X-Hub-Signature-256": "sha256=" + sum},
		"gitea":  {"X-Gitea-Event": "push", "X-Gitea-Signature": sum},
		"gitlab": {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": secret},
	}[forge]
	req, err := http.NewRequest(http.MethodPost, base+"/webhook/git", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// httpStatus says which status the daemon gives to a GET.
func httpStatus(ts *testscript.TestScript, path string) string {
	res, err := http.Get("http://" + ts.Getenv("SERVE") + path)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close() //nolint:errcheck // only its status is wanted
	return fmt.Sprint(res.StatusCode)
}
