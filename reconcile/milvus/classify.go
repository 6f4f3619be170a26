package milvus

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"syscall"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/plan"
)

// outcome is a call, classified. The zero value says that nothing was asked.
type outcome struct {
	reach plan.Reach
	class plan.ErrorClass
	err   error // why it did not answer as asked; nil: it did
}

func (o outcome) answered() bool { return o.err == nil && o.reach == plan.ReachUp }

// classify derives reach and class from the end of a call (contract.md §1). ReachDegraded
// says of one call only that the transport answered and the call did not; combine decides
// about the cluster.
func classify(err error, seen attempt) outcome {
	if err == nil {
		return outcome{reach: plan.ReachUp}
	}
	code := status.Code(err)
	words := status.Convert(err).Message()
	if code == codes.Canceled && strings.Contains(words, "RST_STREAM") {
		code = codes.DeadlineExceeded // the server's timer ran out a little before ours
	}
	if code == codes.Canceled {
		return outcome{class: plan.ClassOther, err: err} // by ourselves: it says nothing
	}
	if seen.stage == stageSpoke {
		reach, class := classifyCode(code, words)
		return outcome{reach: reach, class: class, err: err}
	}
	reach, class := classifyAttempt(seen, code)
	if class == plan.ClassTLS {
		err = explained(err, seen)
	}
	return outcome{reach: reach, class: class, err: err}
}

// classifyCode is for calls over a transport that was made: a process that refuses us
// lives, unless it says that it is not ready.
func classifyCode(code codes.Code, words string) (plan.Reach, plan.ErrorClass) {
	switch code {
	case codes.Unauthenticated:
		return plan.ReachUp, plan.ClassUnauthenticated
	case codes.PermissionDenied:
		return plan.ReachUp, plan.ClassPermissionDenied
	case codes.Unimplemented:
		return plan.ReachUp, plan.ClassUnimplemented
	case codes.DeadlineExceeded:
		return plan.ReachDegraded, plan.ClassTimeout
	case codes.Unavailable: // a proxy without a backend, or a connection that broke
		return plan.ReachDegraded, plan.ClassUnavailable
	default:
		return classifyWords(words)
	}
}

// notReady are the words with which Milvus, or a part of it, says under any code that it
// does not serve (yet) (milvus.md §1.7). Inside Milvus an error that crosses gRPC loses
// its code and keeps its words.
var notReady = []string{
	"service not ready", "service unavailable", "is not ready yet",
	"node not found", "node offline", "node not match", "node not available", "node state unexpected", "session not found",
	"old session exists", "server id mismatch", "find no available", "empty grpc client", "client assignment not ready",
	"STREAMING_CODE_ON_SHUTDOWN", "accesser closed", "client is closed", "client is closing", "connection is closing", "code = Unavailable",
}

// hanging are the words of a deadline that passed inside of Milvus.
var hanging = []string{
	"context deadline exceeded", "code = DeadlineExceeded", "context canceled", "code = Canceled",
}

// classifyWords is for refusals whose code does not suffice. Unknown words are those of a
// process that lives.
func classifyWords(words string) (plan.Reach, plan.ErrorClass) {
	says := func(w string) bool { return strings.Contains(words, w) }
	switch {
	case slices.ContainsFunc(notReady, says):
		return plan.ReachDegraded, plan.ClassNotReady
	case slices.ContainsFunc(hanging, says):
		return plan.ReachDegraded, plan.ClassTimeout
	default:
		return plan.ReachUp, plan.ClassOther
	}
}

// classifyAttempt is for calls that never got a transport. Unreachable is only what shows
// that no process listens there; words that we do not understand come from a process.
func classifyAttempt(seen attempt, code codes.Code) (plan.Reach, plan.ErrorClass) {
	switch {
	case seen.dial != nil:
		return classifyDial(seen.dial)
	case seen.handshake != nil && !isTimeout(seen.handshake):
		return plan.ReachUnknown, plan.ClassTLS
	case seen.garbage:
		return plan.ReachUnknown, plan.ClassTLS
	case seen.broken != nil && !isTimeout(seen.broken) && !errors.Is(seen.broken, net.ErrClosed):
		return plan.ReachUnknown, plan.ClassTLS // taken and dropped: so does a TLS server that hears plaintext
	case seen.stage == stageNone:
		return plan.ReachUnknown, plan.ClassOther
	case code == codes.DeadlineExceeded, isTimeout(seen.handshake), isTimeout(seen.broken):
		return plan.ReachUnreachable, plan.ClassTimeout
	default:
		return plan.ReachUnknown, plan.ClassOther
	}
}

func classifyDial(err error) (plan.Reach, plan.ErrorClass) {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return plan.ReachUnknown, plan.ClassDNS
	case errors.Is(err, context.Canceled):
		return plan.ReachUnknown, plan.ClassOther
	case errors.Is(err, syscall.ECONNREFUSED):
		return plan.ReachUnreachable, plan.ClassRefused
	case isTimeout(err):
		return plan.ReachUnreachable, plan.ClassTimeout
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.ECONNRESET):
		return plan.ReachUnreachable, plan.ClassUnavailable
	default:
		return plan.ReachUnknown, plan.ClassOther
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// Codes inside a Status (milvus.md §1.7, §7).
const (
	statusNotReady    = 1
	statusUnavailable = 2
	statusNodes       = 901 // the first of those of nodes that are not there
	statusNodesEnd    = 906
	// Codes of a collection that is not found (before merr) and of a schema that is
	// not legal: as answers to reads that name neither, they come of a server in disorder.
	statusNoCollection = 28
	statusSchema       = 105
	statusNoAuth       = 1400
	statusNoRight      = 1401
	statusOldSession   = 3001
	statusCanceled     = 10000
	statusTimeout      = 10001
)

// legacyNotReady are the codes by which servers before merr say the same.
//
//lint:ignore SA1019 old servers fill only the legacy one
var legacyNotReady = []commonpb.ErrorCode{
	commonpb.ErrorCode_NotReadyServe, commonpb.ErrorCode_NotReadyCoordActivating,
	commonpb.ErrorCode_DataCoordNA, commonpb.ErrorCode_NodeIDNotMatch,
}

// classifyStatus classifies the Status of a call that gRPC calls a success.
func classifyStatus(s *commonpb.Status) outcome {
	//lint:ignore SA1019 servers before merr codes answer with it alone
	code, legacy := s.GetCode(), s.GetErrorCode() //nolint:staticcheck // old servers fill only the legacy one
	if code == 0 && legacy == commonpb.ErrorCode_Success {
		return outcome{reach: plan.ReachUp}
	}
	o := outcome{err: statusError{code: code, reason: s.GetReason()}}
	switch {
	case code == statusNotReady, code == statusUnavailable, code >= statusNodes && code <= statusNodesEnd,
		code == statusOldSession, code == statusNoCollection, code == statusSchema, slices.Contains(legacyNotReady, legacy):
		o.reach, o.class = plan.ReachDegraded, plan.ClassNotReady
	case code == statusTimeout, code == statusCanceled:
		o.reach, o.class = plan.ReachDegraded, plan.ClassTimeout
	case code == statusNoAuth:
		o.reach, o.class = plan.ReachUp, plan.ClassUnauthenticated
	case code == statusNoRight:
		o.reach, o.class = plan.ReachUp, plan.ClassPermissionDenied
	default:
		o.reach, o.class = classifyWords(s.GetReason())
	}
	return o
}

// statusError is a refusal inside a successful gRPC call.
type statusError struct {
	code   int32
	reason string
}

// Error returns the server's words.
func (e statusError) Error() string {
	if e.reason == "" {
		return "refused without a reason"
	}
	return e.reason
}

// combine decides how far a cluster answered, from the read of its configuration and,
// where that does not settle it, a read of its coordinator.
func combine(configuration, coordinator outcome) (plan.Reach, plan.ErrorClass) {
	switch {
	case configuration.reach != plan.ReachDegraded:
		return configuration.reach, configuration.class
	case coordinator.reach == plan.ReachUp:
		return plan.ReachUp, configuration.class
	case coordinator.reach == plan.ReachUnreachable:
		return coordinator.reach, coordinator.class // it went away in between
	default:
		return plan.ReachDegraded, configuration.class
	}
}
