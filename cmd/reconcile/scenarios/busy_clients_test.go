package scenarios

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// TestBusyClientsStarveNobody: while clients ask without a pause for what takes work, the
// page and topologies that nobody knows, an approved failover is carried out and probes
// are answered.
func TestBusyClientsStarveNobody(t *testing.T) {
	t.Parallel()
	d := testkit.NewHealthyReplicas(t, 0)
	serves := freeport.Address(t)
	config := filepath.Join(t.TempDir(), "reconcile.yaml")
	d.Configure(t, config, serves, testkit.NewLine(t, testkit.StartEtcd(t)).Address())
	d.Start(t, filepath.Join(t.TempDir(), "run.log"), "run", "--config", config)
	ready := func() bool { _, err := testkit.Request("GET", "http://"+serves+"/readyz", ""); return err == nil }
	d.Await(t, "it to be ready", ready)
	asking, enough := context.WithCancel(d.Ctx)
	var clients sync.WaitGroup
	defer clients.Wait()
	defer enough()
	busy := 40
	if underRace {
		busy = 10
	}
	for i := range busy {
		path := []string{"/", "/topologies/orders", "/t/none/global-cluster/topology", "/api/v1/status", "/metrics"}[i%5]
		clients.Go(func() { askWithoutPause(asking, serves, path) })
	}
	d.Post(t, "/clusters/a/stop", "")
	d.FailOver(t)
	d.Await(t, "the promotion", func() bool { return d.Effective(t) == 1 })
	d.Await(t, "a probe", ready)
}

// askWithoutPause asks again as soon as it was answered.
func askWithoutPause(ctx context.Context, serves, path string) {
	for ctx.Err() == nil {
		conn, err := net.Dial("tcp", serves)
		if err != nil {
			continue
		}
		answers := bufio.NewReader(conn)
		for ctx.Err() == nil {
			if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path); err != nil {
				break
			}
			res, err := http.ReadResponse(answers, nil)
			if err != nil {
				break
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close() // read to its end
		}
		_ = conn.Close() // the server may have closed it
	}
}
