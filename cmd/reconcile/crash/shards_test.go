package crash

import (
	"os/exec"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// TestShards runs the daemons of two shards on a ledger in a real etcd. A commit moves the
// topology to the second shard, which takes it over from the first. The second is then
// killed in the middle of a failover, and a commit moves the topology back: the first takes
// it over once the lease of the dead one ends, finishes the failover that it finds open, and
// only one force promote ever takes effect.
func TestShards(t *testing.T) {
	t.Parallel()
	d := testkit.NewShards(t, "eu", "us")
	eu, us := d.All[0], d.All[1]
	for _, r := range d.All {
		d.Await(t, "each shard to have its leader", r.Says("this process leads shard "+r.Shard))
	}
	d.Move(t, "us")
	d.Await(t, "the first shard to hand the topology over", eu.Says("the topology is handed over to the shard that waits for it"))
	d.Await(t, "the second shard to take it over", us.Says("shard us has taken the topology over"))
	d.Post(t, "/clusters/a/stop", "")
	d.Await(t, "the rounds of evidence", us.Says("the rounds of evidence are complete"))
	d.Post(t, "/clusters/b/faults", `{"method":"UpdateReplicateConfiguration","kind":"delay","for":"1500ms","times":1}`)
	d.FailOver(t)
	d.Await(t, "the force promote to be under way", func() bool { return len(d.Promotions(t)) > 0 })
	if eu.Says("this daemon")() || eu.Says("failover: applied")() {
		t.Error("the shard that handed the topology over acts on it")
	}
	_ = us.Cmd.Process.Kill()
	d.Move(t, "eu")
	d.Await(t, "the first shard to wait for the lease of the dead one", eu.Says("still acts on the topology: shard eu waits"))
	d.Await(t, "the first shard to take it over", eu.Says("shard eu has taken the topology over"))
	d.Await(t, "the failover to be finished", eu.Says("failover: applied"))
	d.Judge(t)
	history, err := exec.CommandContext(d.Ctx, "reconcile", "history", "--config", eu.Config(), "-o", "json").CombinedOutput()
	if err != nil || !strings.Contains(string(history), "by shard us") || !strings.Contains(string(history), "by shard eu") {
		t.Errorf("the history does not name the shard that began it and the one that ended it: %v\n%s", err, history)
	}
}
