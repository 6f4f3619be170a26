package milvus

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/release"
	"milvus-reconcile/plan/upgrade"
	"milvus-reconcile/reconcile/milvus/parallel"
)

// Streams asks every cluster of the topologies that was seen up what an upgrade depends
// on: whether it asks for a token, also for streams, and what the token of replication and
// our own may do there. The result is sorted by cluster. It changes nothing that the
// cluster keeps, and a token goes only to its own cluster.
func (r *Reader) Streams(ctx context.Context, topologies []plan.Topology, views []plan.View) []upgrade.Stream {
	var asked []access
	for _, t := range topologies {
		bound := r.fleet.bind(t)
		for _, c := range t.Clusters {
			if a := bound[c.ID]; a.allowed() && (plan.Observed{Views: views}).View(c.ID).Reach == plan.ReachUp {
				asked = append(asked, a)
			}
		}
	}
	out := make([]upgrade.Stream, len(asked))
	parallel.Each(len(asked), r.fleet.concurrency, func(i int) { out[i] = r.fleet.streams(ctx, asked[i]) })
	slices.SortStableFunc(out, func(a, b upgrade.Stream) int { return strings.Compare(a.Cluster, b.Cluster) })
	return out
}

func (f *Fleet) streams(ctx context.Context, a access) upgrade.Stream {
	out := upgrade.Stream{Cluster: a.cluster.ID}
	pass, err := f.ticket(a)
	if err != nil {
		out.TokenDetail = f.secrets.Scrub(err.Error())
		return out
	}
	own := pass.token
	pass.token = ""
	f.with(pass, func(l *link) { out.Open, out.Checks = l.asksForTokens(ctx) })
	replication, err := f.replicationToken(a.bound, a.cluster.URI)
	if err != nil {
		out.TokenDetail = f.secrets.Scrub(err.Error())
	}
	out.TokenBlank = err == nil && replication == ""
	may := func(token, privilege string) (held plan.Support, why string) {
		pass.token = token
		f.with(pass, func(l *link) {
			ctx, cancel := f.withSeriesTimeout(ctx)
			defer cancel()
			for _, p := range release.Privileges() {
				if p.Name == privilege {
					held, why = l.grants(ctx, token, out.Open == plan.SupportYes)(p)
				}
			}
		})
		return held, f.secrets.Scrub(why)
	}
	if err == nil && !out.TokenBlank {
		out.TokenMay, out.TokenDetail = may(replication, release.PrivilegeUpdate)
	}
	out.Dumps, _ = may(own, release.PrivilegeDump)
	return out
}

// with calls ask with a connection of its own. Without a connection everything stays
// unknown.
func (f *Fleet) with(pass ticket, ask func(*link)) {
	l, err := f.dial(pass)
	if err != nil {
		return
	}
	defer l.close()
	ask(l)
}

// asksForTokens calls without a token something that every user may call, and a stream.
func (l *link) asksForTokens(ctx context.Context) (open, checks plan.Support) {
	switch o := l.coordinator(ctx); {
	case o.answered():
		return plan.SupportYes, plan.SupportUnknown
	case o.class != plan.ClassUnauthenticated:
		return plan.SupportUnknown, plan.SupportUnknown
	}
	ctx, cancel := l.withReadTimeout(ctx)
	defer cancel()
	stream, err := l.api.DumpMessages(ctx, &milvuspb.DumpMessagesRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) == codes.Unauthenticated {
		return plan.SupportNo, plan.SupportYes
	}
	if knows, _ := l.support(err); knows == plan.SupportYes {
		return plan.SupportNo, plan.SupportNo
	}
	return plan.SupportNo, plan.SupportUnknown
}
