package milvussim

import "slices"

// controlChannel is the place of the channel on which every broadcast goes, the
// first one of a cluster (milvus.md §2.2).
const controlChannel = 0

// admitControl refuses what comes from the source's control channel to another
// channel than this cluster's own: the lists of the two clusters are in different
// orders, and no DDL gets through (replicate_service.go, milvus.md §2.2).
func (ch *channel) admitControl(source string) error {
	from := ch.owner.world.byID[source]
	if from == nil || ch.index == controlChannel || ch.sourceChannel != from.channels[controlChannel].name {
		return nil
	}
	return violation("invalid control channel %s_vcchan, expected pchannel %s", ch.name, ch.owner.channels[controlChannel].name)
}

// mapped is a broadcast message with the source's channels turned into those that
// the stored configuration has at the same places (milvus.md §2.2). Most lists are in the
// order of the channels themselves, and the message stays as it is.
func (c *cluster) mapped(msg *broadcastMessage, source string) *broadcastMessage {
	at := c.channelsFor(source)
	if at == nil {
		return msg
	}
	out := &broadcastMessage{id: msg.id, channels: onto(at, msg.channels), ddl: msg.ddl}
	if d, ok := msg.ddl.(*createCollection); ok {
		own := *d
		own.shards = onto(at, d.shards)
		out.ddl = &own
	}
	return out
}

// channelsFor is the place of the own channel for each channel of the source; nil
// if each is at the same place.
func (c *cluster) channelsFor(source string) []int {
	from := c.world.byID[source]
	if from == nil {
		return nil
	}
	theirs, own := entry(c.stored, source).GetPchannels(), entry(c.stored, c.id).GetPchannels()
	at, same := make([]int, len(from.channels)), true
	for i, ch := range from.channels {
		at[i] = i
		if p := slices.Index(theirs, ch.name); p >= 0 && p < len(own) {
			if to := c.channel(own[p]); to != nil {
				at[i] = to.index
			}
		}
		same = same && at[i] == i
	}
	if same {
		return nil
	}
	return at
}

func onto(at, channels []int) []int {
	out := make([]int, len(channels))
	for i, from := range channels {
		out[i] = at[from]
	}
	return out
}
