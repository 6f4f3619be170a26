package scenarios

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/milvus-io/milvus/client/v2/column"
	"github.com/milvus-io/milvus/client/v2/milvusclient"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/milvus/milvussim"
)

// sdk is a client that follows the document as pymilvus does
// (client/global_topology.py): it takes a document over when its version is
// greater than the one it has, and never else, and writes where that says.
type sdk struct {
	version int64
	cluster string
	client  *milvusclient.Client
	rows    int64
	wrote   []string // clusters that took a row, one after the other, each once in a row
}

// follow asks one of the daemons.
func (s *sdk) follow(ctx context.Context, t *testing.T, serves string) {
	t.Helper()
	d, ok := testkit.DocumentOf(serves)
	if !ok || d.Data.Version <= s.version {
		return
	}
	id, endpoint := d.Writable(t)
	if id == "" {
		t.Errorf("version %d was raised without a cluster to write to", d.Data.Version)
		return
	}
	s.version = d.Data.Version
	bounded, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client, err := milvusclient.New(bounded, &milvusclient.ClientConfig{Address: endpoint, APIKey: milvussim.RootToken})
	if err != nil {
		t.Errorf("connect to %s, which version %d says to write to: %v", id, s.version, err)
		return
	}
	s.close(ctx)
	s.cluster, s.client = id, client
}

func (s *sdk) close(ctx context.Context) {
	if s.client != nil {
		_ = s.client.Close(ctx) // its cluster may be gone
	}
}

// write tries to insert a row, and says whether it was taken.
func (s *sdk) write(ctx context.Context) bool {
	if s.client == nil {
		return false
	}
	bounded, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	s.rows++
	_, err := s.client.Insert(bounded, milvusclient.NewColumnBasedInsertOption("books",
		column.NewColumnInt64("id", []int64{s.rows}), column.NewColumnFloatVector("vector", 4, [][]float32{{1, 2, 3, 4}})))
	if err == nil && (len(s.wrote) == 0 || s.wrote[len(s.wrote)-1] != s.cluster) {
		s.wrote = append(s.wrote, s.cluster)
	}
	return err == nil
}

// TestSDKFollowsAFailover has a client that knows nothing but the document,
// asked of two daemons in turn, write to a pair whose primary is lost, whose
// standby is promoted, and whose old primary comes back and takes writes.
func TestSDKFollowsAFailover(t *testing.T) {
	d := testkit.NewHealthyReplicas(t, 2)
	client, turn := &sdk{}, 0
	t.Cleanup(func() { client.close(context.WithoutCancel(d.Ctx)) })
	step := func() bool {
		turn++
		client.follow(d.Ctx, t, d.All[turn%2].Serves)
		return client.write(d.Ctx)
	}
	d.Await(t, "the first document", func() bool { step(); return client.cluster == "a" })
	if err := client.client.CreateCollection(d.Ctx, milvusclient.SimpleCreateCollectionOptions("books", 4)); err != nil {
		t.Fatal(err)
	}
	d.Await(t, "a row at the primary", step)
	d.Lose(t)
	d.FailOver(t)
	d.Await(t, "a row at the promoted cluster", step)

	d.Post(t, "/clusters/a/start", "")
	for _, r := range d.All {
		d.Await(t, "the return to be seen", r.Says("code=STALE_PRIMARY"))
	}
	for range 20 {
		if !step() {
			t.Error("a row was not taken once the old primary was back")
		}
	}
	if !slices.Equal(client.wrote, []string{"a", "b"}) || client.version != 2 {
		t.Errorf("it wrote to %q, by version %d", client.wrote, client.version)
	}
	d.SameDocument(t, 2, "b")
}
