package bench

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// BenchmarkWebhookToPromote is the time from the moment when a forge sends its
// webhook to the arrival of the force promote at the cluster, in a daemon that
// looks after so many topologies and goes on with its sweeps. The primaries
// were lost before, so that only the last round is left to make; the policy
// asks for no waiting. Nothing is taken off: Git is fetched over HTTP and every
// cluster of the topology is looked at twice in that time. One op is one daemon
// that carries out several failovers, each pushed on its own, and one of another build, whose
// path is in RECONCILE_BEFORE. The processor time is that of the daemon from its first to its
// last failover, its sweeps included.
func BenchmarkWebhookToPromote(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			took, cpu := map[string][]time.Duration{}, map[string][]time.Duration{}
			var git []time.Duration
			for range b.N {
				for _, who := range []string{"webhook", "before"} {
					build := map[string]string{"before": os.Getenv("RECONCILE_BEFORE")}[who]
					if who == "before" && build == "" {
						continue
					}
					p := newPushesWith(b, build, n, pushed, noWaiting)
					spent := p.daemon.cpu(b)
					for i := range pushed {
						t, g := p.failover(b, i)
						took[who], git = append(took[who], t), append(git, g)
					}
					cpu[who] = append(cpu[who], p.daemon.cpu(b)-spent)
					p.daemon.stop()
				}
			}
			b.ReportMetric(median(took["webhook"]), "ms/webhook-to-promote")
			b.ReportMetric(float64(slices.Max(took["webhook"]).Microseconds())/1000, "ms/slowest")
			b.ReportMetric(median(git), "ms/of-it-in-git-server")
			b.ReportMetric(median(cpu["webhook"]), "cpu-ms")
			if len(took["before"]) > 0 {
				b.ReportMetric(median(took["before"]), "ms/before")
				b.ReportMetric(median(took["webhook"])/median(took["before"]), "ms/ms-before")
				b.ReportMetric(median(cpu["webhook"])/median(cpu["before"]), "cpu/before")
			}
		})
	}
}

// pushed is how many topologies fail over, one after the other.
const pushed = 9

// pushes are a daemon, its clusters, and the forge that it follows.
type pushes struct {
	*estate
	forge string // a bare repository
	url   string // as the daemon fetches it
	serve string
	log   string
	git   atomic.Int64 // nanoseconds that the forge's git has worked

	daemon resident // ends with the simulator
}

// newPushesWith starts the daemon and waits until it knows every topology and has
// rounds of evidence for the lost primaries. build is the program of the daemon; empty: ours.
func newPushesWith(b *testing.B, build string, topologies, lost int, policy string) *pushes {
	b.Helper()
	e := newEstate(b, topologies, policy)
	e.binary = cmp.Or(build, e.binary)
	dir := b.TempDir()
	p := &pushes{estate: e, forge: filepath.Join(dir, "forge.git"), serve: freeport.Address(b), log: filepath.Join(dir, "run.log")}
	repo := filepath.Join(filepath.Dir(e.config), "repo")
	if out, err := exec.Command("git", "clone", "--quiet", "--bare", repo, p.forge).CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	p.url = p.served(b) + "/forge.git"
	for i := range lost {
		e.lose(b, i)
	}
	p.configure(b, repo)
	log, err := os.Create(p.log)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(e.binary, "run", "--config", e.config)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	p.daemon = resident{pid: cmd.Process.Pid, at: p.serve, stop: sync.OnceFunc(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); _ = log.Close(); e.end() })}
	b.Cleanup(p.daemon.stop)
	p.await(b, "the first sweep", func() bool {
		_, err := testkit.Request("GET", "http://"+p.serve+"/readyz", "")
		return err == nil
	})
	for i := range lost {
		p.await(b, "the rounds of evidence", p.says(b, fmt.Sprintf("cluster=t%04d-a code=unavailable", i)))
	}
	return p
}

// noWaiting is a policy that one round satisfies.
const noWaiting = "  failover: {unavailableFor: 0s, probes: 1}\n"

// served is the forge, over HTTP by the real git http-backend.
func (p *pushes) served(b *testing.B) string {
	b.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		b.Fatal(err)
	}
	backend := &cgi.Handler{
		Path: git, Args: []string{"http-backend"}, Root: "/",
		Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(p.forge), "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null"},
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		backend.ServeHTTP(w, r)
		p.git.Add(int64(time.Since(began)))
	}))
	b.Cleanup(s.Close)
	return s.URL
}

// configure makes the playground's configuration that of the daemon.
func (p *pushes) configure(b *testing.B, repo string) {
	b.Helper()
	data, err := os.ReadFile(p.config)
	if err != nil {
		b.Fatal(err)
	}
	secret := filepath.Join(filepath.Dir(p.log), "secret")
	text := strings.NewReplacer(fmt.Sprintf("url: %q", repo), fmt.Sprintf("url: %q", p.url), "mode: observe\n", "mode: apply\nsweepInterval: 60s\n").Replace(string(data))
	text += fmt.Sprintf("serve: {address: %q, webhookSecretFrom: {file: %q}}\n", p.serve, secret)
	for name, content := range map[string]string{secret: testkit.HookSecret, p.config: text} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			b.Fatal(err)
		}
	}
}

// failover pushes the approved failover of one topology and tells how long it
// took from the webhook to the force promote, and the forge's git in it.
func (p *pushes) failover(b *testing.B, i int) (took, git time.Duration) {
	b.Helper()
	p.approve(b, i, failedOver(i, noWaiting))
	cmd := exec.Command("git", "-C", filepath.Join(filepath.Dir(p.config), "repo"), "push", "--quiet", p.forge, "main")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	body := fmt.Sprintf(`{"ref":"refs/heads/main","after":"%d","repository":{"clone_url":%q}}`, i, p.url)
	before, began := p.git.Load(), time.Now()
	if code, err := testkit.Push("http://"+p.serve, "github", body, testkit.HookSecret); err != nil || code != http.StatusAccepted {
		b.Fatalf("the webhook answered %d: %v", code, err)
	}
	cluster := fmt.Sprintf("t%04d-b", i)
	p.await(b, "the promotion of "+cluster, func() bool {
		data, err := testkit.Request("POST", p.control+"/clusters/"+cluster+"/write", `{"rows":1}`)
		return err == nil && bytes.Contains(data, []byte(`"accepted":1`))
	})
	git = time.Duration(p.git.Load() - before)
	return p.promoted(b, cluster).Sub(began), git
}

// promoted is when a cluster got its force promote.
func (e *estate) promoted(b *testing.B, cluster string) time.Time {
	b.Helper()
	at, ok := e.promotions(b)[cluster]
	if !ok {
		b.Fatalf("%s got no force promote", cluster)
	}
	return at
}

// says whether the daemon has logged a text.
func (p *pushes) says(b *testing.B, text string) func() bool {
	return func() bool {
		data, err := os.ReadFile(p.log)
		if err != nil {
			b.Fatal(err)
		}
		return bytes.Contains(data, []byte(text))
	}
}

func (p *pushes) await(b *testing.B, what string, ok func() bool) {
	b.Helper()
	for end := time.Now().Add(5 * time.Minute); !ok(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(end) {
			data, _ := os.ReadFile(p.log) // only to show it
			b.Fatalf("waiting for %s\n%s", what, data[max(0, len(data)-4000):])
		}
	}
}
