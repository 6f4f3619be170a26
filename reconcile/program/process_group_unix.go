//go:build unix

package program

import (
	"os/exec"
	"syscall"
)

// ownGroup puts a program and its children into one process group, which is
// killed as a whole.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
