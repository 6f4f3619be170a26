package milvussim

import (
	"context"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
)

// begin is the start of a call that needs the coordinator.
func begin(ctx context.Context) (*cluster, error) {
	c := rpcOf(ctx).cluster
	return c, c.needCoordinator(ctx)
}

// Connect answers the version of the cluster as server_info.build_tags (milvus.md §1.1). The proxy looks the database up on the way.
func (service) Connect(ctx context.Context, req *milvuspb.ConnectRequest) (*milvuspb.ConnectResponse, error) {
	c, err := begin(ctx)
	if db := databaseOf(ctx, req); err == nil && c.databases[db] == nil {
		err = failf(codeDatabaseNotFound, "database not found[database=%s]", db)
	}
	st, err := split(err)
	if err != nil || st.GetCode() != 0 {
		return &milvuspb.ConnectResponse{Status: st}, err
	}
	return &milvuspb.ConnectResponse{
		Status:     st,
		Identifier: int64(c.world.random.Uint64() >> 1),
		ServerInfo: &commonpb.ServerInfo{
			BuildTags: c.profile.BuildTag, DeployMode: "DISTRIBUTED", GoVersion: "go1.24", Reserved: map[string]string{},
		},
	}, nil
}

// GetVersion answers the version without asking the coordinator, as a real
// server was seen to do.
func (service) GetVersion(ctx context.Context, _ *milvuspb.GetVersionRequest) (*milvuspb.GetVersionResponse, error) {
	return &milvuspb.GetVersionResponse{Status: success(), Version: rpcOf(ctx).cluster.profile.BuildTag}, nil
}

// GetComponentStates tells the state of the proxy itself, whatever its
// coordinator does.
func (service) GetComponentStates(ctx context.Context, _ *milvuspb.GetComponentStatesRequest) (*milvuspb.ComponentStates, error) {
	state := commonpb.StateCode_Healthy
	if rpcOf(ctx).cluster.coordinator == CoordinatorNotReady {
		state = commonpb.StateCode_Abnormal
	}
	info := &milvuspb.ComponentInfo{NodeID: 1, Role: "proxy", StateCode: state}
	return &milvuspb.ComponentStates{State: info, Status: success()}, nil
}

// CheckHealth asks the coordinator.
func (service) CheckHealth(ctx context.Context, _ *milvuspb.CheckHealthRequest) (*milvuspb.CheckHealthResponse, error) {
	_, err := begin(ctx)
	st, err := split(err)
	if err != nil {
		return nil, err
	}
	return &milvuspb.CheckHealthResponse{Status: st, IsHealthy: st.GetCode() == 0}, nil
}

// AllocTimestamp gives a time tick of the cluster.
func (service) AllocTimestamp(ctx context.Context, _ *milvuspb.AllocTimestampRequest) (*milvuspb.AllocTimestampResponse, error) {
	c, err := begin(ctx)
	st, err := split(err)
	if err != nil {
		return nil, err
	}
	return &milvuspb.AllocTimestampResponse{Status: st, Timestamp: c.tso.next(c.now())}, nil
}
