package milvussim

import (
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
)

// methodPrivileges names the privilege that guards a method, without the prefix
// "Privilege". It is read from where Milvus' own interceptor reads it: the
// annotation of the request in milvus.proto (privilege_interceptor.go, milvus.md §1.6). A
// method that is not here needs authentication only, GetReplicateInfo among them;
// the lists of databases and collections show what the user may see.
var methodPrivileges = sync.OnceValue(func() map[string]string {
	out := map[string]string{}
	methods := milvuspb.File_milvus_proto.Services().ByName("MilvusService").Methods()
	for i := range methods.Len() {
		m := methods.Get(i)
		ext, ok := proto.GetExtension(m.Input().Options(), commonpb.E_PrivilegeExtObj).(*commonpb.PrivilegeExt)
		if ok && ext != nil {
			out[string(m.Name())] = strings.TrimPrefix(ext.GetObjectPrivilege().String(), "Privilege")
		}
	}
	return out
})

// Built-in privilege groups (pkg/util/constant.go): each wider one holds the
// narrower one.
var (
	clusterReadOnly = []string{
		"ListDatabases", "SelectOwnership", "SelectUser", "DescribeResourceGroup",
		"ListResourceGroups", "ListPrivilegeGroups", "GetReplicateConfiguration",
	}
	clusterReadWrite = slices.Concat(clusterReadOnly, []string{"FlushAll", "TransferNode", "TransferReplica", "UpdateResourceGroups"})
	clusterAdmin     = slices.Concat(clusterReadWrite, []string{
		"BackupRBAC", "RestoreRBAC", "CreateDatabase", "DropDatabase",
		"CreateOwnership", "DropOwnership", "ManageOwnership", "CreateResourceGroup", "DropResourceGroup", "UpdateUser",
		"RenameCollection", "CreatePrivilegeGroup", "DropPrivilegeGroup", "OperatePrivilegeGroup", "UpdateReplicateConfiguration",
	})
	databaseReadOnly   = []string{"ShowCollections", "DescribeDatabase"}
	databaseReadWrite  = slices.Concat(databaseReadOnly, []string{"AlterDatabase"})
	databaseAdmin      = slices.Concat(databaseReadWrite, []string{"CreateCollection", "DropCollection"})
	collectionReadOnly = []string{
		"Query", "Search", "IndexDetail", "GetFlushState", "GetLoadState", "GetLoadingProgress",
		"HasPartition", "ShowPartitions", "DescribeCollection", "DescribeAlias", "GetStatistics", "ListAliases",
		"GetImportProgress", "ListImport",
	}
	collectionReadWrite = slices.Concat(collectionReadOnly, []string{
		"Load", "Release", "Insert", "Delete", "Upsert", "Import",
		"Flush", "Compaction", "LoadBalance", "CreateIndex", "DropIndex", "CreatePartition", "DropPartition", "AddCollectionField",
	})
	collectionAdmin = slices.Concat(collectionReadWrite, []string{"CreateAlias", "DropAlias"})
)

var builtinGroups = map[string][]string{
	"ClusterReadOnly":     clusterReadOnly,
	"ClusterReadWrite":    clusterReadWrite,
	"ClusterAdmin":        clusterAdmin,
	"DatabaseReadOnly":    databaseReadOnly,
	"DatabaseReadWrite":   databaseReadWrite,
	"DatabaseAdmin":       databaseAdmin,
	"CollectionReadOnly":  collectionReadOnly,
	"CollectionReadWrite": collectionReadWrite,
	"CollectionAdmin":     collectionAdmin,
}

// Privileges lists what a built-in group such as ClusterAdmin allows; nil for a
// group that Milvus does not have.
func Privileges(group string) []string { return slices.Clone(builtinGroups[group]) }

// covers tells whether a grant includes a privilege.
func (g Grant) covers(privilege string) bool {
	return g.Privilege == "*" || g.Privilege == privilege || slices.Contains(builtinGroups[g.Privilege], privilege)
}

// onCollections tells whether a grant is about collections at all.
func (g Grant) onCollections() bool {
	return slices.ContainsFunc(collectionAdmin, g.covers)
}

// ofOneself tells whether a request is about the user's own account or what its
// own roles may do, which needs no privilege (privilege_interceptor.go
// isCurUserObject, isSelectMyRoleGrants).
func (u *user) ofOneself(req any) bool {
	switch r := req.(type) {
	case *milvuspb.UpdateCredentialRequest:
		return r.GetUsername() == u.name
	case *milvuspb.SelectUserRequest:
		return r.GetUser().GetName() == u.name
	case *milvuspb.SelectGrantRequest:
		return slices.Contains(slices.Concat(u.roles, []string{publicRole}), r.GetEntity().GetRole().GetName())
	}
	return false
}
