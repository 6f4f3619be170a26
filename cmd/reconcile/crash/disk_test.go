//go:build linux

package crash

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/ledger/faultydisk"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

func init() { faultydisk.Main() }

// onDisk has the ledger and the copy of Git lie on a disk.
func (d drill) onDisk(t *testing.T, point string) {
	t.Helper()
	testkit.Rewrite(t, filepath.Join(d.Play, "reconcile.yaml"),
		filepath.Join(d.Play, "ledger.db"), filepath.Join(point, "ledger.db"), "\ngit:\n", "\ngit:\n  cacheDir: "+filepath.Join(point, "copy")+"\n  pollInterval: 200ms\n",
		"mode: observe\n", "mode: apply\nsweepInterval: 300ms\n")
}

// diskFailures are the writes from which on the disk fails while a failover is carried
// out by the real process.
var diskFailures = []int{0, 1, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 36, 42}

// TestDiskFailsUnderAFailover: the next runs finish what one began whose disk was full
// or broken, with one force promote, and the ledger stands.
func TestDiskFailsUnderAFailover(t *testing.T) {
	t.Parallel()
	disk, point := faultydisk.ForTest(t)
	ctx, cancel := context.WithTimeout(t.Context(), testkit.FleetPatience)
	defer cancel()
	d, addresses := newDrill(ctx, t, len(diskFailures))
	d.onDisk(t, point)
	d.LedgerAt(t, filepath.Join(point, "ledger.db"))
	for i := range diskFailures {
		d.Post(t, "/clusters/"+testkit.TopologyName(i)+"-a/stop", "")
	}
	d.FailOver(t, addresses)
	for i, after := range diskFailures {
		with := []syscall.Errno{syscall.ENOSPC, syscall.EIO}[i%2]
		name := fmt.Sprintf("%s from write %d on", with, after+1)
		if err := disk.Fail(after, with); err != nil {
			t.Fatal(err)
		}
		code, out := d.Reconcile("apply", testkit.TopologyName(i))
		made, failed, err := disk.Heal()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: exit code %d, %d of %d writes failed", name, code, failed, made)
		if code != 0 && !strings.Contains(strings.Join(strings.Fields(out), " "), with.Error()) {
			t.Errorf("%s: it does not name the cause:\n%s", name, out)
		}
		d.kill(t, testkit.TopologyName(i), "", nil)
	}
	for i := range diskFailures {
		d.Judge(t, fmt.Sprint("write ", diskFailures[i]+1), testkit.TopologyName(i))
	}
}

// TestDiskFullUnderADaemon: it says that it would not act, with the cause, and acts by
// itself once there is room.
func TestDiskFullUnderADaemon(t *testing.T) {
	t.Parallel()
	for _, with := range []syscall.Errno{syscall.ENOSPC, syscall.EIO} {
		t.Run(with.Error(), func(t *testing.T) {
			t.Parallel()
			disk, point := faultydisk.ForTest(t)
			ctx, cancel := context.WithTimeout(t.Context(), testkit.FleetPatience)
			defer cancel()
			d, addresses := newDrill(ctx, t, 1)
			d.onDisk(t, point)
			d.LedgerAt(t, filepath.Join(point, "ledger.db"))
			serves := freeport.Address(t)
			testkit.Rewrite(t, filepath.Join(d.Play, "reconcile.yaml"), "mode: apply\n", "mode: apply\nserve: {address: \""+serves+"\"}\n")
			ready := func(want string) func() bool {
				return func() bool {
					said, err := testkit.Request("GET", "http://"+serves+"/readyz", "")
					if want == "" {
						return err == nil
					}
					return err != nil && strings.Contains(err.Error()+string(said), want)
				}
			}
			d.Start(ctx, t, "run")
			d.Await(t, "it to be ready", ready(""))
			if err := disk.Fail(0, with); err != nil {
				t.Fatal(err)
			}
			d.Post(t, "/clusters/t000-a/stop", "")
			d.FailOver(t, addresses)
			d.Await(t, "it to say that it would not act", ready(with.Error()))
			if d.Promotions(t, "t000") > 0 {
				t.Error("it acted without a record")
			}
			if _, _, err := disk.Heal(); err != nil {
				t.Fatal(err)
			}
			d.Await(t, "the failover", func() bool { return d.Promotions(t, "t000") == 1 })
			d.Await(t, "it to be ready again", ready(""))
			d.Await(t, "its end", func() bool { return testkit.Recorded("result")(d.Latest(), "t000") })
			if n := d.Promotions(t, "t000"); n != 1 {
				t.Errorf("%d force promotes were sent", n)
			}
		})
	}
}
