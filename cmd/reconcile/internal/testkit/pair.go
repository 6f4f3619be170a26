package testkit

import (
	"os/exec"
	"path/filepath"
	"testing"

	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// StartPair simulates two clusters at rest until the test ends, and returns
// the folder with the repository and the configuration for them.
func StartPair(t *testing.T, control string) string {
	t.Helper()
	play := filepath.Join(t.TempDir(), "play")
	sim := exec.Command("reconcile", "sim", "--dir", topologiesAt(t), "--git", play, "--control", control)
	ready, err := sim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = sim.Process.Kill()
		_ = sim.Wait()
	})
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return play
}

// topologiesAt writes a topology of two clusters on free ports.
func topologiesAt(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text := "apiVersion: reconcile/v1alpha1\nkind: ReplicationTopology\nmetadata: {name: orders}\nspec:\n  generation: 1\n  clusters:\n"
	for i, role := range []string{"primary", "standby"} {
		text += "    - {id: cluster-" + string(rune('a'+i)) + ", role: " + role + ", uri: \"http://" + freeport.Address(t) + "\"}\n"
	}
	Write(t, filepath.Join(dir, "orders.yaml"), text)
	return dir
}
