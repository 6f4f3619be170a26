package milvussim

import (
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

// channel is a pchannel: a WAL with a role of its own, which flips the moment
// that an AlterReplicateConfig message is appended to it (milvus.md §2.7).
type channel struct {
	owner *cluster
	name  string
	index int

	log     []message
	firstID int64

	secondary     bool
	source        string
	sourceChannel string
	checkpoint    checkpoint
	salvage       map[string]checkpoint

	txns   map[uint64][]message
	shards map[int64]*shard
	tasks  []*task
	held   bool
}

// checkpoint is how far a secondary channel has replicated its source. Nothing
// is replicated yet while confirmed is false: no message id and tick 0
// (secondary_state.go, milvus.md §1.3).
type checkpoint struct {
	cluster   string
	pchannel  string
	id        int64
	tick      uint64
	confirmed bool
}

// proto is the checkpoint as GetReplicateInfo answers it.
func (p checkpoint) proto(wal commonpb.WALName) *commonpb.ReplicateCheckpoint {
	out := &commonpb.ReplicateCheckpoint{ClusterId: p.cluster, Pchannel: p.pchannel, TimeTick: p.tick}
	if p.confirmed {
		out.MessageId = &commonpb.MessageID{Id: encodeID(wal, p.id), WALName: wal}
	}
	return out
}

// walOf is the message queue of a cluster; ids are of its form wherever they are.
func (w *World) walOf(cluster string) commonpb.WALName {
	if c := w.byID[cluster]; c != nil {
		return c.wal
	}
	return commonpb.WALName_RocksMQ
}

// nextID is the id that the next message will get.
func (ch *channel) nextID() int64 {
	if n := len(ch.log); n > 0 {
		return ch.log[n-1].id + 1
	}
	return ch.firstID
}

// append writes a message to the WAL, applies it, and wakes the CDC tasks that
// read the channel.
func (ch *channel) append(m message) position {
	c := ch.owner
	m.id = ch.nextID()
	m.lastConfirmed = m.id - 1
	m.written = c.now()
	m.tick = c.tso.write(m.written)
	ch.log = append(ch.log, m)
	ch.apply(m)
	for _, t := range ch.tasks {
		t.wake()
	}
	c.appended()
	return position{id: m.id, tick: m.tick}
}

// apply changes the data of the channel; the parts of a transaction wait for
// its commit.
func (ch *channel) apply(m message) {
	switch m.kind {
	case kindBeginTxn:
		if ch.txns == nil {
			ch.txns = map[uint64][]message{}
		}
		ch.txns[m.txn] = nil
	case kindCommitTxn:
		parts := ch.txns[m.txn]
		delete(ch.txns, m.txn)
		for _, deletes := range []bool{true, false} { // what it inserts stays
			for _, part := range parts {
				if (part.kind == kindDelete) == deletes {
					ch.applyData(part)
				}
			}
		}
	case kindRollbackTxn:
		delete(ch.txns, m.txn)
	default:
		if _, open := ch.txns[m.txn]; open && m.txn != 0 {
			ch.txns[m.txn] = append(ch.txns[m.txn], m)
			return
		}
		ch.applyData(m)
	}
}

func (ch *channel) applyData(m message) {
	switch body := m.body.(type) {
	case *insertion:
		ch.shard(body.collection).insert(body, m.tick)
	case *deletion:
		ch.shard(body.collection).remove(body)
	case *broadcastMessage:
		switch d := body.ddl.(type) {
		case *dropCollection:
			delete(ch.shards, d.collection)
		case *dropPartition:
			ch.shard(d.collection).dropPartition(d.partition)
		}
	}
}

// switchRole is what the append of an AlterReplicateConfig message does to the
// channel (replicates, milvus.md §2.7, §2.10): a changed source starts at tick 0, the
// same source goes on, a promotion ends it. Only a forced one keeps the last
// checkpoint for salvage and rolls open transactions back (milvus.md §2.9).
func (ch *channel) switchRole(cfg *commonpb.ReplicateConfiguration, force bool) {
	source := sourceOf(cfg, ch.owner.id)
	switch {
	case source == "" && ch.secondary:
		if force {
			ch.keepSalvage()
			ch.rollback()
		}
		ch.stop()
	case source != "" && (!ch.secondary || ch.source != source):
		ch.follow(source, cfg)
	}
}

// stop ends the replication to the channel.
func (ch *channel) stop() {
	ch.secondary, ch.source, ch.sourceChannel, ch.checkpoint = false, "", "", checkpoint{}
}

// follow makes the channel a secondary of the source's channel at the same place
// in the list, with nothing replicated yet: the mapping is by index (milvus.md §2.2).
func (ch *channel) follow(source string, cfg *commonpb.ReplicateConfiguration) {
	ch.secondary, ch.source, ch.sourceChannel = true, source, ""
	i := slices.Index(entry(cfg, ch.owner.id).GetPchannels(), ch.name)
	if names := entry(cfg, source).GetPchannels(); i >= 0 && i < len(names) {
		ch.sourceChannel = names[i]
	}
	ch.checkpoint = checkpoint{cluster: source, pchannel: ch.sourceChannel}
}

// keepSalvage stores the checkpoint under its source; a later failover from
// another source does not touch it, and it survives restarts (milvus.md §1.3).
func (ch *channel) keepSalvage() {
	if !ch.owner.profile.dump {
		return
	}
	if ch.salvage == nil {
		ch.salvage = map[string]checkpoint{}
	}
	ch.salvage[ch.source] = ch.checkpoint
}

// rollback ends every transaction that has not been committed.
func (ch *channel) rollback() {
	open := make([]uint64, 0, len(ch.txns))
	for id := range ch.txns {
		open = append(open, id)
	}
	slices.Sort(open)
	for _, id := range open {
		ch.append(message{kind: kindRollbackTxn, txn: id})
	}
}

// admit is the channel's own check of a write that does not come from another
// cluster (replicate_interceptor.go, milvus.md §3).
func (ch *channel) admit() error {
	if ch.secondary {
		return violation(textSecondaryWrite)
	}
	return nil
}
