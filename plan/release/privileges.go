package release

import (
	"fmt"
	"slices"
)

// PrivilegeScope is what a grant of a privilege is for.
type PrivilegeScope string

// The scopes of grants, as Milvus' grant_privilege_v2 has them.
const (
	ScopeCluster    PrivilegeScope = "cluster"
	ScopeDatabase   PrivilegeScope = "database"
	ScopeCollection PrivilegeScope = "collection"
)

// Privilege is what a user of reconcile needs on a cluster.
type Privilege struct {
	Name   string
	Scope  PrivilegeScope
	Groups []string // built-in groups that hold it, the narrowest first
	// Since is the feature with which the server began to ask for it; empty: with
	// the first version that serves the call.
	Since Feature
	For   string // continues "is needed to "
	Cost  string // what happens on the day without it
	// Stops says that no failover is possible without it.
	Stops bool
	// Verifies says that a promotion is not proven without it, unless by its role
	// alone.
	Verifies bool
}

// The privileges that a plan or a message names.
const (
	PrivilegeUpdate    = "UpdateReplicateConfiguration"
	PrivilegeRead      = "GetReplicateConfiguration"
	PrivilegeDump      = "ManageOwnership"
	PrivilegeSeesNames = "CollectionReadOnly"
)

// privileges are in the order in which they are missed. What only 'verify: dml'
// needs is not here (docs/setup.md), and what 'load: auto' needs is in loadPrivileges.
var privileges = []Privilege{
	{PrivilegeUpdate, ScopeCluster, []string{"ClusterAdmin"}, FeatureReplicationRights, "send a configuration", "every change is refused, a failover too", true, false},
	{PrivilegeRead, ScopeCluster, []string{"ClusterReadOnly", "ClusterReadWrite", "ClusterAdmin"}, FeatureReadConfiguration, "read the configuration that a cluster stores", "its role is not known, and nothing that depends on it is planned", true, false},
	{
		PrivilegeDump, ScopeCluster,
		[]string{"ClusterAdmin"},
		FeatureStreamRights, "read the log of a primary (DumpMessages)",
		"the lag, the exact loss and 'reconcile salvage' stay unknown", false, false,
	},
	{"CreateCollection", ScopeDatabase, []string{"DatabaseAdmin"}, "", "prove by a throwaway collection that a primary works", "a promotion is not verified: apply ends with 5", false, true},
	{"DropCollection", ScopeDatabase, []string{"DatabaseAdmin"}, "", "remove the throwaway collection", "a promotion is not verified: apply ends with 5, and the collection stays", false, true},
	{
		PrivilegeSeesNames, ScopeCollection,
		[]string{"CollectionReadWrite", "CollectionAdmin"},
		"", "see every collection, and ask those that are known",
		"nothing shows that a joining cluster is empty, and lost collections are not noticed", false, false,
	},
}

// loadPrivileges are what 'load: auto' of the operator's configuration needs, and nothing else.
var loadPrivileges = []Privilege{
	{"Load", ScopeCollection, []string{"CollectionReadWrite", "CollectionAdmin"}, "", "load on a new primary what the old one had loaded (load: auto)", "the step load_collections fails, and queries of what is not loaded fail", false, false},
	{"CreateIndex", ScopeCollection, []string{"CollectionReadWrite", "CollectionAdmin"}, "", "make on a new primary the indexes that it lacks (load: auto)", "the step load_collections fails for collections that lack an index, which cannot be loaded", false, false},
}

// LoadPrivileges are the rights that the step load_collections needs apart from [Privileges].
func LoadPrivileges() []Privilege { return slices.Clone(loadPrivileges) }

// Privileges are the least rights of a user with which every command works.
func Privileges() []Privilege { return slices.Clone(privileges) }

// Needed says whether a server of this version asks for a privilege. Where that
// is not known, it is taken to.
func (p Privilege) Needed(v Version) bool { return p.Since == "" || !v.Lacks(p.Since) }

// Grant is the call of pymilvus that grants the privilege to a role, in every
// database.
func (p Privilege) Grant(role string) string {
	return fmt.Sprintf("client.grant_privilege_v2(role_name=%q, privilege=%q, collection_name=\"*\", db_name=\"*\")", role, p.Name)
}

// GrantOf is the call of pymilvus that grants a privilege to the role ROLE; empty for a
// name that is not in the list.
func GrantOf(privilege string) string {
	for _, p := range privileges {
		if p.Name == privilege {
			return p.Grant("ROLE")
		}
	}
	return ""
}
