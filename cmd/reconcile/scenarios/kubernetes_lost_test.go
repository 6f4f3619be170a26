package scenarios

import (
	"errors"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/freeport"
	"milvus-reconcile/reconcile/reconciletest/kubeserver"
)

// TestKubernetesLedgerIsNeitherLostNorForeign: a ledger in Kubernetes through the program:
// without a right, out of reach, deleted, accepted, and then a failover. What is printed is
// typed, and works.
func TestKubernetesLedgerIsNeitherLostNorForeign(t *testing.T) {
	t.Parallel()
	kubeserver.Each(t, func(t *testing.T, s *kubeserver.Server) {
		d := &examined{Replicas: testkit.NewReplicasInKubernetes(t, 0, s), dir: t.TempDir()}
		d.config = filepath.Join(d.dir, "reconcile.yaml")
		address := strings.TrimPrefix(s.URL, "https://")
		line := testkit.NewLine(t, address)
		d.Configure(t, d.config, freeport.Address(t), line.Address())
		run := func(want int, args []string, says ...string) {
			t.Helper()
			code, text := d.command(args)
			for strings.Contains(text, "context deadline exceeded") && d.Ctx.Err() == nil { // a busy machine
				code, text = d.command(args)
			}
			if code != want {
				t.Fatalf("%v ended with %d, want %d:\n%s", args, code, want, text)
			}
			for _, w := range says {
				if !strings.Contains(text, w) {
					t.Errorf("%v does not say %q:\n%s", args, w, text)
				}
			}
		}
		apply, doctor, show := []string{"apply"}, []string{"doctor"}, []string{"ledger"}
		run(0, apply)
		run(0, show, "ConfigMap ledger in namespace reconcile-ledger", "records 4")
		run(0, doctor)

		s.Granted(t, testkit.LedgerNamespace, "reconcile", kubeserver.LedgerGrants(t).Without("leases", "update"))
		d.awaitRefusal(t, run)
		s.Granted(t, testkit.LedgerNamespace, "reconcile", kubeserver.LedgerGrants(t))
		d.Await(t, "the right", func() bool {
			return exec.CommandContext(d.Ctx, "reconcile", "doctor", "--config", d.config).Run() == nil
		})

		s.Do(t, http.MethodDelete, kubeserver.Path(testkit.LedgerNamespace, "configmaps", "ledger"), nil, nil)
		d.Post(t, "/clusters/a/stop", "")
		d.FailOver(t)
		approved := time.Now()
		for _, args := range [][]string{apply, show, {"plan"}} {
			run(1, args, "it is gone or empty, and ConfigMap ledger.", "'reconcile ledger accept'")
		}
		if n := len(d.Promotions(t)); n != 0 {
			t.Fatalf("%d force promotions were sent without the ledger", n)
		}
		// Git counts seconds: an approval of the second in which the ledger was accepted counts.
		d.Await(t, "the second of the approval to end", func() bool { return time.Now().Unix() > approved.Unix() })
		run(0, []string{"ledger", "accept"}, "Why it was refused", "is accepted as it is")
		run(3, apply, "ALREADY_USED") // it was approved before the ledger was lost
		if n := len(d.Promotions(t)); n != 0 {
			t.Errorf("%d force promotions rested on an approval from before", n)
		}
	})
}

// command runs reconcile and returns how it ended, and what it said with single spaces.
func (d *examined) command(args []string) (code int, text string) {
	out, err := exec.CommandContext(d.Ctx, "reconcile", append(args, "--config", d.config)...).CombinedOutput()
	if exit := (&exec.ExitError{}); errors.As(err, &exit) {
		code = exit.ExitCode()
	}
	return code, strings.Join(strings.Fields(string(out)), " ")
}

// awaitRefusal waits until doctor names the right that is missing.
func (d *examined) awaitRefusal(t *testing.T, run func(int, []string, ...string)) {
	t.Helper()
	d.Await(t, "the right to be gone", func() bool {
		return exec.CommandContext(d.Ctx, "reconcile", "doctor", "--config", d.config).Run() != nil
	})
	run(4, []string{"doctor"}, "the right to update leases in namespace reconcile-ledger is missing", "kubectl apply -f docs/deploy/kubernetes/ledger.yaml")
}
