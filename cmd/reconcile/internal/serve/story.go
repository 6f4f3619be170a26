package serve

import (
	"time"

	"milvus-reconcile/reconcile/daemon"
)

// storyShown is how many entries of a story the page shows.
const storyShown = 40

// storyView is one entry of the story of a topology.
type storyView struct{ At, Text string }

// storyOf tells what happened to a topology, oldest first, and how many older records it
// leaves out.
func storyOf(t daemon.TopologyStatus, records []Record) (story []storyView, older int) {
	all := append([]Record(nil), records...)
	all = append(all, nowOf(t)...)
	older = max(len(all)-storyShown, 0)
	for _, r := range all[older:] {
		story = append(story, storyView{clock(r.At.Truncate(time.Second)), safe(r.Text)})
	}
	return story, older
}

// nowOf tells what the ledger does not hold yet.
func nowOf(daemon.TopologyStatus) []Record { return nil }
