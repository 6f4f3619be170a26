package scenarios

import (
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// TestIdleClientsStarveNobody: 400 clients that hold a connection each do not keep a
// daemon that may open 200 files from carrying out an approved failover.
func TestIdleClientsStarveNobody(t *testing.T) {
	t.Parallel()
	d := testkit.NewHealthyReplicas(t, 0)
	serves := freeport.Address(t)
	config := filepath.Join(t.TempDir(), "reconcile.yaml")
	d.Configure(t, config, serves, testkit.NewLine(t, testkit.StartEtcd(t)).Address())
	cmd := exec.CommandContext(d.Ctx, "sh", "-c", `ulimit -n 200; exec "$@"`, "sh", "reconcile", "run", "--config", config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be gone
		_ = cmd.Wait()         // it was killed
	})
	d.Await(t, "it to be ready", func() bool { _, err := testkit.Request("GET", "http://"+serves+"/readyz", ""); return err == nil })
	for range 400 {
		conn, err := net.Dial("tcp", serves)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close() //nolint:errcheck // the server may have closed it
		if _, err := fmt.Fprint(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err == nil {
			_, _ = io.ReadFull(conn, make([]byte, 12)) // the server may have closed it
		}
	}
	d.Post(t, "/clusters/a/stop", "")
	d.FailOver(t)
	d.Await(t, "the promotion", func() bool { return d.Effective(t) == 1 })
}
