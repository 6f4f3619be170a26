package deploy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// listJobs has gitlab-ci-local check a pipeline against GitLab's own schema
// and name its jobs.
func listJobs(t *testing.T, pipeline []byte) ([]byte, error) {
	t.Helper()
	program, err := filepath.Abs("../gitlab/node_modules/.bin/gitlab-ci-local")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("run `npm ci --ignore-scripts` in .ci/tools/gitlab")
		}
		t.Skip("gitlab-ci-local is not installed")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".gitlab-ci.yml"), pipeline, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("git", "init", "-q", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.Command(program, "--list-all")
	cmd.Dir = dir
	return cmd.CombinedOutput()
}

func TestPipelineIsSound(t *testing.T) {
	pipeline, err := os.ReadFile("../../../docs/ci/gitlab-ci.yml")
	if err != nil {
		t.Fatal(err)
	}
	out, err := listJobs(t, pipeline)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, job := range []string{"\nplan ", "\nplan-fork ", "\ndrift "} {
		if !bytes.Contains(out, []byte(job)) {
			t.Errorf("no job%q in\n%s", job, out)
		}
	}
	broken := bytes.Replace(pipeline, []byte("rules:"), []byte("rulez:"), 1)
	if out, err := listJobs(t, broken); err == nil {
		t.Errorf("an unknown keyword passes:\n%s", out)
	}
}
