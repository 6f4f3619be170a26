package conformance

import (
	"context"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
)

// unimplemented demands that gRPC code with that text.
func (e *env) unimplemented(err error, text string) {
	e.t.Helper()
	if s := status.Convert(err); s.Code() != codes.Unimplemented || s.Message() != text {
		e.t.Errorf("got %v, want Unimplemented %q", err, text)
	}
}

func (e *env) readErr(ctx context.Context, c *Cluster) (*milvuspb.GetReplicateConfigurationResponse, error) {
	return c.rpc.GetReplicateConfiguration(ctx, &milvuspb.GetReplicateConfigurationRequest{})
}

func (e *env) infoErr(ctx context.Context, c *Cluster, pchannel string) error {
	_, err := c.rpc.GetReplicateInfo(ctx, &milvuspb.GetReplicateInfoRequest{SourceClusterId: e.a.ID, TargetPchannel: pchannel})
	return err
}

// streamsAreChecked holds a server to the one or the other: it lets everybody call
// DumpMessages, or it refuses a wrong token, and says to who may not that it needs
// ManageOwnership.
func streamsAreChecked(e *env) {
	name := e.name("poor")
	s, err := e.a.rpc.CreateCredential(e.long(e.a), &milvuspb.CreateCredentialRequest{Username: name, Password: "TWFnZXIxMjM="})
	e.done(reply{s, err})
	dump := func(token string) *status.Status {
		c := *e.a
		c.Token = token
		stream, err := c.rpc.DumpMessages(e.long(&c), &milvuspb.DumpMessagesRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		return status.Convert(err)
	}
	wrong, poor, all := dump("root:wrong"), dump(name+":Mager123"), dump(e.a.Token)
	switch missing := "missing parameter"; {
	case !strings.Contains(all.Message(), missing):
		e.t.Errorf("who may do all got %v", all)
	case wrong.Code() != codes.Unauthenticated && !(strings.Contains(wrong.Message(), missing) && strings.Contains(poor.Message(), missing)):
		e.t.Errorf("a wrong token got %v, a user without privileges %v", wrong, poor)
	case wrong.Code() == codes.Unauthenticated && (poor.Code() != codes.PermissionDenied || !strings.Contains(poor.Message(), "ManageOwnership: permission deny to "+name)):
		e.t.Errorf("a user without privileges got %v", poor)
	}
	s, err = e.a.rpc.DeleteCredential(e.long(e.a), &milvuspb.DeleteCredentialRequest{Username: name})
	e.done(reply{s, err})
}

func readCases() []Case {
	return []Case{
		{ID: "S46", Title: "an unconfigured cluster blocks", Seen: seenBoth, start: unconfigured, version: "2.6.22", run: func(e *env) {
			if resp, err := e.readErr(e.brief(e.a), e.a); !(reply{resp.GetStatus(), err}).inDoubt() {
				e.t.Errorf("got %v, %v; want a deadline", resp, err)
			}
			if _, err := e.a.rpc.ListDatabases(e.long(e.a), &milvuspb.ListDatabasesRequest{}); err != nil {
				e.t.Errorf("the coordinator does not answer: %v", err)
			}
		}},
		{ID: "S47", Title: "an unconfigured cluster answers with the fix", start: unconfigured, version: "master", run: func(e *env) {
			if resp, err := e.readErr(e.long(e.a), e.a); err != nil || resp.GetStatus().GetCode() != 0 || len(resp.GetConfiguration().GetClusters()) != 0 {
				e.t.Errorf("got %v, %v", resp, err)
			}
		}},
		{ID: "S48", Title: "2.6.16 does not forward the read", version: "2.6.16", run: func(e *env) {
			_, err := e.readErr(e.long(e.a), e.a)
			e.unimplemented(err, "method GetReplicateConfiguration not implemented")
		}},
		{ID: "S48", Title: "nor does 3.0-beta", version: "3.0-beta", run: func(e *env) {
			_, err := e.readErr(e.long(e.a), e.a)
			e.unimplemented(err, "method GetReplicateConfiguration not implemented")
		}},
		{ID: "S49", Title: "2.6.0 knows none of it", start: unconfigured, version: "2.6.0", run: func(e *env) {
			const of = " for service milvus.proto.milvus.MilvusService"
			_, err := e.readErr(e.long(e.a), e.a)
			e.unimplemented(err, "unknown method GetReplicateConfiguration"+of)
			e.unimplemented(e.send(e.long(e.a), e.a, star(e.a), false).err, "unknown method UpdateReplicateConfiguration"+of)
			e.unimplemented(e.infoErr(e.long(e.a), e.a, "x"), "unknown method GetReplicateInfo"+of)
		}},
		{ID: "S50", Title: "tokens are blank, the order is kept", Seen: seenMaster, readOnly: true, run: func(e *env) {
			cfg := e.read(e.a)
			for i, want := range star(e.a, e.b).GetClusters() {
				got := cfg.GetClusters()[i]
				if got.GetClusterId() != want.GetClusterId() || got.GetConnectionParam().GetToken() != "" || got.GetConnectionParam().GetUri() != want.GetConnectionParam().GetUri() {
					e.t.Errorf("entry %d: %v", i, got)
				}
			}
		}},
		{ID: "S51", Title: "a standby's checkpoint", Seen: seenMaster, readOnly: true, run: func(e *env) {
			cp := e.info(e.b, e.a.ID, e.b.pchannels()[0]).GetCheckpoint()
			if cp.GetClusterId() != e.a.ID || cp.GetPchannel() != e.a.pchannels()[0] || cp.GetTimeTick() == 0 || cp.GetMessageId() == nil {
				e.t.Errorf("checkpoint %v", cp)
			}
		}},
		{ID: "S52", Title: "asked by the source's channel", Seen: seenMaster, readOnly: true, run: func(e *env) {
			e.deadline(e.infoErr(e.brief(e.b), e.b, e.a.pchannels()[0]))
		}},
		{ID: "S53", Title: "a primary has no checkpoint", Seen: seenMaster, readOnly: true, run: func(e *env) {
			if resp := e.info(e.a, e.b.ID, e.a.pchannels()[0]); resp.GetCheckpoint() != nil {
				e.t.Errorf("checkpoint %v", resp.GetCheckpoint())
			}
		}},
		{ID: "S53", Title: "a primary waits before 2.6.19", version: "2.6.17", run: func(e *env) {
			e.deadline(e.infoErr(e.brief(e.a), e.a, e.a.pchannels()[0]))
		}},
		{ID: "S54", Title: "salvage after a promotion", Seen: seenMaster, run: func(e *env) {
			before := e.info(e.b, e.a.ID, e.b.pchannels()[1]).GetCheckpoint()
			e.force(e.b)
			kept := e.info(e.b, e.a.ID, e.b.pchannels()[1])
			if kept.GetCheckpoint() != nil || kept.GetSalvageCheckpoint().GetTimeTick() < before.GetTimeTick() ||
				kept.GetSalvageCheckpoint().GetPchannel() != e.a.pchannels()[1] {
				e.t.Errorf("before %v, after %v", before, kept)
			}
			if other := e.info(e.b, "nobody", e.b.pchannels()[1]); other.GetSalvageCheckpoint() != nil {
				e.t.Errorf("salvage for nobody: %v", other)
			}
		}},
		{ID: "S55", Title: "a wrong password", Seen: seenMaster, readOnly: true, run: func(e *env) {
			wrong := *e.a
			wrong.Token = "root:wrong"
			_, err := wrong.rpc.GetReplicateConfiguration(e.long(&wrong), &milvuspb.GetReplicateConfigurationRequest{})
			if s := status.Convert(err); s.Code() != codes.Unauthenticated || !strings.Contains(s.Message(), "auth check failure, please check username and password are correct") {
				e.t.Errorf("got %v", err)
			}
		}},
		{ID: "S55", Title: "a user without privileges", Seen: seenMaster, run: func(e *env) {
			// TWFnZXIxMjM= is "Mager123" in the form in which the SDKs send a password.
			name, hidden := e.name("poor"), e.name("hidden")
			s, err := e.a.rpc.CreateCredential(e.long(e.a), &milvuspb.CreateCredentialRequest{Username: name, Password: "TWFnZXIxMjM="})
			e.done(reply{s, err})
			poor := *e.a
			poor.Token = name + ":Mager123"
			_, err = poor.rpc.UpdateReplicateConfiguration(e.long(&poor), &milvuspb.UpdateReplicateConfigurationRequest{ReplicateConfiguration: star(e.a, e.b)})
			if s := status.Convert(err); s.Code() != codes.PermissionDenied || !strings.Contains(s.Message(), "PrivilegeUpdateReplicateConfiguration: permission deny to "+name+" in the") {
				e.t.Errorf("got %v", err)
			}
			if err := e.infoErr(e.long(&poor), &poor, poor.pchannels()[0]); err != nil {
				e.t.Errorf("GetReplicateInfo needs no privilege: %v", err)
			}
			if s := e.create(e.a, hidden); s.GetCode() != 0 || e.has(&poor, hidden) || !e.has(e.a, hidden) {
				e.t.Error("the collection is not hidden from the poor user")
			}
			e.drop(e.a, hidden)
			s, err = e.a.rpc.DeleteCredential(e.long(e.a), &milvuspb.DeleteCredentialRequest{Username: name})
			e.done(reply{s, err})
		}},
		{ID: "S55", Title: "streams are checked as other calls are, or not at all (#52387)", Seen: seenMaster, run: streamsAreChecked},
		{ID: "S55", Title: "and are from 2.6.23 on", version: "2.6.25", run: streamsAreChecked},
		{ID: "S56", Title: "writes on a standby", Seen: seenMaster, run: func(e *env) {
			name := e.name("standby")
			if s := e.create(e.a, name); s.GetCode() != 0 {
				e.t.Fatal(s)
			}
			e.eventually("it is on the standby", func() bool { return e.has(e.b, name) })
			e.refused(reply{e.insert(e.b, name, 0, 32).GetStatus(), nil}, "STREAMING_CODE_REPLICATE_VIOLATION")
			e.refused(reply{e.insert(e.b, name, 0, 32).GetStatus(), nil}, "non-replicate message cannot be received in secondary role")
			e.refused(reply{e.create(e.b, e.name("other")), nil}, "cluster is not primary, cannot do any DDL/DCL")
			e.drop(e.a, name)
		}},
		{ID: "S56", Title: "queries on a standby", queries: true, run: func(e *env) {
			name := e.name("standby")
			if s := e.create(e.a, name); s.GetCode() != 0 {
				e.t.Fatal(s)
			}
			s, err := e.a.rpc.CreateIndex(e.long(e.a), &milvuspb.CreateIndexRequest{CollectionName: name, FieldName: "vector", ExtraParams: flatIndex()})
			e.done(reply{s, err})
			s, err = e.a.rpc.LoadCollection(e.long(e.a), &milvuspb.LoadCollectionRequest{CollectionName: name})
			e.done(reply{s, err})
			e.eventually("it is on the standby", func() bool { return e.has(e.b, name) })
			e.eventually("the standby answers queries", func() bool {
				q, err := e.b.rpc.Query(e.long(e.b), &milvuspb.QueryRequest{CollectionName: name, OutputFields: []string{"count(*)"}})
				return err == nil && q.GetStatus().GetCode() == 0
			})
			e.drop(e.a, name)
		}},
		{ID: "S56", Title: "resource groups on a standby", simulated: true, run: func(e *env) {
			s, err := e.b.rpc.UpdateResourceGroups(e.long(e.b), &milvuspb.UpdateResourceGroupsRequest{})
			e.done(reply{s, err})
		}},
	}
}
