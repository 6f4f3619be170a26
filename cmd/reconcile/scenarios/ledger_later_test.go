package scenarios

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// TestRunWaitsForItsLedger: a daemon that starts before its etcd answers, and before the
// password for it is there, says so, becomes ready once both are, and carries out an
// approved failover.
func TestRunWaitsForItsLedger(t *testing.T) {
	t.Parallel()
	d := &rotating{Replicas: testkit.NewHealthyReplicas(t, 0), dir: t.TempDir(), serves: freeport.Address(t)}
	endpoint := testkit.StartEtcd(t)
	d.lockEtcd(t, endpoint)
	line := testkit.NewLine(t, endpoint)
	line.Cut()
	d.certify(t, 1)
	config := filepath.Join(d.dir, "reconcile.yaml")
	d.Configure(t, config, d.serves, line.Address())
	testkit.Rewrite(t, config, "ttl: 1m0s}", "ttl: 1m0s, usernameFrom: {file: "+d.file("user")+"}, passwordFrom: {file: "+d.file("password")+"}}")
	testkit.Rewrite(t, config, "serve: {", "serve: {tls: {certFile: "+d.file("cert.pem")+", keyFile: "+d.file("key.pem")+"}, ")
	log := d.file("run.log")
	d.Start(t, log, "run", "--config", config)
	says := func(text string) func() bool {
		return func() bool {
			said, err := os.ReadFile(log)
			return err == nil && strings.Contains(string(said), text)
		}
	}
	d.Await(t, "it to name the password", says("the daemon waits for its ledger"))
	d.Await(t, "it to name the password", says("ledger.etcd: read a secret"))
	d.put(t, "password", "first")
	d.Await(t, "it to name etcd", says("context deadline exceeded"))
	line.Heal()
	d.Await(t, "it to be ready", func() bool { return d.readyz(t) == http.StatusOK })
	d.Post(t, "/clusters/a/stop", "")
	d.FailOver(t)
	d.Await(t, "the promotion", func() bool { return d.Effective(t) == 1 })
}
