package crash

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/ledger"
)

// replayReport is what the test reads of salvage --replay.
type replayReport struct {
	ToWrite int64
	Digest  string
	Done    *struct{ Written, Right, Missing, Doubled, Remaining int64 }
}

// TestKilledReplay kills processes in the middle of an approved replay of lost rows. Its
// approval is deleted after the first: the others go on without one. In the end each row is
// there once, and the ledger tells of one replay.
func TestKilledReplay(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.FleetPatience)
	defer cancel()
	const kills = 4
	d, addresses := newDrill(ctx, t, 1)
	const lost = 2000
	d.loseRows(t, addresses, 100, lost)
	topology := testkit.TopologyName(0)
	planned := d.replay(t, 0, "--dry-run")
	if planned.ToWrite != lost {
		t.Fatalf("%+v", planned)
	}
	if d.replay(t, 3); d.rows(t) != 100 {
		t.Fatal("rows are written without an approval")
	}
	d.approveReplay(t, planned.Digest)
	for i := range kills {
		d.killReplay(t)
		if i == 0 {
			d.git(t, "tag", "-d", strings.TrimSpace(d.git(t, "tag", "--list", "failover/*")))
		}
	}
	if n := d.rows(t); n <= 100 || n >= 100+lost {
		t.Errorf("%d rows were there after the kills, of %d", n, 100+lost)
	}
	if _, said := d.Reconcile("status", topology, "-o", "json"); !strings.Contains(said, "and has not ended") || !strings.Contains(said, "--replay'") {
		t.Errorf("status tells nothing of the open replay:\n%s", said)
	}
	got := d.replay(t, 0)
	if g := got.Done; got.ToWrite != 0 || got.Digest != planned.Digest || g.Right != lost || g.Missing+g.Doubled+g.Remaining != 0 || g.Written >= lost || d.rows(t) != 100+lost {
		t.Errorf("%+v %+v, %d rows", got, g, d.rows(t))
	}
	now, err := d.Read()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[ledger.Kind]int{}
	for _, r := range now.Snapshot.History(topology) {
		kinds[r.Kind]++
	}
	if kinds[ledger.KindReplay] != 1 || kinds[ledger.KindReplayed] != 1 {
		t.Errorf("the ledger holds %v", kinds)
	}
}

// loseRows fails the only topology over while its primary holds rows that its standby lacks,
// and fences the old primary when it is back.
func (d drill) loseRows(t *testing.T, addresses []string, before, lost int) {
	t.Helper()
	topology := testkit.TopologyName(0)
	a, b := topology+"-a", topology+"-b"
	post := func(path string, body any) {
		t.Helper()
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		d.Post(t, path, string(raw))
	}
	d.OpenLedger(t, "")
	for _, id := range []string{a, b} {
		post("/clusters/"+id+"/profile", map[string]string{"version": "2.6.22"})
	}
	post("/clusters/"+a+"/write", map[string]int{"rows": before})
	d.Await(t, "the standby to have all", func() bool { return d.rows(t) == int64(before) })
	post("/links/"+a+"/"+b, map[string]bool{"up": false})
	post("/clusters/"+a+"/write", map[string]int{"rows": lost})
	d.Post(t, "/clusters/"+a+"/stop", "")
	d.FailOver(t, addresses)
	d.must(t, 0, "apply", topology)
	d.Post(t, "/clusters/"+a+"/start", "")
	d.Await(t, "the fence", func() bool { code, _ := d.Reconcile("fence", topology+"/"+a); return code == 0 })
}

// killReplay starts a slow replay and kills it after its first batch, or during that.
func (d drill) killReplay(t *testing.T) {
	t.Helper()
	topology := testkit.TopologyName(0)
	before, err := d.Read()
	if err != nil {
		t.Fatal(err)
	}
	upserts := 0
	for _, c := range before.Calls {
		if c.Method == "Upsert" {
			upserts++
		}
	}
	cmd := d.Command(d.Ctx, "salvage", topology, "--replay", "--rate", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is killed
	}()
	d.Reached(topology, testkit.Called("Upsert", upserts+1), ended)
	_ = cmd.Process.Kill() // it may have ended, which is told
	<-ended
	if cmd.ProcessState.Exited() {
		t.Fatalf("it ended before it was killed: %s", cmd.ProcessState)
	}
}

// replay runs salvage --replay to its end.
func (d drill) replay(t *testing.T, code int, more ...string) (out replayReport) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "replay.json")
	d.must(t, code, append([]string{"salvage", testkit.TopologyName(0), "--replay", "--output-file", "json=" + file}, more...)...)
	raw, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (d drill) must(t *testing.T, code int, args ...string) {
	t.Helper()
	if got, said := d.Reconcile(args...); got != code {
		t.Fatalf("%s: exit code %d, want %d:\n%s", strings.Join(args, " "), got, code, said)
	}
}

// rows is how many the candidate has.
func (d drill) rows(t *testing.T) int64 {
	t.Helper()
	raw, err := testkit.Request("GET", d.Control+"/world", "")
	if err != nil {
		t.Fatal(err)
	}
	var world struct {
		Clusters []struct {
			ID   string
			Rows int64
		}
	}
	if err := json.Unmarshal(raw, &world); err != nil {
		t.Fatal(err)
	}
	for _, c := range world.Clusters {
		if c.ID == testkit.Candidate(testkit.TopologyName(0)) {
			return c.Rows
		}
	}
	t.Fatal("the candidate is not there")
	return 0
}

func (d drill) approveReplay(t *testing.T, digest string) {
	t.Helper()
	for _, kv := range [][2]string{
		{"user.name", "alice"},
		{"user.email", "alice@example.com"},
		{"gpg.format", "ssh"},
		{"gpg.ssh.program", "sshsign"},
		{"user.signingKey", filepath.Join(d.Play, "alice")},
	} {
		d.git(t, "config", kv[0], kv[1])
	}
	topology := testkit.TopologyName(0)
	d.must(t, 0, "approve", topology+"/"+testkit.Candidate(topology), "--repo", filepath.Join(d.Play, "repo"), "--replay", digest, "--reason", "INC-7")
}

func (d drill) git(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(d.Ctx, "git", append([]string{"-C", filepath.Join(d.Play, "repo")}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", args[0], err, out)
	}
	return string(out)
}
