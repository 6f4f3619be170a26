//go:build linux || darwin

package ledger

import (
	"math"
	"syscall"
)

// freeSpace returns the bytes that an ordinary user may write to the disk of a folder.
func freeSpace(folder string) (uint64, bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true //nolint:gosec // a block size is not negative
}

// fileSizeLimit returns the largest file size in bytes that this process may write.
func fileSizeLimit() uint64 {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
		return math.MaxUint64
	}
	return l.Cur
}
