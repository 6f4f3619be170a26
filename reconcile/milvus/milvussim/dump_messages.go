package milvussim

import (
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
)

// includeStartField is the number of DumpMessagesRequest.include_start_message,
// which this version of the generated API does not have yet (milvus.md §1.4).
const includeStartField = 5

// DumpMessages streams what a channel's WAL holds behind a message id, system
// messages left out. Without an end it goes on until it is cancelled (milvus.md §1.4).
func (service) DumpMessages(req *milvuspb.DumpMessagesRequest, stream milvuspb.MilvusService_DumpMessagesServer) error {
	ctx := stream.Context()
	c := rpcOf(ctx).cluster
	from, err := c.dumpStart(req)
	if err != nil {
		return err
	}
	if err := c.wait(ctx, func() bool { return c.channel(req.GetPchannel()) != nil }); err != nil {
		return err
	}
	ch, end := c.channel(req.GetPchannel()), req.GetEndTimetick()
	over := func() bool { return end != 0 && c.tso.floor(c.now()) > end }
	if end != 0 && !over() {
		e := c.world.schedule(afterSync(end), c.appended)
		defer c.world.cancel(e)
	}
	d := dumper{req: req, whole: !c.profile.dumpBodies, open: map[uint64][]message{}}
	for {
		rest, _ := ch.after(from)
		if len(rest) == 0 && over() {
			return nil
		}
		if len(rest) > 0 {
			from = rest[len(rest)-1].id
			batch := d.take(rest)
			if err := c.world.unlocked(func() error { return sendAll(stream, batch, c.wal) }); err != nil {
				return err
			}
		}
		seen := from
		if err := c.wait(ctx, func() bool { return ch.holdsAfter(seen) || over() }); err != nil {
			return err
		}
	}
}

// dumpStart checks the request and tells behind which id to begin.
func (c *cluster) dumpStart(req *milvuspb.DumpMessagesRequest) (int64, error) {
	switch start, end := req.GetStartTimetick(), req.GetEndTimetick(); {
	case req.GetPchannel() == "":
		return 0, status.Error(codes.Unknown, "missing parameter[missing_param=pchannel]")
	case req.GetStartMessageId().GetId() == "":
		return 0, status.Error(codes.Unknown, "missing parameter[missing_param=start_message_id]")
	case end != 0 && end < start:
		return 0, status.Error(codes.Unknown, "end_timetick must be greater than or equal to start_timetick: invalid parameter")
	}
	if wal := req.GetStartMessageId().GetWALName(); wal != commonpb.WALName_Unknown && wal != c.wal {
		return 0, status.Error(codes.Unknown, fmt.Sprintf("invalid start_message_id: the wal is %s, not %s: invalid parameter", c.wal, wal))
	}
	id, err := decodeID(c.wal, req.GetStartMessageId().GetId())
	if err != nil {
		return 0, status.Error(codes.Unknown, fmt.Sprintf("invalid start_message_id: %v: invalid parameter", err))
	}
	if c.profile.dumpBodies && includeStart(req) {
		id--
	}
	return id, nil
}

// includeStart reads a field that the generated request does not know.
func includeStart(req *milvuspb.DumpMessagesRequest) bool {
	raw := req.ProtoReflect().GetUnknown()
	for len(raw) > 0 {
		num, typ, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return false
		}
		raw = raw[n:]
		if num == includeStartField && typ == protowire.VarintType {
			v, _ := protowire.ConsumeVarint(raw)
			return v != 0
		}
		if n = protowire.ConsumeFieldValue(num, typ, raw); n < 0 {
			return false
		}
		raw = raw[n:]
	}
	return false
}

// dumper picks the messages that a request asks for. A transaction counts as
// one, by the tick of its commit, and waits for it.
type dumper struct {
	req *milvuspb.DumpMessagesRequest
	// whole: a transaction comes as one message that has no content, as before
	// #50574.
	whole bool
	open  map[uint64][]message
}

func (d *dumper) take(messages []message) []message {
	var out []message
	for _, m := range messages {
		switch {
		case m.kind == kindRollbackTxn:
			delete(d.open, m.txn)
		case m.kind == kindBeginTxn:
			d.open[m.txn] = []message{m}
		case m.txn != 0:
			out = append(out, d.part(m)...)
		case !m.kind.system() && d.within(m):
			out = append(out, m)
		}
	}
	return out
}

// part takes a part of a transaction and gives the whole with its commit. One whose
// begin lies before the start of the dump does not come at all.
func (d *dumper) part(m message) []message {
	open, begun := d.open[m.txn]
	if begun && m.kind != kindCommitTxn {
		d.open[m.txn] = append(open, m)
		return nil
	}
	if m.kind == kindCommitTxn {
		delete(d.open, m.txn)
	}
	switch {
	case !begun || m.kind != kindCommitTxn || !d.within(m):
		return nil
	case d.whole:
		m.kind = kindTxn
		return []message{m}
	default:
		return append(open, m)
	}
}

// within reports whether a message has a tick that is asked for.
func (d *dumper) within(m message) bool {
	end := d.req.GetEndTimetick()
	return m.tick >= d.req.GetStartTimetick() && (end == 0 || m.tick <= end)
}

func sendAll(stream milvuspb.MilvusService_DumpMessagesServer, messages []message, wal commonpb.WALName) error {
	for _, m := range messages {
		resp := &milvuspb.DumpMessagesResponse{Response: &milvuspb.DumpMessagesResponse_Message{Message: m.immutable(wal)}}
		if err := stream.Send(resp); err != nil {
			return err
		}
	}
	return nil
}
