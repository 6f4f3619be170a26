package render

import (
	"slices"
	"time"

	"milvus-reconcile/plan"
)

// waitsLong is how long a message may wait before a status, which reads once, no longer
// takes replication for busy.
const waitsLong = 10 * time.Second

// unprovenLag says how far a standby is behind whose oldest message waits for long, and
// that one read does not prove that it moves; "" where no standby is.
func (d Document) unprovenLag(t plan.TopologyPlan) string {
	if d.kind() != KindStatus || d.Swept {
		return ""
	}
	var most time.Duration
	for _, c := range t.Clusters {
		if c.Lag != nil && c.Lag.Upper != nil && c.DesiredRole == plan.RoleStandby && slices.ContainsFunc(c.View.Progress, plan.ChannelProgress.Lacks) {
			most = max(most, *c.Lag.Upper)
		}
	}
	if most <= waitsLong {
		return ""
	}
	return "lag up to " + plan.UpperBoundText(most) + ", not proven to move"
}
