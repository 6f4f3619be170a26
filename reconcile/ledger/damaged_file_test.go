package ledger

import (
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"milvus-reconcile/plan"
)

// Whatever byte is changed in the file, or wherever it is cut, the ledger says
// what it said before or that it is damaged, and never anything else; one that reads well takes the
// next record well.
func TestDamageNeverChangesMemory(t *testing.T) {
	source := grown(t)
	whole, err := os.ReadFile(source.store.name())
	must(t, err)
	before, err := source.Read(t.Context())
	must(t, err)
	path := filepath.Join(t.TempDir(), "ledger.db")
	damages := map[string]func(*rapid.T) []byte{
		"a changed byte": func(rt *rapid.T) []byte {
			raw := append([]byte(nil), whole...)
			raw[rapid.IntRange(0, len(raw)-1).Draw(rt, "at")] ^= byte(rapid.IntRange(1, 255).Draw(rt, "bits"))
			return raw
		},
		"a cut": func(rt *rapid.T) []byte { return whole[:rapid.IntRange(1, len(whole)).Draw(rt, "length")] },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				must(t, os.WriteFile(path, damage(rt), 0o600))
				l, err := Embedded(path, Options{})
				must(t, err)
				after, err := l.Read(t.Context())
				if err != nil {
					return
				}
				same(t, after.Memory(), before.Memory())
				same(t, after.History(""), before.History(""))
				must(t, l.RecordHome(t.Context(), plan.Home{Cluster: "q", Topology: "orders"}))
				later, err := l.Read(t.Context())
				must(t, err)
				same(t, later.History("")[:len(before.History(""))], before.History(""))
			})
		})
	}
}

// A cut inside a page leaves zeros in the mapping, which must not read as a
// ledger without records.
func TestAnyCutIsSeen(t *testing.T) {
	source := written(t, t.TempDir())
	whole, err := os.ReadFile(source.store.name())
	must(t, err)
	before, err := source.Read(t.Context())
	must(t, err)
	path := filepath.Join(t.TempDir(), "ledger.db")
	for length := 256; length < len(whole); length += 256 {
		must(t, os.WriteFile(path, whole[:length], 0o600))
		l, err := Embedded(path, Options{})
		must(t, err)
		if after, err := l.Read(t.Context()); err == nil {
			same(t, after.Memory(), before.Memory())
		}
	}
}
