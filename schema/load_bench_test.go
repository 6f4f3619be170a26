package schema

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

// BenchmarkLoad checks a thousand files of three clusters: what validate does.
func BenchmarkLoad(b *testing.B) {
	const topologies = 1000
	files := fstest.MapFS{}
	for i := range topologies {
		var t strings.Builder
		fmt.Fprintf(&t, "apiVersion: reconcile/v1alpha1\nkind: ReplicationTopology\nmetadata:\n  name: t%04d\nspec:\n  generation: 1\n  objectives: {maxLag: 10s}\n  clusters:\n", i)
		for j, role := range []string{"primary", "standby", "standby"} {
			fmt.Fprintf(&t, "    - id: t%04d-%d\n      role: %s\n      uri: \"http://t%04d-%d.example:19530\"\n      pchannels: {count: 16}\n", i, j, role, i, j)
		}
		files[fmt.Sprintf("t%04d.yaml", i)] = &fstest.MapFile{Data: []byte(t.String())}
	}
	for b.Loop() {
		if got, problems := Load(files, "."); len(got) != topologies || len(problems) != 0 {
			b.Fatalf("%d topologies, %v", len(got), problems)
		}
	}
}
