package milvussim_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/client/v2/milvusclient"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// client is Milvus' own Go client.
func client(t *testing.T, w *milvussim.World, id, token string) (*milvusclient.Client, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	c, err := milvusclient.New(ctx, &milvusclient.ClientConfig{Address: w.Address(id), APIKey: token})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(ctx) })
	return c, ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fails demands an error with that text.
func fails(t *testing.T, what string, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: got %v, want %q", what, err, text)
	}
}

func TestAliases(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	a, ctx := client(t, w, "a", milvussim.RootToken)
	for _, name := range []string{"books", "films"} {
		must(t, a.CreateCollection(ctx, milvusclient.SimpleCreateCollectionOptions(name, 4)))
	}
	must(t, a.CreateAlias(ctx, milvusclient.NewCreateAliasOption("books", "latest")))
	must(t, a.CreateAlias(ctx, milvusclient.NewCreateAliasOption("books", "latest")))
	fails(t, "an alias of two", a.CreateAlias(ctx, milvusclient.NewCreateAliasOption("films", "latest")), "alias already exist")
	fails(t, "an alias like a collection", a.CreateAlias(ctx, milvusclient.NewCreateAliasOption("films", "books")), "alias and collection name conflict")
	fails(t, "an alias that is not there", a.AlterAlias(ctx, milvusclient.NewAlterAliasOption("oldest", "films")), "alias not found")
	if coll, err := a.DescribeCollection(ctx, milvusclient.NewDescribeCollectionOption("latest")); err != nil || coll.Name != "books" {
		t.Errorf("described by alias: %v, %v", coll, err)
	}
	fails(t, "drop by alias", a.DropCollection(ctx, milvusclient.NewDropCollectionOption("latest")), "cannot drop the collection via alias = latest")
	fails(t, "drop with an alias", a.DropCollection(ctx, milvusclient.NewDropCollectionOption("books")), "because it has associated aliases [latest]")
	must(t, a.AlterAlias(ctx, milvusclient.NewAlterAliasOption("latest", "films")))
	must(t, a.DropCollection(ctx, milvusclient.NewDropCollectionOption("books")))

	b, _ := client(t, w, "b", milvussim.RootToken)
	waitFor(t, func() bool {
		alias, err := b.DescribeAlias(ctx, milvusclient.NewDescribeAliasOption("latest"))
		return err == nil && alias.CollectionName == "films"
	})
	if names, err := b.ListAliases(ctx, milvusclient.NewListAliasesOption("films")); err != nil || !slices.Equal(names, []string{"latest"}) {
		t.Errorf("aliases on the standby: %v, %v", names, err)
	}
	must(t, a.DropAlias(ctx, milvusclient.NewDropAliasOption("latest")))
	waitFor(t, func() bool {
		names, err := b.ListAliases(ctx, milvusclient.NewListAliasesOption("films"))
		return err == nil && len(names) == 0
	})
}

func TestRenameAndAlter(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	a, ctx := client(t, w, "a", milvussim.RootToken)
	must(t, a.CreateCollection(ctx, milvusclient.SimpleCreateCollectionOptions("books", 4)))
	must(t, a.CreateCollection(ctx, milvusclient.SimpleCreateCollectionOptions("films", 4)))
	mustWrite(t, w, "a", 3)
	must(t, a.RenameCollection(ctx, milvusclient.NewRenameCollectionOption("sim_rows", "rows")))
	fails(t, "a name that is taken", a.RenameCollection(ctx, milvusclient.NewRenameCollectionOption("books", "films")), "duplicated new collection name")
	fails(t, "what is not there", a.RenameCollection(ctx, milvusclient.NewRenameCollectionOption("nothing", "x")), "can't find collection")
	must(t, a.AlterCollectionProperties(ctx, milvusclient.NewAlterCollectionPropertiesOption("books").WithProperty("collection.ttl.seconds", 60)))
	b, _ := client(t, w, "b", milvussim.RootToken)
	waitFor(t, func() bool {
		coll, err := b.DescribeCollection(ctx, milvusclient.NewDescribeCollectionOption("books"))
		return err == nil && coll.Properties["collection.ttl.seconds"] == "60"
	})
	if has, err := b.HasCollection(ctx, milvusclient.NewHasCollectionOption("sim_rows")); err != nil || has {
		t.Errorf("the standby has the old name: %v, %v", has, err)
	}
	if got := w.State("b").Rows; got != 3 {
		t.Errorf("%d rows under the new name, want 3", got)
	}
	must(t, a.DropCollectionProperties(ctx, milvusclient.NewDropCollectionPropertiesOption("books", "collection.ttl.seconds")))
	if coll, err := a.DescribeCollection(ctx, milvusclient.NewDescribeCollectionOption("books")); err != nil || len(coll.Properties) != 0 {
		t.Errorf("properties %v, %v", coll.Properties, err)
	}
}

// TestStandbyRefusesEveryBroadcast: the role is looked at before anything else,
// so that not even what is missing is told (milvus.md §3).
func TestStandbyRefusesEveryBroadcast(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	b := dial(t, w, "b")
	ctx := root(t)
	for name, call := range map[string]func() (*commonpb.Status, error){
		"CreateAlias": func() (*commonpb.Status, error) {
			return b.CreateAlias(ctx, &milvuspb.CreateAliasRequest{CollectionName: "x", Alias: "y"})
		},
		"AlterAlias": func() (*commonpb.Status, error) {
			return b.AlterAlias(ctx, &milvuspb.AlterAliasRequest{CollectionName: "x", Alias: "y"})
		},
		"DropAlias": func() (*commonpb.Status, error) { return b.DropAlias(ctx, &milvuspb.DropAliasRequest{Alias: "y"}) },
		"RenameCollection": func() (*commonpb.Status, error) {
			return b.RenameCollection(ctx, &milvuspb.RenameCollectionRequest{OldName: "x", NewName: "y"})
		},
		"AlterCollection": func() (*commonpb.Status, error) {
			return b.AlterCollection(ctx, &milvuspb.AlterCollectionRequest{CollectionName: "x"})
		},
		"DropCollection": func() (*commonpb.Status, error) {
			return b.DropCollection(ctx, &milvuspb.DropCollectionRequest{CollectionName: "x"})
		},
		"CreateDatabase": func() (*commonpb.Status, error) {
			return b.CreateDatabase(ctx, &milvuspb.CreateDatabaseRequest{DbName: "x"})
		},
		"DropDatabase": func() (*commonpb.Status, error) {
			return b.DropDatabase(ctx, &milvuspb.DropDatabaseRequest{DbName: "x"})
		},
		"UpdateCredential": func() (*commonpb.Status, error) {
			return b.UpdateCredential(ctx, &milvuspb.UpdateCredentialRequest{Username: "root"})
		},
		"CreateRole": func() (*commonpb.Status, error) {
			return b.CreateRole(ctx, &milvuspb.CreateRoleRequest{Entity: &milvuspb.RoleEntity{Name: "x"}})
		},
		"OperatePrivilege": func() (*commonpb.Status, error) {
			return b.OperatePrivilege(ctx, &milvuspb.OperatePrivilegeRequest{})
		},
	} {
		s, err := call()
		if err != nil || s.GetCode() != 65535 || !strings.Contains(s.GetReason(), "cluster is not primary, cannot do any DDL/DCL") {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}
