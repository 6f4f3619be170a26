package unary

import (
	"encoding/binary"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// call is one that is under way.
type call struct {
	group   *Group
	request []byte
	stream  uint32
	body    []byte // of the answer
	most    int    // bytes of it that are taken; more end the call
	unread  int    // bytes of it that the server was not told of yet
	cut     bool   // there were more
	answer  answer
	err     error // why there is no answer
}

// end ends a call, and with the last one its group. Once calls are under way, the lock of the
// session is held.
func (c *call) end(err error) {
	c.err, c.request = err, nil
	if c.group.left--; c.group.left == 0 {
		close(c.group.done)
	}
}

// answer is what the header and the trailer of an answer say.
type answer struct {
	status, contentType, encoding string
	grpcStatus, grpcMessage       string // of the trailer, or of a header without anything behind it
}

// endedBy is the error of a call that the server ended. A server whose timer for the call ran
// out cancels it, which is told in the words of a grpc.ClientConn.
func endedBy(code http2.ErrCode) error {
	if code == http2.ErrCodeCancel {
		return status.Errorf(codes.Canceled, "the server ended the call: RST_STREAM, %v", code)
	}
	return status.Errorf(codes.Unavailable, "the server ended the call: %v", code)
}

// message takes the message out of an answer, and returns the error that the server gave.
func (c *call) message() ([]byte, error) {
	if c.cut {
		return nil, status.Errorf(codes.ResourceExhausted, "an answer has more than %d bytes", c.most-prefix)
	}
	if err := c.answer.outcome(); err != nil {
		return nil, err
	}
	data := c.body
	if len(data) < prefix || data[0] != 0 || int(binary.BigEndian.Uint32(data[1:])) != len(data)-prefix {
		return nil, errProtocol
	}
	return data[prefix:], nil
}

var errProtocol = status.Error(codes.Internal, "the server does not keep to gRPC")

// outcome is the error that an answer tells.
func (a answer) outcome() error {
	if a.status != "200" {
		return status.Errorf(codes.Unavailable, "unexpected HTTP status %s", a.status)
	}
	code, err := strconv.ParseUint(a.grpcStatus, 10, 32)
	switch {
	case err != nil, !strings.HasPrefix(a.contentType, "application/grpc"), a.encoding != "" && a.encoding != "identity":
		return errProtocol
	case code != 0:
		return status.Error(codes.Code(code), a.grpcMessage)
	}
	return nil
}
