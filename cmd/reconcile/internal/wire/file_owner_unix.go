//go:build unix

package wire

import (
	"io/fs"
	"syscall"
)

// ownedBy reports whether a file belongs to the user or to root.
func ownedBy(user int, info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || stat.Uid == 0 || int(stat.Uid) == user
}
