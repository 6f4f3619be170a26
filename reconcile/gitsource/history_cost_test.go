package gitsource

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestHistoryIsReadOnce holds that stepwise reading gives what reading at
// once gives, and that every commit can be asked for.
func TestHistoryIsReadOnce(t *testing.T) {
	s := newShell(t)
	var commits []string
	for i := range 12 {
		file := []string{"topologies/a.yaml", "topologies/b.yaml"}[i%2]
		commits = append(commits, s.commit(bob, "More", file, doc("orders"+file[11:12], i+1)))
	}
	stepwise := s.open()
	for _, at := range append(slices.Clone(commits), commits[3], commits[7]) {
		once, err := s.open().Changes(t.Context(), at, keysOf)
		if err != nil {
			t.Fatal(err)
		}
		step, err := stepwise.Changes(t.Context(), at, keysOf)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(once, step, inside); diff != "" {
			t.Fatalf("at %s: %s", at, diff)
		}
	}
	versions := versionsOf(changeOf(t, stepwise, "ordersa"))
	if len(versions) != 5 || versions[0].Commit != commits[0] || versions[4].Generation != 9 {
		t.Errorf("versions: %+v", versions)
	}
	if data, err := stepwise.Blob(versions[0].Blob); err != nil || string(data) != doc("ordersa", 1) {
		t.Errorf("the first version: %q, %v", data, err)
	}
}
