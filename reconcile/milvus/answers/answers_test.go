package answers

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/milvus/tokens"
)

func encoded(t *testing.T, m proto.Message) []byte {
	t.Helper()
	raw, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func stored(n, channels int, name string) *milvuspb.GetReplicateConfigurationResponse {
	c := &commonpb.ReplicateConfiguration{}
	for range n {
		c.Clusters = append(c.Clusters, &commonpb.MilvusCluster{
			ClusterId: name, Pchannels: milvussim.PChannels(name+"-rootcoord-dml_", channels),
			ConnectionParam: &commonpb.ConnectionParam{Uri: "http://" + name, Token: "root:canary-token"},
		})
	}
	return &milvuspb.GetReplicateConfigurationResponse{Configuration: c}
}

// TestAnswersAreBounded: what a real server can send is taken, more is not, and why
// is said without a word of it.
func TestAnswersAreBounded(t *testing.T) {
	tag := func(n protowire.Number) []byte { return protowire.AppendTag(nil, n, protowire.BytesType) }
	names := make([]string, 65_536)
	for i := range names {
		names[i] = strings.Repeat("n", 60)
	}
	for name, c := range map[string]struct {
		raw  []byte
		into proto.Message
		want string // in the error; empty: it is taken
	}{
		"the largest topology":         {encoded(t, stored(100, 1024, "cluster-a")), &milvuspb.GetReplicateConfigurationResponse{}, ""},
		"as many collections as fit":   {encoded(t, &milvuspb.ShowCollectionsResponse{CollectionNames: names, CollectionIds: make([]int64, len(names))}), &milvuspb.ShowCollectionsResponse{}, ""},
		"a message as the proxy cuts":  {encoded(t, &milvuspb.DumpMessagesResponse{Response: &milvuspb.DumpMessagesResponse_Message{Message: &commonpb.ImmutableMessage{Payload: make([]byte, 7<<20)}}}), &milvuspb.DumpMessagesResponse{}, ""},
		"a long id":                    {encoded(t, stored(1, 1, strings.Repeat("x", 3000))), &milvuspb.GetReplicateConfigurationResponse{}, "has 3000 bytes"},
		"too many bytes":               {make([]byte, 5<<20), &milvuspb.GetReplicateConfigurationResponse{}, "has 5242880 bytes"},
		"empty entries":                {bytes.Repeat(protowire.AppendBytes(tag(2), nil), 1<<20), &milvuspb.ListDatabasesResponse{}, "holds too much"},
		"packed numbers":               {protowire.AppendBytes(tag(3), make([]byte, 4<<20)), &milvuspb.ShowCollectionsResponse{}, "holds too much"},
		"a token in a channel's name":  {encoded(t, &milvuspb.GetReplicateInfoResponse{Checkpoint: &commonpb.ReplicateCheckpoint{Pchannel: "by-root:canary-token"}}), &milvuspb.GetReplicateInfoResponse{}, "pchannel holds one of our tokens"},
		"a password in one":            {encoded(t, &milvuspb.GetReplicateInfoResponse{Checkpoint: &commonpb.ReplicateCheckpoint{Pchannel: "canary-token"}}), &milvuspb.GetReplicateInfoResponse{}, "pchannel holds one of our tokens"},
		"no UTF-8":                     {protowire.AppendBytes(tag(2), []byte("\xff")), &milvuspb.ListDatabasesResponse{}, "not UTF-8"},
		"no message":                   {[]byte("\x0a\xff"), &milvuspb.ListDatabasesResponse{}, "cannot be decoded"},
		"a name that the document has": {encoded(t, stored(1, 1, "production-eu")), &milvuspb.GetReplicateConfigurationResponse{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := &tokens.Known{}
			s.Add("root:canary-token")
			s.Add("root:production")
			s.Publish(plan.Topology{Name: "orders", Clusters: []plan.Cluster{{ID: "production-eu"}}})
			err := Codec{s}.Unmarshal(mem.BufferSlice{mem.SliceBuffer(c.raw)}, c.into)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !IsNotTaken(err) || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			case err != nil && strings.Contains(err.Error(), "canary"):
				t.Errorf("it says %v", err)
			}
			if got, ok := c.into.(*milvuspb.GetReplicateConfigurationResponse); ok && err == nil {
				for _, m := range got.GetConfiguration().GetClusters() {
					if token := m.GetConnectionParam().GetToken(); token != "" {
						t.Errorf("it has the token %q", token)
					}
				}
			}
		})
	}
}

// TestRepeatedAnswers: an answer in the same words is decoded once, and again once another
// token is known, which it may hold.
func TestRepeatedAnswers(t *testing.T) {
	answer := func(id string) []byte { return encoded(t, stored(1, 1, id)) }
	s, last := &tokens.Known{}, &Last{}
	s.Add("root:canary-token")
	ask := func(raw []byte) (proto.Message, error) {
		r := &Repeated{Last: last, Message: &milvuspb.GetReplicateConfigurationResponse{}}
		err := Codec{s}.Unmarshal(mem.BufferSlice{mem.SliceBuffer(raw)}, r)
		return r.Message, err
	}
	first, err := ask(answer("a"))
	if again, other := ask(answer("a")); err != nil || other != nil || again != first {
		t.Errorf("%v, %v: it was decoded twice", err, other)
	}
	if other, err := ask(answer("b")); err != nil || other == first || proto.Equal(other, first) {
		t.Errorf("%v, %v", other, err)
	}
	if _, err := ask(answer("canary-token")); !IsNotTaken(err) {
		t.Error(err)
	}
	if known, err := ask(answer("secret-of-b")); err != nil || known == nil {
		t.Error(err)
	}
	s.Add("root:secret-of-b")
	if _, err := ask(answer("secret-of-b")); !IsNotTaken(err) {
		t.Error(err)
	}
	if got := SizeLimit(&Repeated{Message: &milvuspb.GetReplicateConfigurationResponse{}}); got != SizeLimit(&milvuspb.GetReplicateConfigurationResponse{}) {
		t.Error(got)
	}
}

// FuzzAnswer holds that nothing a server can send makes the codec panic, and that
// what it takes holds no token.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("\x0a\x02\x08\x01"))
	f.Add(protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), []byte("root:canary-token")))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := &tokens.Known{}
		s.Add("root:canary-token")
		for _, m := range []proto.Message{&milvuspb.ListDatabasesResponse{}, &milvuspb.GetReplicateConfigurationResponse{}, &milvuspb.DumpMessagesResponse{}, &milvuspb.DescribeCollectionResponse{}} {
			err := Codec{s}.Unmarshal(mem.BufferSlice{mem.SliceBuffer(raw)}, m)
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("it says %v", err)
			}
			if got, ok := m.(*milvuspb.ListDatabasesResponse); ok && err == nil && strings.Contains(strings.Join(got.GetDbNames(), " "), "canary-token") {
				t.Errorf("it takes %q", got.GetDbNames())
			}
		}
	})
}

// TestNamesAreThoseOfTheAPI: a token is dropped by the name of its field.
func TestNamesAreThoseOfTheAPI(t *testing.T) {
	param, message := (&commonpb.ConnectionParam{}).ProtoReflect().Descriptor(), (&commonpb.ImmutableMessage{}).ProtoReflect().Descriptor()
	if got := param.Fields().ByName("token").FullName(); got != tokenField {
		t.Errorf("the token of a connection is %s", got)
	}
	if got := message.Fields().ByName("properties").FullName(); got != headerField {
		t.Errorf("the properties of a message are %s", got)
	}
	if got := (&commonpb.Status{}).ProtoReflect().Descriptor().FullName(); got != statusName {
		t.Errorf("a status is %s", got)
	}
}
