package hostile

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Sizes of what nobody should take.
const (
	huge     = 48 << 20
	many     = 3 << 20 // entries
	nesting  = 100_000
	pageSize = 64 << 10
)

// Excesses are ways to send too much or never to end, by name.
var Excesses = map[string]Spoiler{
	"a huge string":      addText(huge),
	"a long string":      addText(512 << 10),
	"many empty entries": add(func(d protoreflect.MessageDescriptor) []byte { return bytes.Repeat(entry(d), many) }),
	"many names": add(func(d protoreflect.MessageDescriptor) []byte {
		f := list(d)
		return bytes.Repeat(protowire.AppendString(protowire.AppendTag(nil, f, protowire.BytesType), strings.Repeat("n", 60)), many/60)
	}),
	"groups in groups": add(func(protoreflect.MessageDescriptor) []byte {
		return bytes.Repeat(protowire.AppendTag(nil, 1000, protowire.StartGroupType), nesting)
	}),
	"unknown fields": add(func(protoreflect.MessageDescriptor) []byte {
		return bytes.Repeat(protowire.AppendVarint(protowire.AppendTag(nil, 1000, protowire.VarintType), 1), many)
	}),
	"a long reason": func(c *Call) error {
		return status.Error(codes.Internal, strings.Repeat("w ", huge/2)) //nolint:wrapcheck // it is the answer
	},
	"huge headers": func(c *Call) error {
		_ = c.Stream.SetHeader(pages()) // what is not sent is no excess
		return c.Pass(nil)
	},
	"huge trailers": func(c *Call) error {
		c.Stream.SetTrailer(pages())
		return c.Pass(nil)
	},
	"a compressed bomb": func(c *Call) error {
		_ = grpc.SetSendCompressor(c.Stream.Context(), "gzip") // a client that takes none gets it as it is
		return addText(huge)(c)
	},
	"an endless stream": func(c *Call) error {
		raw, err := c.Next()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		for {
			if err := c.Send(raw); err != nil {
				return err
			}
		}
	},
	"no end": func(c *Call) error {
		<-c.Stream.Context().Done()
		return c.Stream.Context().Err()
	},
}

// Only spoils the answers of one method; the others are passed on.
func Only(method string, how Spoiler) Spoiler {
	return func(c *Call) error {
		if c.Method != method {
			return c.Pass(nil)
		}
		return how(c)
	}
}

func pages() metadata.MD {
	md := metadata.MD{}
	for range 256 {
		md.Append("x-page", strings.Repeat("p", pageSize))
	}
	return md
}

// add appends to every answer, and an answer to every stream.
func add(more func(protoreflect.MessageDescriptor) []byte) Spoiler {
	return func(c *Call) error {
		if c.Method == "DumpMessages" {
			if err := c.Send(more(c.Output)); err != nil {
				return err
			}
		}
		return c.Pass(func(raw []byte) []byte { return append(raw, more(c.Output)...) })
	}
}

// addText appends a string of so many bytes to the first place that takes one.
func addText(length int) Spoiler {
	return add(func(d protoreflect.MessageDescriptor) []byte {
		raw := []byte(strings.Repeat("x", length))
		all := paths(d, nil)
		if len(all) == 0 {
			return raw
		}
		p := all[len(all)-1]
		if f := p[len(p)-1]; f.IsMap() {
			raw = protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), raw)
		}
		for i := len(p) - 1; i >= 0; i-- {
			raw = protowire.AppendBytes(protowire.AppendTag(nil, p[i].Number(), protowire.BytesType), raw)
		}
		return raw
	})
}

// list is the first list of an answer, or its status.
func list(d protoreflect.MessageDescriptor) protowire.Number {
	for i := range d.Fields().Len() {
		if f := d.Fields().Get(i); f.IsList() && (f.Message() != nil || f.Kind() == protoreflect.StringKind) {
			return f.Number()
		}
	}
	return 1
}

// entry is an empty entry of it.
func entry(d protoreflect.MessageDescriptor) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, list(d), protowire.BytesType), nil)
}
