package bench

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// BenchmarkApplyOverhead is `reconcile apply` of an approved failover, from the
// start of the process to its end with the promotion verified, next to a
// program that only makes the same calls (testdata/bare), and to another build, whose path
// is in RECONCILE_BEFORE. One op is one of each, in turn,
// in worlds of their own that are alike; the policy asks for one round and no
// waiting, so that nothing is taken off any time. The times are medians.
func BenchmarkApplyOverhead(b *testing.B) {
	for _, verify := range []string{"ddl", "dml"} {
		b.Run(verify, func(b *testing.B) {
			b.StopTimer()
			recording, rpcs := recordedFailover(b, verify)
			bare, before := builtBare(b), os.Getenv("RECONCILE_BEFORE")
			took, cpu := map[string][]time.Duration{}, map[string][]time.Duration{}
			for range b.N {
				for _, who := range []string{"apply", "before", "bare"} {
					if who == "before" && before == "" {
						continue
					}
					e := newFailover(b, map[string]string{"before": before}[who], verify, nil)
					args := []string{e.binary, "apply", "--config", e.config}
					if who == "bare" {
						args = []string{bare, recording}
					}
					wall, spent := e.timed(b, args[0], args[1:]...)
					took[who], cpu[who] = append(took[who], wall), append(cpu[who], spent)
					e.end()
				}
			}
			for who := range took {
				b.ReportMetric(median(took[who]), "ms/"+who)
				b.ReportMetric(median(cpu[who]), "cpu-ms/"+who)
			}
			b.ReportMetric(median(took["apply"])/median(took["bare"]), "x-of-bare")
			if before != "" {
				b.ReportMetric(median(cpu["apply"])/median(cpu["before"]), "cpu/before")
				b.ReportMetric(median(took["apply"])/median(took["before"]), "ms/ms-before")
			}
			b.ReportMetric(float64(rpcs), "rpcs")
		})
	}
}

// median is the middle one in milliseconds.
func median(all []time.Duration) float64 {
	slices.Sort(all)
	return float64(all[len(all)/2].Microseconds()) / 1000
}

// newFailover is a world of one topology whose primary is lost, a ledger that
// knows it, and the approved commit that promotes another cluster. The calls of
// the process that applies it go through the recorder, if there is one. build is the program
// that applies; empty: ours.
func newFailover(b *testing.B, build, verify string, r *recorder) *estate {
	b.Helper()
	policy := fmt.Sprintf("  failover: {unavailableFor: 0s, probes: 1, verify: %s}\n", verify)
	e := newEstate(b, 1, policy)
	e.binary = cmp.Or(build, e.binary)
	if out, err := exec.Command(e.binary, "apply", "--config", e.config).CombinedOutput(); err != nil {
		b.Fatalf("apply at rest: %v\n%s", err, out)
	}
	e.lose(b, 0)
	text := failedOver(0, policy)
	if r != nil {
		text = e.through(b, r, text)
	}
	e.approve(b, 0, text)
	return e
}

// through has the configuration, and the topology of the text, say that the
// clusters which live are reached through the recorder.
func (e *estate) through(b *testing.B, r *recorder, text string) string {
	b.Helper()
	config, err := os.ReadFile(e.config)
	if err != nil {
		b.Fatal(err)
	}
	for _, at := range []string{address(1), address(2)} {
		via := r.before(b, at)
		text = strings.Replace(text, fmt.Sprintf("uri: \"http://%s\"", at), fmt.Sprintf("uri: \"http://%s\", clientAddress: %q", at, via), 1)
		config = []byte(strings.Replace(string(config), fmt.Sprintf("address: %q", at), fmt.Sprintf("address: %q", via), 1))
	}
	if err := os.WriteFile(e.config, config, 0o600); err != nil {
		b.Fatal(err)
	}
	return text
}

// recordedFailover is a file with the calls of one apply, and their number.
func recordedFailover(b *testing.B, verify string) (path string, rpcs int) {
	b.Helper()
	r := &recorder{}
	e := newFailover(b, "", verify, r)
	e.timed(b, e.binary, "apply", "--config", e.config)
	e.end()
	data, err := json.Marshal(r.calls)
	if err != nil {
		b.Fatal(err)
	}
	path = filepath.Join(b.TempDir(), "calls.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		b.Fatal(err)
	}
	return path, len(r.calls)
}

// timed runs a program that must succeed and promote, and tells how long it
// took and how much of the processor.
func (e *estate) timed(b *testing.B, name string, args ...string) (took, cpu time.Duration) {
	b.Helper()
	cmd := exec.Command(name, args...)
	b.StartTimer()
	began := time.Now()
	out, err := cmd.CombinedOutput()
	took = time.Since(began)
	b.StopTimer()
	if err != nil {
		b.Fatalf("%s %v: %v\n%s", filepath.Base(name), args, err, out)
	}
	world, err := testkit.Request("GET", e.control+"/world", "")
	if err != nil || !strings.Contains(string(world), `"writable":true`) {
		b.Fatalf("nobody was promoted: %v\n%s\n%s", err, out, world)
	}
	return took, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// lose stops the primary of a topology.
func (e *estate) lose(b *testing.B, i int) {
	b.Helper()
	if _, err := testkit.Request("POST", fmt.Sprintf("%s/clusters/t%04d-a/stop", e.control, i), ""); err != nil {
		b.Fatal(err)
	}
}

// failedOver is the file of a topology whose second cluster takes over.
func failedOver(i int, note string) string {
	return strings.NewReplacer(
		fmt.Sprintf("{id: t%04d-a, role: primary", i), fmt.Sprintf("{id: t%04d-a, role: stale", i),
		fmt.Sprintf("{id: t%04d-b, role: standby", i), fmt.Sprintf("{id: t%04d-b, role: primary", i),
		fmt.Sprintf("{id: t%04d-c, role: standby", i), fmt.Sprintf("{id: t%04d-c, role: stale", i),
	).Replace(star(i, note, 2))
}

// approve commits the failover of a topology in bob's name, approved by alice.
func (e *estate) approve(b *testing.B, i int, text string) {
	b.Helper()
	play := filepath.Dir(e.config)
	repo := filepath.Join(play, "repo")
	if err := os.WriteFile(filepath.Join(repo, "topologies", fmt.Sprintf("t%04d.yaml", i)), []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
	message := fmt.Sprintf("Fail over\n\nFailover-Approved: t%04d/t%04d-b\nFailover-Approved-By: Alice Smith <alice@example.com>\nFailover-Reason: a drill\n", i, i)
	cmd := exec.Command("git", "-C", repo, "-c", "user.name=alice", "-c", "user.email=alice@example.com",
		"-c", "gpg.format=ssh", "-c", "gpg.ssh.program=sshsign", "-c", "user.signingKey="+filepath.Join(play, "alice"),
		"commit", "--quiet", "--all", "--cleanup=verbatim", "--author", "bob <bob@example.com>", "-S", "-m", message)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
}

// builtBare is the program that makes calls again, built as ours is.
func builtBare(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "bare")
	if err := testkit.GoBuild(path, "./testdata/bare"); err != nil {
		b.Fatal(err)
	}
	return path
}
