package milvus

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/plan"
)

// outcome is one call, classified. The zero value says that nothing was asked.
type outcome struct {
	reach plan.Reach
	class plan.ErrorClass
	err   error // why it did not answer as asked; nil: it did
}

func (o outcome) answered() bool { return o.err == nil && o.reach == plan.ReachUp }

// classify turns the end of one call into reach and class (contract section
// 1). ReachDegraded says of one call only that the transport answered and the
// call did not; combine decides about the cluster.
func classify(err error, seen attempt) outcome {
	if err == nil {
		return outcome{reach: plan.ReachUp}
	}
	code := status.Code(err)
	if code == codes.Canceled {
		return outcome{class: plan.ClassOther, err: err} // by ourselves: it says nothing
	}
	if seen.stage == stageSpoke {
		reach, class := classifyCode(code)
		return outcome{reach: reach, class: class, err: err}
	}
	reach, class := classifyAttempt(seen, code)
	return outcome{reach: reach, class: class, err: err}
}

// classifyCode is for calls over a transport that stands: a process that
// refuses us lives, whatever it says.
func classifyCode(code codes.Code) (plan.Reach, plan.ErrorClass) {
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
		return plan.ReachUp, plan.ClassOther
	}
}

// classifyAttempt is for calls that never got a transport. Only what shows
// that nobody is there is unreachable; words that we do not understand are
// somebody's words.
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

// Codes inside a Status (milvus.md section 7).
const (
	statusNotReady    = 1
	statusUnavailable = 2
	statusNoAuth      = 1400
	statusNoRight     = 1401
	statusCanceled    = 10000
	statusTimeout     = 10001
)

// classifyStatus looks into the Status of a call that gRPC calls a success.
func classifyStatus(s *commonpb.Status) outcome {
	//lint:ignore SA1019 servers before merr codes answer with it alone
	code, legacy := s.GetCode(), s.GetErrorCode() //nolint:staticcheck // old servers fill only the legacy one
	if code == 0 && legacy == commonpb.ErrorCode_Success {
		return outcome{reach: plan.ReachUp}
	}
	err := statusError{code: code, reason: s.GetReason()}
	switch {
	case code == statusNotReady, code == statusUnavailable, legacy == commonpb.ErrorCode_NotReadyServe,
		strings.Contains(s.GetReason(), "service not ready"):
		return outcome{reach: plan.ReachDegraded, class: plan.ClassNotReady, err: err}
	case code == statusTimeout, code == statusCanceled:
		return outcome{reach: plan.ReachDegraded, class: plan.ClassTimeout, err: err}
	case code == statusNoAuth:
		return outcome{reach: plan.ReachUp, class: plan.ClassUnauthenticated, err: err}
	case code == statusNoRight:
		return outcome{reach: plan.ReachUp, class: plan.ClassPermissionDenied, err: err}
	default:
		return outcome{reach: plan.ReachUp, class: plan.ClassOther, err: err}
	}
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

// combine decides how far a cluster answered from its stored configuration
// and, where that did not settle it, a read of its coordinator.
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
