//go:build unix

package redirect

import (
	"os"
	"syscall"
)

// keepOwner gives a file the owner of the one that it replaces, where we may:
// whoever reads by ownership goes on reading, else the permissions decide.
func keepOwner(f *os.File, replaced string) {
	info, err := os.Stat(replaced)
	if err != nil {
		return
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(s.Uid), int(s.Gid))
	}
}
