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

func (b *embedded) lock(context.Context, string, Holder, time.Duration) (guard, error) {
	return nil, errors.New("the embedded ledger cannot lock on this operating system: use the etcd ledger")
}

func (l *fileLock) check() error { return ErrLockLost }

func (l *fileLock) lost() <-chan struct{} { return nil }

func (l *fileLock) release() error { return nil }

func unlockFile(*os.File) {}
