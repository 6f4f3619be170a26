package milvussim

import (
	"context"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
)

// dropPartition is the message of that name; unlike other changes of a
// collection it takes rows away in each channel.
type dropPartition struct {
	onCollection
	partition int64
}

// CreatePartition adds a partition.
func (service) CreatePartition(ctx context.Context, req *milvuspb.CreatePartitionRequest) (*commonpb.Status, error) {
	c, coll, err := beginCollection(ctx, req)
	if err != nil {
		return answer(err)
	}
	p := partition{id: c.newID(), name: req.GetPartitionName()}
	return answer(c.alter(ctx, coll, kindCreatePartition, func(coll *collection) {
		if _, err := coll.partition(p.name); err != nil {
			coll.partitions = append(coll.partitions, p)
		}
	}, coll.shards...))
}

// DropPartition drops a partition with its rows; one that is not there is a
// success.
func (service) DropPartition(ctx context.Context, req *milvuspb.DropPartitionRequest) (*commonpb.Status, error) {
	c, coll, err := beginCollection(ctx, req)
	if err != nil {
		return answer(err)
	}
	p, missing := coll.partition(req.GetPartitionName())
	if missing != nil {
		return success(), nil
	}
	d := &dropPartition{partition: p.id, onCollection: onCollection{
		what: kindDropPartition, collection: coll.id,
		change: func(coll *collection) {
			coll.partitions = slices.DeleteFunc(coll.partitions, func(o partition) bool { return o.id == p.id })
		},
	}}
	return answer(c.runDDL(ctx, d, coll.shards...))
}

// HasPartition tells whether a partition is there.
func (service) HasPartition(ctx context.Context, req *milvuspb.HasPartitionRequest) (*milvuspb.BoolResponse, error) {
	_, coll, err := beginCollection(ctx, req)
	st, err := split(err)
	resp := &milvuspb.BoolResponse{Status: st}
	if err == nil && st.GetCode() == 0 {
		_, missing := coll.partition(req.GetPartitionName())
		resp.Value = missing == nil
	}
	return resp, err
}

// ShowPartitions lists the partitions of a collection.
func (service) ShowPartitions(ctx context.Context, req *milvuspb.ShowPartitionsRequest) (*milvuspb.ShowPartitionsResponse, error) {
	_, coll, err := beginCollection(ctx, req)
	st, err := split(err)
	resp := &milvuspb.ShowPartitionsResponse{Status: st}
	if err != nil || st.GetCode() != 0 {
		return resp, err
	}
	for _, p := range coll.partitions {
		resp.PartitionNames = append(resp.PartitionNames, p.name)
		resp.PartitionIDs = append(resp.PartitionIDs, p.id)
		resp.CreatedTimestamps = append(resp.CreatedTimestamps, coll.tick)
		resp.CreatedUtcTimestamps = append(resp.CreatedUtcTimestamps, uint64(TickTime(coll.tick).UnixMilli()))
		//lint:ignore SA1019 the SDKs still read it
		resp.InMemoryPercentages = append(resp.InMemoryPercentages, coll.progress())
	}
	return resp, nil
}
