package scenarios

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

type slowWay func(ctx context.Context, secured, plain net.Conn)

// slowWays are ways to hold a connection of a server as long as it lets one.
var slowWays = map[string]slowWay{
	"no handshake": func(ctx context.Context, _, _ net.Conn) { <-ctx.Done() },
	"half handshake": func(ctx context.Context, _, plain net.Conn) {
		trickleTo(ctx, plain, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"+strings.Repeat("x", 508))
	},
	"slow header": func(ctx context.Context, secured, _ net.Conn) {
		trickleTo(ctx, secured, "GET / HTTP/1.1\r\nHost: localhost\r\nX: "+strings.Repeat("x", 1000))
	},
	"slow body": func(ctx context.Context, secured, _ net.Conn) {
		_, _ = io.WriteString(secured, "POST /webhook/git HTTP/1.1\r\nHost: localhost\r\nX-Hub-Signature-256: sha256=00\r\nContent-Length: 1000000\r\n\r\n"+strings.Repeat("x", 70_000))
		trickleTo(ctx, secured, strings.Repeat("x", 1000))
	},
	"unread answers": func(ctx context.Context, secured, _ net.Conn) {
		go func() {
			_, _ = io.WriteString(secured, strings.Repeat("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 1000))
		}()
		<-ctx.Done()
	},
	"unread events": func(ctx context.Context, secured, _ net.Conn) {
		_, _ = io.WriteString(secured, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
		<-ctx.Done()
	},
	"HTTP/2": func(ctx context.Context, secured, _ net.Conn) {
		_, _ = io.WriteString(secured, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
		<-ctx.Done()
	},
}

// trickleTo writes byte by byte, until the connection ends.
func trickleTo(ctx context.Context, conn net.Conn, text string) {
	every := time.NewTicker(100 * time.Millisecond)
	defer every.Stop()
	for i := range text {
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
		if _, err := io.WriteString(conn, text[i:i+1]); err != nil {
			return
		}
	}
}

// slowly connects as another machine would: from an address that no probe comes from.
// Linux has all of 127.0.0.0/8; elsewhere both come from one.
var slowly = func() net.Dialer {
	if runtime.GOOS != "linux" {
		return net.Dialer{}
	}
	return net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
}()

// beSlow holds a connection of the server, and opens another as soon as it has ended.
func beSlow(ctx context.Context, serves string, way slowWay, handshake bool, in func()) {
	for ctx.Err() == nil {
		plain, err := slowly.DialContext(ctx, "tcp", serves)
		if err == nil {
			ended, end := context.WithTimeout(ctx, 5*time.Second)
			secured := tls.Client(plain, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
			if !handshake || secured.HandshakeContext(ended) == nil {
				in()
				way(ended, secured, plain)
			}
			end()
			_ = plain.Close() // the server may have closed it
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// TestSlowClientsKeepNobodyOut: while more clients than the 50 that get in are slow, each in a
// way of its own and again and again, every probe is answered and an approved failover
// is carried out.
func TestSlowClientsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	d := &rotating{Replicas: testkit.NewHealthyReplicas(t, 0), dir: t.TempDir(), serves: freeport.Address(t)}
	d.certify(t, 1)
	d.put(t, "webhook", "a secret")
	config := filepath.Join(d.dir, "reconcile.yaml")
	d.Configure(t, config, d.serves, testkit.NewLine(t, testkit.StartEtcd(t)).Address())
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	d.put(t, "reconcile.yaml", strings.Replace(string(text), "serve: {", fmt.Sprintf("serve: {tls: {certFile: %s, keyFile: %s}, webhookSecretFrom: {file: %s}, ", d.file("cert.pem"), d.file("key.pem"), d.file("webhook")), 1))
	cmd := exec.CommandContext(d.Ctx, "sh", "-c", `ulimit -n 200; exec "$@"`, "sh", "reconcile", "run", "--config", config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be gone
		_ = cmd.Wait()         // it was killed
	})
	d.Await(t, "it to be ready", func() bool { return d.readyz(t) == http.StatusOK })

	for name, way := range slowWays {
		t.Run(name, func(t *testing.T) {
			defer d.beset(t, map[string]slowWay{name: way}, 80)()
			for range 3 {
				d.answersProbes(t)
			}
		})
	}
	defer d.beset(t, slowWays, 12)()
	d.answersProbes(t)
	d.Post(t, "/clusters/a/stop", "")
	d.FailOver(t)
	d.Await(t, "the promotion", func() bool { return d.Effective(t) == 1 })
	d.answersProbes(t)
}

// beset has so many clients be slow in each of these ways, and returns once all of them
// were let in. They relent when the function that it returns is called.
func (d *rotating) beset(t *testing.T, ways map[string]slowWay, clients int) (relent func()) {
	t.Helper()
	ctx, stop := context.WithCancel(d.Ctx)
	var all sync.WaitGroup
	var in atomic.Int32
	for name, way := range ways {
		handshake := !strings.HasSuffix(name, "handshake")
		for range clients {
			all.Go(func() { beSlow(ctx, d.serves, way, handshake, sync.OnceFunc(func() { in.Add(1) })) })
		}
	}
	d.Await(t, "all slow clients", func() bool { return int(in.Load()) == clients*len(ways) })
	return func() { stop(); all.Wait() }
}

// answersProbes demands an answer to each probe at the third try at last, as Kubernetes
// does. On a busy machine the answer of /readyz may be that it is not ready, as when etcd is
// slow: that is an answer, too.
func (d *rotating) answersProbes(t *testing.T) {
	t.Helper()
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		var last error
		for range 3 {
			if last = d.probe(path); last == nil {
				break
			}
		}
		if last != nil {
			t.Errorf("%s: %v", path, last)
		}
	}
}

func (d *rotating) probe(path string) error {
	res, err := unverified().Get("https://" + d.serves + path)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK && !(path == "/readyz" && res.StatusCode == http.StatusServiceUnavailable) {
		return errors.New(res.Status)
	}
	return nil
}
