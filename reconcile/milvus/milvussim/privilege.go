package milvussim

import "slices"

// methodPrivileges names the privilege that guards a method. A method that is
// not here needs authentication only, GetReplicateInfo among them (M §1.6). The
// lists of databases and collections are open to everybody and show what the
// user may see.
var methodPrivileges = map[string]string{
	"UpdateReplicateConfiguration": "UpdateReplicateConfiguration",
	"GetReplicateConfiguration":    "GetReplicateConfiguration",
	"CreateDatabase":               "CreateDatabase",
	"DropDatabase":                 "DropDatabase",
	"CreateCollection":             "CreateCollection",
	"DropCollection":               "DropCollection",
	"DescribeCollection":           "DescribeCollection",
	"GetCollectionStatistics":      "GetStatistics",
	"CreatePartition":              "CreatePartition",
	"DropPartition":                "DropPartition",
	"HasPartition":                 "HasPartition",
	"ShowPartitions":               "ShowPartitions",
	"LoadCollection":               "Load",
	"ReleaseCollection":            "Release",
	"GetLoadState":                 "GetLoadState",
	"GetLoadingProgress":           "GetLoadingProgress",
	"CreateIndex":                  "CreateIndex",
	"DropIndex":                    "DropIndex",
	"DescribeIndex":                "IndexDetail",
	"Insert":                       "Insert",
	"Upsert":                       "Upsert",
	"Delete":                       "Delete",
	"Query":                        "Query",
	"Search":                       "Search",
	"Flush":                        "Flush",
	"GetFlushState":                "GetFlushState",
	"Import":                       "Import",
	"CreateCredential":             "CreateOwnership",
	"DeleteCredential":             "DropOwnership",
	"CreateRole":                   "CreateOwnership",
	"DropRole":                     "DropOwnership",
	"OperateUserRole":              "ManageOwnership",
	"OperatePrivilegeV2":           "ManageOwnership",
	"ListCredUsers":                "SelectUser",
	"CreateResourceGroup":          "CreateResourceGroup",
	"UpdateResourceGroups":         "UpdateResourceGroups",
	"DropResourceGroup":            "DropResourceGroup",
}

var (
	clusterReadOnly = []string{"GetReplicateConfiguration", "SelectUser", "SelectOwnership", "ListDatabases"}
	clusterAdmin    = append(slices.Clone(clusterReadOnly), "UpdateReplicateConfiguration", "CreateDatabase",
		"DropDatabase", "CreateOwnership", "DropOwnership", "ManageOwnership",
		"CreateResourceGroup", "UpdateResourceGroups", "DropResourceGroup")
	databaseReadOnly   = []string{"ShowCollections", "DescribeDatabase"}
	databaseAdmin      = append(slices.Clone(databaseReadOnly), "CreateCollection", "DropCollection")
	collectionReadOnly = []string{"DescribeCollection", "GetStatistics", "HasPartition", "ShowPartitions", "GetLoadState",
		"GetLoadingProgress", "IndexDetail", "Query", "Search", "GetFlushState"}
	collectionReadWrite = append(slices.Clone(collectionReadOnly), "Insert", "Upsert", "Delete", "Flush", "Import", "Load", "Release")
	collectionAdmin     = append(slices.Clone(collectionReadWrite), "CreatePartition", "DropPartition", "CreateIndex", "DropIndex")
)

// builtinGroups are Milvus' built-in privilege groups, as far as the simulator
// has the methods (pkg/util/constant.go, M §1.6).
var builtinGroups = map[string][]string{
	"ClusterReadOnly":     clusterReadOnly,
	"ClusterReadWrite":    clusterReadOnly,
	"ClusterAdmin":        clusterAdmin,
	"DatabaseReadOnly":    databaseReadOnly,
	"DatabaseReadWrite":   databaseReadOnly,
	"DatabaseAdmin":       databaseAdmin,
	"CollectionReadOnly":  collectionReadOnly,
	"CollectionReadWrite": collectionReadWrite,
	"CollectionAdmin":     collectionAdmin,
}

// covers tells whether a grant includes a privilege.
func (g Grant) covers(privilege string) bool {
	return g.Privilege == "*" || g.Privilege == privilege || slices.Contains(builtinGroups[g.Privilege], privilege)
}

// onCollections tells whether a grant is about collections at all.
func (g Grant) onCollections() bool {
	return slices.ContainsFunc(collectionAdmin, g.covers)
}
