//go:build unix

package wire

import (
	"io/fs"
	"syscall"
)

// ownedBy says whether a file is a user's, or root's.
func ownedBy(user int, info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || stat.Uid == 0 || int(stat.Uid) == user
}
