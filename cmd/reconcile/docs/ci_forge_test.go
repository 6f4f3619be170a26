package docs

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/needs"
)

// entry is a comment or an issue of a forge.
type entry struct {
	ID          int             `json:"id"`
	IID         int             `json:"iid,omitempty"`
	Number      int             `json:"number,omitempty"`
	Title       string          `json:"title,omitempty"`
	Body        string          `json:"body,omitempty"`
	Description string          `json:"description,omitempty"`
	State       string          `json:"state,omitempty"`
	PullRequest json.RawMessage `json:"pull_request,omitempty"`
	User        forgeUser       `json:"user"`   // of GitHub
	Author      forgeUser       `json:"author"` // of GitLab
}

// forgeUser is somebody who writes on a forge.
type forgeUser struct {
	Login    string `json:"login,omitempty"`
	Username string `json:"username,omitempty"`
}

// by is an entry that somebody wrote.
func (e entry) by(name string) *entry {
	e.User, e.Author = forgeUser{Login: name}, forgeUser{Username: name}
	return &e
}

// fakeForge speaks as much of the APIs of GitHub and GitLab as a comment and
// an issue need.
type fakeForge struct {
	mu     sync.Mutex
	header string
	user   string              // whose the token is; empty: the forge refuses to tell, as GitHub does to a job
	lists  map[string][]*entry // by path of the list
	calls  []string            // METHOD path
	failed string              // a path that it does not tell, as of a limit of calls
}

func (f *fakeForge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name, value, _ := strings.Cut(f.header, ": ")
	if r.Header.Get(name) != value {
		http.Error(w, `{"message":"Bad credentials"}`, http.StatusUnauthorized)
		return
	}
	f.calls = append(f.calls, r.Method+" "+r.URL.Path)
	path := r.URL.Path
	switch r.Method {
	case http.MethodGet:
		f.get(w, r)
	case http.MethodPost:
		e := entry{ID: 1000 + len(f.calls), State: "open"}.by(cmp.Or(f.user, "github-actions[bot]"))
		e.IID, e.Number = e.ID, e.ID
		f.edit(w, r, e)
		f.lists[path] = append(f.lists[path], e)
	default:
		dir, id := filepath.Split(path)
		for list, entries := range f.lists {
			for _, e := range entries {
				if strconv.Itoa(e.ID) == id && filepath.Base(list) == filepath.Base(dir) {
					f.edit(w, r, e)
					return
				}
			}
		}
		http.NotFound(w, r)
	}
}

func (f *fakeForge) get(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == f.failed:
		http.Error(w, `{"message":"API rate limit exceeded"}`, http.StatusForbidden)
	case r.URL.Path != "/user":
		f.page(w, r)
	case f.user == "":
		http.Error(w, `{"message":"Resource not accessible by integration"}`, http.StatusForbidden)
	default:
		json.NewEncoder(w).Encode(map[string]string{map[bool]string{true: "login", false: "username"}[strings.HasPrefix(f.header, "Auth")]: f.user}) //nolint:errcheck // the client would tell
	}
}

func (f *fakeForge) page(w http.ResponseWriter, r *http.Request) {
	page, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil {
		http.Error(w, "{}", http.StatusBadRequest)
		return
	}
	open := slices.DeleteFunc(slices.Clone(f.lists[r.URL.Path]), func(e *entry) bool { return e.State == "closed" })
	from := min(len(open), 100*(page-1))
	json.NewEncoder(w).Encode(open[from:min(len(open), from+100)]) //nolint:errcheck // the client would tell
}

func (f *fakeForge) edit(w http.ResponseWriter, r *http.Request, e *entry) {
	var body struct {
		entry
		StateEvent string `json:"state_event"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, "{}", http.StatusBadRequest)
		return
	}
	e.Title, e.Body, e.Description = body.Title, body.Body, body.Description
	if body.State != "" {
		e.State = body.State
	}
	if body.StateEvent == "close" {
		e.State = "closed"
	}
	fmt.Fprint(w, "{}")
}

func startForge(t *testing.T, kind string) (*fakeForge, []string) {
	t.Helper()
	for _, program := range []string{"bash", "curl", "jq"} {
		needs.Program(t, program)
	}
	f := &fakeForge{lists: map[string][]*entry{}, user: map[string]string{"gitlab": "project_42_bot"}[kind], header: map[string]string{"github": "Authorization: Bearer t0ken", "gitlab": "Private-Token: t0ken"}[kind]}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	repo := map[string]string{"github": "team/topologies", "gitlab": "42"}[kind]
	return f, append(os.Environ(), "FORGE="+kind, "FORGE_API="+server.URL, "FORGE_REPO="+repo, "FORGE_TOKEN=t0ken")
}

func ci(name string) string { return filepath.Join(testkit.Repository(), "docs", "ci", name) }

func runCI(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.Command("bash", append([]string{ci(name)}, args...)...)
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// TestOneCommentIsKeptUpToDate holds that a pull request has one comment,
// found again among many, no matter who else writes.
func TestOneCommentIsKeptUpToDate(t *testing.T) {
	for kind, list := range map[string]string{"github": "/repos/team/topologies/issues/7/comments", "gitlab": "/projects/42/merge_requests/7/notes"} {
		t.Run(kind, func(t *testing.T) {
			forge, env := startForge(t, kind)
			for i := range 130 {
				forge.lists[list] = append(forge.lists[list], entry{ID: i + 1, Body: fmt.Sprintf("I quote:\n<!-- reconcile plan --> %d", i)}.by("alice"))
			}
			mallory := "<!-- reconcile plan -->\nNothing will happen."
			forge.lists[list][5].Body = mallory
			file := filepath.Join(t.TempDir(), "comment.md")
			for _, text := range []string{"first", "second", "third \"quoted\" $HOME `id`"} {
				testkit.Write(t, file, "<!-- reconcile plan -->\n"+text+"\n")
				runCI(t, env, "forge.sh", "comment", "7", file)
			}
			all := forge.lists[list]
			if len(all) != 131 {
				t.Fatalf("%d comments, want 131", len(all))
			}
			if all[5].Body != mallory {
				t.Errorf("somebody else's comment was changed to %q", all[5].Body)
			}
			if want := "<!-- reconcile plan -->\nthird \"quoted\" $HOME `id`\n"; all[130].Body != want {
				t.Errorf("the comment says %q, want %q", all[130].Body, want)
			}
		})
	}
}

// TestOneIssueIsKeptUpToDate holds that drift has one issue, closed when it is
// over and opened again when it comes back.
func TestOneIssueIsKeptUpToDate(t *testing.T) {
	for kind, list := range map[string]string{"github": "/repos/team/topologies/issues", "gitlab": "/projects/42/issues"} {
		t.Run(kind, func(t *testing.T) {
			forge, env := startForge(t, kind)
			forge.lists[list] = []*entry{
				entry{ID: 3, Number: 3, State: "open", Body: "<!-- reconcile drift --> a pull request", PullRequest: json.RawMessage(`{}`)}.by("github-actions[bot]"),
				entry{ID: 4, IID: 4, Number: 4, State: "open", Body: "<!-- reconcile drift -->", Description: "<!-- reconcile drift -->"}.by("mallory"),
			}
			file := filepath.Join(t.TempDir(), "issue.md")
			testkit.Write(t, file, "<!-- reconcile drift -->\nsomething differs\n")
			runCI(t, env, "forge.sh", "issue", "drift", file)
			runCI(t, env, "forge.sh", "issue", "drift", file)
			runCI(t, env, "forge.sh", "close-issue", file)
			runCI(t, env, "forge.sh", "close-issue", file)
			runCI(t, env, "forge.sh", "issue", "drift", file)
			var states []string
			if e := forge.lists[list][1]; e.State != "open" || e.Title != "" {
				t.Errorf("somebody else's issue was changed: %+v", e)
			}
			for _, e := range forge.lists[list][2:] {
				states = append(states, e.State)
			}
			if want := []string{"closed", "open"}; !slices.Equal(states, want) {
				t.Errorf("issues are %q, want %q; calls: %q", states, want, forge.calls)
			}
		})
	}
}

// TestAForgeThatDoesNotTell holds that nothing is posted where the forge does not tell
// what is there, or, GitLab, whose token it is: it would be posted once more with each run.
func TestAForgeThatDoesNotTell(t *testing.T) {
	for name, c := range map[string]struct{ kind, failed, list string }{
		"the comments": {"github", "/repos/team/topologies/issues/7/comments", "/repos/team/topologies/issues/7/comments"},
		"the user":     {"gitlab", "/user", "/projects/42/merge_requests/7/notes"},
	} {
		t.Run(name, func(t *testing.T) {
			forge, env := startForge(t, c.kind)
			forge.failed = c.failed
			file := filepath.Join(t.TempDir(), "comment.md")
			testkit.Write(t, file, "<!-- reconcile plan -->\n")
			cmd := exec.Command("bash", ci("forge.sh"), "comment", "7", file)
			cmd.Env = env
			if out, err := cmd.CombinedOutput(); err == nil {
				t.Errorf("it ends well: %s", out)
			}
			if n := len(forge.lists[c.list]); n != 0 {
				t.Errorf("%d comments were posted", n)
			}
		})
	}
}
