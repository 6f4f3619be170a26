package milvus

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/milvus-io/milvus/client/v2/entity"
	"github.com/milvus-io/milvus/client/v2/milvusclient"
)

// throwawayPrefix begins the name of every collection that we make. Two
// underscores are legal for Milvus and unlike what people choose.
const throwawayPrefix = "__reconcile_throwaway_"

// throwawayAge is how old a throwaway collection must be to be taken for the
// leftover of a crash: no verification takes that long.
const throwawayAge = time.Hour

// throwawayName is new each time, and tells when it was made.
func throwawayName(now time.Time) string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	return throwawayPrefix + strconv.FormatInt(now.Unix(), 16) + "_" + hex.EncodeToString(random[:])
}

func isThrowaway(name string) bool { return strings.HasPrefix(name, throwawayPrefix) }

// isLeftover says whether a collection is a throwaway one that a crash left.
func isLeftover(name string, now time.Time) bool {
	made, _, ok := strings.Cut(strings.TrimPrefix(name, throwawayPrefix), "_")
	if !isThrowaway(name) || !ok {
		return false
	}
	seconds, err := strconv.ParseInt(made, 16, 64)
	return err == nil && now.Sub(time.Unix(seconds, 0)) > throwawayAge
}

// The throwaway collection's fields, and its one row.
const (
	keyField    = "id"
	vectorField = "vector"
	dimension   = 2
)

func throwawaySchema(name string) *entity.Schema {
	return entity.NewSchema().WithName(name).
		WithField(entity.NewField().WithName(keyField).WithDataType(entity.FieldTypeInt64).WithIsPrimaryKey(true)).
		WithField(entity.NewField().WithName(vectorField).WithDataType(entity.FieldTypeFloatVector).WithDim(dimension))
}

func (d *data) create(ctx context.Context, name string, shards int) error {
	ctx, cancel := d.shortly(ctx)
	defer cancel()
	option := milvusclient.NewCreateCollectionOption(name, throwawaySchema(name)).WithShardNum(int32(shards)) //nolint:gosec // at most maxShards
	return d.fleet.secrets.err(d.client.CreateCollection(ctx, option))
}

// drop outlives its caller: a collection that we made is ours to remove.
func (d *data) drop(ctx context.Context, name string) error {
	ctx, cancel := d.shortly(context.WithoutCancel(ctx))
	defer cancel()
	return d.fleet.secrets.err(d.client.DropCollection(ctx, milvusclient.NewDropCollectionOption(name)))
}

// sweep drops what crashed runs left behind. It is best effort: a leftover
// costs nothing but its name.
func (d *data) sweep(ctx context.Context) {
	one, cancel := d.shortly(ctx)
	defer cancel()
	names, err := d.client.ListCollections(one, milvusclient.NewListCollectionOption())
	if err != nil {
		return
	}
	for _, name := range names {
		if isLeftover(name, d.fleet.clock.Now()) {
			_ = d.drop(ctx, name) // the next sweep tries again
		}
	}
}

// ddl creates and drops a throwaway collection: only a primary accepts that
// (milvus.md section 3).
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

// refusedAsStandby says whether the words of a server mean that it is not a
// primary (milvus.md section 3).
func refusedAsStandby(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "cluster is not primary") ||
		strings.Contains(err.Error(), "STREAMING_CODE_REPLICATE_VIOLATION"))
}

// hopeless says whether trying again cannot help.
func hopeless(err error) bool {
	switch status.Code(err) {
	case codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented:
		return true
	default:
		return false
	}
}
