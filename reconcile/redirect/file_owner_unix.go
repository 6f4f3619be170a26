//go:build unix

package redirect

import (
	"os"
	"syscall"
)

// keepOwner gives a file the owner of the file that it replaces, if permitted, so that a
// reader with access by ownership keeps it.
func keepOwner(f *os.File, replaced string) {
	info, err := os.Stat(replaced)
	if err != nil {
		return
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(s.Uid), int(s.Gid))
	}
}
