package milvus

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"

	"google.golang.org/grpc/connectivity"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/plan"
)

// Properties of a dumped message and how they are written
// (pkg/streaming/util/message/properties.go, encoder.go).
const (
	propertyType = "_t"
	propertyTick = "_tt"
	tickBase     = 36
)

// localTypes are the messages that Milvus keeps to each cluster:
// AlterResourceGroup and DropResourceGroup (messages.proto; milvus.md section 3,
// skipMessageTypes). They say nothing about replication.
var localTypes = []string{"32", "33"}

// backlogs asks the source of each standby whether it holds messages that the
// standby has not replicated (milvus.md section 6): a checkpoint that stands
// still is one of an idle channel, or one that is stuck. It needs both up, and
// a source that serves DumpMessages.
func (r *Reader) backlogs(ctx context.Context, topologies []plan.Topology, bound []map[string]access, views []plan.View) {
	var pairs []backlog
	for i, t := range topologies {
		of := views[:len(t.Clusters)]
		views = views[len(t.Clusters):]
		for _, v := range of {
			source := slices.IndexFunc(of, func(o plan.View) bool { return o.Cluster == v.Belief.Source })
			if v.Belief.Kind == plan.BeliefStandby && source >= 0 && dumps(of[source]) {
				pairs = append(pairs, backlog{bound[i][v.Cluster], bound[i][v.Belief.Source], v.Progress})
			}
		}
	}
	limited(len(pairs), r.fleet.concurrency, func(i int) { r.fleet.unsent(ctx, pairs[i]) })
}

// dumps says whether a source can be asked: it answers, it is the one we mean,
// and it knows DumpMessages.
func dumps(v plan.View) bool {
	return v.Reach == plan.ReachUp && v.IdentityProven && v.ForcePromotes == plan.SupportYes
}

// backlog is a standby, its source, and the channels to fill in.
type backlog struct {
	standby, source access
	progress        []plan.ChannelProgress
}

// unsent fills in what each channel of a standby has not replicated. Where that
// cannot be told, it stays unsaid.
func (f *Fleet) unsent(ctx context.Context, b backlog) {
	to, leave, err := f.again(b.standby)
	if err != nil {
		return
	}
	defer leave()
	from, leave, err := f.again(b.source)
	if err != nil {
		return
	}
	defer leave()
	now, err := from.tick(ctx)
	if err != nil {
		return
	}
	limited(len(b.progress), f.concurrency, func(i int) {
		if p := &b.progress[i]; p.Known && p.MessageID != "" {
			unsentOf(ctx, p, to, from, b.source.cluster.ID, now)
		}
	})
}

// unsentOf asks about one channel, up to a tick of the source.
func unsentOf(ctx context.Context, p *plan.ChannelProgress, to, from *link, source string, now uint64) {
	ctx, cancel := from.shortly(ctx)
	defer cancel()
	info, err := to.info(ctx, p.Channel, source)
	if err != nil || info.GetCheckpoint().GetClusterId() != source {
		return
	}
	oldest, err := from.firstAfter(ctx, info.GetCheckpoint(), now)
	switch {
	case err != nil:
	case oldest != 0:
		at := plan.TickTime(oldest)
		p.Unsent = &at
	default:
		at := plan.TickTime(now)
		p.CaughtUpAt = &at
	}
}

func (f *Fleet) connect(a access) (*link, error) {
	pass, err := f.ticket(a)
	if err != nil {
		return nil, err
	}
	return f.dial(pass)
}

// again returns a connection to a cluster that was just looked at, over that
// look's if it was kept, and what leaves it to the next.
func (f *Fleet) again(a access) (l *link, leave func(), err error) {
	pass, err := f.ticket(a)
	if err != nil {
		return nil, nil, err
	}
	l, since, _, err := f.reach(pass, true)
	if err != nil {
		return nil, nil, err
	}
	return l, func() {
		if l.conn.GetState() == connectivity.Ready {
			f.keep(l, pass, since)
		} else {
			l.close()
		}
	}, nil
}

// firstAfter is the tick of the oldest message behind a checkpoint, up to a
// tick; 0: there is none.
func (l *link) firstAfter(ctx context.Context, c *commonpb.ReplicateCheckpoint, until uint64) (uint64, error) {
	if c.GetTimeTick() >= until {
		return 0, nil
	}
	stream, err := l.api.DumpMessages(ctx, &milvuspb.DumpMessagesRequest{
		Pchannel: c.GetPchannel(), StartMessageId: c.GetMessageId(), StartTimetick: c.GetTimeTick() + 1, EndTimetick: until,
	})
	if err != nil {
		return 0, err
	}
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		if s := answer.GetStatus(); s != nil {
			if o := classifyStatus(s); o.err != nil {
				return 0, o.err
			}
			continue
		}
		m := answer.GetMessage()
		if slices.Contains(localTypes, m.GetProperties()[propertyType]) {
			continue
		}
		return strconv.ParseUint(m.GetProperties()[propertyTick], tickBase, 64)
	}
}
