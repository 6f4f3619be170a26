package milvus

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/milvus-io/milvus/client/v2/entity"

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
