//go:build linux || darwin

// Package diskspace says how much can be written to a disk.
package diskspace

import (
	"math"
	"syscall"
)

// Free returns the bytes that an ordinary user may write to the disk of a folder.
func Free(folder string) (uint64, bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true //nolint:gosec // a block size is not negative
}

// FileSizeLimit returns the largest file size in bytes that this process may write.
func FileSizeLimit() uint64 {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
		return math.MaxUint64
	}
	return l.Cur
}
