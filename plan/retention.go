package plan

import (
	"fmt"
	"time"
)

// walRetention is how long Milvus keeps its log by default (woodpecker
// retentionPolicy.ttl, rocksmq.retentionTimeInMinutes in configs/milvus.yaml),
// whether it was replicated or not.
const walRetention = 72 * time.Hour

// beyondRetention says what a standby may have lost for good, empty if nothing:
// what came after the last that it is known to have replicated is gone from the
// log of its source once that is older than the log. Milvus skips such a gap
// without a word on Pulsar, and retries for ever on Kafka (milvus.md S62).
func (s situation) beyondRetention(source string, v View) string {
	record, _ := s.m.progress(v.Cluster)
	free := record.backlogFree(source)
	var through time.Time
	for _, c := range s.candidateProgress(v.Cluster) {
		c.Unsent = nil // the oldest that is still there says nothing of what is not
		upTo := channelWindow(c, free(c.Channel), v.At).ReplicatedUpTo
		if !upTo.IsZero() && (through.IsZero() || upTo.Before(through)) {
			through = upTo
		}
	}
	if through.IsZero() || v.At.Sub(through) <= walRetention {
		return ""
	}
	return fmt.Sprintf("what it lacks since %s may be gone from the log of %s, which keeps %.0f h by default (#48779)",
		through.UTC().Format(time.RFC3339), source, walRetention.Hours())
}

// rebuildGap is what to do about a standby that may have such a gap.
func rebuildGap(standby string) string {
	return "Milvus may never close or report that gap: set " + standby + " to 'role: detached', rebuild it, and add it again with a new 'provisioned: {from: restored, at: …}', raising 'generation' each time, unless the log of its source is kept for longer"
}
