package docs

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// pipelineJob runs the script of a job of the pipeline for GitLab in one shell,
// as GitLab's runner does, without what it installs.
func pipelineJob(t *testing.T, r *runner, name string, env ...string) string {
	t.Helper()
	raw, err := os.ReadFile(ci("gitlab-ci.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var pipeline map[string]any
	if err := yaml.Unmarshal(raw, &pipeline); err != nil {
		t.Fatal(err)
	}
	lines := []string{"set -eo pipefail"}
	for _, part := range []struct{ job, list string }{{".reconcile", "before_script"}, {name, "script"}} {
		job, _ := pipeline[part.job].(map[string]any)
		list, _ := job[part.list].([]any)
		if len(list) == 0 {
			t.Fatalf("%s has no %s", part.job, part.list)
		}
		for _, line := range list {
			if text, ok := line.(string); ok && !strings.HasPrefix(text, "apt-get ") {
				lines = append(lines, text)
			}
		}
	}
	cmd := exec.Command("bash", "-c", strings.Join(lines, "\n"))
	cmd.Dir = r.dir
	cmd.Env = append(append(r.env, "CI_MERGE_REQUEST_IID=7"), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	if strings.Contains(string(out), "the pull request was run") {
		t.Errorf("%s ran what the merge request brings:\n%s", name, out)
	}
	return string(out)
}

// TestPipelineRuns runs the jobs for GitLab in a clone that has the merge
// request checked out, which is how GitLab begins.
func TestPipelineRuns(t *testing.T) {
	t.Parallel()
	const notes, issues = "/projects/42/merge_requests/7/notes", "/projects/42/issues"
	forge, env := startForge(t, "gitlab")
	play := testkit.StartPair(t, freeport.Address(t))
	r := startRunner(t, play, env)
	base, head := r.words["github.event.pull_request.base.sha"], r.words["github.event.pull_request.head.sha"]
	mustRun(t, r.dir, "git", "fetch", "-q", "origin", "refs/pull/7/head")
	begin := func() { mustRun(t, r.dir, "git", "checkout", "-q", "--detach", head) }
	mine := []string{"CI_MERGE_REQUEST_DIFF_BASE_SHA=" + base, "CI_COMMIT_SHA=" + head}
	config := "RECONCILE_CONFIG=" + unreachableGit(t, play)
	for _, name := range []string{"FORGE", "FORGE_API", "FORGE_REPO"} {
		mine = append(mine, name+"="+setting(env, name))
	}

	begin()
	pipelineJob(t, r, "plan", append(mine, config, "FORGE_TOKEN=t0ken")...)
	if all := forge.lists[notes]; len(all) != 1 || !strings.Contains(all[0].Body, "switchover to cluster-b") {
		t.Errorf("notes: %+v", all)
	}
	begin()
	if said := pipelineJob(t, r, "plan-fork", append(mine, "RECONCILE_CONFIG=/nowhere")...); !strings.Contains(said, "not observed") {
		t.Errorf("a fork is told:\n%s", said)
	}
	mustRun(t, r.dir, "git", "checkout", "-q", "main")
	pipelineJob(t, r, "drift", append(mine[2:], config, "FORGE_TOKEN=t0ken", "CI_COMMIT_SHA="+base)...)
	if n := len(forge.lists[issues]); n > 0 {
		t.Errorf("%d issues while all is in sync", n)
	}
}
