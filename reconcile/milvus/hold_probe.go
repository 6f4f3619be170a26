package milvus

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc/connectivity"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/plan"
)

// HoldProbe asks the old primary for its configuration and its coordinator, over a
// connection of its own, and keeps both calls open until ctx ends. Then silent is true:
// nothing came. An answer, a refusal or the end of the connection ends it at once, and
// silent is false. So does the start of HTTP/2, unless a round that saw reach showed as
// much. A primary that it cannot ask is not silent.
func (r *Reader) HoldProbe(ctx context.Context, t plan.Topology, primary string, reach plan.Reach) (silent bool) {
	a := probeAccess(bind(t, r.fleet.credentials), primary)
	if !a.allowed() {
		return false
	}
	pass, err := r.fleet.ticket(a)
	if err != nil {
		return false
	}
	l, err := r.fleet.dial(pass)
	if err != nil {
		return false
	}
	defer l.close()
	ctx, end := context.WithCancel(ctx)
	defer end()
	var came atomic.Bool
	comes := func(err error) {
		if err == nil || ctx.Err() == nil {
			came.Store(true)
			end()
		}
	}
	runAll(
		func() {
			_, err := l.api.GetReplicateConfiguration(ctx, &milvuspb.GetReplicateConfigurationRequest{})
			comes(err)
		},
		func() {
			_, err := l.api.ListDatabases(ctx, &milvuspb.ListDatabasesRequest{})
			comes(err)
		},
		func() {
			if reach != plan.ReachDegraded && l.speaks(ctx) {
				comes(nil)
			}
		},
	)
	return !came.Load()
}

// speaks waits until HTTP/2 is spoken over the connection, or ctx ends.
func (l *link) speaks(ctx context.Context) bool {
	for state := l.conn.GetState(); state != connectivity.Ready; state = l.conn.GetState() {
		if !l.conn.WaitForStateChange(ctx, state) {
			return false
		}
	}
	return true
}

// ReadCandidate reads the cluster to promote as a round does: over a connection of its
// own, with its progress.
func (r *Reader) ReadCandidate(ctx context.Context, t plan.Topology, candidate string) plan.View {
	return r.fleet.view(ctx, t, bind(t, r.fleet.credentials)[candidate], probeOptions{progress: true})
}
