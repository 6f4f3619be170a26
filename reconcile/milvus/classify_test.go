package milvus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/plan"
)

func dialError(err error) attempt {
	return attempt{stage: stageDialing, dial: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", err)}}
}

func TestClassify(t *testing.T) {
	spoke := attempt{stage: stageSpoke}
	connected := attempt{stage: stageConnected}
	cases := map[string]struct {
		code  codes.Code
		seen  attempt
		reach plan.Reach
		class plan.ErrorClass
	}{
		"answered":                             {codes.OK, spoke, plan.ReachUp, plan.ClassNone},
		"refused":                              {codes.Unavailable, dialError(syscall.ECONNREFUSED), plan.ReachUnreachable, plan.ClassRefused},
		"no route to the host":                 {codes.Unavailable, dialError(syscall.EHOSTUNREACH), plan.ReachUnreachable, plan.ClassUnavailable},
		"no route to the network":              {codes.Unavailable, dialError(syscall.ENETUNREACH), plan.ReachUnreachable, plan.ClassUnavailable},
		"reset while connecting":               {codes.Unavailable, dialError(syscall.ECONNRESET), plan.ReachUnreachable, plan.ClassUnavailable},
		"the kernel timed out":                 {codes.Unavailable, dialError(syscall.ETIMEDOUT), plan.ReachUnreachable, plan.ClassTimeout},
		"forbidden here":                       {codes.Unavailable, dialError(syscall.EPERM), plan.ReachUnknown, plan.ClassOther},
		"out of files here":                    {codes.Unavailable, dialError(syscall.EMFILE), plan.ReachUnknown, plan.ClassOther},
		"name not found":                       {codes.Unavailable, attempt{stage: stageDialing, dial: &net.DNSError{IsNotFound: true}}, plan.ReachUnknown, plan.ClassDNS},
		"name server timed out":                {codes.Unavailable, attempt{stage: stageDialing, dial: &net.DNSError{IsTimeout: true}}, plan.ReachUnknown, plan.ClassDNS},
		"packets swallowed":                    {codes.DeadlineExceeded, attempt{stage: stageDialing}, plan.ReachUnreachable, plan.ClassTimeout},
		"silence after the connection":         {codes.DeadlineExceeded, connected, plan.ReachUnreachable, plan.ClassTimeout},
		"gRPC gave up the silence":             {codes.Unavailable, attempt{stage: stageConnected, broken: context.DeadlineExceeded}, plan.ReachUnreachable, plan.ClassTimeout},
		"dropped before a word":                {codes.Unavailable, attempt{stage: stageConnected, broken: errors.New("EOF")}, plan.ReachUnknown, plan.ClassTLS},
		"closed by ourselves, early":           {codes.Unavailable, attempt{stage: stageConnected, broken: net.ErrClosed}, plan.ReachUnknown, plan.ClassOther},
		"closed by ourselves, at the deadline": {codes.DeadlineExceeded, attempt{stage: stageConnected, broken: net.ErrClosed}, plan.ReachUnreachable, plan.ClassTimeout},
		"garbage":                              {codes.Unavailable, attempt{stage: stageConnected, garbage: true}, plan.ReachUnknown, plan.ClassTLS},
		"garbage, then a deadline":             {codes.DeadlineExceeded, attempt{stage: stageConnected, garbage: true}, plan.ReachUnknown, plan.ClassTLS},
		"the handshake failed":                 {codes.Unavailable, attempt{stage: stageConnected, handshake: errors.New("x509")}, plan.ReachUnknown, plan.ClassTLS},
		"the handshake ran out of time":        {codes.Unavailable, attempt{stage: stageConnected, handshake: context.DeadlineExceeded}, plan.ReachUnreachable, plan.ClassTimeout},
		"nothing was tried":                    {codes.DeadlineExceeded, attempt{}, plan.ReachUnknown, plan.ClassOther},
		"given up by ourselves":                {codes.Canceled, spoke, plan.ReachUnknown, plan.ClassOther},
		"unauthenticated":                      {codes.Unauthenticated, spoke, plan.ReachUp, plan.ClassUnauthenticated},
		"not permitted":                        {codes.PermissionDenied, spoke, plan.ReachUp, plan.ClassPermissionDenied},
		"not implemented":                      {codes.Unimplemented, spoke, plan.ReachUp, plan.ClassUnimplemented},
		"its own error":                        {codes.Internal, spoke, plan.ReachUp, plan.ClassOther},
		"no answer over a transport":           {codes.DeadlineExceeded, spoke, plan.ReachDegraded, plan.ClassTimeout},
		"unavailable behind the transport":     {codes.Unavailable, spoke, plan.ReachDegraded, plan.ClassUnavailable},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := classify(status.Error(c.code, "x"), c.seen)
			if got.reach != c.reach || got.class != c.class || (got.err == nil) != (c.code == codes.OK) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestNotReadyIsDegraded: every form in which a Milvus that does not serve says so
// (milvus.md §1.7), as a gRPC error and inside a Status. A refusal that says
// nothing of it is that of a process that lives.
func TestNotReadyIsDegraded(t *testing.T) {
	spoke := attempt{stage: stageSpoke}
	for words, class := range map[string]plan.ErrorClass{
		"service unavailable: internal: Milvus Proxy is not ready yet. please wait": plan.ClassNotReady,
		"internal: Milvus Proxy is not ready yet. please wait: service unavailable": plan.ClassNotReady,
		"state code: Initializing: service not ready":                               plan.ClassNotReady,
		"find no available mixcoord, check mixcoord state: node not found[node=0]":  plan.ClassNotReady,
		"session not found: node not found[node=7]":                                 plan.ClassNotReady,
		"node not match[expectedNodeID=7][actualNodeID=9]":                          plan.ClassNotReady,
		"node offline[node=7]":                                                       plan.ClassNotReady,
		"old session exists":                                                         plan.ClassNotReady,
		"empty grpc client: dial tcp: connection refused":                            plan.ClassNotReady,
		"handler client assignment not ready":                                        plan.ClassNotReady,
		"code: STREAMING_CODE_ON_SHUTDOWN, cause: wal accesser closed":               plan.ClassNotReady,
		"handler client is closed":                                                   plan.ClassNotReady,
		"grpc: the client connection is closing":                                     plan.ClassNotReady,
		"AssignmentDiscover; rpc error: code = Unavailable, desc = connection error": plan.ClassNotReady,
		"…/UpdateReplicateConfiguration; streaming error: code = STREAMING_CODE_UNKNOWN, cause = context deadline exceeded; rpc error: code = Unknown, desc = ": plan.ClassTimeout,
		"AssignmentDiscover; rpc error: code = DeadlineExceeded, desc = context deadline exceeded":                                                              plan.ClassTimeout,
		"context canceled": plan.ClassTimeout,
	} {
		t.Run(words, func(t *testing.T) {
			for _, code := range []codes.Code{codes.Unknown, codes.Internal, codes.FailedPrecondition, codes.Aborted} {
				if got := classify(status.Error(code, words), spoke); got.reach != plan.ReachDegraded || got.class != class {
					t.Errorf("%s: %+v", code, got)
				}
			}
			if got := classifyStatus(&commonpb.Status{Code: 65535, Reason: words}); got.reach != plan.ReachDegraded || got.class != class {
				t.Errorf("inside a Status: %+v", got)
			}
			if got := classifyAnswer(nil, status.Error(codes.Unknown, words), true); got != doubtful {
				t.Errorf("an answer to a request: %d", got)
			}
			if got := classifyAnswer(&commonpb.Status{Code: 65535, Reason: words}, nil, true); got != doubtful {
				t.Errorf("a Status to a request: %d", got)
			}
		})
	}
	for _, words := range []string{"cluster is not primary, cannot do any DDL/DCL", "rate limit exceeded", "database not found[database=x]", ""} {
		if got := classify(status.Error(codes.Unknown, words), spoke); got.reach != plan.ReachUp {
			t.Errorf("%q: %+v", words, got)
		}
	}
	reset := status.Error(codes.Canceled, "stream terminated by RST_STREAM with error code: CANCEL")
	if got := classify(reset, spoke); !got.timedOut() {
		t.Errorf("a deadline that the server saw first: %+v", got)
	}
	same(t, classifyAnswer(nil, reset, true), doubtful)
}

func TestClassifyStatus(t *testing.T) {
	cases := map[string]struct {
		status *commonpb.Status
		reach  plan.Reach
		class  plan.ErrorClass
		fine   bool
	}{
		"none":                {nil, plan.ReachUp, plan.ClassNone, true},
		"success":             {&commonpb.Status{}, plan.ReachUp, plan.ClassNone, true},
		"not ready":           {&commonpb.Status{Code: 1}, plan.ReachDegraded, plan.ClassNotReady, false},
		"not ready, in words": {&commonpb.Status{Code: 65535, Reason: "x: service not ready[y]"}, plan.ReachDegraded, plan.ClassNotReady, false},
		//lint:ignore SA1019 servers before merr codes answer with it alone
		"only the old code":                {&commonpb.Status{ErrorCode: commonpb.ErrorCode_NotReadyServe}, plan.ReachDegraded, plan.ClassNotReady, false},
		"no answer to what was asked, 28":  {&commonpb.Status{Code: 28}, plan.ReachDegraded, plan.ClassNotReady, false},
		"no answer to what was asked, 105": {&commonpb.Status{Code: 105}, plan.ReachDegraded, plan.ClassNotReady, false},
		"unavailable":                      {&commonpb.Status{Code: 2}, plan.ReachDegraded, plan.ClassNotReady, false},
		"a node is not there":              {&commonpb.Status{Code: 901}, plan.ReachDegraded, plan.ClassNotReady, false},
		"a node's state":                   {&commonpb.Status{Code: 906}, plan.ReachDegraded, plan.ClassNotReady, false},
		"the old session":                  {&commonpb.Status{Code: 3001}, plan.ReachDegraded, plan.ClassNotReady, false},
		//lint:ignore SA1019 servers before merr codes answer with it alone
		"an old code of a coordinator that starts": {&commonpb.Status{ErrorCode: commonpb.ErrorCode_NotReadyCoordActivating}, plan.ReachDegraded, plan.ClassNotReady, false},
		//lint:ignore SA1019 servers before merr codes answer with it alone
		"an old code of another node": {&commonpb.Status{ErrorCode: commonpb.ErrorCode_NodeIDNotMatch}, plan.ReachDegraded, plan.ClassNotReady, false},
		"given up inside":             {&commonpb.Status{Code: 10000}, plan.ReachDegraded, plan.ClassTimeout, false},
		"its own deadline":            {&commonpb.Status{Code: 10001}, plan.ReachDegraded, plan.ClassTimeout, false},
		"not permitted":               {&commonpb.Status{Code: 1401}, plan.ReachUp, plan.ClassPermissionDenied, false},
		"anything else":               {&commonpb.Status{Code: 65535}, plan.ReachUp, plan.ClassOther, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := classifyStatus(c.status)
			if got.reach != c.reach || got.class != c.class || (got.err == nil) != c.fine {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestCombine(t *testing.T) {
	outcomes := map[string]outcome{
		"up":          {reach: plan.ReachUp},
		"slow":        {reach: plan.ReachDegraded, class: plan.ClassTimeout, err: errors.New("x")},
		"gone":        {reach: plan.ReachUnreachable, class: plan.ClassRefused, err: errors.New("x")},
		"strange":     {reach: plan.ReachUnknown, class: plan.ClassTLS, err: errors.New("x")},
		"not asked":   {},
		"not allowed": {reach: plan.ReachUp, class: plan.ClassPermissionDenied, err: errors.New("x")},
	}
	cases := map[[2]string]plan.Reach{
		{"up", "not asked"}: plan.ReachUp, {"not allowed", "not asked"}: plan.ReachUp,
		{"gone", "not asked"}: plan.ReachUnreachable, {"strange", "not asked"}: plan.ReachUnknown,
		{"slow", "up"}: plan.ReachUp, {"slow", "not allowed"}: plan.ReachUp, {"slow", "slow"}: plan.ReachDegraded,
		{"slow", "gone"}: plan.ReachUnreachable, {"slow", "strange"}: plan.ReachDegraded, {"slow", "not asked"}: plan.ReachDegraded,
	}
	for c, want := range cases {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			if got, _ := combine(outcomes[c[0]], outcomes[c[1]]); got != want {
				t.Errorf("%s", got)
			}
		})
	}
}

// A call that ended as unavailable is judged by the attempt to connect that failed, not by
// the one that gRPC began after it.
func TestTheAttemptOfACall(t *testing.T) {
	var tr connectionTrace
	tr.begin()
	tr.set(func(a *attempt) { a.dial = syscall.ECONNREFUSED })
	tr.begin()
	if got := tr.seen(status.Error(codes.Unavailable, "")); got.dial == nil {
		t.Errorf("%+v", got)
	}
	if got := tr.seen(status.Error(codes.DeadlineExceeded, "")); got.dial != nil {
		t.Errorf("%+v", got)
	}
	if tr.spoke() {
		t.Error("a request may have left")
	}
}
