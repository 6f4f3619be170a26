package schema

import (
	"fmt"
	"path"

	"milvus-reconcile/plan/siteplan"
)

// waves reads in which order the topologies of a site move.
func waves(f field) siteplan.Waves {
	var out siteplan.Waves
	seen := map[string]bool{"rest": true}
	for _, item := range f.items() {
		w := siteplan.Wave{
			Name: item.get("name").text(), Topologies: wavePatterns(item.get("topologies")), Labels: labels(item.get("labels")),
			MaxFailed: int(item.get("maxFailed").numberOr(0)),
		}
		if seen[w.Name] {
			item.get("name").fail(fmt.Sprintf("a second wave %s", quoted(w.Name)), "give each wave a name of its own; 'rest' is what no wave takes")
		}
		if !item.get("topologies").set && !item.get("labels").set {
			item.fail("the wave takes no topology", "write 'topologies', 'labels' or both")
		}
		seen[w.Name] = true
		out = append(out, w)
	}
	return out
}

// wavePatterns reads names and patterns of topologies.
func wavePatterns(f field) []string {
	for _, item := range f.items() {
		if _, err := path.Match(item.text(), ""); err != nil {
			item.fail(quoted(item.text())+" is not a pattern", "'[' needs its ']'; write a name such as orders, or a pattern such as orders-*")
		}
	}
	return f.texts()
}
