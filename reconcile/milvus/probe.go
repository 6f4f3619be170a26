package milvus

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"google.golang.org/grpc/connectivity"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/parallel"
)

// deadlinesPerRound is how many reads of a round may follow one another: the configuration
// with the coordinator in parallel, and then the channels of the candidate, or the
// coordinator of the old primary once more.
const deadlinesPerRound = 2

// roundsFactor bounds the rounds of a Probe: that many times those that were asked for. A
// message in flight at the beginning makes the run of failures begin again (contract.md
// §8.3).
const roundsFactor = 3

// briefPart: a brief round waits one part in this many of the read timeout for a primary
// that hung in every round before. A primary that serves again answers within that.
const briefPart = 3

// Round probes the old primary and its candidate at the same time. The old primary needs
// no credential for that: without one it is asked without a token, which suffices to see
// whether it is there.
func (r *Reader) Round(ctx context.Context, t plan.Topology, want plan.Want) plan.Round {
	f := r.fleet
	bound := f.bind(t)
	round := plan.Round{At: f.clock.Now(), Limit: deadlinesPerRound * f.readTimeout, Class: plan.ClassNotCalled}
	end, bounded := ctx.Deadline()
	primaryOptions, needs := probeOptions{secondDeadline: true}, round.Limit
	if want.Brief {
		primaryOptions = probeOptions{within: f.readTimeout / briefPart}
		needs = primaryOptions.within
	}
	short := bounded && time.Until(end) < needs
	var primary, candidate plan.View
	parallel.Run(
		func() { primary = f.view(ctx, t, probeAccess(bound, want.Primary), primaryOptions) },
		func() { candidate = f.readCandidate(ctx, t, bound[want.Candidate]) },
	)
	round.Took = f.clock.Now().Sub(round.At)
	round.Reach, round.Class, round.Error = primary.Reach, primary.Class, primary.Error
	if primary.Reach != plan.ReachUp && (ctx.Err() != nil || short && primary.Class == plan.ClassTimeout) {
		round.Reach, round.Class = plan.ReachUnknown, plan.ClassNotCalled // a probe that was cut short must not count
	}
	if round.Brief = want.Brief && round.Class == plan.ClassTimeout; round.Brief {
		round.Limit = deadlinesPerRound * primaryOptions.within
	}
	round.CandidateAnswered = candidate.Reach == plan.ReachUp
	round.Progress = candidate.Progress
	return round
}

// probeAccess lets an old primary without a credential be probed without a token. A
// topology with an address that is bound to another cluster is not called at all.
func probeAccess(bound map[string]access, primary string) access {
	a, ok := bound[primary]
	if !ok {
		return access{cluster: plan.Cluster{ID: primary}, reason: primary + " is not in the topology"}
	}
	if a.credential == plan.CredentialMissing && !mismatched(bound) {
		a.reason, a.bound = "", Credential{ClusterID: primary, Address: a.cluster.ClientAddress}
	}
	return a
}

// Probe makes rounds until they show what is asked for, the old primary answers,
// roundsFactor is used up, or ctx ends. After each round it calls tell, which may be nil,
// with how many were made, how many are expected, and how long that takes. Samples between
// the rounds (Sample) end it as well.
func (r *Reader) Probe(ctx context.Context, t plan.Topology, want plan.Want, tell func(done, of int, left time.Duration)) plan.Evidence {
	e := plan.Evidence{Topology: want.Topology, Primary: want.Primary, Candidate: want.Candidate, Interval: want.Interval}
	rules := plan.Failover{UnavailableFor: want.Span, Probes: want.Probes}
	clock, planned := r.fleet.clock, plannedRounds(want)
	lived, enough := r.sampling(ctx, t, want)
	defer enough()
	for len(e.Rounds) < planned*roundsFactor && ctx.Err() == nil {
		round := r.Round(ctx, t, want)
		if ctx.Err() != nil {
			break // a round that was cut short shows nothing
		}
		e.Rounds = append(e.Rounds, round)
		judged := plan.JudgeLoss(e, rules, clock.Now())
		if tell != nil {
			tell(len(e.Rounds), max(planned, len(e.Rounds)+judged.Probes), judged.Missing)
		}
		if judged.State == plan.LossReachable {
			break // a sample can say no more
		}
		done := judged.State != plan.LossNotProbed || round.Class == plan.ClassNotCalled
		var pause time.Duration
		if !done {
			pause = want.Pause(e, round.At, clock.Now())
		}
		if sample, ok := r.pause(ctx, pause, lived); ok {
			e.Rounds = append(e.Rounds, sample)
			break
		}
		if done {
			break
		}
	}
	return e
}

// pause waits until the next round is due, or a sample is answered.
func (r *Reader) pause(ctx context.Context, d time.Duration, lived <-chan plan.Round) (sample plan.Round, ok bool) {
	if d > 0 {
		select {
		case <-ctx.Done():
		case sample = <-lived:
			return sample, true
		case <-r.fleet.clock.After(d):
		}
	}
	select {
	case sample = <-lived:
		return sample, true
	default:
		return sample, false
	}
}

// sampling makes samples between the rounds until enough is called.
func (r *Reader) sampling(ctx context.Context, t plan.Topology, want plan.Want) (lived <-chan plan.Round, enough func()) {
	ctx, cancel := context.WithCancel(ctx)
	found, ended := make(chan plan.Round, 1), make(chan struct{})
	go func() {
		defer close(ended)
		if sample, ok := r.Sample(ctx, t, want, nil); ok {
			found <- sample
		}
	}()
	return found, func() {
		cancel()
		<-ended
	}
}

// plannedRounds returns how many rounds it takes when each of them counts.
func plannedRounds(want plan.Want) int {
	n := max(want.Probes, 1)
	if want.Interval > 0 {
		n = max(n, int((want.Span+want.Interval-1)/want.Interval)+1)
	}
	return n
}

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
	parallel.Run(
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
	return r.fleet.readCandidate(ctx, t, bind(t, r.fleet.credentials)[candidate])
}

// readCandidate reads a candidate with its progress, over a connection of its own. In a process
// that acts once a brief one does, if an attached standby answers all of it; one that does not
// soon is read over another connection meanwhile, with all its deadlines, and the first that
// is whole counts.
func (f *Fleet) readCandidate(ctx context.Context, t plan.Topology, a access) plan.View {
	if !f.once {
		return f.view(ctx, t, a, probeOptions{progress: true})
	}
	brief, end := context.WithTimeout(ctx, f.readTimeout)
	came, ended := make(chan plan.View, 1), make(chan struct{})
	defer func() {
		end()
		<-ended // its connection is closed then
	}()
	parallel.Go(func() {
		defer close(ended)
		defer close(came)
		if v, whole := f.candidateBriefly(brief, t, a); whole {
			came <- v
		}
	})
	soon := time.NewTimer(f.awaitSoon)
	defer soon.Stop()
	select {
	case v, whole := <-came:
		if whole {
			return v
		}
		came = nil
	case <-soon.C:
	}
	return f.firstWhole(ctx, t, a, came)
}

// firstWhole reads a candidate over a lasting connection, unless what comes over a brief one is
// there first. No more comes once that channel is closed.
func (f *Fleet) firstWhole(ctx context.Context, t plan.Topology, a access, brief <-chan plan.View) plan.View {
	lasting, end := context.WithCancel(ctx)
	defer end()
	read := make(chan plan.View, 1)
	parallel.Go(func() { read <- f.view(lasting, t, a, probeOptions{progress: true}) })
	select {
	case v := <-read:
		return v
	case v, whole := <-brief:
		if whole {
			end()
			<-read // its connection is closed then
			return v
		}
	}
	return <-read
}

// candidateBriefly reads a candidate over a brief connection. whole: it is an attached standby,
// and every channel answered.
func (f *Fleet) candidateBriefly(ctx context.Context, t plan.Topology, a access) (v plan.View, whole bool) {
	s := (&topologyRead{document: t}).newClusterRead(a)
	pass, ok := f.startView(s)
	if !ok {
		return v, false
	}
	l, err := f.dialBrief(pass)
	if err != nil {
		return v, false
	}
	defer l.close()
	r := viewReader{link: l, target: s, options: probeOptions{progress: true}, view: s.view, pass: pass}
	r.briefCore(ctx)
	if !r.answered() || r.view.Belief.Kind != plan.BeliefStandby {
		return v, false
	}
	r.details(ctx)
	unread := slices.ContainsFunc(r.view.Progress, func(p plan.ChannelProgress) bool { return !p.Known })
	return r.view, len(r.view.Progress) > 0 && !unread
}

// Sample asks the old primary alone, at a random moment of every plan.Want.SampleEvery,
// and returns the round in which it answered. ok is false when it never did until over
// was closed or ctx ended. A sample that fails counts nothing: only a round may, in
// which the candidate answers too. So sampling can end a failover, and never begin one.
func (r *Reader) Sample(ctx context.Context, t plan.Topology, want plan.Want, over <-chan struct{}) (lived plan.Round, ok bool) {
	every := want.SampleEvery()
	if every <= 0 {
		return plan.Round{}, false
	}
	ctx, enough := context.WithCancel(ctx)
	answered := make(chan plan.Round, 1)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer enough()
	ask := func() {
		if round := r.sample(ctx, t, want); round.Lives() {
			select {
			case answered <- round:
			default: // one is enough
			}
		}
	}
	slot := time.NewTicker(every)
	defer slot.Stop()
	for {
		asking.Go(func() {
			if !arrivesWithin(ctx.Done(), rand.N(every)) { //nolint:gosec // it only has to be in step with nothing
				ask()
			}
		})
		select {
		case round := <-answered:
			return round, true
		case <-ctx.Done():
			return plan.Round{}, false
		case <-over:
			return r.lastAnswer(ctx, &asking, answered)
		case <-slot.C:
		}
	}
}

// lastAnswer waits for what was asked already.
func (r *Reader) lastAnswer(ctx context.Context, asking *sync.WaitGroup, answered <-chan plan.Round) (lived plan.Round, ok bool) {
	none := make(chan struct{})
	go func() {
		defer close(none)
		asking.Wait()
	}()
	select {
	case round := <-answered:
		return round, true
	case <-ctx.Done():
	case <-none:
		select {
		case round := <-answered:
			return round, true
		default:
		}
	}
	return plan.Round{}, false
}

// sample asks over a new connection and waits for a part of a deadline, so that a
// cluster which swallows packets is asked as often as one that refuses. The round
// bears the time of the answer.
func (r *Reader) sample(ctx context.Context, t plan.Topology, want plan.Want) plan.Round {
	f := r.fleet
	within := f.readTimeout / briefPart
	v := f.view(ctx, t, probeAccess(f.bind(t), want.Primary), probeOptions{within: within})
	return plan.Round{At: f.clock.Now(), Limit: within, Reach: v.Reach, Class: v.Class, Error: v.Error}
}
