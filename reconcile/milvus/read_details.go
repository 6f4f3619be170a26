package milvus

import (
	"context"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/answers"
	"milvus-reconcile/reconcile/milvus/parallel"
)

// details reads what only a cluster that answers can give, in parallel. What the options
// do not ask for stays as it is.
func (r *viewReader) details(ctx context.Context) {
	v := &r.view
	blind := v.ReadsConfiguration == plan.SupportNo
	sources := r.sources()
	reads := (r.options.progress || blind) && len(v.Progress) == 0 && len(sources) > 0
	timely := reads && r.awaitSourceTick(ctx)
	var own bool
	var other string
	first := make(chan bool, 1) // whether the first own channel was answered for
	work := []func(){func() { r.publishTick(ctx) }}
	if reads {
		work = append(work, func() { v.Progress = r.progress(ctx, sources, timely, first) })
	}
	if r.options.identity {
		work = append(work, func() {
			own, other = r.identity(ctx, func() <-chan bool {
				if !reads {
					parallel.Go(func() { first <- r.firstServed(ctx) })
				}
				return first
			})
		})
	}
	if r.options.features {
		work = append(work, func() { v.ForcePromotes, v.DumpDenied = r.features(ctx) })
	}
	if r.options.progress || r.options.unlisted {
		work = append(work, func() { v.Unlisted = r.unlisted(ctx) })
	}
	if r.options.readiness {
		work = append(work, func() { v.Readiness = r.readiness(ctx, r.pass, v.Belief.Kind == plan.BeliefStandby) })
	}
	switch before := r.target.rest; {
	case !r.options.contents:
	case before != nil && before.view.Contents.Known && r.target.topology.rest.quiet:
		v.Contents, r.target.contentsAssumed = before.view.Contents, true
	default:
		work = append(work, func() { v.Contents = r.contents(ctx, r.pass) })
	}
	parallel.Run(work...)
	if blind {
		v.Belief = believeProgress(v.Progress)
		own = own || v.Belief.Kind == plan.BeliefStandby
	}
	if v.IdentityConflict == "" {
		v.IdentityConflict = other
	}
	if r.options.identity {
		v.IdentityProven = own && v.IdentityConflict == ""
	}
}

// features says whether the cluster could be promoted by force. An observation does not
// ask again what the same build told this process before, and learns it of a source from
// the dump of its own messages. The read before a request always asks.
func (r *viewReader) features(ctx context.Context) (promotes plan.Support, denied bool) {
	switch {
	case len(r.target.topology.reads) > 0 && r.fleet.knownBuild(r.pass, r.view.Version):
		return plan.SupportYes, false
	case r.isSource():
		r.target.featuresFromDump = true
		return plan.SupportUnknown, false
	default:
		return r.fleet.probeFeatures(ctx, r.link, r.pass, r.view.Version)
	}
}

// isSource says whether the cluster has standbys that are read with it.
func (r *viewReader) isSource() bool {
	return r.view.Belief.Kind == plan.BeliefPrimary && len(r.target.topology.reads) > 1
}

// publishTick gives the standbys of a source its newest tick. Those of any other cluster
// learn that none comes.
func (r *viewReader) publishTick(ctx context.Context) {
	var tick uint64
	if r.options.progress && r.isSource() {
		tick = r.newestTick(ctx)
		if tick == 0 && r.brief != nil {
			return // it is asked over another connection
		}
		r.target.tick.asked = true
	}
	r.target.tick.publish(tick)
}

// newestTick returns the tick that a source gives; 0: none, and nothing is known of its
// backlog.
func (r *viewReader) newestTick(ctx context.Context) (tick uint64) {
	if r.early.tick != nil {
		tick, _ = r.tickOf(r.early.tells, r.early.tick.wait(ctx))
	} else {
		tick, _ = r.tick(ctx)
	}
	return tick
}

// awaitSourceTick waits for the tick of the source of a standby, and says whether there is
// one.
func (r *viewReader) awaitSourceTick(ctx context.Context) bool {
	if !r.options.progress || r.view.Belief.Kind != plan.BeliefStandby {
		return false
	}
	source := r.target.topology.readOf(r.view.Belief.Source)
	return source != nil && source.tick.await(ctx, r.fleet.awaitSoon)
}

// probeFeatures asks whether the server knows DumpMessages. That call came with
// force_promote, and without arguments the server refuses it before it does anything
// (contract.md §7, UNSUPPORTED_SERVER). denied: it knows the call, and our user may not
// use it.
func (f *Fleet) probeFeatures(ctx context.Context, l *link, pass ticket, version string) (promotes plan.Support, denied bool) {
	ctx, cancel := l.withReadTimeout(ctx)
	defer cancel()
	promotes, denied = l.dumpOfNothing(ctx)
	f.rememberBuild(pass, version, promotes, denied)
	return promotes, denied
}

// dumpOfNothing calls DumpMessages without arguments. Over a brief connection only the usual
// refusal counts.
func (l *link) dumpOfNothing(ctx context.Context) (promotes plan.Support, denied bool) {
	if l.brief != nil {
		return l.brief.dumpOfNothing(ctx), false
	}
	stream, err := l.api.DumpMessages(ctx, &milvuspb.DumpMessagesRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	return l.support(err)
}

// support derives from the end of a DumpMessages what the server supports. Only the words
// of the handler count, or of the check of privileges, which only a server that knows the
// call makes for it (#52608). Something in front of the server could refuse us on any
// version.
func (l *link) support(err error) (promotes plan.Support, denied bool) {
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return plan.SupportYes, false
	case l.trace.seen(err).stage != stageSpoke, answers.IsNotTaken(err):
		return plan.SupportUnknown, false
	}
	switch status.Code(err) {
	case codes.Unimplemented:
		return plan.SupportNo, false
	case codes.PermissionDenied:
		if strings.Contains(status.Convert(err).Message(), milvusDenies) {
			return plan.SupportYes, true
		}
		return plan.SupportUnknown, false
	case codes.Unauthenticated, codes.DeadlineExceeded, codes.Canceled, codes.Unavailable, codes.ResourceExhausted:
		return plan.SupportUnknown, false
	default:
		if reach, _ := classifyWords(status.Convert(err).Message()); reach != plan.ReachUp {
			return plan.SupportUnknown, false // a proxy that is not ready says so on any version
		}
		return plan.SupportYes, false
	}
}

// milvusDenies is part of what Milvus says to a user without a privilege (milvus.md §1.6).
const milvusDenies = ": permission deny to "

// dumpingBuild is a build that answered to DumpMessages.
type dumpingBuild struct {
	pass    ticket
	version string
}

// rememberBuild keeps that a build knows DumpMessages, one for each cluster. It keeps
// nothing of a build without a version, or that denied the call: so a new grant is seen at
// once.
func (f *Fleet) rememberBuild(pass ticket, version string, promotes plan.Support, denied bool) {
	if promotes != plan.SupportYes || denied || version == "" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dumpingBuilds[pass.cluster] = dumpingBuild{pass, version}
}

// knownBuild says whether this very server answered to DumpMessages while it was of this
// build.
func (f *Fleet) knownBuild(pass ticket, version string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dumpingBuilds[pass.cluster] == dumpingBuild{pass, version}
}

// unlisted asks whether the cluster serves the channel after the last one of the file, as
// it does once rootCoord.dmlChannelNum was raised (milvus.md §2.9). A cluster that does
// not serve it waits until the deadline, so the deadline is short, and the question is
// asked only when the options say so. A cluster that is known to serve it is asked in
// every observation until the channel is listed or gone.
func (r *viewReader) unlisted(ctx context.Context) []string {
	if !r.options.unlisted && !r.fleet.hasRaised() {
		return nil
	}
	self := r.target.cluster
	stored, listed := r.view.Belief.Configuration.Member(self.ID)
	next := nextChannel(self.PChannels)
	known := r.options.progress && r.fleet.isRaised(r.pass, next)
	if !listed || next == "" || !slices.Equal(stored.PChannels, self.PChannels) || !r.options.unlisted && !known {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, r.fleet.awaitSoon)
	defer cancel()
	_, err := r.info(bounded, next, self.ID)
	if err == nil {
		r.fleet.noteRaised(r.pass, next)
		return []string{next}
	}
	if status.Code(err) == codes.DeadlineExceeded && ctx.Err() == nil {
		r.fleet.noteRaised(r.pass, "")
	}
	return nil
}

// raised is a channel that a cluster serves and that no configuration lists.
type raised struct {
	pass    ticket
	channel string
}

// hasRaised says whether any cluster is known to serve such a channel.
func (f *Fleet) hasRaised() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.raised) > 0
}

func (f *Fleet) isRaised(pass ticket, channel string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return channel != "" && f.raised[pass.cluster] == raised{pass, channel}
}

// noteRaised keeps a channel that was found. An empty one forgets it.
func (f *Fleet) noteRaised(pass ticket, channel string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if channel == "" {
		delete(f.raised, pass.cluster)
		return
	}
	f.raised[pass.cluster] = raised{pass, channel}
}

var numbered = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(.*\D)?(\d{1,6})$`) })

// nextChannel returns the name that Milvus gives the channel after the last one: prefix
// and number. Empty: the last one has no number.
func nextChannel(channels []string) string {
	if len(channels) == 0 {
		return ""
	}
	m := numbered().FindStringSubmatch(channels[len(channels)-1])
	if m == nil {
		return ""
	}
	n, err := strconv.Atoi(m[2])
	if err != nil {
		return ""
	}
	return m[1] + strconv.Itoa(n+1)
}
