package milvussim

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

const (
	serviceName = "milvus.proto.milvus.MilvusService"
	// minPing is how often a client may ping. Milvus clients ping every 10 s or
	// less; a stricter server would send them GOAWAY.
	minPing = 5 * time.Second
	// maxMessage is the size of a message that Milvus' proxy takes
	// (proxy.grpc.serverMaxRecvSize).
	maxMessage = 64 << 20
)

// service serves every cluster of a World. What it does not define answers as
// the generated stub does: Unimplemented.
type service struct {
	milvuspb.UnimplementedMilvusServiceServer
}

func (w *World) newServer() *grpc.Server {
	options := []grpc.ServerOption{
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
		grpc.UnaryInterceptor(w.unary), grpc.StreamInterceptor(w.stream),
	}
	if w.options.Authority != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(w.options.Authority.server())))
	}
	s := grpc.NewServer(options...)
	milvuspb.RegisterMilvusServiceServer(s, service{})
	return s
}

// clusterOf is the cluster whose connection a call came over.
func clusterOf(ctx context.Context) (*cluster, error) {
	if p, ok := peer.FromContext(ctx); ok {
		if a, ok := p.LocalAddr.(localAddr); ok {
			return a.cluster, nil
		}
	}
	return nil, status.Error(codes.Internal, "connection belongs to no cluster")
}

// unary serves one unary call under the World's lock, which a handler gives away
// only while it waits.
func (w *World) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	c, err := clusterOf(ctx)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	method := path.Base(info.FullMethod)
	rec := w.record(c, method, req)
	f := c.takeFault(method)
	resp, err := c.serve(ctx, f, rec, method, req, handler)
	rec.conclude(resp, err)
	if err == nil {
		err = f.after(ctx, c)
	}
	if err != nil {
		return nil, grpcError(err)
	}
	return resp, nil
}

func (c *cluster) serve(ctx context.Context, f *fault, rec *call, method string, req any, handler grpc.UnaryHandler) (any, error) {
	if err := c.knows(method); err != nil {
		return nil, err
	}
	if err := f.before(ctx, c); err != nil {
		return nil, err
	}
	if !c.serves() {
		return nil, proxyStarting()
	}
	u, err := c.authenticate(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.permit(ctx, u, method, req); err != nil {
		return nil, err
	}
	return handler(withRPC(ctx, &rpc{cluster: c, call: rec, user: u}), req)
}

// stream serves a streaming call. Before #52608 Milvus' proxy had its checks of
// users and privileges for unary calls only (milvus.md §1.6).
func (w *World) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	c, err := clusterOf(ss.Context())
	if err != nil {
		return err
	}
	method := path.Base(info.FullMethod)
	w.mu.Lock()
	defer w.mu.Unlock()
	rec := w.record(c, method, nil)
	f := c.takeFault(method)
	if err = c.knows(method); err == nil {
		err = f.before(ss.Context(), c)
	}
	if err == nil && !c.serves() {
		err = status.Error(codes.Unknown, "state code: Initializing: service not ready")
	}
	if err == nil && c.profile.streamRights {
		var u *user
		if u, err = c.authenticate(ss.Context()); err == nil {
			err = c.permitStream(u, method)
		}
	}
	if err == nil {
		ctx := withRPC(ss.Context(), &rpc{cluster: c, call: rec})
		err = handler(srv, &boundStream{ServerStream: ss, ctx: ctx})
	}
	rec.conclude(nil, err)
	if err == nil {
		err = f.after(ss.Context(), c)
	}
	return grpcError(err)
}

// boundStream is a stream whose context names the call.
type boundStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *boundStream) Context() context.Context { return s.ctx }

// unlocked runs f, which may block on the network, without the World's lock.
func (w *World) unlocked(f func() error) error {
	w.mu.Unlock()
	defer w.mu.Lock()
	return f()
}

// knows answers as a server does whose proto has no such method (milvus.md §1.1), or
// whose proto has it while the service does not forward it (#49810).
func (c *cluster) knows(method string) error {
	p := c.profile
	known := true
	switch method {
	case "UpdateReplicateConfiguration", "GetReplicateInfo", "CreateReplicateStream":
		known = p.replication
	case "DumpMessages":
		known = p.dump
	case "GetReplicateConfiguration":
		known = p.read != readUnknown
	}
	if !known {
		return status.Error(codes.Unimplemented, fmt.Sprintf("unknown method %s for service %s", method, serviceName))
	}
	return nil
}

// change runs f for a cluster under the World's lock and tells those who wait.
func (w *World) change(id string, f func(*cluster) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, err := w.cluster(id)
	if err != nil {
		return err
	}
	if err := f(c); err != nil {
		return err
	}
	c.advance()
	c.notify()
	return nil
}

// Stop kills a cluster: connections are refused, open ones reset, calls in
// flight lost. A cluster that is stopped stays so.
func (w *World) Stop(id string) error {
	return w.change(id, func(c *cluster) error {
		if c.running {
			c.kill()
		}
		return nil
	})
}

// Revive starts a stopped cluster at its address, with its state; interrupted
// broadcasts go on. A running cluster is left alone.
func (w *World) Revive(id string) error { return w.ReviveNotReady(id, 0) }

// ReviveNotReady is Revive of a cluster that is not ready for a while after its
// start, as one is that was killed: until then its proxy refuses every call.
func (w *World) ReviveNotReady(id string, notReady time.Duration) error {
	return w.change(id, func(c *cluster) error {
		if c.running {
			return nil
		}
		return c.startAgain(notReady)
	})
}

func (c *cluster) startAgain(notReady time.Duration) error {
	c.starting(notReady)
	return c.revive()
}

// Restart is Stop and Revive in one.
func (w *World) Restart(id string) error { return w.RestartNotReady(id, 0) }

// RestartNotReady is Stop and ReviveNotReady in one.
func (w *World) RestartNotReady(id string, notReady time.Duration) error {
	return w.change(id, func(c *cluster) error {
		if c.running {
			c.kill()
		}
		return c.startAgain(notReady)
	})
}

// SetProfile has a cluster behave as another version from now on. Its streams
// open again, as after the restart that an upgrade is.
func (w *World) SetProfile(id, version string) error {
	p, err := ParseProfile(version)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadRequest, err)
	}
	return w.change(id, func(c *cluster) error {
		c.profile = p
		c.reconnect()
		return nil
	})
}

// sortedKeys is a map's keys in order; the simulator never lets a map decide.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

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
