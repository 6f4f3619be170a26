//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"milvus-reconcile/reconcile/plainfile"
)

// lockPoll is the interval between attempts to take a held lock, folderPoll that of a
// folder, which is held for one write. lockWatch is the interval at which a held lock file
// is checked for removal.
const (
	lockPoll   = 100 * time.Millisecond
	folderPoll = 2 * time.Millisecond
	lockWatch  = 250 * time.Millisecond
)

// fileLock is a flock'd file. When its process dies, the kernel frees the lock and
// closes the connections of the process. So a dead holder needs no timeout and no
// cleanup, and sends nothing any more.
type fileLock struct {
	file *os.File
	path string

	mu       sync.Mutex
	released bool
	gone     chan struct{}
	once     sync.Once
}

func (b *embedded) lock(ctx context.Context, topology string, h Holder, wait time.Duration) (guard, error) {
	if err := b.refuseHardLink(); err != nil {
		return nil, err
	}
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	if err := makeLockFolder(b.locksPath()); err != nil {
		return nil, err
	}
	path := filepath.Join(b.locksPath(), topology+".lock")
	return waitForFile(ctx, deadline.C, path, &HeldError{Topology: topology}, h)
}

// makeLockFolder makes a folder in that of the ledger, which exists while the ledger does.
func makeLockFolder(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make lock directory: %w", err)
	}
	return nil
}

// refuseHardLink refuses a ledger with a second name, under which it has other locks.
func (b *embedded) refuseHardLink() error {
	info, err := os.Stat(b.path)
	if err != nil {
		return nil // opening the ledger gives the error
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok && s.Nlink > 1 {
		return fmt.Errorf("the ledger %s is a hard link: under its other name it has other locks, so that two processes could act at once (hint: 'find / -xdev -samefile %s' names both; remove the other one)", b.path, b.path)
	}
	return nil
}

// campaign takes the leadership of all topologies alone, or with other shards a share of it
// and the leadership of its own shard.
func (b *embedded) campaign(ctx context.Context, h Holder) (guard, error) {
	if h.Shard == "" {
		return waitForFile(ctx, nil, b.leaderPath(), &HeldError{}, h)
	}
	share, err := fileClaim{path: b.leaderPath(), held: &HeldError{}, holder: h, how: sharedLock}.wait(ctx, nil)
	if err != nil {
		return nil, err
	}
	own, err := fileClaim{path: b.leaderPath() + "." + h.Shard, held: &HeldError{}, holder: h}.wait(ctx, nil)
	if err != nil {
		return nil, errors.Join(err, share.release(ctx))
	}
	go func() {
		select {
		case <-share.gone:
			own.markLost()
		case <-own.gone:
		}
	}()
	return shardLeadership{own, share}, nil
}

// shardLeadership is the leadership of one shard; others have their own.
type shardLeadership struct {
	*fileLock
	share *fileLock // keeps any process from leading all
}

func (l shardLeadership) release(ctx context.Context) error {
	return errors.Join(l.fileLock.release(ctx), l.share.release(ctx))
}

func (b *embedded) leader(_ context.Context, shard string) (Holder, bool, error) {
	paths := []string{b.leaderPath()}
	if shard != "" {
		paths = append(paths, b.leaderPath()+"."+shard)
	} else if others, err := filepath.Glob(b.leaderPath() + ".*"); err == nil {
		paths = append(paths, others...)
	}
	for _, path := range paths {
		if h, held, err := holderOfFile(path); held || err != nil {
			return h, held, err
		}
	}
	return Holder{}, false, nil
}

// claim locks a file of the topology. While it waits, it holds the lock of a second file,
// which says so to the holder.
func (b *embedded) claim(ctx context.Context, leads guard, topology string, h Holder, waits func(Holder)) (guard, error) {
	select {
	case <-leads.lost():
		return nil, fmt.Errorf("%w: the leadership is not ours any more", ErrLockLost)
	default:
	}
	if err := makeLockFolder(b.claimsPath()); err != nil {
		return nil, err
	}
	held := &HeldError{Topology: topology}
	want := fileClaim{path: filepath.Join(b.claimsPath(), topology+".lock"), held: held, holder: h, how: unwatchedLock}
	l, holder, err := tryFile(want)
	if err != nil {
		return nil, err
	}
	if l != nil {
		return l, nil
	}
	next, err := fileClaim{path: filepath.Join(b.claimsPath(), topology+waitSuffix), held: held, holder: h, how: unwatchedLock}.wait(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer next.release(ctx) //nolint:errcheck // the kernel frees it at the latest when the process ends
	waits(holder)
	if l, err = want.wait(ctx, nil); err != nil {
		return nil, err
	}
	return l, nil
}

// waitSuffix ends the name of the file that who waits for a claim holds.
const waitSuffix = ".next"

func (b *embedded) wanted(_ context.Context, shard string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(b.claimsPath(), "*"+waitSuffix))
	if err != nil {
		return nil, fmt.Errorf("list who waits: %w", err)
	}
	var out []string
	for _, path := range files {
		h, held, err := holderOfFile(path)
		if err != nil {
			return nil, err
		}
		if held && h.Shard != shard {
			out = append(out, strings.TrimSuffix(filepath.Base(path), waitSuffix))
		}
	}
	return out, nil
}

func (b *embedded) holder(_ context.Context, topology string) (Holder, bool, error) {
	path := filepath.Join(b.locksPath(), topology+".lock")
	if info, err := os.Stat(path); err == nil && info.Size() == 0 {
		return Holder{}, false, nil // it was released; trying its lock could be in the way of a process that takes it
	}
	return holderOfFile(path)
}

// holderOfFile returns the present holder of a lock file; false: it is free.
func holderOfFile(path string) (Holder, bool, error) {
	f, err := plainfile.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Holder{}, false, nil
	}
	if err != nil {
		return Holder{}, false, fmt.Errorf("open lock file: %w", err)
	}
	defer f.Close() // gives a lock of ours back, too
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	return readHolder(f), errors.Is(err, syscall.EWOULDBLOCK), nil
}

// waitForFile tries to take the lock until expired fires or ctx ends. It then returns
// held, with the holder seen last.
func waitForFile(ctx context.Context, expired <-chan time.Time, path string, held *HeldError, h Holder) (guard, error) {
	l, err := fileClaim{path: path, held: held, holder: h}.wait(ctx, expired)
	if err != nil {
		return nil, err
	}
	return l, nil
}

// lockKind is how a file is locked. The zero value locks it for this process alone, and
// watches it.
type lockKind int

const (
	exclusiveLock lockKind = iota
	sharedLock             // others may share it; it names no holder
	unwatchedLock          // exclusive; that the file is removed is not noticed
)

// fileClaim is the request for the lock of a file.
type fileClaim struct {
	path   string
	held   *HeldError // returned if another process holds it
	holder Holder
	how    lockKind
}

// wait tries to take the lock until expired fires or ctx ends. It then returns c.held, with
// the holder seen last.
func (c fileClaim) wait(ctx context.Context, expired <-chan time.Time) (*fileLock, error) {
	poll := time.NewTicker(lockPoll)
	defer poll.Stop()
	for {
		l, holder, err := tryFile(c)
		if l != nil || err != nil {
			return l, err
		}
		c.held.Holder = holder
		select {
		case <-ctx.Done():
			return nil, errors.Join(c.held, ctx.Err())
		case <-expired:
			return nil, c.held
		case <-poll.C:
		}
	}
}

// tryFile takes the lock, or returns its holder.
func tryFile(c fileClaim) (*fileLock, Holder, error) {
	f, err := plainfile.OpenFile(c.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, Holder{}, fmt.Errorf("open lock file: %w", err)
	}
	kind := syscall.LOCK_EX
	if c.how == sharedLock {
		kind = syscall.LOCK_SH
	}
	err = syscall.Flock(int(f.Fd()), kind|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, readHolder(f), f.Close()
	}
	if err != nil {
		return nil, Holder{}, errors.Join(fmt.Errorf("lock %s: %w", c.path, err), f.Close())
	}
	l := &fileLock{file: f, path: c.path, gone: make(chan struct{})}
	if c.how != sharedLock {
		if err := l.sign(c.holder); err != nil {
			return nil, Holder{}, errors.Join(err, f.Close())
		}
	}
	if l.check() != nil { // it was replaced between opening and locking
		return nil, Holder{}, f.Close()
	}
	if c.how != unwatchedLock {
		go l.watch()
	}
	return l, Holder{}, nil
}

// watch detects that the lock file was removed or replaced.
func (l *fileLock) watch() {
	tick := time.NewTicker(lockWatch)
	defer tick.Stop()
	for l.check() == nil {
		select {
		case <-l.gone:
		case <-tick.C:
		}
	}
}

// sign writes the holder into the lock file, for processes that find it held.
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

// readHolder reads the holder from a lock file. It returns the zero Holder if the file
// is unreadable, as while the holder writes it.
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

// check verifies that the locked file still has its path. If it was deleted, another
// process can lock a new file.
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
		l.markLost()
		return fmt.Errorf("%w: %s was removed or replaced", ErrLockLost, l.path)
	}
	return nil
}

func (l *fileLock) lost() <-chan struct{} { return l.gone }

func (l *fileLock) until() time.Time { return time.Time{} }

func (l *fileLock) release(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.released {
		return nil
	}
	l.released = true
	l.markLost()
	err := l.file.Truncate(0) // so that no process reads an old holder
	return errors.Join(err, l.file.Close())
}

func (l *fileLock) markLost() { l.once.Do(func() { close(l.gone) }) }

// lockFile takes bbolt's own lock on a file, unless another has it.
func lockFile(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// unlockFile frees bbolt's own lock on a file that it can no longer close.
func unlockFile(f *os.File) {
	if f != nil {
		_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) // fails only on a closed file, which holds none
	}
}

// lockFolderOf locks the folder of a file for this process alone, until free is called. It
// waits until ctx ends.
func lockFolderOf(ctx context.Context, path string) (free func(), err error) {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return func() { _ = folder.Close() }, nil // closing it frees it
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return nil, errors.Join(fmt.Errorf("lock %s: %w", folder.Name(), err), folder.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("lock %s: %w", folder.Name(), ctx.Err()), folder.Close())
		case <-time.After(folderPoll):
		}
	}
}
