package serve

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/reconcile/daemon"
)

// daemonProperty is something about the daemon itself.
type daemonProperty struct {
	Name, Value string
	Bad         bool
}

// daemonProperties says how the daemon itself stands, what is wrong first.
func daemonProperties(s daemon.Snapshot) []daemonProperty {
	lead := "this process leads"
	if !s.Leader {
		lead = cmp.Or(s.Leading, "another process leads")
	}
	facts := []daemonProperty{
		{Name: "Mode", Value: s.Mode},
		{Name: "Leader", Value: safe(lead)},
		{Name: "Ledger", Value: s.Ledger.String()},
		{Name: "Commit", Value: orNone(safe(s.Commit))},
		{Name: "Git fetched", Value: cmp.Or(clock(s.GitFetch), "never")},
	}
	if s.Shard != "" {
		facts = append(facts, daemonProperty{Name: "Shard", Value: safe(fmt.Sprintf("%s; %s topologies of other shards are not shown", s.Shard, number(s.OtherShards)))})
	}
	for name, problem := range map[string]string{
		cmp.Or(s.GitAsked, "Git"): s.GitError, "Copy of Git": s.GitCopy, "Configuration": s.Config,
		"Election": s.ElectionError, "Ledger": s.RecordError, "Files": s.FileError,
	} {
		if problem != "" {
			facts = append(facts, daemonProperty{name, safe(problem), true})
		}
	}
	if refused := render.RefusedTokens(documentOf(s).Plan.Topologies); refused != "" {
		facts = append(facts, daemonProperty{"Tokens", refused, true})
	}
	for _, problem := range s.Problems {
		facts = append(facts, daemonProperty{"File", safe(problem), true})
	}
	slices.SortStableFunc(facts, func(a, b daemonProperty) int {
		if a.Bad && b.Bad {
			return strings.Compare(a.Name, b.Name)
		}
		return order(a.Bad, b.Bad)
	})
	return facts
}
