package milvussim

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

// Codes of Milvus' own errors that the simulator answers (pkg/util/merr, milvus.md §7).
const (
	codeNotReady            = 1
	codeCollectionNotFound  = 100
	codeNotLoaded           = 101
	codeSchemaMismatch      = 109
	codePartitionNotFound   = 200
	codeChannelNotAvailable = 503
	codeIndexNotFound       = 700
	codeDatabaseNotFound    = 800
	codeInvalidParameter    = 1100
	codeNotAuthenticated    = 1400
	codeAliasNotFound       = 1600
	codeAliasConflict       = 1601
	codeAliasExists         = 1602
	codeNotSupported        = 3000
	codeTimeout             = 10001
	codeUnexpected          = 65535
)

// legacyCodes is the older error_code that goes with a code; everything else is
// UnexpectedError (pkg/util/merr/utils.go oldCode).
//
//lint:ignore SA1019 Milvus still sets it in addition to the code
var legacyCodes = map[int32]commonpb.ErrorCode{
	codeNotReady:           commonpb.ErrorCode_NotReadyServe,
	codeCollectionNotFound: commonpb.ErrorCode_CollectionNotExists,
	codePartitionNotFound:  commonpb.ErrorCode_MetaFailed,
	codeIndexNotFound:      commonpb.ErrorCode_IndexNotExist,
	codeInvalidParameter:   commonpb.ErrorCode_IllegalArgument,
}

// serverError is an error that Milvus answers as a Status inside a successful
// gRPC call.
type serverError struct {
	code   int32
	reason string
}

func (e *serverError) Error() string { return e.reason }

func failf(code int32, format string, args ...any) error {
	return &serverError{code: code, reason: fmt.Sprintf(format, args...)}
}

// success is the Status of a call that did what it was asked.
func success() *commonpb.Status { return &commonpb.Status{} }

// split turns an error of a handler into the Status that goes into the reply,
// or the gRPC error that replaces the reply.
func split(err error) (*commonpb.Status, error) {
	if err == nil {
		return success(), nil
	}
	var se *serverError
	if errors.As(err, &se) {
		legacy, ok := legacyCodes[se.code]
		if !ok {
			legacy = commonpb.ErrorCode_UnexpectedError
		}
		return &commonpb.Status{
			//lint:ignore SA1019 Milvus still sets it in addition to the code
			Code: se.code, ErrorCode: legacy, Reason: se.reason, Detail: se.reason,
			Retriable: se.code == codeNotReady,
		}, nil
	}
	return nil, grpcError(err)
}

// grpcError is the gRPC error of a call that ended without a reply.
func grpcError(err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return status.FromContextError(err).Err()
	}
	return err
}

// answer is split for the RPCs whose whole reply is a Status.
func answer(err error) (*commonpb.Status, error) { return split(err) }

// streamingCode is the name of a streaming error code, with the gRPC code that
// it maps to (internal/util/streamingutil/status/rpc_error.go, milvus.md §7). The
// spelling of INVAILD is Milvus' own.
type streamingCode struct {
	name string
	grpc codes.Code
}

var (
	streamingUnknown         = streamingCode{"STREAMING_CODE_UNKNOWN", codes.Unknown}
	streamingInvalidArgument = streamingCode{"STREAMING_CODE_INVAILD_ARGUMENT", codes.InvalidArgument}
	streamingViolation       = streamingCode{"STREAMING_CODE_REPLICATE_VIOLATION", codes.FailedPrecondition}
)

const updateMethod = "/milvus.proto.streaming.StreamingCoordAssignmentService/UpdateReplicateConfiguration"

// rejectUpdate is how a rejection of UpdateReplicateConfiguration arrives: the
// error crosses a gRPC hop inside Milvus and loses its identity, so that its
// code is 65535 whatever it was (milvus.md §1.1).
func rejectUpdate(code streamingCode, cause string) error {
	return failf(codeUnexpected, "%s; streaming error: code = %s, cause = %s; rpc error: code = %s, desc = ",
		updateMethod, code.name, cause, code.grpc)
}

// violation is the answer of a channel whose role forbids a message (milvus.md §1.5, §3).
func violation(format string, args ...any) error {
	return failf(codeUnexpected, "streaming error: code = %s, cause = %s",
		streamingViolation.name, fmt.Sprintf(format, args...))
}

// Texts of rejections (milvus.md §2.9, §3).
const (
	textNotPrimaryDDL  = "cluster is not primary, cannot do any DDL/DCL"
	textSecondaryWrite = "non-replicate message cannot be received in secondary role"
	textPrimaryReceive = "primary cluster cannot receive replicate message"
	textChannelPrimary = "replicate message cannot be received in primary role"
	textForcePrimary   = "force promote can only be used on secondary clusters, current cluster is primary"
	textDeadline       = "context deadline exceeded"
	textForcePrefix    = "invalid replicate configuration for force promote: "
	textAuth           = "auth check failure, please check username and password are correct"
)

// notReady is the answer of a proxy that is not healthy (milvus.md §1.1).
func notReady(state string) error {
	return failf(codeNotReady, "service not ready[proxy=1]: state code: %s", state)
}

// proxyStarting is the answer to every call of a proxy that was started and is
// not ready yet, before it looks at tokens (milvus.md §1.7).
func proxyStarting() error {
	return status.Error(codes.Unknown, "service unavailable: internal: Milvus Proxy is not ready yet. please wait")
}

func forceCount(n int) string {
	return fmt.Sprintf("force promote requires configuration with exactly one cluster (current cluster only), got %d clusters", n)
}

func forceEdges(n int) string {
	return fmt.Sprintf("force promote requires configuration with no topology (current cluster only), got %d topology edges", n)
}
