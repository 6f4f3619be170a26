package milvussim

import (
	"time"
)

// kind is a WAL message type, with the numbers of messages.proto MessageType.
type kind int32

const (
	kindInsert               kind = 2
	kindDelete               kind = 3
	kindFlush                kind = 4
	kindCreateCollection     kind = 5
	kindDropCollection       kind = 6
	kindCreatePartition      kind = 7
	kindDropPartition        kind = 8
	kindManualFlush          kind = 9
	kindCreateSegment        kind = 10
	kindAlterCollection      kind = 13
	kindAlterLoadConfig      kind = 14
	kindDropLoadConfig       kind = 15
	kindCreateDatabase       kind = 16
	kindDropDatabase         kind = 18
	kindAlterAlias           kind = 19
	kindDropAlias            kind = 20
	kindAlterUser            kind = 22
	kindDropUser             kind = 23
	kindAlterRole            kind = 24
	kindDropRole             kind = 25
	kindAlterUserRole        kind = 26
	kindDropUserRole         kind = 27
	kindAlterPrivilege       kind = 28
	kindDropPrivilege        kind = 29
	kindAlterResourceGroup   kind = 32
	kindDropResourceGroup    kind = 33
	kindCreateIndex          kind = 34
	kindDropIndex            kind = 36
	kindAlterReplicateConfig kind = 800
	kindBeginTxn             kind = 900
	kindCommitTxn            kind = 901
	kindRollbackTxn          kind = 902
	kindTxn                  kind = 999
)

// system tells whether a message belongs to its own WAL only: it is never
// replicated and never dumped (milvus.md §1.4, §6). TimeTick messages would be of this
// kind too; the simulator does not write them, a channel without news costs
// nothing.
func (k kind) system() bool {
	return k == kindFlush || k == kindCreateSegment || k == kindRollbackTxn
}

// skipped tells whether a standby drops such a message when it is sent one: it
// is done with, and no checkpoint moves (streaming.replication.skipMessageTypes,
// replicate_service.go).
func (k kind) skipped() bool {
	return k == kindAlterResourceGroup || k == kindDropResourceGroup
}

// message is one entry of a channel's WAL. What it points to is shared between
// clusters and never written to.
type message struct {
	id            int64
	lastConfirmed int64
	tick          uint64
	written       time.Time // which can be later than its tick
	kind          kind
	txn           uint64
	body          any
	origin        *origin
}

// origin is the replicate header of a message that came from another cluster
// (messages.proto ReplicateHeader).
type origin struct {
	cluster       string
	id            int64
	lastConfirmed int64
	tick          uint64
}

// position is a place in a channel's WAL.
type position struct {
	id   int64
	tick uint64
}

// truncate forgets what is older than the horizon, replicated or not: retention
// is not tied to replication (milvus.md §4.6).
func (ch *channel) truncate(horizon time.Time) {
	limit := Tick(horizon, 0)
	n := 0
	for n < len(ch.log) && ch.log[n].tick < limit {
		n++
	}
	if n == 0 {
		return
	}
	ch.firstID = ch.log[n-1].id + 1
	ch.log = append([]message(nil), ch.log[n:]...)
}

// after is the part of the WAL that follows an id, as far as it is retained; gap
// tells that messages in between are gone.
func (ch *channel) after(id int64) (rest []message, gap bool) {
	ch.retain()
	first := ch.firstID
	if id+1 < first {
		return ch.log, true
	}
	skip := min(id+1-first, int64(len(ch.log)))
	return ch.log[skip:], false
}

// retain applies the cluster's retention, if it has one.
func (ch *channel) retain() {
	if keep := ch.owner.retention; keep > 0 {
		ch.truncate(ch.owner.world.clock.Now().Add(-keep))
	}
}
