package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// exposure is the most that systemd may find wanting, of 100: what is left is
// that the daemon must speak to networks, and that nobody knows to which.
const exposure = "15"

// TestUnitIsSound has systemd itself check the unit and judge its hardening.
func TestUnitIsSound(t *testing.T) {
	needProgram(t, "systemd-analyze")
	unit, err := os.ReadFile("../../../docs/deploy/reconcile.service")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	there := analyze(dir, string(unit), "/bin/true")
	if out, err := there("verify", "--man=no"); err != nil || len(out) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
	if out, err := there("security", "--offline=true", "--no-pager", "--threshold="+exposure); err != nil {
		t.Errorf("security: %v\n%s", err, out)
	}
	if !strings.Contains(string(unit), "\nLimitCORE=0\n") {
		t.Error("a crash may leave an image of a memory that holds tokens")
	}
	open := analyze(dir, strings.Replace(string(unit), "ProtectSystem=strict", "ProtectSystm=strict", 1), "/bin/true")
	if out, err := open("verify", "--man=no"); err == nil && len(out) == 0 {
		t.Error("an unknown key passes")
	}
	soft := analyze(dir, strings.Replace(string(unit), "SystemCallFilter=@system-service", "", 1), "/bin/true")
	if out, err := soft("security", "--offline=true", "--no-pager", "--threshold="+exposure); err == nil {
		t.Errorf("a unit without a filter of system calls passes:\n%s", out)
	}
}

// analyze writes a unit with another program, since ours is not installed
// here, and returns what runs systemd-analyze on it.
func analyze(dir, unit, program string) func(args ...string) ([]byte, error) {
	return func(args ...string) ([]byte, error) {
		file := filepath.Join(dir, "reconcile.service")
		text := strings.Replace(unit, "/usr/local/bin/reconcile", program, 1)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return nil, err
		}
		return exec.Command("systemd-analyze", append(args, file)...).CombinedOutput()
	}
}
