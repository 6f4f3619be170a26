package milvus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/client/v2/column"

	"milvus-reconcile/plan"
)

// WriteProbe writes rows as an application does while a rehearsal runs, into a throwaway
// collection of its own. It touches no other collection.
type WriteProbe struct {
	fleet   *Fleet
	name    string // of the collection
	targets map[string]*data
	stop    context.CancelFunc
	done    chan struct{}

	mu      sync.Mutex
	acked   []int64
	lastAck time.Time
	longest time.Duration // between two acknowledged writes, since the last call of Gap
}

// probeTry bounds one write: an application that waits for longer has its own outage.
const probeTry = time.Second

// countAtOnce is how many rows one query looks for.
const countAtOnce = 1000

// StartProbe makes the collection on primary, and writes a row into it every so often, to
// whichever of the two clusters takes it.
func (f *Fleet) StartProbe(ctx context.Context, t plan.Topology, primary, standby string, every time.Duration) (*WriteProbe, error) {
	p := &WriteProbe{fleet: f, targets: map[string]*data{}, done: make(chan struct{})}
	for _, id := range []string{primary, standby} {
		if err := p.connect(t, id); err != nil {
			p.close()
			return nil, err
		}
	}
	// Its name keeps others from taking it for a leftover while the rehearsal lasts.
	p.name = throwawayName(f.clock.Now().Add(plan.LongestRehearsal))
	if err := p.targets[primary].create(ctx, p.name, 1); err != nil {
		_ = p.targets[primary].drop(ctx, p.name)
		p.close()
		return nil, fmt.Errorf("create the collection of the probe client: %w", err)
	}
	p.lastAck = f.clock.Now()
	ctx, p.stop = context.WithCancel(ctx)
	go p.write(ctx, []string{primary, standby}, every)
	return p, nil
}

// connect connects to one cluster.
func (p *WriteProbe) connect(t plan.Topology, cluster string) error {
	a := p.fleet.bind(t)[cluster]
	if !a.allowed() || a.cluster.ID == "" {
		return fmt.Errorf("%s may not be called: %s", cluster, a.reason)
	}
	pass, err := p.fleet.ticket(a)
	if err != nil {
		return p.fleet.secrets.Err(err)
	}
	d, err := p.fleet.dialData(pass, "")
	if err == nil {
		p.targets[cluster] = d
	}
	return err
}

// write writes until ctx ends. It stays with the cluster that took the last row, as an application
// that follows the primary at once.
func (p *WriteProbe) write(ctx context.Context, clusters []string, every time.Duration) {
	defer close(p.done)
	at := 0
	for key := int64(1); ctx.Err() == nil; key++ {
		try, cancel := context.WithTimeout(ctx, probeTry)
		err := p.targets[clusters[at]].insert(try, p.name,
			column.NewColumnInt64(keyField, []int64{key}),
			column.NewColumnFloatVector(vectorField, dimension, [][]float32{{0, 1}}))
		cancel()
		if err != nil {
			at = (at + 1) % len(clusters)
		} else {
			p.ack(key)
		}
		select {
		case <-ctx.Done():
		case <-p.fleet.clock.After(every):
		}
	}
}

func (p *WriteProbe) ack(key int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.fleet.clock.Now()
	p.longest, p.lastAck, p.acked = max(p.longest, now.Sub(p.lastAck)), now, append(p.acked, key)
}

// Gap returns the longest time between two acknowledged writes since the last call of it, and
// counts a gap that lasts.
func (p *WriteProbe) Gap() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := max(p.longest, p.fleet.clock.Now().Sub(p.lastAck))
	p.longest = 0
	return out
}

// Stop ends the writing, counts the acknowledged rows that primary lacks, and drops the
// collection.
func (p *WriteProbe) Stop(ctx context.Context, primary string) (written, lost int64, err error) {
	p.stop()
	<-p.done
	defer p.close()
	d := p.targets[primary]
	found, err := p.count(ctx, d)
	return int64(len(p.acked)), int64(len(p.acked)) - found, errors.Join(err, d.drop(ctx, p.name))
}

// count returns how many of the acknowledged rows a cluster has.
func (p *WriteProbe) count(ctx context.Context, d *data) (found int64, err error) {
	if err := d.load(ctx, p.name); err != nil {
		return 0, fmt.Errorf("load the collection of the probe client: %w", err)
	}
	for keys := range slices.Chunk(p.acked, countAtOnce) {
		one, cancel := context.WithTimeout(ctx, d.fleet.updateTimeout)
		rows, err := d.query(one, &milvuspb.QueryRequest{
			CollectionName: p.name, Expr: keyField + " in [" + joinKeys(keys) + "]", OutputFields: []string{keyField},
			ConsistencyLevel: commonpb.ConsistencyLevel_Strong,
		})
		cancel()
		if err != nil {
			return 0, fmt.Errorf("count the rows of the probe client: %w", err)
		}
		found += int64(rows)
	}
	return found, nil
}

func joinKeys(keys []int64) string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = strconv.FormatInt(k, 10)
	}
	return strings.Join(out, ", ")
}

func (p *WriteProbe) close() {
	for _, d := range p.targets {
		d.close()
	}
}
