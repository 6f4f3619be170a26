package milvus

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"google.golang.org/grpc/connectivity"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/localpause"
	"milvus-reconcile/reconcile/milvus/parallel"
	"milvus-reconcile/reconcile/milvus/tokens"
)

// probeOptions say what one read asks a cluster, and how long it waits. doc.go shows the
// deadlines.
type probeOptions struct {
	identity       bool // who answers
	features       bool // what it can do
	progress       bool
	contents       bool
	readiness      bool          // what is not in place to serve
	unlisted       bool          // whether it serves channels that no configuration lists
	reuse          bool          // a connection that an earlier read kept will do
	askTwice       bool          // ask a second time where no configuration comes, to tell unconfigured from stuck
	within         time.Duration // how long to wait for the cluster; 0: the read timeout
	secondDeadline bool          // give a coordinator that does not answer in time another deadline, to tell slow from lost
}

// view reads one cluster by itself.
func (f *Fleet) view(ctx context.Context, t plan.Topology, a access, what probeOptions) plan.View {
	s := (&topologyRead{document: t}).newClusterRead(a)
	f.readCluster(ctx, s, what)
	s.releaseLink()
	return s.view
}

// observeCluster reads one cluster for an observation. A deadline that passed while this
// process mostly did not run shows nothing: then it reads again.
func (f *Fleet) observeCluster(ctx context.Context, s *clusterRead, what probeOptions, pause *localpause.Watch) {
	for range readsWhilePaused {
		span := pause.Span(time.Now())
		f.readCluster(ctx, s, what)
		if !missedDeadline(s.view) && !lacksIdentity(s.view) || !span.Mostly(time.Now()) || ctx.Err() != nil {
			return
		}
		s.releaseLink()
	}
	if missedDeadline(s.view) {
		f.startView(s)
		s.view.Class, s.view.Error = plan.ClassOther, errLocalPause.Error()
	}
}

// readsWhilePaused is how many times an observation reads a cluster whose deadline passed
// while this process mostly did not run.
const readsWhilePaused = 4

// errLocalPause is why a view is unknown after that.
var errLocalPause = errors.New("the deadline passed while this process had no processor time (hint: the machine is overloaded, or was suspended)")

// missedDeadline says whether a view may come from a deadline that passed: the cluster
// answered nothing in time, or was not even called.
func missedDeadline(v plan.View) bool {
	return v.Reach != plan.ReachUp && v.Class == plan.ClassTimeout || v.Reach == plan.ReachUnknown && v.Class == plan.ClassOther
}

// lacksIdentity says whether a cluster answered, and who it is was not told in time.
func lacksIdentity(v plan.View) bool {
	return v.Reach == plan.ReachUp && !v.IdentityProven && v.IdentityConflict == "" && !v.Belief.Inferred
}

// readCluster reads one cluster. It never fails: what went wrong is in the view.
func (f *Fleet) readCluster(ctx context.Context, s *clusterRead, what probeOptions) {
	s.checkpoints, s.contentsAssumed = nil, false
	pass, ok := f.startView(s)
	if !ok {
		return
	}
	if s.rest != nil && s.rest.pass != pass {
		s.rest = nil
	}
	r, since, reused, err := f.readCore(ctx, viewReader{target: s, options: what, view: s.view, pass: pass})
	if err != nil {
		s.view.Class, s.view.Error = plan.ClassOther, f.secrets.Scrub(err.Error())
		return
	}
	r.forgetChange()
	good := r.answered() && !r.briefIsShort()
	if r.view.Reach == plan.ReachUp && (!reused || good) {
		r.detailsOrIdentity(ctx)
	}
	good = good && r.answered() && !r.unusual()
	if !good && reused && ctx.Err() == nil { // only a new connection shows why
		r.close()
		what.reuse = false
		f.readCluster(ctx, s, what)
		return
	}
	s.view = r.view
	s.holdLink(r.link, pass, func() {
		if good && what.reuse && r.brief == nil && r.conn.GetState() == connectivity.Ready {
			f.keepLink(r.link, pass, since)
		} else {
			r.close()
		}
	})
}

// startView makes the empty view of a cluster. False: the cluster may not be called, or
// its token cannot be read; the view says which.
func (f *Fleet) startView(s *clusterRead) (pass ticket, ok bool) {
	s.view = plan.View{Cluster: s.cluster.ID, At: f.clock.Now(), Credential: s.credential, Class: plan.ClassNotCalled}
	if !s.allowed() {
		s.view.Error = s.reason
		return ticket{}, false
	}
	pass, err := f.ticket(s.access)
	if err != nil {
		s.view.Credential, s.view.Error = plan.CredentialMissing, f.secrets.Scrub(err.Error())
	}
	return pass, err == nil
}

// viewInFlight gives a cluster the view that its probes in flight show, and does not call
// it.
func (f *Fleet) viewInFlight(s *clusterRead, r plan.Round) {
	if _, ok := f.startView(s); ok {
		s.view.Reach, s.view.Class, s.view.Error = r.Reach, r.Class, r.Error
	}
}

// viewReader makes one view over one connection.
type viewReader struct {
	*link
	target  *clusterRead
	options probeOptions
	view    plan.View
	pass    ticket
	early   early
}

// answered says whether the cluster answered all that was asked, as itself.
func (r *viewReader) answered() bool {
	return r.view.Reach == plan.ReachUp && r.view.Class == plan.ClassNone && r.view.IdentityConflict == ""
}

// withLink returns the same read over a connection.
func (r viewReader) withLink(l *link) *viewReader {
	r.link = l
	return &r
}

// readCore reads reach, version and belief. It uses the connection that an earlier read
// kept, if there is one. When that does not answer soon, it reads over a new connection as
// well, within the same deadline. reused says that the cluster answered over the kept
// connection, since is when the connection was made.
func (f *Fleet) readCore(ctx context.Context, r viewReader) (read *viewReader, since time.Time, reused bool, err error) {
	until := time.Now().Add(cmp.Or(r.options.within, f.readTimeout))
	l, since, reused, err := f.linkFor(r.target, r.pass, r.options)
	if err != nil {
		return nil, since, false, err
	}
	kept := r.withLink(l)
	kept.options.askTwice = r.options.askTwice && l.brief == nil // of a brief one only an answer counts
	if !reused {
		kept.core(ctx, until)
		return kept, since, false, nil
	}
	keptRead := kept.startCore(ctx, until)
	if arrivesWithin(keptRead, l.soon()) && kept.answered() || kept.decides(ctx, keptRead, until) {
		return kept, since, kept.answered(), nil
	}
	if late := time.Now().Add(f.readTimeout - l.soon()); l.brief != nil && late.After(until) {
		until = late // the cluster said something by now
	}
	dialled := f.clock.Now()
	if l, err = f.dial(r.pass); err != nil {
		kept.close()
		<-keptRead
		return nil, since, false, err
	}
	fresh := r.withLink(l)
	if kept.choose(fresh, keptRead, fresh.startCore(ctx, until)) {
		return kept, since, true, nil
	}
	return fresh, dialled, false, nil
}

// choose waits for the reads over a kept and over a new connection, closes one of them,
// and says whether the kept one is used. Only a new connection shows why a cluster does
// not answer. Both share one deadline, so a cluster that was lost since the last read
// costs no second one.
func (r *viewReader) choose(fresh *viewReader, read, freshRead <-chan struct{}) bool {
	select {
	case <-read:
	case <-freshRead:
		if fresh.answered() {
			r.close() // ends its read
		}
		<-read
	}
	if r.answered() {
		fresh.close()
		<-freshRead
		return true
	}
	<-freshRead
	r.close()
	return false
}

// startCore reads the core in the background. The channel is closed at its end.
func (r *viewReader) startCore(ctx context.Context, until time.Time) <-chan struct{} {
	read := make(chan struct{})
	parallel.Go(func() {
		defer close(read)
		r.core(ctx, until)
	})
	return read
}

// core reads reach, version and belief. A cluster that does not answer costs one deadline,
// which ends at until: while the configuration does not come, core asks the coordinator in
// parallel. With secondDeadline the coordinator of a cluster that speaks gets another
// deadline.
func (r *viewReader) core(ctx context.Context, until time.Time) {
	whole, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	if r.brief != nil {
		r.briefCore(whole)
		return
	}
	meanwhile, enough := context.WithCancel(whole)
	defer enough()
	var stored *commonpb.ReplicateConfiguration
	var configuration, coordinator outcome
	came := make(chan struct{})
	var told bool
	parallel.Run(
		func() { r.view.Version, told = r.version(whole) },
		func() {
			defer close(came)
			if stored, configuration = r.configuration(whole); configuration.reach != plan.ReachDegraded {
				enough()
			}
		},
		func() {
			if !arrivesWithin(came, r.fleet.awaitSoon) {
				coordinator = r.coordinator(meanwhile)
			}
		},
	)
	if configuration.reach == plan.ReachDegraded && !coordinator.answered() && whole.Err() == nil { // not asked yet, or over a connection that broke
		coordinator = r.coordinator(whole)
	}
	if r.options.secondDeadline && coordinator.reach != plan.ReachUp && r.lateAnswer(configuration) {
		configuration.reach, coordinator = plan.ReachDegraded, r.coordinatorAgain(ctx, until)
	}
	var h hangCheck
	if r.options.askTwice && told && configuration.timedOut() && coordinator.answered() && hangsUnconfigured(r.view.Version) {
		h = hangCheck{version: r.view.Version, configuration: configuration, coordinator: coordinator}
		stored = r.askAgain(ctx, &h)
		configuration, coordinator = h.second, h.secondCoordinator
	}
	if ctx.Err() != nil && !configuration.answered() {
		configuration = outcome{class: plan.ClassOther, err: errCutShort}
	}
	r.setView(stored, configuration, coordinator, h.unconfigured())
}

// askAgain asks for configuration and coordinator a second time. That tells a cluster
// without a configuration from one that is stuck.
func (r *viewReader) askAgain(ctx context.Context, h *hangCheck) (stored *commonpb.ReplicateConfiguration) {
	parallel.Run(
		func() { stored, h.second = r.configuration(ctx) },
		func() { h.secondCoordinator = r.coordinator(ctx) },
	)
	return stored
}

// lateAnswer says whether a cluster that is there did not give its configuration. It may
// have begun to speak just when the deadline of the call passed.
func (r *viewReader) lateAnswer(configuration outcome) bool {
	return configuration.reach == plan.ReachDegraded ||
		configuration.class == plan.ClassTimeout && r.trace.seen(nil).stage == stageSpoke
}

// coordinatorAgain gives the coordinator a deadline of its own: before, it was asked while
// the connection was made, and in parallel to the configuration. The deadline ends a
// little before two read timeouts are over, so that the round still counts.
func (r *viewReader) coordinatorAgain(ctx context.Context, until time.Time) outcome {
	ctx, cancel := context.WithDeadline(ctx, until.Add(r.fleet.readTimeout-r.fleet.awaitSoon))
	defer cancel()
	return r.coordinator(ctx)
}

// arrivesWithin says whether a channel is closed within a time.
func arrivesWithin(came <-chan struct{}, within time.Duration) bool {
	soon := time.NewTimer(within)
	defer soon.Stop()
	select {
	case <-came:
		return true
	case <-soon.C:
		return false
	}
}

// errCutShort is why a view is unknown although the cluster was called: ctx ended before
// the deadline of the call. That the cluster did not answer until then shows nothing.
var errCutShort = errors.New("the observation was cut short")

// setView derives reach, class and belief from the answers. inferred says that the cluster
// is believed to have no configuration because it never answers for one.
func (r *viewReader) setView(stored *commonpb.ReplicateConfiguration, configuration, coordinator outcome, inferred bool) {
	v := &r.view
	v.Reach, v.Class = combine(configuration, coordinator)
	if configuration.err != nil {
		v.Error = r.fleet.secrets.Scrub(tokens.Text(configuration.err))
	}
	if configuration.class == plan.ClassUnauthenticated {
		v.Credential = plan.CredentialRefused
	}
	switch {
	case configuration.answered():
		v.ReadsConfiguration = plan.SupportYes
		v.Belief, v.IdentityConflict = r.believeStored(stored)
	case configuration.class == plan.ClassUnimplemented:
		v.ReadsConfiguration = plan.SupportNo
	case inferred:
		// A server that lacks the call says so at once; one that waits has it.
		v.ReadsConfiguration = plan.SupportYes
		v.Belief = plan.Belief{Kind: plan.BeliefUnconfigured, Inferred: true}
	}
}

// version returns the build tag, which may be empty, and whether the cluster gave one.
func (r *viewReader) version(ctx context.Context) (tag string, told bool) {
	ctx, cancel := r.withReadTimeout(ctx)
	defer cancel()
	resp, err := r.api.Connect(ctx, r.fleet.connectRequest())
	return r.fleet.versionOf(resp, err)
}

func (f *Fleet) connectRequest() *milvuspb.ConnectRequest {
	return &milvuspb.ConnectRequest{ClientInfo: &commonpb.ClientInfo{SdkType: "milvus-reconcile", LocalTime: f.clock.Now().String()}}
}

// versionOf is version of an answer.
func (f *Fleet) versionOf(resp *milvuspb.ConnectResponse, err error) (tag string, told bool) {
	if err != nil || resp.GetStatus().GetCode() != 0 {
		return "", false
	}
	return f.secrets.Scrub(resp.GetServerInfo().GetBuildTags()), true
}

// configuration reads the stored configuration.
func (l *link) configuration(ctx context.Context) (*commonpb.ReplicateConfiguration, outcome) {
	ctx, cancel := l.withReadTimeout(ctx)
	defer cancel()
	return l.configurationOf(l.api.GetReplicateConfiguration(ctx, &milvuspb.GetReplicateConfigurationRequest{}))
}

// configurationOf is configuration of an answer.
func (l *link) configurationOf(resp *milvuspb.GetReplicateConfigurationResponse, err error) (*commonpb.ReplicateConfiguration, outcome) {
	if err != nil {
		return nil, classify(err, l.trace.seen(err))
	}
	return resp.GetConfiguration(), classifyStatus(resp.GetStatus())
}

// coordinator reads something that every cluster has and that its proxy must ask the
// coordinator for.
func (l *link) coordinator(ctx context.Context) outcome {
	ctx, cancel := l.withReadTimeout(ctx)
	defer cancel()
	resp, err := l.api.ListDatabases(ctx, &milvuspb.ListDatabasesRequest{})
	if err != nil {
		return classify(err, l.trace.seen(err))
	}
	return classifyStatus(resp.GetStatus())
}
