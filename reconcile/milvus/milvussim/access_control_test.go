package milvussim_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/client/v2/milvusclient"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestRoot: root has no role, and may do all unless its cluster binds it.
func TestRoot(t *testing.T) {
	for _, binds := range []bool{false, true} {
		w := start(t, milvussim.Options{}, milvussim.ClusterSpec{ID: "a", BindsRoot: binds})
		a := dial(t, w, "a")
		self, err := a.SelectUser(root(t), &milvuspb.SelectUserRequest{User: &milvuspb.UserEntity{Name: "root"}, IncludeRoleInfo: true})
		if err != nil || len(self.GetResults()) != 1 || len(self.GetResults()[0].GetRoles()) != 0 {
			t.Errorf("binds %t: %v, %v", binds, self, err)
		}
		listed, err := a.ListDatabases(root(t), &milvuspb.ListDatabasesRequest{})
		if err != nil || (len(listed.GetDbNames()) == 0) != binds {
			t.Errorf("binds %t: databases %v, %v", binds, listed.GetDbNames(), err)
		}
		_, err = a.ListCredUsers(root(t), &milvuspb.ListCredUsersRequest{})
		if got := status.Code(err); (got == codes.PermissionDenied) != binds {
			t.Errorf("binds %t: %v", binds, err)
		}
	}
}

// TestStreamsAreChecked: who may dump, by version.
func TestStreamsAreChecked(t *testing.T) {
	users := []milvussim.User{
		{Name: "ops", Password: "p", Grants: []milvussim.Grant{{Privilege: "UpdateReplicateConfiguration"}}},
		{Name: "dumper", Password: "p", Grants: []milvussim.Grant{{Privilege: "ManageOwnership"}}},
	}
	const past = codes.Unknown // the handler's own word
	for profile, want := range map[string]map[string]codes.Code{
		"2.6.22":                     {"": past, "root:wrong": past, "ops:p": past, "dumper:p": past, "root:Milvus": past},
		"3.0.0":                      {"": past, "ops:p": past},
		"master-20260807-954c4e7ba5": {"": past, "ops:p": past},
		"2.6.23":                     {"": codes.Unauthenticated, "root:wrong": codes.Unauthenticated, "ops:p": codes.PermissionDenied, "dumper:p": past, "root:Milvus": past},
		"3.0.2":                      {"": codes.Unauthenticated, "ops:p": codes.PermissionDenied, "root:Milvus": past},
	} {
		w := start(t, milvussim.Options{Profile: profile}, milvussim.ClusterSpec{ID: "a", Users: users})
		a := dial(t, w, "a")
		for who, code := range want {
			ctx := as(t.Context(), who)
			if who == "" {
				ctx = t.Context()
			}
			stream, err := a.DumpMessages(ctx, &milvuspb.DumpMessagesRequest{})
			if err == nil {
				_, err = stream.Recv()
			}
			if status.Code(err) != code {
				t.Errorf("%s, %q: %v, want %v", profile, who, err, code)
			}
		}
	}
}

// TestUpgradeOfOneSide: a standby that checks streams refuses the CDC component of
// a source that sends no token over them, until that one is upgraded too.
func TestUpgradeOfOneSide(t *testing.T) {
	clock := manual()
	w := start(t, milvussim.Options{Clock: clock, Profile: "2.6.22"}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	rows := func(id string) int {
		for _, c := range w.Snapshot().Clusters {
			if c.ID == id {
				return c.Rows
			}
		}
		t.Fatal("no cluster " + id)
		return 0
	}
	flows := func() bool {
		before := rows("b")
		mustWrite(t, w, "a", 16)
		clock.Advance(time.Second)
		return rows("b") == before+16
	}
	if !flows() {
		t.Fatal("nothing flows before the upgrade")
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(w.SetProfile("b", "2.6.23"))
	if flows() {
		t.Error("a standby that was upgraded first lets the old client in")
	}
	must(w.SetProfile("a", "2.6.23"))
	clock.Advance(time.Second)
	if rows("b") != rows("a") || !flows() {
		t.Error("the pair does not go on once both are upgraded")
	}
}

// TestPrivilegeGroups: a group that somebody made gives what it holds.
func TestPrivilegeGroups(t *testing.T) {
	specs := []milvussim.ClusterSpec{{ID: "a", Users: []milvussim.User{{Name: "ops", Password: "p", Grants: []milvussim.Grant{{Privilege: "operators"}}}}}}
	w := start(t, milvussim.Options{}, specs...)
	a := dial(t, w, "a")
	may := func() codes.Code {
		_, err := a.ListCredUsers(as(t.Context(), "ops:p"), &milvuspb.ListCredUsersRequest{})
		return status.Code(err)
	}
	if got := may(); got != codes.PermissionDenied {
		t.Error(got)
	}
	do := func(st interface{ GetCode() int32 }, err error) {
		t.Helper()
		if err != nil || st.GetCode() != 0 {
			t.Fatal(st, err)
		}
	}
	do(a.CreatePrivilegeGroup(root(t), &milvuspb.CreatePrivilegeGroupRequest{GroupName: "operators"}))
	do(a.OperatePrivilegeGroup(root(t), &milvuspb.OperatePrivilegeGroupRequest{GroupName: "operators", Privileges: []*milvuspb.PrivilegeEntity{{Name: "SelectOwnership"}}}))
	if got := may(); got != codes.OK {
		t.Error(got)
	}
	listed, err := a.ListPrivilegeGroups(root(t), &milvuspb.ListPrivilegeGroupsRequest{})
	if err != nil || len(listed.GetPrivilegeGroups()) != 1 || listed.GetPrivilegeGroups()[0].GetPrivileges()[0].GetName() != "SelectOwnership" {
		t.Error(listed, err)
	}
	do(a.DropPrivilegeGroup(root(t), &milvuspb.DropPrivilegeGroupRequest{GroupName: "operators"}))
	if got := may(); got != codes.PermissionDenied {
		t.Error(got)
	}
}

func TestPrivileges(t *testing.T) {
	specs := milvussim.Converged(milvussim.Pair("a", "b"))
	specs[0].Users = []milvussim.User{
		{Name: "reader", Password: "p", Grants: []milvussim.Grant{{Privilege: "ClusterReadOnly"}}},
		{Name: "ops", Password: "p", Grants: []milvussim.Grant{{Privilege: "ClusterAdmin"}}},
		{Name: "one", Password: "p", Grants: []milvussim.Grant{{Privilege: "CollectionReadOnly", Database: "default", Collection: "sim_rows"}}},
	}
	w := start(t, milvussim.Options{}, specs...)
	mustWrite(t, w, "a", 1)
	a := dial(t, w, "a")
	for _, tc := range []struct {
		user         string
		read, update codes.Code
		collections  int
	}{
		{"root:Milvus", codes.OK, codes.OK, 1},
		{"ops:p", codes.OK, codes.OK, 0},
		{"reader:p", codes.OK, codes.PermissionDenied, 0},
		{"one:p", codes.PermissionDenied, codes.PermissionDenied, 1},
		{"one:wrong", codes.Unauthenticated, codes.Unauthenticated, 0},
		{"apikey", codes.Unauthenticated, codes.Unauthenticated, 0},
	} {
		t.Run(tc.user, func(t *testing.T) {
			ctx := func() context.Context { return as(t.Context(), tc.user) }
			_, err := a.GetReplicateConfiguration(ctx(), &milvuspb.GetReplicateConfigurationRequest{})
			if status.Code(err) != tc.read {
				t.Errorf("read: %v, want %v", err, tc.read)
			}
			if _, err := update(t, ctx(), a, star(w, []string{"a", "b"}, "a"), false); status.Code(err) != tc.update {
				t.Errorf("update: %v, want %v", err, tc.update)
			}
			shown, err := a.ShowCollections(ctx(), &milvuspb.ShowCollectionsRequest{})
			if got := len(shown.GetCollectionNames()); got != tc.collections {
				t.Errorf("sees %d collections, want %d (%v)", got, tc.collections, err)
			}
		})
	}
}

func TestUsersAndGrants(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	a, ctx := client(t, w, "a", milvussim.RootToken)
	must(t, a.CreateUser(ctx, milvusclient.NewCreateUserOption("ops", "Secret1")))
	must(t, a.CreateRole(ctx, milvusclient.NewCreateRoleOption("failover")))
	must(t, a.GrantRole(ctx, milvusclient.NewGrantRoleOption("ops", "failover")))
	must(t, a.GrantPrivilegeV2(ctx, milvusclient.NewGrantPrivilegeV2Option("failover", "ClusterAdmin", "*").WithDbName("*")))
	must(t, a.GrantPrivilege(ctx, milvusclient.NewGrantPrivilegeOption("failover", "Collection", "Query", "books")))
	role, err := a.DescribeRole(ctx, milvusclient.NewDescribeRoleOption("failover"))
	must(t, err)
	if len(role.Privileges) != 2 || role.Privileges[0].Privilege != "ClusterAdmin" || role.Privileges[1].ObjectName != "books" {
		t.Errorf("grants %+v", role.Privileges)
	}
	user, err := a.DescribeUser(ctx, milvusclient.NewDescribeUserOption("ops"))
	if err != nil || !slices.Equal(user.Roles, []string{"failover"}) {
		t.Errorf("user %+v, %v", user, err)
	}
	ops, _ := client(t, w, "a", "ops:Secret1")
	fails(t, "a wrong old password", ops.UpdatePassword(ctx, milvusclient.NewUpdatePasswordOption("ops", "wrong", "Secret2")), "old password not correct for ops")
	must(t, ops.UpdatePassword(ctx, milvusclient.NewUpdatePasswordOption("ops", "Secret1", "Secret2")))
	_, err = milvusclient.New(ctx, &milvusclient.ClientConfig{Address: w.Address("a"), APIKey: "ops:Secret1"})
	fails(t, "the old password", err, "auth check failure")
	// Users are replicated too.
	waitFor(t, func() bool {
		c, err := milvusclient.New(ctx, &milvusclient.ClientConfig{Address: w.Address("b"), APIKey: "ops:Secret2"})
		if err == nil {
			_ = c.Close(ctx)
		}
		return err == nil
	})
}

// TestOneselfNeedsNoPrivilege: a user changes the own password, and nobody
// else's.
func TestOneselfNeedsNoPrivilege(t *testing.T) {
	specs := milvussim.Converged(milvussim.Pair("a", "b"))
	specs[0].Users = []milvussim.User{{Name: "poor", Password: "Poor"}, {Name: "other", Password: "Other"}}
	w := start(t, milvussim.Options{}, specs...)
	poor, ctx := client(t, w, "a", "poor:Poor")
	fails(t, "another's password", poor.UpdatePassword(ctx, milvusclient.NewUpdatePasswordOption("other", "Other", "x")), "PrivilegeUpdateUser: permission deny to poor")
	must(t, poor.UpdatePassword(ctx, milvusclient.NewUpdatePasswordOption("poor", "Poor", "Rich")))
}
