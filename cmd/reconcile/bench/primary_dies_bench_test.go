package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// BenchmarkDeathToPromote is the time from the moment when the process of a primary dies to
// the arrival of the force promote at its standby, in a daemon that looks after 1,000
// topologies and goes on with its sweeps, less unavailableFor. The approved commit is pushed
// and told by webhook at that moment. One op is one daemon and the failovers of 50
// topologies, one after the other; the log has all of them.
func BenchmarkDeathToPromote(b *testing.B) {
	var own []time.Duration
	for range b.N {
		b.StopTimer()
		p := newPushesWith(b, "", 1000, 0, deathPolicy)
		b.StartTimer()
		own = append(own, p.deaths(b, deaths)...)
	}
	b.Logf("own milliseconds of %d failovers, in their order: %s", len(own), milliseconds(own))
	slices.Sort(own)
	b.Logf("sorted: %s", milliseconds(own))
	b.ReportMetric(median(own), "ms/own-median")
	b.ReportMetric(float64(own[len(own)*9/10].Microseconds())/1000, "ms/own-90%")
	b.ReportMetric(float64(own[len(own)-1].Microseconds())/1000, "ms/own-slowest")
}

const (
	deaths         = 50
	unavailableFor = 2 * time.Second
	deathPolicy    = "  failover: {unavailableFor: 2s, probes: 3}\n"
)

// deaths lets the primaries of so many topologies die, one after the other, and tells how
// long each promotion took beyond unavailableFor.
func (p *pushes) deaths(b *testing.B, n int) []time.Duration {
	b.Helper()
	died := make([]time.Time, n)
	for i := range n {
		p.approve(b, i, failedOver(i, deathPolicy))
		cmd := exec.Command("git", "-C", filepath.Join(filepath.Dir(p.config), "repo"), "push", "--quiet", p.forge, "main")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		died[i] = time.Now()
		p.lose(b, i)
		body := fmt.Sprintf(`{"ref":"refs/heads/main","after":"%d","repository":{"clone_url":%q}}`, i, p.url)
		if code, err := testkit.Push("http://"+p.serve, "github", body, testkit.HookSecret); err != nil || code != http.StatusAccepted {
			b.Fatalf("the webhook answered %d: %v", code, err)
		}
		cluster := fmt.Sprintf("t%04d-b", i)
		p.await(b, "the promotion of "+cluster, func() bool {
			data, err := testkit.Request("POST", p.control+"/clusters/"+cluster+"/write", `{"rows":1}`)
			return err == nil && bytes.Contains(data, []byte(`"accepted":1`))
		})
	}
	promoted := p.promotions(b)
	out := make([]time.Duration, n)
	for i := range n {
		out[i] = promoted[fmt.Sprintf("t%04d-b", i)].Sub(died[i]) - unavailableFor
	}
	return out
}

// promotions are when each cluster got its first force promote.
func (e *estate) promotions(b *testing.B) map[string]time.Time {
	b.Helper()
	data, err := testkit.Request("GET", e.control+"/calls", "")
	if err != nil {
		b.Fatal(err)
	}
	var calls []struct {
		At           time.Time
		Cluster      string
		ForcePromote bool
	}
	if err := json.Unmarshal(data, &calls); err != nil {
		b.Fatal(err)
	}
	out := map[string]time.Time{}
	for _, c := range calls {
		if _, known := out[c.Cluster]; c.ForcePromote && !known {
			out[c.Cluster] = c.At
		}
	}
	return out
}

func milliseconds(all []time.Duration) string {
	out := make([]string, len(all))
	for i, d := range all {
		out[i] = fmt.Sprintf("%.0f", float64(d.Microseconds())/1000)
	}
	return strings.Join(out, " ")
}
