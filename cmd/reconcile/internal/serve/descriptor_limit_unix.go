//go:build unix

package serve

import (
	"math"
	"syscall"
)

// descriptorLimit returns how many files this process may open.
func descriptorLimit() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return mostConnections * descriptorsShare
	}
	return int(min(limit.Cur, math.MaxInt32)) //nolint:gosec // bounded
}
