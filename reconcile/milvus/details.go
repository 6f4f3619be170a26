package milvus

import (
	"context"
	"errors"
	"io"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/plan"
)

// details reads what only a cluster that answers can tell. What is not asked for
// stays as it is.
func (r *reading) details(ctx context.Context) {
	v := &r.view
	blind := v.ReadsConfiguration == plan.SupportNo
	sources := r.sources()
	reads := (r.what.progress || blind) && len(v.Progress) == 0 && len(sources) > 0
	timely := reads && r.afterMoment(ctx)
	var own bool
	var other string
	first := make(chan bool, 1) // whether the first own channel was answered for
	work := []func(){func() { r.giveMoment(ctx) }}
	if reads {
		work = append(work, func() { v.Progress = r.progress(ctx, sources, timely, first) })
	}
	if r.what.identity {
		work = append(work, func() {
			own, other = r.identity(ctx, func() <-chan bool {
				if !reads {
					go func() { first <- r.firstServed(ctx) }()
				}
				return first
			})
		})
	}
	if r.what.features {
		work = append(work, func() { v.ForcePromotes, v.DumpDenied = r.features(ctx) })
	}
	if r.what.progress || r.what.unlisted {
		work = append(work, func() { v.Unlisted = r.unlisted(ctx) })
	}
	if r.what.contents {
		work = append(work, func() { v.Contents = r.contents(ctx, r.pass) })
	}
	both(work...)
	if blind {
		v.Belief = believeProgress(v.Progress)
		own = own || v.Belief.Kind == plan.BeliefStandby
	}
	if v.IdentityConflict == "" {
		v.IdentityConflict = other
	}
	if r.what.identity {
		v.IdentityProven = own && v.IdentityConflict == ""
	}
}

// features says whether the cluster could be promoted by force. An observation
// does not ask again what the same build told this process before, and of a source
// the dump of its own messages tells; the look before a request always asks.
func (r *reading) features(ctx context.Context) (promotes plan.Support, denied bool) {
	switch {
	case len(r.sight.scene.sights) > 0 && r.fleet.remembered(r.pass, r.view.Version):
		return plan.SupportYes, false
	case r.isSource():
		r.sight.unprobed = true
		return plan.SupportUnknown, false
	default:
		return r.fleet.probe(ctx, r.link, r.pass, r.view.Version)
	}
}

// isSource says whether the cluster has standbys that are seen with it.
func (r *reading) isSource() bool {
	return r.view.Belief.Kind == plan.BeliefPrimary && len(r.sight.scene.sights) > 1
}

// giveMoment tells the standbys of a source its newest tick, and those of any
// other cluster that none is coming.
func (r *reading) giveMoment(ctx context.Context) {
	var tick uint64
	if r.what.progress && r.isSource() {
		r.sight.moment.asked = true
		tick, _ = r.tick(ctx) // without one, nothing is known of its backlog
	}
	r.sight.moment.tell(tick)
}

// afterMoment waits for the moment of the source of a standby, and says whether
// it was given.
func (r *reading) afterMoment(ctx context.Context) bool {
	if !r.what.progress || r.view.Belief.Kind != plan.BeliefStandby {
		return false
	}
	source := r.sight.scene.of(r.view.Belief.Source)
	return source != nil && source.moment.given(ctx, r.fleet.soon)
}

// probe asks whether DumpMessages is known: it came with force_promote, and
// without arguments it is refused before it does anything (contract.md §7,
// UNSUPPORTED_SERVER). denied: it is known, and our user may not call it.
func (f *Fleet) probe(ctx context.Context, l *link, pass ticket, version string) (promotes plan.Support, denied bool) {
	ctx, cancel := l.shortly(ctx)
	defer cancel()
	stream, err := l.api.DumpMessages(ctx, &milvuspb.DumpMessagesRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	promotes, denied = l.support(err)
	f.remember(pass, version, promotes, denied)
	return promotes, denied
}

// support is what the end of a DumpMessages says of the server. Only words of
// the handler count, or of Milvus' own check of privileges, which only a server
// that knows the call makes for it (#52608): something before it could refuse us
// on any version.
func (l *link) support(err error) (promotes plan.Support, denied bool) {
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return plan.SupportYes, false
	case l.trace.seen(err).stage != stageSpoke, isNotTaken(err):
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

// milvusDenies is in what Milvus says to a user without a privilege
// (milvus.md §1.6).
const milvusDenies = ": permission deny to "

// dumping is a build that answered to DumpMessages.
type dumping struct {
	pass    ticket
	version string
}

// remember keeps that a build knows DumpMessages, one for each cluster. One that
// does not tell what it is is asked again, and one that denied it: a grant is seen
// at once.
func (f *Fleet) remember(pass ticket, version string, promotes plan.Support, denied bool) {
	if promotes != plan.SupportYes || denied || version == "" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dumping[pass.cluster] = dumping{pass, version}
}

// remembered says whether this very server was seen to answer DumpMessages while
// it was of this build.
func (f *Fleet) remembered(pass ticket, version string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dumping[pass.cluster] == dumping{pass, version}
}
