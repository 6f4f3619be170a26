package milvus

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/plan"
)

// details reads what only a cluster that answers can tell.
func (r *reading) details(ctx context.Context) {
	blind := r.view.ReadsConfiguration == plan.SupportNo
	var progress []plan.ChannelProgress
	var own bool
	var other string
	var promotes plan.Support
	var contents plan.Contents
	reads := r.what.progress || blind
	first := make(chan bool, 1) // whether the first own channel was answered for
	both(
		func() {
			if reads {
				progress = r.progress(ctx, first)
			}
		},
		func() {
			if r.what.identity {
				own, other = r.identity(ctx, func() <-chan bool {
					if !reads {
						go func() { first <- r.firstServed(ctx) }()
					}
					return first
				})
			}
		},
		func() {
			if r.what.features {
				promotes = r.forcePromotes(ctx)
			}
		},
		func() {
			if r.what.contents {
				contents = r.fleet.contents(ctx, r.pass)
			}
		},
	)
	v := &r.view
	v.Progress, v.ForcePromotes, v.Contents = progress, promotes, contents
	if blind {
		v.Belief = believeProgress(progress)
		own = own || v.Belief.Kind == plan.BeliefStandby
	}
	if v.IdentityConflict == "" {
		v.IdentityConflict = other
	}
	v.IdentityProven = own && v.IdentityConflict == ""
}

// forcePromotes probes whether DumpMessages is known: it came with
// force_promote, and without arguments it is refused before it does anything
// (contract section 7, UNSUPPORTED_SERVER). Only words of the handler count:
// something before it could refuse us on any version.
func (r *reading) forcePromotes(ctx context.Context) plan.Support {
	ctx, cancel := r.shortly(ctx)
	defer cancel()
	stream, err := r.api.DumpMessages(ctx, &milvuspb.DumpMessagesRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return plan.SupportYes
	case r.trace.seen(err).stage != stageSpoke:
		return plan.SupportUnknown
	}
	switch status.Code(err) {
	case codes.Unimplemented:
		return plan.SupportNo
	case codes.Unauthenticated, codes.PermissionDenied, codes.DeadlineExceeded, codes.Canceled, codes.Unavailable, codes.ResourceExhausted:
		return plan.SupportUnknown
	default:
		return plan.SupportYes
	}
}
