// Package answers turns the bytes of a server's answers into messages, within bounds, and
// refuses what repeats one of our tokens. Start with [Codec].
package answers

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/reconcile/milvus/tokens"
)

// Codec turns the bytes of an answer into a message. Every string of a server passes
// through it. An answer that is too large, or that repeats one of our tokens where a name
// belongs, is discarded as a whole. So no changed value exists that could be compared,
// stored or sent back.
type Codec struct{ Secrets *tokens.Known }

// limit is how large one kind of answer may be.
type limit struct {
	size int // bytes on the wire
	cost int // bytes that it takes here, about: a byte on the wire can take 100
	text int // the longest string; 0: only size bounds it
}

// The bounds of answers. What Milvus itself allows is below each of them: 65,536
// collections, and messages in a log that its proxy cuts at 2 MiB
// (pulsar.maxMessageSize); a topology has at most 100 clusters of 1024 channels.
const (
	maxName   = 2 << 10 // of a cluster, channel, uri, collection or role
	bodyDepth = 32
	MaxBody   = 16 << 20 // of a message in a log, when it is decoded
)

// SizeLimit is how many bytes one kind of answer may have.
func SizeLimit(m any) int { return limitOf(m).size }

func limitOf(m any) limit {
	switch m := m.(type) {
	case *Repeated:
		return limitOf(m.Message)
	case *milvuspb.GetReplicateConfigurationResponse:
		return limit{size: 4 << 20, cost: 16 << 20, text: maxName}
	case *milvuspb.ListDatabasesResponse:
		return limit{size: 2 << 20, cost: 8 << 20, text: maxName}
	case *milvuspb.ShowCollectionsResponse:
		return limit{size: 8 << 20, cost: 16 << 20, text: maxName}
	case *milvuspb.DescribeCollectionResponse: // descriptions and defaults are texts of users
		return limit{size: 1 << 20, cost: 4 << 20}
	case *milvuspb.DumpMessagesResponse:
		return limit{size: 8 << 20, cost: 16 << 20}
	case *milvuspb.QueryResults: // rows of users
		return limit{size: 16 << 20, cost: 64 << 20}
	default:
		return limit{size: 1 << 20, cost: 4 << 20, text: maxName}
	}
}

// notTaken begins why an answer is not taken. It holds nothing of the answer.
const notTaken = "the answer is discarded: "

// IsNotTaken says whether an answer came and was not taken, here or by gRPC, which
// knows its size before the codec does.
func IsNotTaken(err error) bool {
	return err != nil && (strings.Contains(err.Error(), notTaken) || strings.Contains(err.Error(), "grpc: received message"))
}

// Name returns the name of the encoding.
func (Codec) Name() string { return "proto" }

// Marshal encodes a request.
func (Codec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is no message", v)
	}
	raw, err := proto.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode a request: %w", err)
	}
	return mem.BufferSlice{mem.SliceBuffer(raw)}, nil
}

// Unmarshal decodes an answer within its bounds.
func (c Codec) Unmarshal(data mem.BufferSlice, v any) error {
	if r, ok := v.(*Repeated); ok {
		return r.unmarshal(c, data)
	}
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is no message", v)
	}
	b := limitOf(m)
	if data.Len() > b.size {
		return fmt.Errorf("%sit has %d bytes; at most %d are read", notTaken, data.Len(), b.size)
	}
	raw := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer raw.Free()
	if err := Decode(raw.ReadOnlyData(), m, b.cost); err != nil {
		return err
	}
	return c.admit(m.ProtoReflect(), b.text)
}

// Decode decodes a message unless that would take more memory than cost.
func Decode(raw []byte, m proto.Message, cost int) error {
	_, err := DecodeWeighed(raw, m, cost)
	return err
}

// DecodeWeighed decodes a message unless that would take more memory than cost. weight is about
// how many bytes it takes now.
func DecodeWeighed(raw []byte, m proto.Message, cost int) (weight int, err error) {
	left := cost
	if err := chargeMessage(raw, m.ProtoReflect().Descriptor(), bodyDepth, &left); err != nil {
		return 0, err
	}
	if err := proto.Unmarshal(raw, m); err != nil {
		return 0, errors.New(notTaken + "it cannot be decoded, or a text in it is not UTF-8")
	}
	return cost - left, nil
}

// What the parts of a decoded message take, about.
const (
	costMessage = 256
	costText    = 48
	costNumber  = 16
)

// chargeMessage takes what a message will cost once it is decoded from a budget, before
// anything is decoded.
func chargeMessage(raw []byte, d protoreflect.MessageDescriptor, depth int, left *int) error {
	if depth == 0 {
		return errors.New(notTaken + "it is nested too deep")
	}
	for len(raw) > 0 {
		number, kind, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return errors.New(notTaken + "it cannot be decoded")
		}
		size := protowire.ConsumeFieldValue(number, kind, raw[n:])
		if size < 0 {
			return errors.New(notTaken + "it cannot be decoded")
		}
		value := raw[n : n+size]
		raw = raw[n+size:]
		f := d.Fields().ByNumber(number)
		if *left -= costOf(f, kind, value); *left < 0 {
			return errors.New(notTaken + "it holds too much")
		}
		if f == nil || f.Message() == nil || kind != protowire.BytesType {
			continue
		}
		body, _ := protowire.ConsumeBytes(value)
		if err := chargeMessage(body, f.Message(), depth-1, left); err != nil {
			return err
		}
	}
	return nil
}

// costOf is what one field costs, without the message in it.
func costOf(f protoreflect.FieldDescriptor, kind protowire.Type, value []byte) int {
	switch {
	case f == nil: // it is kept as it is
		return costNumber + len(value)
	case f.Message() != nil:
		return costMessage
	case kind != protowire.BytesType:
		return costNumber
	case f.Kind() == protoreflect.StringKind, f.Kind() == protoreflect.BytesKind:
		return costText + len(value)
	}
	numbers := 0 // packed: of a varint, only the last byte lacks the upper bit
	for _, b := range value {
		if b < 0x80 {
			numbers++
		}
	}
	if f.Kind() == protoreflect.FloatKind || f.Kind() == protoreflect.DoubleKind {
		return costNumber + len(value)
	}
	const widest = 8
	return costNumber + widest*numbers
}

// HeaderProperty names the property of a message in a log that holds its header, in base64
// (encoder.go). The header of a change of the topology has the uri and the token of every
// cluster in clear.
const HeaderProperty = "_h"

// The fields that no value is made of, and the message whose words are only told. They are
// constants, since asking for the descriptors of Milvus' API makes the start slower.
const (
	tokenField  protoreflect.FullName = "milvus.proto.common.ConnectionParam.token"
	headerField protoreflect.FullName = "milvus.proto.common.ImmutableMessage.properties"
	statusName  protoreflect.FullName = "milvus.proto.common.Status"
)

// admit refuses a message in which a string is longer than it may be, or holds a
// token. The words of a status are only told, so tokens are taken out of them; a
// token in the field that is made for one is dropped.
func (c Codec) admit(m protoreflect.Message, longest int) (err error) {
	if m.Descriptor().FullName() == statusName {
		c.admitWords(m)
		return nil
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.FullName() == tokenField:
			m.Clear(f)
		case f.IsList():
			err = c.admitList(f, v.List(), longest)
		case f.IsMap():
			err = c.admitMap(f, v.Map(), longest)
		default:
			err = c.admitValue(f, v, longest)
		}
		return err == nil
	})
	return err
}

func (c Codec) admitWords(m protoreflect.Message) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap():
			m.Clear(f)
		case f.Kind() == protoreflect.StringKind:
			m.Set(f, protoreflect.ValueOfString(c.Secrets.Hide(v.String())))
		}
		return true
	})
}

func (c Codec) admitList(f protoreflect.FieldDescriptor, list protoreflect.List, longest int) error {
	if f.Kind() != protoreflect.StringKind && f.Message() == nil {
		return nil
	}
	for i := range list.Len() {
		if err := c.admitValue(f, list.Get(i), longest); err != nil {
			return err
		}
	}
	return nil
}

func (c Codec) admitMap(f protoreflect.FieldDescriptor, entries protoreflect.Map, longest int) (err error) {
	entries.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		if f.FullName() == headerField && k.String() == HeaderProperty {
			return true // it may hold tokens by right, and goes nowhere
		}
		if err = c.admitValue(f.MapKey(), k.Value(), longest); err == nil {
			err = c.admitValue(f.MapValue(), v, longest)
		}
		return err == nil
	})
	return err
}

func (c Codec) admitValue(f protoreflect.FieldDescriptor, v protoreflect.Value, longest int) error {
	switch {
	case f.Message() != nil:
		return c.admit(v.Message(), longest)
	case f.Kind() != protoreflect.StringKind:
		return nil
	case longest > 0 && len(v.String()) > longest:
		return fmt.Errorf("%s%s has %d bytes; at most %d are read", notTaken, f.Name(), len(v.String()), longest)
	case c.Secrets.HoldsToken(v.String()):
		return fmt.Errorf("%s%s holds one of our tokens", notTaken, f.Name())
	default:
		return nil
	}
}
