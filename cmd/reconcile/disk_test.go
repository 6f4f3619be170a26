//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"milvus-reconcile/reconcile/ledger/faultydisk"
)

func init() { faultydisk.Main() }

// mountDisk is a disk that fails as told, and where it is.
func mountDisk(t *testing.T) (*faultydisk.Disk, string) {
	t.Helper()
	stored, point := t.TempDir(), t.TempDir()
	disk, err := faultydisk.Mount(stored, point)
	if errors.Is(err, faultydisk.ErrForbidden) {
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

// onDisk has the ledger and the copy of Git lie on a disk.
func (d *crashDrill) onDisk(t *testing.T, point string) {
	t.Helper()
	rewrite(t, filepath.Join(d.play, "reconcile.yaml"),
		filepath.Join(d.play, "ledger.db"), filepath.Join(point, "ledger.db"), "\ngit:\n", "\ngit:\n  cacheDir: "+filepath.Join(point, "copy")+"\n  pollInterval: 200ms\n",
		"mode: observe\n", "mode: apply\nsweepInterval: 300ms\n")
}

// diskFailures are the writes from which on the disk fails while a failover is carried
// out by the real process.
var diskFailures = []int{0, 1, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 36, 42}

// TestDiskFailsUnderAFailover: the next runs finish what one began whose disk was full
// or broken, with one force promote, and the ledger stands.
func TestDiskFailsUnderAFailover(t *testing.T) {
	t.Parallel()
	disk, point := mountDisk(t)
	ctx, cancel := context.WithTimeout(t.Context(), crashPatience)
	defer cancel()
	d, addresses := pairs(ctx, t, len(diskFailures))
	d.onDisk(t, point)
	d.ledgerAt(t, filepath.Join(point, "ledger.db"))
	for i := range diskFailures {
		d.post(t, "/clusters/"+crashName(i)+"-a/stop", "")
	}
	d.failOver(t, addresses)
	for i, after := range diskFailures {
		with := []syscall.Errno{syscall.ENOSPC, syscall.EIO}[i%2]
		name := fmt.Sprintf("%s from write %d on", with, after+1)
		if err := disk.Fail(after, with); err != nil {
			t.Fatal(err)
		}
		code, out := d.reconcile("apply", crashName(i))
		made, failed, err := disk.Heal()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: exit code %d, %d of %d writes failed", name, code, failed, made)
		if code != 0 && !strings.Contains(strings.Join(strings.Fields(out), " "), with.Error()) {
			t.Errorf("%s: it does not name the cause:\n%s", name, out)
		}
		d.kill(t, crashName(i), "", nil)
	}
	for i := range diskFailures {
		d.judge(t, fmt.Sprint("write ", diskFailures[i]+1), crashName(i))
	}
}

// TestDiskFullUnderADaemon: it says that it would not act, with the cause, and acts by
// itself once there is room.
func TestDiskFullUnderADaemon(t *testing.T) {
	t.Parallel()
	for _, with := range []syscall.Errno{syscall.ENOSPC, syscall.EIO} {
		t.Run(with.Error(), func(t *testing.T) {
			t.Parallel()
			disk, point := mountDisk(t)
			ctx, cancel := context.WithTimeout(t.Context(), crashPatience)
			defer cancel()
			d, addresses := pairs(ctx, t, 1)
			d.onDisk(t, point)
			d.ledgerAt(t, filepath.Join(point, "ledger.db"))
			serves := freeAddresses(t, 1)[0]
			rewrite(t, filepath.Join(d.play, "reconcile.yaml"), "mode: apply\n", "mode: apply\nserve: {address: \""+serves+"\"}\n")
			ready := func(want string) func() bool {
				return func() bool {
					said, err := request("GET", "http://"+serves+"/readyz", "")
					if want == "" {
						return err == nil
					}
					return err != nil && strings.Contains(err.Error()+string(said), want)
				}
			}
			d.start(ctx, t, "run")
			d.await(t, "it to be ready", ready(""))
			if err := disk.Fail(0, with); err != nil {
				t.Fatal(err)
			}
			d.post(t, "/clusters/t000-a/stop", "")
			d.failOver(t, addresses)
			d.await(t, "it to say that it would not act", ready(with.Error()))
			if d.promotions(t, "t000") > 0 {
				t.Error("it acted without a record")
			}
			if _, _, err := disk.Heal(); err != nil {
				t.Fatal(err)
			}
			d.await(t, "the failover", func() bool { return d.promotions(t, "t000") == 1 })
			d.await(t, "it to be ready again", ready(""))
			d.await(t, "its end", func() bool { d.mu.Lock(); defer d.mu.Unlock(); return recorded("result")(d.now, "t000") })
			if n := d.promotions(t, "t000"); n != 1 {
				t.Errorf("%d force promotes were sent", n)
			}
		})
	}
}
