package desired

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/gitsource"
)

func versionOf(name string, generation int) []byte {
	return []byte(fmt.Sprintf(`apiVersion: reconcile/v1alpha1
kind: ReplicationTopology
metadata: {name: %[1]s}
spec:
  generation: %[2]d
  clusters:
    - {id: %[1]s-a, role: primary, uri: "http://%[1]s-a:19530"}
    - {id: %[1]s-b, role: standby, uri: "http://%[1]s-b:19530"}
`, name, generation))
}

// TestABlobIsParsedOnce wherever it is: at the tip, at a base, in the history, as
// the version before, and in every later look of one process, also after the
// repository was opened again.
func TestABlobIsParsedOnce(t *testing.T) {
	dir := t.TempDir()
	tree, err := gitsource.Init(dir)
	if err != nil {
		t.Fatal(err)
	}
	bob := approval.Person{Name: "Bob", Email: "bob@example.com"}
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	commit := func(files map[string][]byte) {
		t.Helper()
		if _, err := tree.Commit(files, "Change", bob, bob, at, nil); err != nil {
			t.Fatal(err)
		}
	}
	open := func() *gitsource.Repo {
		t.Helper()
		repo, err := gitsource.Open(t.Context(), gitsource.Config{URL: dir, Path: "topologies"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = repo.Close() })
		return repo
	}
	commit(map[string][]byte{"topologies/orders.yaml": versionOf("orders", 1), "topologies/users.yaml": versionOf("users", 1)})
	commit(map[string][]byte{"topologies/orders.yaml": versionOf("orders", 2)})
	commit(map[string][]byte{"topologies/orders.yaml": versionOf("orders", 3), "topologies/bad.yaml": []byte("kind: [")})
	commit(map[string][]byte{"topologies/users.yaml": nil, "topologies/eu/users.yaml": versionOf("users", 1)})
	l := &Loader{}
	repo := open()
	look := func(rev string, parsed int) Revision {
		t.Helper()
		got, err := l.Load(t.Context(), repo, rev)
		if err != nil {
			t.Fatal(err)
		}
		if n := l.reader.Parsed(); n != parsed {
			t.Errorf("%d blobs were parsed, want %d", n, parsed)
		}
		fresh, err := new(Loader).Load(t.Context(), open(), rev)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(fresh, got, cmpopts.IgnoreUnexported(Revision{})); diff != "" {
			t.Errorf("it differs from a first look: %s", diff)
		}
		return got
	}
	// One of three of orders, which differ in their generations alone, one of users in two
	// places, one that is broken.
	const blobs = 3
	tip := look("", blobs)
	if len(tip.Desired.Topologies) != 2 || len(tip.Problems) != 1 || tip.Problems[0].File != "topologies/bad.yaml" {
		t.Fatalf("%d topologies, %v", len(tip.Desired.Topologies), tip.Problems)
	}
	if orders := tip.Desired.Topologies[0]; orders.Previous == nil || orders.Previous.Generation != 2 || orders.GreatestEarlier != 2 {
		t.Errorf("orders: %+v", orders)
	}
	look("", blobs)
	look("HEAD~2", blobs)
	repo = open()
	look("", blobs)
	commit(map[string][]byte{"topologies/orders.yaml": append(versionOf("orders", 4), "# by bob\n"...)})
	repo = open()
	look("", blobs+1)
}

// TestChooseSite: a site selects the topologies that have a cluster there, in whatever role.
func TestChooseSite(t *testing.T) {
	at := func(name string, sites ...string) plan.Topology {
		out := plan.Topology{Name: name}
		for _, site := range sites {
			out.Clusters = append(out.Clusters, plan.Cluster{Site: site})
		}
		return out
	}
	all := Revision{Desired: plan.Desired{
		Topologies: []plan.Topology{at("orders", "eu-1", "eu-2"), at("users", "eu-2", ""), at("video", "us-1", "eu-1"), at("lab", "")},
		Removed:    []plan.RemovedTopology{{Name: "gone"}},
	}}
	for site, want := range map[string]string{
		"": "orders users video lab", "eu-1": "orders video", "us-1": "video",
		"eu-3": "did you mean eu-1 or eu-2?", "tokyo": "use eu-1, eu-2 or us-1",
	} {
		r, got := all, []string(nil)
		err := r.ChooseSite(site)
		for _, t := range r.Desired.Topologies {
			got = append(got, t.Name)
		}
		switch {
		case err != nil && !strings.Contains(err.Error(), want):
			t.Errorf("%q: %v, want %s", site, err, want)
		case err == nil && (strings.Join(got, " ") != want || len(r.Desired.Removed) > 0 != (site == "")):
			t.Errorf("%q: %q and %d that are gone, want %s", site, got, len(r.Desired.Removed), want)
		}
	}
	none := Revision{Desired: plan.Desired{Topologies: []plan.Topology{at("lab", "")}}}
	if err := none.ChooseSite("eu-1"); err == nil || !strings.Contains(err.Error(), "give each cluster its 'site'") {
		t.Error(err)
	}
}

// TestChoose: a name selects itself, a pattern what it matches, among topologies that are
// there and that are gone; what selects nothing is an error that proposes names.
func TestChoose(t *testing.T) {
	var all Revision
	for _, name := range []string{"orders-001", "orders-002", "users", "video"} {
		all.Desired.Topologies = append(all.Desired.Topologies, plan.Topology{Name: name})
	}
	all.Desired.Removed = []plan.RemovedTopology{{Name: "orders-old"}}
	for _, c := range []struct{ names, want, refused string }{
		{"", "orders-001 orders-002 users video -orders-old", ""},
		{"users", "users", ""},
		{"orders-*", "orders-001 orders-002 -orders-old", ""},
		{"orders-00?", "orders-001 orders-002", ""},
		{"orders-00[2-9] video", "orders-002 video", ""},
		{"*-old", "-orders-old", ""},
		{"*", "orders-001 orders-002 users video -orders-old", ""},
		{"users user*", "users", ""},
		{"order-*", "", "did you mean orders-001 or orders-002?"},
		{"usres", "", "did you mean users?"},
		{"users zebra*", "", "use orders-001, orders-002, users or video"},
		{"orders", "", "did you mean orders-001 or orders-002?"},
		{"[", "", "malformed"},
	} {
		t.Run(c.names, func(t *testing.T) {
			r := all
			err := r.Choose(strings.Fields(c.names))
			if c.refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.refused) {
					t.Errorf("got %v, want %s", err, c.refused)
				}
				return
			}
			var got []string
			for _, t := range r.Desired.Topologies {
				got = append(got, t.Name)
			}
			for _, t := range r.Desired.Removed {
				got = append(got, "-"+t.Name)
			}
			if err != nil || strings.Join(got, " ") != c.want {
				t.Errorf("got %s, %v, want %s", got, err, c.want)
			}
		})
	}
	if len(all.Desired.Topologies) != 4 || len(all.Desired.Removed) != 1 {
		t.Error("Choose changed what it was given")
	}
}
