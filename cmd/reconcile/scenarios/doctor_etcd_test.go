package scenarios

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/etcdserver"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// TestDoctorSeesAFullEtcd: an etcd whose quota is used up takes no writes, so that
// doctor says what apply would end with, before the alarm and after it.
func TestDoctorSeesAFullEtcd(t *testing.T) {
	t.Parallel()
	d := testkit.NewHealthyReplicas(t, 0)
	endpoint, _ := etcdserver.Start(t, etcdserver.Options{Quota: 4 << 20})
	config := filepath.Join(t.TempDir(), "reconcile.yaml")
	d.Configure(t, config, freeport.Address(t), endpoint)
	run := func(want int, args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(d.Ctx, "reconcile", append(args, "--config", config)...).CombinedOutput()
		code := 0
		if exit := (&exec.ExitError{}); errors.As(err, &exit) {
			code = exit.ExitCode()
		}
		if code != want {
			t.Fatalf("%v ended with %d, want %d:\n%s", args, code, want, out)
		}
		return strings.Join(strings.Fields(string(out)), " ")
	}
	run(0, "doctor")
	run(0, "apply")
	if out := run(0, "doctor"); !strings.Contains(out, "ledger (2)") {
		t.Errorf("the ledger is not well:\n%s", out)
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: testkit.Patience, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close() //nolint:errcheck // only used here
	// Full but for less than a record: etcd raises no alarm before it is asked.
	room := func() (left int64) {
		written(d.Ctx, client)
		done := false
		for !done {
			s, err := client.Status(d.Ctx, endpoint)
			if done = err == nil; done {
				left = s.DbSizeQuota - s.DbSize
			} else if d.Ctx.Err() != nil {
				t.Fatal(err)
			}
		}
		return left
	}
	done := func(what string, call func() error) { // on a busy machine etcd may not answer in time
		t.Helper()
		d.Await(t, what, func() bool { return call() == nil })
	}
	// The last ones are small: each later write makes etcd write the values next to it again.
	for left := room(); left >= 256<<10; left = room() {
		size := 100 << 10
		if left < 1<<20 {
			size = 8 << 10
		}
		done("room to be used", func() error {
			_, err := client.Put(d.Ctx, "/other", strings.Repeat("x", size))
			return err
		})
	}
	if out := run(4, "doctor"); !strings.Contains(out, "of its quota, and will take no writes") || !strings.Contains(out, "would be BLOCKED now") {
		t.Errorf("it does not say that the quota is used up:\n%s", out)
	}
	if alarms, err := client.AlarmList(d.Ctx); err != nil || len(alarms.Alarms) > 0 {
		t.Errorf("doctor raised the alarm: %v, %v", alarms, err)
	}
	d.Await(t, "the alarm", func() bool {
		_, err := client.Put(d.Ctx, "/other", strings.Repeat("x", 512<<10))
		return errors.Is(err, rpctypes.ErrNoSpace)
	})
	if out := run(4, "doctor"); !strings.Contains(out, "alarm:NOSPACE") || !strings.Contains(out, "etcdctl alarm disarm") {
		t.Errorf("it does not name the alarm:\n%s", out)
	}
	d.Post(t, "/clusters/a/stop", "")
	d.FailOver(t)
	run(1, "apply")
	if n := len(d.Promotions(t)); n > 0 {
		t.Errorf("%d force promotes were sent without a ledger", n)
	}

	// As the remedy says: there is room again, and the alarm is disarmed.
	var deleted *clientv3.DeleteResponse
	done("the key to be deleted", func() (err error) {
		deleted, err = client.Delete(d.Ctx, "/other")
		return err
	})
	done("its revisions to be compacted", func() error {
		_, err := client.Compact(d.Ctx, deleted.Header.Revision, clientv3.WithCompactPhysical())
		if errors.Is(err, rpctypes.ErrCompacted) { // by a call that was not answered
			return nil
		}
		return err
	})
	done("the room to be freed", func() error { _, err := client.Defragment(d.Ctx, endpoint); return err })
	done("the alarm to be disarmed", func() error { _, err := client.AlarmDisarm(d.Ctx, &clientv3.AlarmMember{}); return err })
	run(0, "apply")
	if n := len(d.Promotions(t)); n != 1 {
		t.Errorf("%d force promotes were sent", n)
	}
}

// written has etcd write out what it holds, so that its size counts that too: a snapshot
// begins with it. Without it a quick machine puts more than the quota before the size shows it.
func written(ctx context.Context, client *clientv3.Client) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the snapshot, which else holds etcd up
	snapshot, err := client.Snapshot(ctx)
	if err != nil {
		return // the next try does it
	}
	defer snapshot.Close()                //nolint:errcheck // nothing is kept of it
	_, _ = snapshot.Read(make([]byte, 1)) // it has begun
}
