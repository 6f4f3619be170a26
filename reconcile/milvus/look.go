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

// look is what is asked of one cluster in one observation.
type look struct {
	identity bool // who answers
	features bool // what it can do
	progress bool
	contents bool
	unlisted bool          // whether it serves channels that nobody lists
	reuse    bool          // a connection that an earlier look kept will do
	hangs    bool          // ask twice where no configuration comes, to tell unconfigured from stuck
	within   time.Duration // how long the cluster is waited for; 0: its deadlines
	patient  bool          // a coordinator that does not answer in time has another deadline, to tell slow from lost
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
	pass, ok := f.called(s)
	if !ok {
		return
	}
	r, since, reused, err := f.begin(ctx, reading{sight: s, what: what, view: s.view, pass: pass})
	if err != nil {
		s.view.Class, s.view.Error = plan.ClassOther, f.secrets.scrub(err.Error())
		return
	}
	if r.view.Reach == plan.ReachUp {
		r.details(ctx)
	}
	good := r.good()
	if !good && reused && ctx.Err() == nil { // only a new connection tells why
		r.close()
		what.reuse = false
		f.see(ctx, s, what)
		return
	}
	s.view = r.view
	s.holds(r.link, pass, func() {
		if good && what.reuse && r.conn.GetState() == connectivity.Ready {
			f.keep(r.link, pass, since)
		} else {
			r.close()
		}
	})
}

// called begins the view of a cluster; false: it may not be called, or its token cannot
// be read.
func (f *Fleet) called(s *sight) (pass ticket, ok bool) {
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

// shown is the view of a cluster that probes in flight show: it is not called.
func (f *Fleet) shown(s *sight, r plan.Round) {
	if _, ok := f.called(s); ok {
		s.view.Reach, s.view.Class, s.view.Error = r.Reach, r.Class, r.Error
	}
}

// reading is one view in the making.
type reading struct {
	*link
	sight *sight
	what  look
	view  plan.View
	pass  ticket
}

// good says whether the cluster answered as asked.
func (r *reading) good() bool {
	return r.view.Reach == plan.ReachUp && r.view.Class == plan.ClassNone && r.view.IdentityConflict == ""
}

// over is the same look over a connection.
func (r reading) over(l *link) *reading {
	r.link = l
	return &r
}

// begin reads the core of a look, over the connection that an earlier one kept if
// there is one; reused says that it was.
func (f *Fleet) begin(ctx context.Context, r reading) (read *reading, since time.Time, reused bool, err error) {
	until := time.Now().Add(cmp.Or(r.what.within, f.readTimeout))
	l, since, reused, err := f.reach(r.pass, r.what.reuse)
	if err != nil {
		return nil, since, false, err
	}
	kept := r.over(l)
	if !reused {
		kept.core(ctx, until)
		return kept, since, false, nil
	}
	keptRead := kept.reads(ctx, until)
	if inTime(keptRead, f.soon) && kept.good() {
		return kept, since, true, nil
	}
	anew := f.clock.Now()
	if l, err = f.dial(r.pass); err != nil {
		kept.close()
		<-keptRead
		return nil, since, false, err
	}
	fresh := r.over(l)
	if kept.or(fresh, keptRead, fresh.reads(ctx, until)) {
		return kept, since, true, nil
	}
	return fresh, anew, false, nil
}

// or waits for two readings of one cluster, ends one of them and says whether the
// other is the kept one. Only a new connection tells why a cluster does not
// answer: one is made beside a kept one that is not good soon, so that a cluster
// that was lost since the last look costs no second deadline.
func (r *reading) or(fresh *reading, read, freshRead <-chan struct{}) bool {
	select {
	case <-read:
	case <-freshRead:
		if fresh.good() {
			r.close() // ends its reading
		}
		<-read
	}
	if r.good() {
		fresh.close()
		<-freshRead
		return true
	}
	<-freshRead
	r.close()
	return false
}

// reads reads the core and closes what it returns.
func (r *reading) reads(ctx context.Context, until time.Time) <-chan struct{} {
	read := make(chan struct{})
	go func() {
		defer close(read)
		r.core(ctx, until)
	}()
	return read
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
