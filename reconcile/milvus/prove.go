package milvus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/client/v2/milvusclient"

	"milvus-reconcile/plan"
)

// maxShards is the most shards that one collection gets (proxy.maxShardNum).
const maxShards = 16

// pollEvery is how often the target's channels are read while replication is
// proven.
const pollEvery = 500 * time.Millisecond

// ProveReplication proves that what source writes now reaches every channel of
// target within the bound (contract section 8, switchover): it takes a tick of
// source, creates and drops a throwaway collection with a shard on each
// channel, and waits until every channel of target has replicated beyond that
// tick.
func (f *Fleet) ProveReplication(ctx context.Context, t plan.Topology, source, target string, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	bound := bind(t, f.credentials)
	from, to := bound[source], bound[target]
	for _, a := range []access{from, to} {
		if !a.allowed() || a.cluster.ID == "" {
			return fmt.Errorf("replication cannot be proven: %s", a.reason)
		}
		if len(a.cluster.PChannels) == 0 {
			return fmt.Errorf("replication cannot be proven: %s has no channels", a.cluster.ID)
		}
	}
	tick, err := f.mark(ctx, from)
	if err != nil {
		return fmt.Errorf("mark the channels of %s: %w", source, err)
	}
	return f.awaitTick(ctx, t, to, source, tick, within)
}

// mark returns a tick of the cluster and has a message behind it on every one
// of its channels.
func (f *Fleet) mark(ctx context.Context, a access) (tick uint64, err error) {
	pass, err := f.ticket(a)
	if err != nil {
		return 0, f.secrets.err(err)
	}
	l, err := f.dial(pass)
	if err != nil {
		return 0, err
	}
	defer l.close()
	tick, err = l.tick(ctx)
	if err != nil {
		return 0, err
	}
	d, err := f.dialData(ctx, pass, "")
	if err != nil {
		return 0, err
	}
	defer d.close(ctx)
	d.sweepOld(ctx)
	return tick, d.touch(ctx, a.cluster.PChannels)
}

func (l *link) tick(ctx context.Context) (uint64, error) {
	ctx, cancel := l.shortly(ctx)
	defer cancel()
	resp, err := l.api.AllocTimestamp(ctx, &milvuspb.AllocTimestampRequest{})
	if err == nil {
		err = classifyStatus(resp.GetStatus()).err
	}
	if err != nil {
		return 0, fmt.Errorf("ask for a time tick: %w", l.fleet.secrets.err(err))
	}
	if resp.GetTimestamp() == 0 {
		return 0, errors.New("the cluster gave no time tick")
	}
	return resp.GetTimestamp(), nil
}

// touch creates and drops throwaway collections until each channel had one. A
// cluster puts the shards of a collection on different channels; one with more
// channels than a collection has shards needs several.
func (d *data) touch(ctx context.Context, channels []string) error {
	left := slices.Clone(channels)
	var made []string
	defer func() {
		for _, name := range made {
			_ = d.drop(ctx, name) // the next sweep tries again
		}
	}()
	for tries := 2 * (len(channels)/maxShards + 1); len(left) > 0 && tries > 0; tries-- {
		name := throwawayName(d.fleet.clock.Now())
		made = append(made, name)
		if err := d.create(ctx, name, min(len(left), maxShards)); err != nil {
			return fmt.Errorf("create a throwaway collection: %w", err)
		}
		touched, err := d.channelsOf(ctx, name)
		if err != nil {
			return err
		}
		left = slices.DeleteFunc(left, func(c string) bool { return slices.Contains(touched, c) })
	}
	if len(left) > 0 {
		return fmt.Errorf("no throwaway collection reached %s", strings.Join(left, ", "))
	}
	return nil
}

func (d *data) channelsOf(ctx context.Context, name string) ([]string, error) {
	ctx, cancel := d.shortly(ctx)
	defer cancel()
	coll, err := d.client.DescribeCollection(ctx, milvusclient.NewDescribeCollectionOption(name))
	if err != nil {
		return nil, fmt.Errorf("describe the throwaway collection: %w", d.fleet.secrets.err(err))
	}
	return coll.PhysicalChannels, nil
}

// awaitTick waits until every channel of a standby has replicated beyond tick,
// as long as ctx lets it, which is within.
func (f *Fleet) awaitTick(ctx context.Context, t plan.Topology, a access, source string, tick uint64, within time.Duration) error {
	var behind []string
	for {
		v := f.view(ctx, t, a, look{progress: true})
		if behind = behindTick(v, a.cluster, source, tick); len(behind) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return plan.NotCaughtUp{Source: source, Target: a.cluster.ID, Behind: behind, Channels: len(a.cluster.PChannels), Within: within}
		case <-f.clock.After(pollEvery):
		}
	}
}

// behindTick lists the channels that have not replicated beyond tick, or of
// which that is not known.
func behindTick(v plan.View, c plan.Cluster, source string, tick uint64) []string {
	var behind []string
	for _, channel := range c.PChannels {
		reached := slices.ContainsFunc(v.Progress, func(p plan.ChannelProgress) bool {
			return p.Channel == channel && p.Known && p.SourceCluster == source && p.TimeTick > tick
		})
		if !reached {
			behind = append(behind, channel)
		}
	}
	return behind
}
