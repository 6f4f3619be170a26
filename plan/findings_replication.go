package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// blindStall is how long a message must have waited before replication counts
// as stalled where no record shows whether the checkpoint moved meanwhile.
const blindStall = time.Minute

// stalledFindings: the edge is there, the source holds messages, and the
// checkpoint does not move (milvus.md S60). Sending the configuration again
// would change nothing, so no step follows from it.
func (s situation) stalledFindings(source string, c Cluster) []Finding {
	v := s.view(c.ID)
	var longest time.Duration
	stalled := 0
	for _, p := range v.Progress {
		if waited, ok := s.stalled(v, p); ok {
			stalled++
			longest = max(longest, waited)
		}
	}
	if stalled == 0 {
		return nil
	}
	message := fmt.Sprintf("%d of %d channels of %s stand still, while %s holds messages for them that have waited for %s",
		stalled, len(v.Progress), c.ID, source, About(longest))
	if stalled == len(v.Progress) {
		message += "; " + NothingFlows(source, c.ID)
	}
	remedy := "look whether the cdc component of " + source + " runs and what it logs, then at the link, and watch it with 'reconcile status " + s.t.Name + " --watch'; sending the same configuration again does nothing"
	if gone := s.beyondRetention(source, v); gone != "" {
		message, remedy = message+"; "+gone, rebuildGap(c.ID)
	}
	return []Finding{NewFinding(CodeReplicationStalled, c.ID, message, remedy)}
}

// stalled says how long a channel's oldest unsent message has waited, if its
// checkpoint is known not to have moved, or it waited too long to ask.
func (s situation) stalled(v View, p ChannelProgress) (waited time.Duration, ok bool) {
	if !p.Known || p.Unsent == nil {
		return 0, false
	}
	waited = v.At.Sub(*p.Unsent)
	record, recorded := s.m.progress(v.Cluster)
	if !recorded || record.Source != v.Belief.Source || !record.At.Before(v.At) {
		return waited, waited > max(s.t.MaxLag, blindStall)
	}
	i := slices.IndexFunc(record.Channels, func(r ChannelProgress) bool { return r.Channel == p.Channel })
	if i < 0 || !record.Channels[i].Known {
		return waited, waited > max(s.t.MaxLag, blindStall)
	}
	stands := record.Channels[i].TimeTick == p.TimeTick && record.Channels[i].MessageID == p.MessageID
	return waited, stands && waited > s.t.MaxLag
}

// promotionWatch is how long after a promotion collections are missed: later
// they come and go by themselves.
const promotionWatch = 24 * time.Hour

// missingFindings: collections that were seen on the promoted cluster while it
// was a standby, and are not there now.
func (s situation) missingFindings(d decision) []Finding {
	id := d.primary.ID
	v := s.view(id)
	if promoted, recent := s.m.Promoted(s.t.Name); !recent || promoted != id || !v.Contents.Known {
		return nil
	}
	last, _ := s.m.lastFailover(s.t.Name)
	record, _ := s.m.progress(id)
	var missing []string
	for _, name := range record.Collections {
		if !slices.Contains(v.Contents.Collections, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return []Finding{NewFinding(CodeCollectionsMissing, id,
		fmt.Sprintf("%s was promoted at %s, and of the collections seen on it before these are not there: %s",
			id, last.At.UTC().Format(time.RFC3339), strings.Join(slices.Compact(missing), ", ")),
		"ask their owners whether they were dropped on purpose; if not, 'reconcile salvage "+s.t.Name+"' shows what the old primary still holds, or take them from a backup")}
}

// Promoted says whether a topology's newest failover is recent enough for the
// contents of the promoted cluster to be looked at: its collections are held
// against those that the memory knows.
func (m Memory) Promoted(topology string) (cluster string, ok bool) {
	last, found := m.lastFailover(topology)
	record, recorded := m.progress(last.Promoted)
	return last.Promoted, found && recorded && len(record.Collections) > 0 && m.Now.Sub(last.At) <= promotionWatch
}

// ReplicationState is what a plan says of replication before a switchover.
type ReplicationState string

// The states of replication; the zero value is that of a plan without a
// switchover. Whatever a plan says, apply proves it before it sends anything.
const (
	ReplicationNotAsked ReplicationState = ""
	ReplicationMoving   ReplicationState = "moving"   // every channel was read, nothing waits too long, and something moved within catchUpWithin
	ReplicationBehind   ReplicationState = "behind"   // messages wait for longer than catchUpWithin
	ReplicationUnproven ReplicationState = "unproven" // nothing shows that it flows: an idle source looks like a dead link
)

// replication judges the way from the old to the new primary of a switchover.
func (s situation) replication(d decision) ReplicationState {
	if d.transition != TransitionSwitchover || s.offline {
		return ReplicationNotAsked
	}
	v := s.view(d.primary.ID)
	within, unknown, moved := s.t.Switchover.CatchUpWithin, len(v.Progress) == 0, false
	for _, p := range v.Progress {
		switch {
		case !p.Known || p.SourceCluster != d.source:
			unknown = true
		case p.Unsent != nil && v.At.Sub(*p.Unsent) > within:
			return ReplicationBehind
		default:
			moved = moved || p.TimeTick > 0 && v.At.Sub(TickTime(p.TimeTick)) <= within
		}
	}
	if moved && !unknown {
		return ReplicationMoving
	}
	return ReplicationUnproven
}
