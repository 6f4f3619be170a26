package milvus

import (
	"cmp"
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"milvus-reconcile/plan"
)

// probeOptions is what is asked of one cluster in one observation.
type probeOptions struct {
	identity       bool // who answers
	features       bool // what it can do
	progress       bool
	contents       bool
	unlisted       bool          // whether it serves channels that nobody lists
	reuse          bool          // a connection that an earlier look kept will do
	askTwice       bool          // ask twice where no configuration comes, to tell unconfigured from stuck
	within         time.Duration // how long the cluster is waited for; 0: its deadlines
	secondDeadline bool          // a coordinator that does not answer in time has another deadline, to tell slow from lost
}

// view reads one cluster by itself.
func (f *Fleet) view(ctx context.Context, t plan.Topology, a access, what probeOptions) plan.View {
	s := (&topologyRead{document: t}).newClusterRead(a)
	f.readCluster(ctx, s, what)
	s.releaseLink()
	return s.view
}

// readCluster reads one cluster. It never fails: what went wrong is in the view.
func (f *Fleet) readCluster(ctx context.Context, s *clusterRead, what probeOptions) {
	s.checkpoints = nil
	pass, ok := f.startView(s)
	if !ok {
		return
	}
	r, since, reused, err := f.readCore(ctx, viewReader{target: s, options: what, view: s.view, pass: pass})
	if err != nil {
		s.view.Class, s.view.Error = plan.ClassOther, f.secrets.scrub(err.Error())
		return
	}
	if r.view.Reach == plan.ReachUp {
		r.details(ctx)
	}
	good := r.answered()
	if !good && reused && ctx.Err() == nil { // only a new connection tells why
		r.close()
		what.reuse = false
		f.readCluster(ctx, s, what)
		return
	}
	s.view = r.view
	s.holdLink(r.link, pass, func() {
		if good && what.reuse && r.conn.GetState() == connectivity.Ready {
			f.keepLink(r.link, pass, since)
		} else {
			r.close()
		}
	})
}

// startView begins the view of a cluster; false: it may not be called, or its token cannot
// be read.
func (f *Fleet) startView(s *clusterRead) (pass ticket, ok bool) {
	s.view = plan.View{Cluster: s.cluster.ID, At: f.clock.Now(), Credential: s.credential, Class: plan.ClassNotCalled}
	if !s.allowed() {
		s.view.Error = s.reason
		return ticket{}, false
	}
	pass, err := f.ticket(s.access)
	if err != nil {
		s.view.Credential, s.view.Error = plan.CredentialMissing, f.secrets.scrub(err.Error())
	}
	return pass, err == nil
}

// viewInFlight is the view of a cluster that probes in flight show: it is not called.
func (f *Fleet) viewInFlight(s *clusterRead, r plan.Round) {
	if _, ok := f.startView(s); ok {
		s.view.Reach, s.view.Class, s.view.Error = r.Reach, r.Class, r.Error
	}
}

// viewReader is one view in the making.
type viewReader struct {
	*link
	target  *clusterRead
	options probeOptions
	view    plan.View
	pass    ticket
}

// answered says whether the cluster answered as asked.
func (r *viewReader) answered() bool {
	return r.view.Reach == plan.ReachUp && r.view.Class == plan.ClassNone && r.view.IdentityConflict == ""
}

// withLink is the same look over a connection.
func (r viewReader) withLink(l *link) *viewReader {
	r.link = l
	return &r
}

// readCore reads the core of a look, over the connection that an earlier one kept if
// there is one; reused says that it was.
func (f *Fleet) readCore(ctx context.Context, r viewReader) (read *viewReader, since time.Time, reused bool, err error) {
	until := time.Now().Add(cmp.Or(r.options.within, f.readTimeout))
	l, since, reused, err := f.linkFor(r.pass, r.options.reuse)
	if err != nil {
		return nil, since, false, err
	}
	kept := r.withLink(l)
	if !reused {
		kept.core(ctx, until)
		return kept, since, false, nil
	}
	keptRead := kept.startCore(ctx, until)
	if arrivesWithin(keptRead, f.awaitSoon) && kept.answered() {
		return kept, since, true, nil
	}
	anew := f.clock.Now()
	if l, err = f.dial(r.pass); err != nil {
		kept.close()
		<-keptRead
		return nil, since, false, err
	}
	fresh := r.withLink(l)
	if kept.choose(fresh, keptRead, fresh.startCore(ctx, until)) {
		return kept, since, true, nil
	}
	return fresh, anew, false, nil
}

// choose waits for two readings of one cluster, ends one of them and says whether the
// other is the kept one. Only a new connection tells why a cluster does not
// answer: one is made beside a kept one that is not good soon, so that a cluster
// that was lost since the last look costs no second deadline.
func (r *viewReader) choose(fresh *viewReader, read, freshRead <-chan struct{}) bool {
	select {
	case <-read:
	case <-freshRead:
		if fresh.answered() {
			r.close() // ends its reading
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

// startCore reads the core and closes what it returns.
func (r *viewReader) startCore(ctx context.Context, until time.Time) <-chan struct{} {
	read := make(chan struct{})
	go func() {
		defer close(read)
		r.core(ctx, until)
	}()
	return read
}

// errorText is the text of an error without gRPC's frame round it.
func errorText(err error) string {
	if s, ok := status.FromError(err); ok {
		return s.Code().String() + ": " + s.Message()
	}
	return err.Error()
}

// runAll runs pieces of work at once and waits for all.
func runAll(work ...func()) {
	var wg sync.WaitGroup
	for _, w := range work {
		wg.Go(w)
	}
	wg.Wait()
}
