//go:build linux

package faultydisk

import (
	"errors"
	"testing"
)

// ForTest mounts a disk for the time of a test, and returns where. The test is skipped
// where this machine lets nobody mount one.
func ForTest(t testing.TB) (disk *Disk, point string) {
	t.Helper()
	point = t.TempDir()
	disk, err := Mount(t.TempDir(), point)
	if errors.Is(err, ErrForbidden) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := disk.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return disk, point
}
