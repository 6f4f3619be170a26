package milvussim

import (
	"errors"
	"fmt"
)

// errWaiting is a delivery that would wait inside the target: it has no
// configuration yet, or its channel is held up.
var errWaiting = errors.New("target is not ready to append")

// receive appends a message that another cluster sends, after the checks of the
// target's proxy and of its channel (replicate_service.go, replicates, milvus.md §1.5).
// addressee is the id that the sender means to talk to.
func (c *cluster) receive(addressee, pchannel string, m message, from origin) error {
	if addressee != c.id {
		return violation("cluster id mismatch, current: %s, expected: %s", c.id, addressee)
	}
	if m.kind.skipped() {
		return nil
	}
	if c.stored == nil {
		return errWaiting
	}
	if c.source() == "" {
		return violation(textPrimaryReceive)
	}
	if entry(c.stored, from.cluster) == nil {
		return violation("source cluster %s not found in replicate configuration", from.cluster)
	}
	ch := c.channel(pchannel)
	switch {
	case ch == nil:
		return violation("failed to get target channel, current cluster pchannel %s not found in the graph", pchannel)
	case !ch.secondary:
		return violation(textChannelPrimary)
	case ch.source != from.cluster:
		return violation("cluster id mismatch, current: %s, expected: %s", from.cluster, ch.source)
	case from.tick <= ch.checkpoint.tick:
		return nil // too old: ignored with success
	}
	return ch.replicate(m, from)
}

// replicate appends the message and moves the checkpoint; a transaction moves it
// at its commit only (milvus.md §1.5).
func (ch *channel) replicate(m message, from origin) error {
	c := ch.owner
	msg, broadcasted := m.body.(*broadcastMessage)
	if broadcasted && ch.held {
		return errWaiting
	}
	if broadcasted {
		if err := ch.admitControl(from.cluster); err != nil {
			return err
		}
		local, err := c.localize(msg, from.cluster)
		if err != nil {
			return err
		}
		msg = local
	}
	if m.txn == 0 || m.kind == kindCommitTxn {
		ch.checkpoint.id, ch.checkpoint.tick, ch.checkpoint.confirmed = from.lastConfirmed, from.tick, true
	}
	if broadcasted {
		c.received(msg, ch, &from)
		return nil
	}
	ch.append(message{kind: m.kind, txn: m.txn, body: m.body, origin: &from})
	return nil
}

// localize rewrites a replicated configuration that omits this cluster into its
// own entry without edges, so that a removed standby becomes a primary of its
// own (overwriteAlterReplicateConfigMessage, milvus.md §2.10). A removal together with
// a growth of channels cannot be rewritten, and its source tries for ever
// (#50041).
func (c *cluster) localize(msg *broadcastMessage, source string) (*broadcastMessage, error) {
	if known := c.known(msg.id); known != nil {
		return known, nil
	}
	a, ok := msg.ddl.(*alterReplicateConfig)
	if !ok {
		return c.mapped(msg, source), nil
	}
	if entry(a.cfg, c.id) != nil || a.cfg == nil && c.profile.dropEmpty {
		return msg, nil
	}
	own := entry(c.stored, c.id)
	if len(own.GetPchannels()) != len(msg.channels) {
		return nil, fmt.Errorf("failed to parse new replicate config: pchannel count of cluster %s is %d, the message has %d",
			c.id, len(own.GetPchannels()), len(msg.channels))
	}
	return &broadcastMessage{id: msg.id, channels: msg.channels, ddl: &alterReplicateConfig{cfg: alone(own)}}, nil
}
