//go:build !unix

package redirect

import "os/exec"

// ownGroup: without process groups only the program itself is killed.
func ownGroup(*exec.Cmd) {}
