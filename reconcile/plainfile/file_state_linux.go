package plainfile

import (
	"syscall"
	"time"
)

// fileState is what changes with each change of a file or of its rights.
type fileState struct {
	device, inode  uint64
	mode           uint32
	size           int64
	written, state syscall.Timespec // of the content, and of all else, which nobody can set
}

// stateOf returns the state of the file that a path leads to; false: it cannot be told.
func stateOf(path string) (fileState, bool) {
	var s syscall.Stat_t
	if err := syscall.Stat(path, &s); err != nil {
		return fileState{}, false
	}
	return fileState{device: s.Dev, inode: s.Ino, mode: s.Mode, size: s.Size, written: s.Mtim, state: s.Ctim}, true
}

// changed is when the file last changed.
func (s fileState) changed() time.Time {
	written, state := time.Unix(s.written.Unix()), time.Unix(s.state.Unix())
	if written.After(state) {
		return written
	}
	return state
}
