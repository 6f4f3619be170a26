//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package ledger

import (
	"context"
	"errors"
	"os"
	"time"
)

// fileLock needs flock(2), which this system lacks.
type fileLock struct{}

var errNoFlock = errors.New("the embedded ledger cannot lock on this operating system (hint: use the etcd ledger)")

func (b *embedded) lock(context.Context, string, Holder, time.Duration) (guard, error) {
	return nil, errNoFlock
}

func (b *embedded) campaign(context.Context, Holder) (guard, error) { return nil, errNoFlock }

func (b *embedded) claim(context.Context, guard, string, Holder, func(Holder)) (guard, error) {
	return nil, errNoFlock
}

func (b *embedded) wanted(context.Context, string) ([]string, error) { return nil, errNoFlock }

func (b *embedded) leader(context.Context, string) (Holder, bool, error) {
	return Holder{}, false, errNoFlock
}

func (b *embedded) holder(context.Context, string) (Holder, bool, error) {
	return Holder{}, false, errNoFlock
}

func holderOfFile(string) (Holder, bool, error) { return Holder{}, false, errNoFlock }

func (l *fileLock) check() error { return ErrLockLost }

func (l *fileLock) lost() <-chan struct{} { return nil }

func (l *fileLock) until() time.Time { return time.Time{} }

func (l *fileLock) release(context.Context) error { return nil }

func lockFile(*os.File) bool { return true }

func unlockFile(*os.File) {}

func (b *embedded) refuseHardLink() error { return nil }

func lockFolderOf(context.Context, string) (func(), error) { return func() {}, nil }
