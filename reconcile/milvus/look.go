package milvus

import (
	"context"
	"errors"
	"sync"

	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/plan"
)

// look is what is asked of one cluster in one observation.
type look struct {
	identity bool // who answers
	features bool // what it can do
	progress bool
	contents bool
	reuse    bool // a connection that an earlier look kept will do
	hangs    bool // ask twice where no configuration comes, to tell unconfigured from stuck
}

// view reads one cluster by itself.
func (f *Fleet) view(ctx context.Context, t plan.Topology, a access, what look) plan.View {
	s := (&scene{topology: t}).sight(a)
	f.see(ctx, s, what)
	s.end()
	return s.view
}

// see reads one cluster. It never fails: what went wrong is in the view.
func (f *Fleet) see(ctx context.Context, s *sight, what look) {
	s.checkpoints = nil
	s.view = plan.View{Cluster: s.cluster.ID, At: f.clock.Now(), Credential: s.credential, Class: plan.ClassNotCalled}
	if !s.allowed() {
		s.view.Error = s.reason
		return
	}
	pass, err := f.ticket(s.access)
	if err != nil {
		s.view.Credential, s.view.Error = plan.CredentialMissing, f.secrets.scrub(err.Error())
		return
	}
	l, since, reused, err := f.reach(pass, what.reuse)
	if err != nil {
		s.view.Class, s.view.Error = plan.ClassOther, f.secrets.scrub(err.Error())
		return
	}
	r := reading{link: l, sight: s, what: what, view: s.view, pass: pass}
	r.core(ctx)
	if r.view.Reach == plan.ReachUp {
		r.details(ctx)
	}
	good := r.view.Reach == plan.ReachUp && r.view.Class == plan.ClassNone && r.view.IdentityConflict == ""
	if !good && reused && ctx.Err() == nil { // only a new connection tells why
		l.close()
		what.reuse = false
		f.see(ctx, s, what)
		return
	}
	s.view = r.view
	s.holds(l, pass, func() {
		if good && what.reuse && l.conn.GetState() == connectivity.Ready {
			f.keep(l, pass, since)
		} else {
			l.close()
		}
	})
}

// reading is one view in the making.
type reading struct {
	*link
	sight *sight
	what  look
	view  plan.View
	pass  ticket
}

// core reads reach, version and belief.
func (r *reading) core(ctx context.Context) {
	var version string
	var stored *commonpb.ReplicateConfiguration
	var configuration, coordinator outcome
	both(
		func() { version = r.version(ctx) },
		func() { stored, configuration = r.configuration(ctx) },
	)
	r.view.Version = version
	inferred := false
	if configuration.reach == plan.ReachDegraded {
		coordinator = r.coordinator(ctx)
		if r.what.hangs && configuration.timedOut() && coordinator.answered() && hangsUnconfigured(version) {
			h := hangs{version: version, configuration: configuration, coordinator: coordinator}
			both(
				func() { stored, h.again = r.configuration(ctx) },
				func() { h.coordinator2 = r.coordinator(ctx) },
			)
			inferred, configuration, coordinator = h.unconfigured(), h.again, h.coordinator2
		}
	}
	if ctx.Err() != nil && !configuration.answered() {
		// Our caller's patience ended before the deadline of the call: that the
		// cluster did not answer until then shows nothing.
		configuration = outcome{class: plan.ClassOther, err: errCutShort}
	}
	r.conclude(stored, configuration, coordinator, inferred)
}

// errCutShort is why a view is not known although the cluster was called.
var errCutShort = errors.New("the observation was cut short")

func (r *reading) conclude(stored *commonpb.ReplicateConfiguration, configuration, coordinator outcome, inferred bool) {
	v := &r.view
	v.Reach, v.Class = combine(configuration, coordinator)
	if configuration.err != nil {
		v.Error = r.fleet.secrets.scrub(words(configuration.err))
	}
	if configuration.class == plan.ClassUnauthenticated {
		v.Credential = plan.CredentialRefused
	}
	switch {
	case configuration.answered():
		v.ReadsConfiguration = plan.SupportYes
		v.Belief, v.IdentityConflict = believe(r.sight.cluster.ID, fromProto(stored))
	case configuration.class == plan.ClassUnimplemented:
		v.ReadsConfiguration = plan.SupportNo
	case inferred:
		// A server that lacks the call says so at once; one that waits has it.
		v.ReadsConfiguration = plan.SupportYes
		v.Belief = plan.Belief{Kind: plan.BeliefUnconfigured, Inferred: true}
	}
}

// version is the build tag; GetVersion is a stub (milvus.md section 1.1).
func (r *reading) version(ctx context.Context) string {
	ctx, cancel := r.shortly(ctx)
	defer cancel()
	resp, err := r.api.Connect(ctx, &milvuspb.ConnectRequest{
		ClientInfo: &commonpb.ClientInfo{SdkType: "milvus-reconcile", LocalTime: r.fleet.clock.Now().String()},
	})
	if err != nil || resp.GetStatus().GetCode() != 0 {
		return ""
	}
	return r.fleet.secrets.scrub(resp.GetServerInfo().GetBuildTags())
}

func (l *link) configuration(ctx context.Context) (*commonpb.ReplicateConfiguration, outcome) {
	ctx, cancel := l.shortly(ctx)
	defer cancel()
	resp, err := l.api.GetReplicateConfiguration(ctx, &milvuspb.GetReplicateConfigurationRequest{})
	if err != nil {
		return nil, classify(err, l.trace.seen(err))
	}
	return resp.GetConfiguration(), classifyStatus(resp.GetStatus())
}

// coordinator reads something that every cluster has and that its proxy must
// ask the coordinator for.
func (l *link) coordinator(ctx context.Context) outcome {
	ctx, cancel := l.shortly(ctx)
	defer cancel()
	resp, err := l.api.ListDatabases(ctx, &milvuspb.ListDatabasesRequest{})
	if err != nil {
		return classify(err, l.trace.seen(err))
	}
	return classifyStatus(resp.GetStatus())
}

// words is the text of an error without gRPC's frame round it.
func words(err error) string {
	if s, ok := status.FromError(err); ok {
		return s.Code().String() + ": " + s.Message()
	}
	return err.Error()
}

// both runs pieces of work at once and waits for all.
func both(work ...func()) {
	var wg sync.WaitGroup
	for _, w := range work {
		wg.Go(w)
	}
	wg.Wait()
}
