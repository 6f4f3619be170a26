package doctor

import (
	"fmt"
	"strings"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
)

// channelsCheck says of a standby whether each of its channels is attached to
// what it stores as its source: a failover rests on every one.
func channelsCheck(c plan.Cluster, v plan.View) render.Check {
	out := render.Check{Area: "channels", Subject: c.ID}
	unread := 0
	for _, p := range v.Progress {
		if !p.Known {
			unread++
		}
	}
	of := len(v.Progress)
	loose := v.Unattached()
	switch {
	case v.Belief.Kind != plan.BeliefStandby:
		out.Message = "it is no standby now, so none of them is attached"
	case v.HalfPromoted():
		out.Verdict, out.Message = render.CheckFailed, fmt.Sprintf("all %d have left %s: a force promote stands half done", of, v.Belief.Source)
	case len(loose) > 0:
		out.Verdict = render.CheckFailed
		out.Message = fmt.Sprintf("%d of %d are not attached to %s: %s", len(loose), of, v.Belief.Source, strings.Join(loose, ", "))
	case unread > 0 || of == 0:
		out.Message = fmt.Sprintf("whether they are attached to %s could not be read of %d of %d", v.Belief.Source, unread, len(c.PChannels))
		out.Remedy = "let its token call GetReplicateInfo"
	default:
		out.Verdict, out.Message = render.CheckOK, fmt.Sprintf("%d of %d are attached to %s", of, of, v.Belief.Source)
	}
	return out
}
