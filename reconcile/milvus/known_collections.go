package milvus

import (
	"context"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/client/v2/entity"
	"github.com/milvus-io/milvus/client/v2/index"
)

// compareKnownIn compares the collections of one database. A database that is gone lacks
// all of them.
func (f *Fleet) compareKnownIn(ctx context.Context, pass ticket, database string, collections []string) (missing, silent []string, err error) {
	l, err := f.dial(pass)
	if err != nil {
		return nil, nil, err
	}
	defer l.close()
	there, err := l.collections(ctx, database)
	if err != nil {
		databases, goneErr := l.databases(ctx)
		if goneErr != nil || slices.Contains(databases, database) {
			return nil, nil, err
		}
	}
	d, err := f.dialData(pass, database)
	if err != nil {
		return nil, nil, err
	}
	defer d.close()
	for _, name := range collections {
		switch full := database + "/" + name; {
		case !slices.Contains(there, full):
			missing = append(missing, full)
		case !d.answers(ctx, name):
			silent = append(silent, full)
		}
	}
	return missing, silent, nil
}

// answers says whether a collection can be described and, if it is loaded, queried.
func (d *data) answers(ctx context.Context, name string) bool {
	one, cancel := d.withReadTimeout(ctx)
	defer cancel()
	loaded, err := d.isLoaded(one, name)
	if err != nil {
		return false
	}
	if !loaded {
		_, err := d.describeCollection(one, name)
		return err == nil
	}
	_, err = d.query(one, &milvuspb.QueryRequest{
		CollectionName: name, OutputFields: []string{"count(*)"}, UseDefaultConsistency: true,
	})
	return err == nil
}

func flatIndex() index.Index { return index.NewFlatIndex(entity.L2) }

func sortBoth(a, b []string) {
	slices.Sort(a)
	slices.Sort(b)
}
