package serve

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"milvus-reconcile/reconcile/daemon"
)

// fact is something about the daemon itself.
type fact struct {
	Name, Value string
	Bad         bool
}

// factsOf says how the daemon itself stands, what is wrong first.
func factsOf(s daemon.Snapshot) []fact {
	lead := "this process leads"
	if !s.Leader {
		lead = cmp.Or(s.Leading, "another process leads")
	}
	facts := []fact{
		{Name: "Mode", Value: s.Mode},
		{Name: "Leader", Value: safe(lead)},
		{Name: "Ledger", Value: s.Ledger.String()},
		{Name: "Commit", Value: orNone(safe(s.Commit))},
		{Name: "Git fetched", Value: cmp.Or(clock(s.GitFetch), "never")},
	}
	if s.Shard != "" {
		facts = append(facts, fact{Name: "Shard", Value: safe(fmt.Sprintf("%s; %s topologies of other shards are not shown", s.Shard, number(s.OtherShards)))})
	}
	for name, problem := range map[string]string{
		cmp.Or(s.GitAsked, "Git"): s.GitError, "Copy of Git": s.GitCopy, "Configuration": s.Config,
		"Election": s.ElectionError, "Ledger": s.RecordError, "Files": s.FileError,
	} {
		if problem != "" {
			facts = append(facts, fact{name, safe(problem), true})
		}
	}
	for _, problem := range s.Problems {
		facts = append(facts, fact{"File", safe(problem), true})
	}
	slices.SortStableFunc(facts, func(a, b fact) int {
		if a.Bad && b.Bad {
			return strings.Compare(a.Name, b.Name)
		}
		return order(a.Bad, b.Bad)
	})
	return facts
}
