package plainfile

import (
	"sync"
	"time"
)

// Followed is a file that is read again when it has changed. A fleet of thousands of
// clusters asks for the same tokens and certificates many thousand times.
type Followed struct {
	path string

	mu      sync.Mutex
	data    []byte
	version uint64 // counts the reads
	state   fileState
	settled bool // the file had not changed for a while when it was read
}

// settleTime is for how long a file must not have changed before its state tells a later
// change. File systems note times in steps; two changes within one step look like one.
const settleTime = 2 * time.Second

// Follow returns a file that is followed. It opens nothing.
func Follow(path string) *Followed { return &Followed{path: path} }

// Read returns what Read of the path would return now, and a version, which is another
// whenever the file may have changed. The bytes belong to the file: do not change them.
func (f *Followed) Read() (data []byte, version uint64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	state, known := stateOf(f.path)
	if known && f.settled && state == f.state {
		return f.data, f.version, nil
	}
	f.version++
	f.data, err = Read(f.path)
	after, still := stateOf(f.path)
	f.state, f.settled = after, err == nil && known && still && after == state && now.Sub(after.changed()) >= settleTime
	return f.data, f.version, err
}
