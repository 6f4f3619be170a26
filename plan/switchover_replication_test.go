package plan

import (
	"testing"
	"time"
)

// TestReplicationBeforeASwitchover: moving, behind or unproven.
func TestReplicationBeforeASwitchover(t *testing.T) {
	doc := pairOf("b", "a").after(pairOf("a", "b"))
	doc.Switchover.CatchUpWithin = 5 * time.Second
	unknown := standbyOf("a", "b")
	unknown.Progress[1].Known = false
	for _, c := range []struct {
		name string
		b    View
		want ReplicationState
	}{
		{"replicated two seconds ago", standbyOf("a", "b"), ReplicationMoving},
		{"idle for an hour", idle(standbyOf("a", "b")), ReplicationUnproven},
		{"a channel could not be read", unknown, ReplicationUnproven},
		{"nothing was read", bare(standbyOf("a", "b")), ReplicationUnproven},
		{"messages wait for longer than catchUpWithin", unsent(standbyOf("a", "b"), 6*time.Second), ReplicationBehind},
		{"a message has just come", unsent(standbyOf("a", "b"), time.Second), ReplicationMoving},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := (world{t: doc, views: []View{primaryOf("a", "b"), c.b}}).plan(t).Replication; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if got := (world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), standbyOf("a", "b")}}).plan(t).Replication; got != ReplicationNotAsked {
		t.Errorf("without a switchover it says %q", got)
	}
}
