package scenarios

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/ledger"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// TestEtcdLedgerThatWasLostIsNotNew: its keys are gone, and a file of this machine tells.
// What is printed is typed, and works; so it does where the newest record is of a clock
// that ran ahead, by which no approval would ever be young enough.
func TestEtcdLedgerThatWasLostIsNotNew(t *testing.T) {
	t.Parallel()
	d := &examined{Replicas: testkit.NewHealthyReplicas(t, 0), dir: t.TempDir()}
	d.config = filepath.Join(d.dir, "reconcile.yaml")
	endpoint := testkit.StartEtcd(t)
	d.Configure(t, d.config, freeport.Address(t), endpoint)
	d.change(t, "\ngit:\n", "\ngit:\n  cacheDir: "+filepath.Join(d.dir, "copy")+"\n")
	run := func(want int, args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(d.Ctx, "reconcile", append(args, "--config", d.config)...).CombinedOutput()
		code := 0
		if exit := (&exec.ExitError{}); errors.As(err, &exit) {
			code = exit.ExitCode()
		}
		if code != want {
			t.Fatalf("%v ended with %d, want %d:\n%s", args, code, want, out)
		}
		return strings.Join(strings.Fields(string(out)), " ")
	}
	says := func(text string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("it does not say %q:\n%s", want, text)
			}
		}
	}
	run(0, "apply")
	says(run(0, "ledger"), "a note on this machine names its newest record")

	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: testkit.Patience, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close() //nolint:errcheck // only used here
	if _, err := client.Delete(d.Ctx, "/reconcile/", clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"apply"}, {"ledger"}, {"plan"}} {
		says(run(1, args...), "it is gone or empty, and this machine remembers that it held", "'reconcile ledger accept'")
	}
	says(run(4, "doctor"), "it is gone or empty", "reconcile ledger accept", "would be BLOCKED now")
	says(run(0, "ledger", "accept"), "Why it was refused", "is accepted as it is: 2 records")
	run(0, "apply")
	run(0, "doctor")

	ahead, err := ledger.Etcd(ledger.EtcdConfig{Endpoints: []string{endpoint}}, ledger.Options{Clock: func() time.Time { return time.Now().Add(30 * time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	defer ahead.Close() //nolint:errcheck // only used here
	if err := ahead.RecordServed(d.Ctx, "other", ledger.Served{Version: 1}); err != nil {
		t.Fatal(err)
	}
	says(run(0, "ledger"), "ahead of our clock")
	says(run(4, "doctor"), "would end before it is given", "reconcile ledger accept")
	run(0, "ledger", "accept")
	run(0, "doctor")
	d.Post(t, "/clusters/a/stop", "")
	d.FailOver(t)
	says(run(0, "apply"), "done and verified")
	if n := len(d.Promotions(t)); n != 1 {
		t.Errorf("%d force promotes were sent", n)
	}
}
