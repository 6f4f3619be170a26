package schema

import (
	"reflect"
	"testing"
	"testing/fstest"
)

// TestCacheKnowsWhatChanged: a cache gives what Load gives, whatever it read
// before, and reads nothing twice.
func TestCacheKnowsWhatChanged(t *testing.T) {
	orders, parts := topologyText("orders", "a", "b"), topologyText("parts", "c", "d")
	var c Cache
	for _, step := range []struct {
		name  string
		files fstest.MapFS
		kept  int // files known after it, of this round
	}{
		{"two files", fstest.MapFS{"o.yaml": file(orders), "p.yaml": file(parts)}, 2},
		{"the same again", fstest.MapFS{"o.yaml": file(orders), "p.yaml": file(parts)}, 2},
		{"one is bad", fstest.MapFS{"o.yaml": file("bad: ["), "p.yaml": file(parts)}, 2},
		{"one takes the other's cluster", fstest.MapFS{"o.yaml": file(topologyText("orders", "a", "c")), "p.yaml": file(parts)}, 2},
		{"and gives it back", fstest.MapFS{"o.yaml": file(orders), "p.yaml": file(parts)}, 2},
		{"one has another name", fstest.MapFS{"q.yaml": file(orders), "p.yaml": file(parts)}, 2},
		{"one is gone", fstest.MapFS{"p.yaml": file(parts)}, 1},
		{"all are gone", fstest.MapFS{}, 0},
	} {
		got, problems := c.Load(step.files, ".")
		want, wrong := Load(step.files, ".")
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(problems, wrong) {
			t.Errorf("%s: got %+v, %v, want %+v, %v", step.name, got, problems, want, wrong)
		}
		if len(c.fresh) != step.kept {
			t.Errorf("%s: %d files are kept, want %d", step.name, len(c.fresh), step.kept)
		}
	}
	if len(c.before) != 1 {
		t.Errorf("%d files of the round before are kept, want 1", len(c.before))
	}
}

// TestCacheReadsOnce: what stands is not parsed again.
func TestCacheReadsOnce(t *testing.T) {
	var c Cache
	files := fstest.MapFS{"o.yaml": file(topologyText("orders", "a", "b"))}
	first, _ := c.Load(files, ".")
	again, _ := c.Load(files, ".")
	alone, _ := c.Parse("o.yaml", files["o.yaml"].Data)
	if len(first) != 1 || len(again) != 1 || len(alone) != 1 {
		t.Fatalf("%d, %d and %d topologies, want one each", len(first), len(again), len(alone))
	}
	if &first[0].Clusters[0] != &again[0].Clusters[0] || &first[0].Clusters[0] != &alone[0].Clusters[0] {
		t.Error("the file was parsed again")
	}
}
