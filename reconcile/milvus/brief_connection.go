package milvus

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/answers"
	"milvus-reconcile/reconcile/milvus/parallel"
	"milvus-reconcile/reconcile/milvus/unary"
)

// briefConn is a connection for the calls of a process that observes once, and for those by
// which a daemon learns that a topology at rest is as before. It costs a fraction of a
// grpc.ClientConn and tells nothing of a failure: unless all answer as usual, everything is
// read over a grpc.ClientConn, and that alone counts.
type briefConn struct {
	*unary.Conn
	fleet   *Fleet
	cluster string
}

// dumpOfNothing says whether a server knows DumpMessages: it refuses the call without
// arguments in words of its own.
func (b *briefConn) dumpOfNothing(ctx context.Context) plan.Support {
	err := b.InvokeAll(ctx, []unary.Call{{Method: milvuspb.MilvusService_DumpMessages_FullMethodName, Request: &milvuspb.DumpMessagesRequest{}}})[0]
	if code := status.Code(err); code != codes.InvalidArgument && code != codes.Unknown || answers.IsNotTaken(err) {
		return plan.SupportUnknown
	}
	if reach, _ := classifyWords(status.Convert(err).Message()); reach != plan.ReachUp {
		return plan.SupportUnknown
	}
	return plan.SupportYes
}

// Invoke makes one call, as all others are made: with a span, and without tokens in its
// error.
func (b *briefConn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	ctx, end := startSpan(ctx, b.cluster, method)
	err := b.Conn.Invoke(ctx, method, args, reply, opts...)
	end(err)
	return b.fleet.secrets.WithoutTokens(err)
}

// asked is a call over a brief connection that is under way.
type asked struct {
	*unary.Group
	conn *briefConn
	end  func(error) // of its span
}

// begin makes calls at once. Wait for those whose answers are wanted.
func (b *briefConn) begin(ctx context.Context, calls ...unary.Call) []*asked {
	groups := make([][]unary.Call, len(calls))
	for i := range calls {
		groups[i] = calls[i : i+1]
	}
	out := make([]*asked, len(calls))
	for i, g := range b.Begin(ctx, groups...) {
		_, end := startSpan(ctx, b.cluster, calls[i].Method)
		out[i] = &asked{g, b, end}
	}
	return out
}

// wait waits for the end of the call, as Invoke does.
func (a *asked) wait(ctx context.Context) error {
	err := a.Wait(ctx)[0]
	a.end(err)
	return a.conn.fleet.secrets.WithoutTokens(err)
}

// early is what a read asked together with the core, since its cluster is expected to be as
// usual. Nil: it was not asked.
type early struct {
	first *asked // its first channel
	tick  *asked
	tells *milvuspb.AllocTimestampResponse // the answer of tick
}

// briefCore reads version and belief, and begins at the same time what only a usual cluster
// is asked. Only an answer counts, so nothing is asked a second time.
func (r *viewReader) briefCore(ctx context.Context) {
	version := &milvuspb.ConnectResponse{}
	stored := &answers.Repeated{Last: &r.target.topology.stored, Message: &milvuspb.GetReplicateConfigurationResponse{}}
	calls := []unary.Call{
		{Method: milvuspb.MilvusService_Connect_FullMethodName, Request: r.fleet.connectRequest(), Reply: version},
		{Method: milvuspb.MilvusService_GetReplicateConfiguration_FullMethodName, Request: &milvuspb.GetReplicateConfigurationRequest{}, Reply: stored},
	}
	proves, source := r.provesByFirst(), r.expectedSource()
	if proves {
		calls = append(calls, infoCall(r.target.cluster.ID, r.target.cluster.PChannels[0], &milvuspb.GetReplicateInfoResponse{}))
	}
	if source {
		r.early.tells = &milvuspb.AllocTimestampResponse{}
		calls = append(calls, unary.Call{Method: milvuspb.MilvusService_AllocTimestamp_FullMethodName, Request: &milvuspb.AllocTimestampRequest{}, Reply: r.early.tells})
	}
	begun := r.brief.begin(ctx, calls...)
	if source {
		r.early.tick = begun[len(begun)-1]
	}
	if proves {
		r.early.first = begun[2]
	}
	r.view.Version, _ = r.fleet.versionOf(version, begun[0].wait(ctx))
	err := begun[1].wait(ctx)
	answer, _ := stored.Message.(*milvuspb.GetReplicateConfigurationResponse)
	configuration, told := r.configurationOf(answer, err)
	r.setView(configuration, told, outcome{}, false)
}

// expectedSource says whether a cluster is expected to have standbys that are read with it,
// and to give them its tick.
func (r *viewReader) expectedSource() bool {
	switch {
	case !r.options.progress || len(r.target.topology.reads) < 2:
		return false
	case r.target.rest != nil:
		return r.target.rest.view.Belief.Kind == plan.BeliefPrimary
	default:
		return r.target.cluster.Role == plan.RolePrimary
	}
}

// provesByFirst says whether the first channel of a cluster is expected to be asked for by
// itself, to prove who answers: its list does not prove it, and no other channel is read.
func (r *viewReader) provesByFirst() bool {
	members := r.target.topology.document.Clusters
	if len(members) < 2 || !r.firstTells() {
		return false
	}
	reads := slices.ContainsFunc(members, func(c plan.Cluster) bool {
		return c.ID != r.target.cluster.ID && c.Role != plan.RoleStandby
	})
	return !r.options.progress || r.expectedSource() && !reads
}

// decides waits on for an answer over a brief connection that did not come soon, if the server
// speaks HTTP/2. It says whether that read is the view: the cluster answered, or neither it nor
// its coordinator said anything until the deadline. That is all that another connection could
// show, which would hold several times the memory meanwhile.
func (r *viewReader) decides(ctx context.Context, read <-chan struct{}, until time.Time) bool {
	if r.brief == nil || isClosed(read) || !r.brief.Speaks() {
		return false
	}
	r.trace.set(func(a *attempt) { a.stage = stageSpoke })
	whole, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	coordinator := r.brief.begin(whole, unary.Call{
		Method: milvuspb.MilvusService_ListDatabases_FullMethodName, Request: &milvuspb.ListDatabasesRequest{}, Reply: &milvuspb.ListDatabasesResponse{},
	})[0]
	silent := func() bool {
		err := coordinator.wait(whole)
		return classify(err, r.trace.seen(err)).timedOut()
	}
	select {
	case <-read:
	case <-coordinator.Done():
		if !silent() {
			return false
		}
		<-read
	}
	if r.answered() {
		cancel()
		_ = coordinator.wait(whole) // its answer is not wanted any more
		return true
	}
	return r.view.Reach == plan.ReachDegraded && r.view.Class == plan.ClassTimeout && silent()
}

// isClosed says whether a channel is closed.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// infos reads some channels of a standby at once.
func (b *briefConn) infos(ctx context.Context, channels []string, source string) ([]*milvuspb.GetReplicateInfoResponse, []error) {
	calls, out := make([]unary.Call, len(channels)), make([]*milvuspb.GetReplicateInfoResponse, len(channels))
	for i, channel := range channels {
		out[i] = &milvuspb.GetReplicateInfoResponse{}
		calls[i] = infoCall(source, channel, out[i])
	}
	ctx, end := startSpan(ctx, b.cluster, milvuspb.MilvusService_GetReplicateInfo_FullMethodName)
	errs := b.InvokeAll(ctx, calls)
	end(errors.Join(errs...))
	for i, err := range errs {
		errs[i] = b.fleet.secrets.WithoutTokens(err)
	}
	return out, errs
}

// infoCall asks for one channel.
func infoCall(source, channel string, reply *milvuspb.GetReplicateInfoResponse) unary.Call {
	return unary.Call{
		Method:  milvuspb.MilvusService_GetReplicateInfo_FullMethodName,
		Request: &milvuspb.GetReplicateInfoRequest{SourceClusterId: source, TargetPchannel: channel}, Reply: reply,
	}
}

// mayBeBrief says whether a read needs no more than a brief connection can do, as long as
// the cluster is as expected.
func (f *Fleet) mayBeBrief(s *clusterRead, pass ticket, what probeOptions) bool {
	switch {
	case !what.reuse, what.within != 0, what.secondDeadline, what.unlisted:
		return false
	case f.oneShot:
		return !what.contents
	default:
		return what.progress && s.restsWhole() && f.knownBuild(pass, s.rest.view.Version)
	}
}

// restsWhole says whether a cluster is expected to be as the observation before found it: a
// standby that had replicated everything, or the primary of such standbys whose log holds
// nothing behind their checkpoints.
func (s *clusterRead) restsWhole() bool {
	if s.rest == nil || !s.topology.rest.quiet || !s.rest.view.Contents.Known {
		return false
	}
	return s.rest.view.Belief.Kind == plan.BeliefStandby || s.topology.rest.empty()
}

// empty says whether the log held no message at all behind the checkpoints, and each
// checkpoint names one: a channel that never carried anything is read from where its
// replication began.
func (m *atRest) empty() bool {
	for _, c := range m.byCluster {
		if slices.ContainsFunc(c.view.Progress, func(p plan.ChannelProgress) bool {
			return c.view.Belief.Kind == plan.BeliefStandby && p.MessageID == ""
		}) {
			return false
		}
	}
	return m.kept == localMessages{}
}

// askBriefly asks a source over its brief connection whether its log is empty behind
// positions, and returns the questions that are left: where it is not, or did not say so.
func (f *Fleet) askBriefly(ctx context.Context, source *clusterRead, questions []*logQuestion, until uint64) []*logQuestion {
	if source.link.brief == nil || len(questions) == 0 || slices.ContainsFunc(questions, func(q *logQuestion) bool { return q.standby != "" }) {
		return questions
	}
	calls := make([]unary.Call, len(questions))
	for i, q := range questions {
		calls[i] = unary.Call{Method: milvuspb.MilvusService_DumpMessages_FullMethodName, Request: q.behind(until).request()}
	}
	ctx, end := startSpan(ctx, source.cluster.ID, milvuspb.MilvusService_DumpMessages_FullMethodName)
	errs := source.link.brief.InvokeAll(ctx, calls)
	end(nil)
	var left []*logQuestion
	for i, q := range questions {
		if errs[i] == nil {
			q.answer(0, until)
		} else {
			left = append(left, q)
		}
	}
	return left
}

// briefIsShort says whether a brief connection does not do any more: the cluster is no usual
// one, or in a daemon not as the observation before found it.
func (r *viewReader) briefIsShort() bool {
	switch belief := r.view.Belief.Kind; {
	case r.brief == nil, !r.options.progress:
		return false
	case r.fleet.oneShot:
		return r.view.ReadsConfiguration != plan.SupportYes || belief != plan.BeliefPrimary && belief != plan.BeliefStandby
	default:
		return !r.target.restsWhole()
	}
}

// unusual says whether details that came over a brief connection have to be read over
// another one: who answers is not proven, a source gave no tick, a channel did not answer or
// is not attached as before, or it is not sure that a standby can be promoted by force.
func (r *viewReader) unusual() bool {
	switch {
	case r.brief == nil:
		return false
	case lacksIdentity(r.view), r.options.progress && r.isSource() && !r.target.tick.asked:
		return true
	case !r.options.progress:
		return false
	case r.fleet.oneShot:
		unread := slices.ContainsFunc(r.view.Progress, func(p plan.ChannelProgress) bool { return !p.Known })
		return unread || !r.target.featuresFromDump && r.view.ForcePromotes != plan.SupportYes
	}
	before := r.target.rest.view.Progress
	return !slices.EqualFunc(r.view.Progress, before, attachedAsBefore)
}

// lasting gives a cluster another connection if its own is brief: what is unusual is read
// over one that lasts and tells of its failures.
func (f *Fleet) lasting(s *clusterRead) {
	if s.link == nil || s.link.brief == nil {
		return
	}
	if l, err := f.dial(s.pass); err == nil {
		pass := s.pass
		s.link.close()
		s.holdLink(l, pass, l.close)
	}
}

// soon is how long an answer is waited for before a second connection is made. One
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
	if r.options.progress {
		r.details(soon)
		return
	}
	_, alone := listProves(r.view.Belief.Configuration, r.target.cluster)
	r.view.IdentityProven = alone || r.firstTells() && r.firstServed(soon)
}

// lifetimes is for how many read timeouts a brief connection is used: its cluster, and who
// it is, are read one after the other.
const lifetimes = 2

// dialBrief prepares a brief connection, which the first call makes. Close it.
func (f *Fleet) dialBrief(t ticket) (*link, error) {
	o := unary.Options{
		Address: t.address, TLS: t.tls, UserAgent: userAgent,
		Timeout: f.readTimeout, Lifetime: lifetimes * f.readTimeout,
		Codec: answers.Codec{Secrets: &f.secrets}, Limit: func(reply any) int { return answers.SizeLimit(reply) },
		Go: parallel.Go,
	}
	if t.token != "" {
		o.Authorization = encodedToken(t.token)
	}
	l := &link{fleet: f, trace: &connectionTrace{}, brief: &briefConn{unary.New(o), f, t.cluster}}
	l.api = milvuspb.NewMilvusServiceClient(l.brief)
	return l, f.opened(l)
}
