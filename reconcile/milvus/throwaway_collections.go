package milvus

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/client/v2/entity"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/answers"
)

// throwawayPrefix begins the name of every collection that we make. Two
// underscores are legal for Milvus and unlike what people choose.
const throwawayPrefix = "__reconcile_throwaway_"

// throwawayMark is the description of every collection that we make. Together with the
// name it proves, without a record of ours, who made it.
const throwawayMark = "made by reconcile to see whether this cluster takes writes; holds nothing, may be dropped"

// throwawayLife is for how long a throwaway collection may be in use. The longest use is
// far shorter.
const throwawayLife = 10 * time.Minute

var throwawayForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^` + throwawayPrefix + `([0-9a-f]{8,16})_[0-9a-f]{16}$`)
})

// throwawayName returns a new name, which tells how long the collection may be in use.
func throwawayName(now time.Time) string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	return throwawayPrefix + strconv.FormatInt(now.Add(throwawayLife).Unix(), 16) + "_" + hex.EncodeToString(random[:])
}

func isThrowaway(name string) bool { return throwawayForm().MatchString(name) }

// isLeftover says whether a name is that of a throwaway collection that no process can
// still use.
func isLeftover(name string, now time.Time) bool {
	m := throwawayForm().FindStringSubmatch(name)
	if m == nil {
		return false
	}
	until, err := strconv.ParseInt(m[1], 16, 64)
	return err == nil && now.Unix() > until
}

// The throwaway collection's fields, and its one row.
const (
	keyField    = "id"
	vectorField = "vector"
	dimension   = 2
)

func throwawaySchema(name string) *entity.Schema {
	return entity.NewSchema().WithName(name).WithDescription(throwawayMark).
		WithField(entity.NewField().WithName(keyField).WithDataType(entity.FieldTypeInt64).WithIsPrimaryKey(true)).
		WithField(entity.NewField().WithName(vectorField).WithDataType(entity.FieldTypeFloatVector).WithDim(dimension))
}

func (d *data) create(ctx context.Context, name string, shards int) error {
	d.fleet.inUse(name, true)
	ctx, cancel := d.withReadTimeout(ctx)
	defer cancel()
	return d.createCollection(ctx, throwawaySchema(name), shards)
}

// drop removes a collection that we made, even if its caller has ended.
func (d *data) drop(ctx context.Context, name string) error {
	defer d.fleet.inUse(name, false)
	ctx, cancel := d.withReadTimeout(context.WithoutCancel(ctx))
	defer cancel()
	return d.dropCollection(ctx, name)
}

// inUse notes which throwaway collections this process is working with.
func (f *Fleet) inUse(name string, is bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if is {
		f.throwaways[name] = struct{}{}
		return
	}
	delete(f.throwaways, name)
}

func (f *Fleet) uses(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, is := f.throwaways[name]
	return is
}

// Sweep drops the throwaway collections that a crashed run left on a cluster, of any age:
// only the process that holds the topology's lock works with such collections. It tries
// once; a leftover costs nothing but its name.
func (f *Fleet) Sweep(ctx context.Context, t plan.Topology, cluster string) {
	a := f.bind(t)[cluster]
	if !a.allowed() || a.cluster.ID == "" {
		return
	}
	pass, err := f.ticket(a)
	if err != nil {
		return
	}
	d, err := f.dialData(pass, "")
	if err != nil {
		return
	}
	defer d.close()
	d.sweep(ctx, func(name string) bool { return isThrowaway(name) && !f.uses(name) })
}

// sweepOld drops the throwaway collections that no process can still use.
func (d *data) sweepOld(ctx context.Context) {
	d.sweep(ctx, func(name string) bool { return isLeftover(name, d.fleet.clock.Now()) })
}

func (d *data) sweep(ctx context.Context, whether func(name string) bool) {
	ctx, enough := d.fleet.withSeriesTimeout(ctx)
	defer enough()
	one, cancel := d.withReadTimeout(ctx)
	defer cancel()
	names, err := d.listCollections(one)
	if err != nil {
		return
	}
	for _, name := range names {
		if whether(name) && d.isOurs(ctx, name) {
			_ = d.drop(ctx, name) // the next sweep tries again
		}
	}
}

// isOurs says whether a collection carries our mark: a name alone is no proof.
func (d *data) isOurs(ctx context.Context, name string) bool {
	ctx, cancel := d.withReadTimeout(ctx)
	defer cancel()
	described, err := d.describeCollection(ctx, name)
	return err == nil && described.GetSchema().GetDescription() == throwawayMark
}

// ddl creates and drops a throwaway collection: only a primary accepts that
// (milvus.md §3).
func (d *data) ddl(ctx context.Context) error {
	name := throwawayName(d.fleet.clock.Now())
	if err := d.create(ctx, name, 1); err != nil {
		_ = d.drop(ctx, name) // it may have been made although we were not told
		return fmt.Errorf("create a throwaway collection: %w", err)
	}
	if err := d.drop(ctx, name); err != nil {
		return fmt.Errorf("drop the throwaway collection %s: %w", name, err)
	}
	return nil
}

// hopeless says whether another try cannot help.
func hopeless(err error) bool {
	switch status.Code(err) {
	case codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented:
		return true
	default:
		return answers.IsNotTaken(err)
	}
}

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
	return l.tickOf(l.api.AllocTimestamp(ctx, &milvuspb.AllocTimestampRequest{}))
}

// tickOf is tick of an answer.
func (l *link) tickOf(resp *milvuspb.AllocTimestampResponse, err error) (uint64, error) {
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
