package milvus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/plan"
)

// maxShards is the most shards that one collection gets (proxy.maxShardNum).
const maxShards = 16

// pollEvery is how often the target's channels are read while replication is proven. It is
// also the pause before the source's channels are touched a second time; each further
// pause is twice as long.
const pollEvery = 500 * time.Millisecond

// ProveReplication proves that what source writes now reaches every channel of target
// within a time (contract.md §8.7). It takes a tick of source, creates and drops a throwaway
// collection with a shard on each channel, and waits until every channel of target has
// replicated beyond that tick.
//
// A channel that has is proof: a message beyond the tick was written after it. A channel
// that has not proves nothing: streaming nodes take their ticks from a batch, so the
// messages of the collection may bear older ones. While channels stay behind, another
// collection is made, whose ticks are newer.
func (f *Fleet) ProveReplication(ctx context.Context, t plan.Topology, source, target string, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	bound := f.bind(t)
	p := flowProof{fleet: f, topology: t, from: bound[source], to: bound[target], within: within}
	for _, a := range []access{p.from, p.to} {
		if !a.allowed() || a.cluster.ID == "" {
			return fmt.Errorf("replication cannot be proven: %s", a.reason)
		}
		if len(a.cluster.PChannels) == 0 {
			return fmt.Errorf("replication cannot be proven: %s has no channels", a.cluster.ID)
		}
	}
	if err := p.mark(ctx); err != nil {
		return fmt.Errorf("mark the channels of %s: %w", source, err)
	}
	defer p.data.close()
	return p.await(ctx)
}

// flowProof is one proof that replication flows.
type flowProof struct {
	fleet    *Fleet
	topology plan.Topology
	from, to access
	within   time.Duration

	tick uint64
	data *data // of from
	// before and last are what each channel of to said before and after the first touch.
	// last is of the newest read that all of them answered, if there is one.
	before, last []plan.ChannelProgress
}

// mark takes a tick of the source, and reads the standby before anything is written beyond
// the tick.
func (p *flowProof) mark(ctx context.Context) error {
	f := p.fleet
	pass, err := f.ticket(p.from)
	if err != nil {
		return f.secrets.Err(err)
	}
	l, err := f.dial(pass)
	if err != nil {
		return err
	}
	defer l.close()
	if p.tick, err = l.tick(ctx); err != nil {
		return err
	}
	p.before = f.view(ctx, p.topology, p.to, probeOptions{progress: true}).Progress
	p.data, err = f.dialData(pass, "")
	if err == nil {
		p.data.sweepOld(ctx)
	}
	return err
}

// await touches the source's channels and reads the target's until each has passed the
// tick.
func (p *flowProof) await(ctx context.Context) error {
	f, pause := p.fleet, pollEvery
	var again time.Time
	var behind []string // as last read
	for {
		if now := f.clock.Now(); !now.Before(again) {
			if err := p.data.touch(ctx, p.from.cluster.PChannels); err != nil && ctx.Err() == nil {
				return fmt.Errorf("mark the channels of %s: %w", p.from.cluster.ID, err)
			}
			again, pause = f.clock.Now().Add(pause), 2*pause
		}
		v := f.view(ctx, p.topology, p.to, probeOptions{progress: true})
		if v.Belief.Kind != plan.BeliefUnknown && v.Belief.Source != p.from.cluster.ID {
			return plan.NotFollowingError{Source: p.from.cluster.ID, Target: p.to.cluster.ID, Belief: v.Belief}
		}
		if allKnown(v.Progress) || p.last == nil {
			behind = behindTick(v, p.to.cluster, p.from.cluster.ID, p.tick)
			p.last = v.Progress
		}
		if len(behind) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return p.notCaughtUp(behind)
		case <-f.clock.After(pollEvery):
		}
	}
}

func allKnown(channels []plan.ChannelProgress) bool {
	return len(channels) > 0 && !slices.ContainsFunc(channels, func(p plan.ChannelProgress) bool { return !p.Known })
}

func (p *flowProof) notCaughtUp(behind []string) error {
	return plan.NotCaughtUpError{
		Source: p.from.cluster.ID, Target: p.to.cluster.ID, Behind: behind, Channels: len(p.to.cluster.PChannels),
		Within: p.within, NoneMoved: plan.NoneMoved(p.before, p.last),
	}
}

// tick returns the newest time tick of the cluster.
func (l *link) tick(ctx context.Context) (uint64, error) {
	ctx, cancel := l.withReadTimeout(ctx)
	defer cancel()
	resp, err := l.api.AllocTimestamp(ctx, &milvuspb.AllocTimestampRequest{})
	if err == nil {
		err = classifyStatus(resp.GetStatus()).err
	}
	if err != nil {
		return 0, fmt.Errorf("ask for a time tick: %w", l.fleet.secrets.Err(err))
	}
	if resp.GetTimestamp() == 0 {
		return 0, errors.New("the cluster gave no time tick")
	}
	return resp.GetTimestamp(), nil
}

// touch creates and drops throwaway collections until each channel had one. A cluster puts
// the shards of a collection on different channels; more channels than shards need several
// collections.
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
	ctx, cancel := d.withReadTimeout(ctx)
	defer cancel()
	described, err := d.describeCollection(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("describe the throwaway collection: %w", err)
	}
	return described.GetPhysicalChannelNames(), nil
}

// behindTick returns the channels that have not replicated beyond tick, or that are not
// known to have.
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
