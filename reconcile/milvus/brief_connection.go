package milvus

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/reconcile/milvus/unary"
)

// briefConn is a connection for the three calls by which a process that observes once
// learns that a cluster answers, and as whom. It costs a fraction of a grpc.ClientConn and
// tells nothing of a failure: unless all three answer as usual, everything is read over a
// grpc.ClientConn, and that alone counts.
type briefConn struct {
	*unary.Conn
	fleet   *Fleet
	cluster string
}

// Invoke makes one call, as all others are made: with a span, and without tokens in its
// error.
func (b *briefConn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	ctx, end := startSpan(ctx, b.cluster, method)
	err := b.Conn.Invoke(ctx, method, args, reply, opts...)
	end(err)
	return b.fleet.secrets.withoutTokens(err)
}

// mayBeBrief says whether a read needs unary calls alone.
func (f *Fleet) mayBeBrief(what probeOptions) bool {
	return f.oneShot && what.reuse && what.within == 0 && !what.secondDeadline &&
		!what.features && !what.progress && !what.contents && !what.unlisted
}

// soon is how long an answer is waited for before another connection is made beside. One
// that is brief has to be made within it, to a cluster that may be far away.
func (l *link) soon() time.Duration {
	if l.brief == nil {
		return l.fleet.awaitSoon
	}
	return max(l.fleet.awaitSoon, l.fleet.readTimeout/quarter)
}

// detailsOrIdentity reads the details. Over a brief connection it only takes a proof that
// comes soon of who answers: a channel that only this cluster has, or its list. All else,
// as whether another member answers in its place, is left to the read that follows then.
func (r *viewReader) detailsOrIdentity(ctx context.Context) {
	if r.brief == nil {
		r.details(ctx)
		return
	}
	soon, cancel := context.WithTimeout(ctx, r.soon())
	defer cancel()
	_, alone := listProves(r.view.Belief.Configuration, r.target.cluster)
	_, tells := r.firstChannels()[r.target.cluster.ID]
	r.view.IdentityProven = alone || tells && r.firstServed(soon)
}

// lifetimes is for how many read timeouts a brief connection is used: its cluster, and who
// it is, are read one after the other.
const lifetimes = 2

// dialBrief prepares a brief connection, which the first call makes. Close it.
func (f *Fleet) dialBrief(t ticket) (*link, error) {
	o := unary.Options{
		Address: t.address, Credentials: t.transport(), UserAgent: userAgent,
		Timeout: f.readTimeout, Lifetime: lifetimes * f.readTimeout,
		Codec: codec{&f.secrets}, Limit: func(reply any) int { return limitOf(reply).size },
	}
	if t.token != "" {
		o.Authorization = encodedToken(t.token)
	}
	l := &link{fleet: f, trace: &connectionTrace{}, brief: &briefConn{unary.New(o), f, t.cluster}}
	l.api = milvuspb.NewMilvusServiceClient(l.brief)
	return l, f.opened(l)
}
