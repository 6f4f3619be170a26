package milvus

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

// TestADumpAsksForItsStart: without include_start_message, by its number on the
// wire, a server leaves out a transaction that begins with the message at which a
// dump starts; a dump that goes on behind a message does not ask for it.
func TestADumpAsksForItsStart(t *testing.T) {
	for name, after := range map[string]bool{"from a checkpoint": false, "behind a message": true} {
		t.Run(name, func(t *testing.T) {
			s := stretch{channel: "a-rootcoord-dml_0", start: &commonpb.MessageID{Id: "7"}, after: after, from: 9}
			wire, err := proto.Marshal(s.request())
			must(t, err)
			asks := false
			for len(wire) > 0 {
				number, kind, n := protowire.ConsumeTag(wire)
				wire = wire[n:]
				if number == 5 {
					value, _ := protowire.ConsumeVarint(wire)
					asks = kind == protowire.VarintType && value == 1
				}
				wire = wire[protowire.ConsumeFieldValue(number, kind, wire):]
			}
			same(t, asks, !after)
		})
	}
}
