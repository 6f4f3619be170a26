package docs

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/freeport"
	"milvus-reconcile/reconcile/reconciletest/needs"
)

// workflow is what of a workflow file the steps need.
type workflow struct {
	Env  map[string]string `json:"env"`
	Jobs map[string]struct {
		Steps []workflowStep `json:"steps"`
	} `json:"jobs"`
}

type workflowStep struct {
	Name string            `json:"name"`
	Run  string            `json:"run"`
	Uses string            `json:"uses"`
	Env  map[string]string `json:"env"`
}

// runner does what a forge's runner does with a job: it has a clone of the base
// branch, and runs the steps in it.
type runner struct {
	dir   string            // the clone
	env   []string          // of every step
	words map[string]string // what expressions stand for
}

// startRunner makes the clone of a repository that holds docs/ci, and serves a
// release of reconcile for download.
func startRunner(t *testing.T, play string, forge []string) *runner {
	t.Helper()
	needs.Program(t, "tar")
	repo, bin := filepath.Join(play, "repo"), t.TempDir()
	r := &runner{dir: filepath.Join(t.TempDir(), "clone"), words: map[string]string{"runner.temp": t.TempDir()}}
	mustRun(t, repo, "sh", "-ec", `mkdir -p docs && cp -R "$0" docs/ci && git add -A && git -c user.name=dan -c user.email=dan@example.com commit -qm "Plan pull requests"`, mustAbs(t, ci("")))
	base := mustRun(t, repo, "git", "rev-parse", "HEAD")
	// The pull request swaps the roles, and brings a script that must never run.
	change := `git checkout -q -b change && sed -i 's/role: primary/role: was/; s/role: standby/role: primary/; s/role: was/role: standby/; s/generation: 1/generation: 2/' topologies/*.yaml
for f in docs/ci/*.sh; do printf '#!/bin/sh\necho the pull request was run\nexit 9\n' >"$f"; done
git -c user.name=eve -c user.email=eve@example.com commit -qam change && git update-ref refs/pull/7/head HEAD && git rev-parse HEAD && git checkout -q main && git branch -qD change`
	head := mustRun(t, repo, "sh", "-ec", change)
	mustRun(t, t.TempDir(), "git", "clone", "-q", repo, r.dir)
	url, sum := serveRelease(t)
	config, err := os.ReadFile(unreachableGit(t, play))
	if err != nil {
		t.Fatal(err)
	}
	for name, word := range map[string]string{
		"github.event.pull_request.base.sha": base, "github.event.pull_request.head.sha": head, "github.event.pull_request.number": "7",
		"github.token": "t0ken", "github.api_url": setting(forge, "FORGE_API"), "github.repository": "team/topologies",
		"vars.RECONCILE_CONFIG": string(config), "vars.RECONCILE_ALLOWED_SIGNERS": "", "secrets.CLUSTER_A_TOKEN": "a-secret", "secrets.CLUSTER_B_TOKEN": "a-secret",
	} {
		r.words[name] = word
	}
	r.env = append(os.Environ(),
		"PATH="+bin+":"+os.Getenv("PATH"), "RECONCILE_BIN="+bin, "RECONCILE_DOWNLOADS="+url, "RECONCILE_SHA256="+sum, "RECONCILE_VERSION=v1.0.0",
		"RUNNER_TEMP="+r.words["runner.temp"], "GITHUB_OUTPUT="+filepath.Join(r.words["runner.temp"], "output"),
		"GITHUB_SERVER_URL=https://forge.example", "GITHUB_REPOSITORY=team/topologies",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url."+repo+".insteadOf", "GIT_CONFIG_VALUE_0=https://x-access-token:t0ken@forge.example/team/topologies")
	return r
}

// serveRelease serves an archive as .ci/dist makes it, with a program that is
// the one under test, and returns where and its checksum.
func serveRelease(t *testing.T) (url, sum string) {
	t.Helper()
	binary, err := exec.LookPath("reconcile")
	if err != nil {
		t.Fatal(err)
	}
	name := "reconcile_v1.0.0_" + runtime.GOOS + "_" + runtime.GOARCH
	program := []byte("#!/bin/sh\nexec '" + binary + "' \"$@\"\n")
	var archive bytes.Buffer
	z := gzip.NewWriter(&archive)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: name + "/reconcile", Mode: 0o755, Size: int64(len(program))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(program); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, q *http.Request) {
		if q.URL.Path != "/v1.0.0/"+name+".tar.gz" {
			http.NotFound(rw, q)
			return
		}
		_, _ = rw.Write(archive.Bytes()) // the client would tell
	}))
	t.Cleanup(server.Close)
	digest := sha256.Sum256(archive.Bytes())
	return server.URL, hex.EncodeToString(digest[:])
}

func setting(env []string, name string) string {
	i := slices.IndexFunc(env, func(s string) bool { return strings.HasPrefix(s, name+"=") })
	return env[i][len(name)+1:]
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	out, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func mustRun(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, problems.String())
	}
	return strings.TrimSpace(string(out))
}

var expression = regexp.MustCompile(`\$\{\{ *([^}]*?) *\}\}`)

// job runs the shell steps of a job in their order, and returns what they said
// and the secrets that they were given.
func (r *runner) job(t *testing.T, file, name string) (said string, secrets []string) {
	t.Helper()
	raw, err := os.ReadFile(ci(file))
	if err != nil {
		t.Fatal(err)
	}
	var w workflow
	if err := yaml.Unmarshal(raw, &w); err != nil || len(w.Jobs[name].Steps) == 0 {
		t.Fatalf("%s has no job %s: %v", file, name, err)
	}
	for _, step := range w.Jobs[name].Steps {
		if step.Run == "" {
			continue // it uses an action of the forge
		}
		cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.Run)
		cmd.Dir, cmd.Env = r.dir, r.env
		for k, v := range step.Env {
			value := expression.ReplaceAllStringFunc(v, func(e string) string {
				word := expression.FindStringSubmatch(e)[1]
				if _, known := r.words[word]; !known {
					t.Fatalf("%s, %s: %s is not known", file, step.Name, e)
				}
				if strings.HasPrefix(word, "secrets.") || strings.HasPrefix(word, "vars.") {
					secrets = append(secrets, word)
				}
				return r.words[word]
			})
			cmd.Env = append(cmd.Env, k+"="+value)
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s, %s: %v\n%s", file, step.Name, err, out)
		}
		said += string(out)
	}
	return said, secrets
}

// TestWorkflowsRun runs the shell steps of the workflows for GitHub, in the
// clone that they would have, against a pull request that tries to be run.
func TestWorkflowsRun(t *testing.T) {
	t.Parallel()
	const comments, issues = "/repos/team/topologies/issues/7/comments", "/repos/team/topologies/issues"
	forge, env := startForge(t, "github")
	control := freeport.Address(t)
	r := startRunner(t, testkit.StartPair(t, control), env)

	said, secrets := r.job(t, "github-pull-request.yml", "plan")
	all := forge.lists[comments]
	if len(all) != 1 || !strings.Contains(all[0].Body, "switchover to cluster-b") || strings.Contains(all[0].Body, "not observed") {
		t.Fatalf("comments: %+v\n%s", all, said)
	}
	if len(secrets) == 0 || strings.Contains(said, "the pull request was run") {
		t.Errorf("secrets %q; it was said:\n%s", secrets, said)
	}
	output, err := os.ReadFile(filepath.Join(r.words["runner.temp"], "output"))
	if err != nil || !strings.Contains(string(output), "sarif=true") {
		t.Errorf("no findings to upload: %q, %v", output, err)
	}

	said, secrets = r.job(t, "github-pull-request.yml", "plan-fork")
	if len(all) != 1 || len(forge.lists[comments]) != 1 || !strings.Contains(forge.lists[comments][0].Body, "not observed") {
		t.Errorf("comments of a fork: %+v", forge.lists[comments])
	}
	if len(secrets) > 0 || strings.Contains(said, "the pull request was run") {
		t.Errorf("a fork gets %q; it was said:\n%s", secrets, said)
	}

	r.job(t, "github-drift.yml", "drift")
	if n := len(forge.lists[issues]); n > 0 {
		t.Errorf("%d issues while all is in sync", n)
	}

	r.env = append(r.env, "RECONCILE_SHA256="+strings.Repeat("0", 64))
	cmd := exec.Command("bash", ci("install.sh"))
	cmd.Env = r.env
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "FAILED") {
		t.Errorf("another archive than the one named is installed: %v\n%s", err, out)
	}
}
