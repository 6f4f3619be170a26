//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"time"
)

// lockPoll is how often a held lock is tried again.
const lockPoll = 100 * time.Millisecond

// topologyName is what may name a lock file: a DNS-1123 label (contract
// section 2), hence no path.
var topologyName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// fileLock is a flock'd file. The kernel frees it when the process dies, so
// nothing needs to be cleaned up and nothing times out.
type fileLock struct {
	file *os.File
	path string

	mu       sync.Mutex
	released bool
	gone     chan struct{}
}

func (b *embedded) lock(ctx context.Context, topology string, h Holder, wait time.Duration) (guard, error) {
	if !topologyName.MatchString(topology) {
		return nil, fmt.Errorf("%q is not a topology name", topology)
	}
	dir := b.path + ".locks"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make lock directory: %w", err)
	}
	path := filepath.Join(dir, topology+".lock")
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	poll := time.NewTicker(lockPoll)
	defer poll.Stop()
	for {
		l, err := tryLock(path, topology, h)
		var held *HeldError
		if !errors.As(err, &held) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(held, ctx.Err())
		case <-deadline.C:
			return nil, held
		case <-poll.C:
		}
	}
}

func tryLock(path, topology string, h Holder) (guard, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		held := &HeldError{Topology: topology, Holder: readHolder(f)}
		return nil, errors.Join(held, f.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	l := &fileLock{file: f, path: path, gone: make(chan struct{})}
	if err := l.sign(h); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// sign writes who holds the lock, for those who find it held.
func (l *fileLock) sign(h Holder) error {
	raw, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("encode lock holder: %w", err)
	}
	if err := l.file.Truncate(0); err != nil {
		return fmt.Errorf("write lock holder: %w", err)
	}
	if _, err := l.file.WriteAt(raw, 0); err != nil {
		return fmt.Errorf("write lock holder: %w", err)
	}
	return nil
}

// readHolder is best effort: the holder may be writing its name just now.
func readHolder(f *os.File) Holder {
	const enough = 4096
	raw, err := io.ReadAll(io.NewSectionReader(f, 0, enough))
	if err != nil {
		return Holder{}
	}
	var h Holder
	if json.Unmarshal(raw, &h) != nil {
		return Holder{}
	}
	return h
}

// check makes sure that the locked file is still the one that others would
// lock: somebody who deletes it lets two processes in.
func (l *fileLock) check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.released {
		return ErrLockLost
	}
	mine, err := l.file.Stat()
	if err != nil {
		return errors.Join(ErrLockLost, err)
	}
	there, err := os.Stat(l.path)
	if err != nil || !os.SameFile(mine, there) {
		l.closeGone()
		return fmt.Errorf("%w: %s was removed or replaced", ErrLockLost, l.path)
	}
	return nil
}

func (l *fileLock) lost() <-chan struct{} { return l.gone }

func (l *fileLock) release() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.released {
		return nil
	}
	l.released = true
	l.closeGone()
	err := l.file.Truncate(0) // so that nobody is told an old holder
	return errors.Join(err, l.file.Close())
}

func (l *fileLock) closeGone() {
	select {
	case <-l.gone:
	default:
		close(l.gone)
	}
}

// unlockFile frees bbolt's own lock on a file that it can no longer close.
func unlockFile(f *os.File) {
	if f != nil {
		_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) // fails only on a closed file, which holds none
	}
}
