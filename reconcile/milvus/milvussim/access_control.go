package milvussim

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// User is an account of a cluster. The user root is always there, with the
// password RootPassword and without a role, and may do everything, unless its
// cluster binds it by roles (milvus.md §1.6).
type User struct {
	Name     string
	Password string
	// Grants are what the user may do; see Grant.
	Grants []Grant
}

// Grant gives a privilege, or a built-in group of privileges such as
// ClusterReadOnly, for a database and a collection; an empty or "*" scope is all
// of them.
type Grant struct {
	Privilege  string
	Database   string
	Collection string
}

// The account that every cluster knows, and the token that stands for it.
const (
	RootUser     = "root"
	RootPassword = "Milvus"
	RootToken    = RootUser + ":" + RootPassword
)

// user is an account; what it may do comes with its roles.
type user struct {
	name     string
	password string
	roles    []string
}

type role struct {
	name   string
	grants []Grant
}

// The roles that every cluster has. The public one is everybody's, and shows
// nothing in a list.
const (
	adminRole  = "admin"
	publicRole = "public"
)

var publicGrants = []Grant{{Privilege: "DescribeCollection"}, {Privilege: "ListAliases"}, {Privilege: "IndexDetail"}}

func (c *cluster) setUsers(users []User) {
	c.users = map[string]*user{RootUser: {name: RootUser, password: RootPassword}}
	c.roles = map[string]*role{adminRole: {name: adminRole}, publicRole: {name: publicRole, grants: publicGrants}}
	c.groups = map[string][]string{}
	for _, u := range users {
		c.users[u.Name] = &user{name: u.Name, password: u.Password, roles: []string{u.Name}}
		c.roles[u.Name] = &role{name: u.Name, grants: slices.Clone(u.Grants)}
	}
}

// authenticate is the proxy's authentication interceptor (milvus.md §1.6).
func (c *cluster) authenticate(ctx context.Context) (*user, error) {
	if c.open {
		return c.users[RootUser], nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	header := md.Get("authorization")
	if len(header) == 0 {
		return nil, status.Error(codes.Unauthenticated, textNoHeader)
	}
	token, err := base64.StdEncoding.DecodeString(header[0])
	if err != nil {
		return nil, status.Error(codes.Unauthenticated, "invalid token format")
	}
	u := c.userOf(string(token))
	if u == nil {
		return nil, status.Error(codes.Unauthenticated, textAuth)
	}
	return u, nil
}

// userOf is the account that a token of the form user:password stands for.
func (c *cluster) userOf(token string) *user {
	name, password, ok := strings.Cut(token, ":")
	if u := c.users[name]; ok && u != nil && u.password == password {
		return u
	}
	return nil
}

// admitsToken reports whether a peer's CDC would get in with the token that is
// stored in its configuration.
func (c *cluster) admitsToken(token string) bool { return c.open || c.userOf(token) != nil }

// permit is the proxy's privilege interceptor: it looks only at methods that
// have a privilege (milvus.md §1.6).
func (c *cluster) permit(ctx context.Context, u *user, method string, req any) error {
	p, guarded := methodPrivileges()[method]
	if !guarded || c.exempt(method) || u.ofOneself(req) {
		return nil
	}
	db, collection := databaseOf(ctx, req), "*"
	if named, ok := req.(interface{ GetCollectionName() string }); ok && named.GetCollectionName() != "" {
		collection = named.GetCollectionName()
	}
	if c.allows(u, p, db, collection) {
		return nil
	}
	return denied(p, u, db)
}

func denied(privilege string, u *user, db string) error {
	return status.Error(codes.PermissionDenied, fmt.Sprintf("Privilege%s: permission deny to %s in the `%s` database", privilege, u.name, db))
}

// textNoHeader is what a call without a token is told.
const textNoHeader = "missing authorization in header"

// streamPrivileges guard streams where they are checked at all (#52608). Those
// that are not here need a user only.
var streamPrivileges = map[string]string{
	"DumpMessages":          "ManageOwnership",
	"CreateReplicateStream": "UpdateReplicateConfiguration",
}

// permitStream is the check of privileges for streams.
func (c *cluster) permitStream(u *user, method string) error {
	p, guarded := streamPrivileges[method]
	if !guarded || c.allows(u, p, "*", "*") {
		return nil
	}
	return denied(p, u, "*")
}

// exempt: before 2.6.6 no privilege guarded replication (#45236).
func (c *cluster) exempt(method string) bool {
	return method == "UpdateReplicateConfiguration" && !c.profile.privileges
}

func (c *cluster) allows(u *user, privilege, db, collection string) bool {
	return slices.ContainsFunc(append(c.grantsOf(u), publicGrants...), func(g Grant) bool {
		return c.covers(g, privilege) && within(g.Database, db) && within(g.Collection, collection)
	})
}

// covers reports whether a grant includes a privilege, by a group that somebody
// made too.
func (c *cluster) covers(g Grant, privilege string) bool {
	return g.covers(privilege) || slices.Contains(c.groups[g.Privilege], privilege)
}

// grantsOf is everything that a user's own roles allow. Root needs none, unless
// the cluster binds it by them (common.security.rootShouldBindRole).
func (c *cluster) grantsOf(u *user) []Grant {
	if u.name == RootUser && !c.bindsRoot {
		return []Grant{{Privilege: "*"}}
	}
	var all []Grant
	for _, name := range u.roles {
		if name == adminRole {
			return []Grant{{Privilege: "*"}}
		}
		if r := c.roles[name]; r != nil {
			all = append(all, r.grants...)
		}
	}
	return all
}

// sees reports whether a collection is listed for a user: one that no grant
// reaches is hidden, not refused.
func (c *cluster) sees(u *user, db, collection string) bool {
	return slices.ContainsFunc(c.grantsOf(u), func(g Grant) bool {
		_, own := c.groups[g.Privilege]
		return (own || g.onCollections()) && within(g.Database, db) && within(g.Collection, collection)
	})
}

// seesDatabase reports whether a database is listed for a user.
func (c *cluster) seesDatabase(u *user, db string) bool {
	return slices.ContainsFunc(c.grantsOf(u), func(g Grant) bool { return within(g.Database, db) })
}

func within(scope, name string) bool { return scope == "" || scope == "*" || scope == name }

// databaseOf is the database of a request: its own field, else the header that
// the SDKs send, else the default one.
func databaseOf(ctx context.Context, req any) string {
	if named, ok := req.(interface{ GetDbName() string }); ok && named.GetDbName() != "" {
		return named.GetDbName()
	}
	md, _ := metadata.FromIncomingContext(ctx)
	if v := md.Get("dbname"); len(v) > 0 && v[0] != "" {
		return v[0]
	}
	return defaultDatabase
}

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

// covers reports whether a grant includes a privilege.
func (g Grant) covers(privilege string) bool {
	return g.Privilege == "*" || g.Privilege == privilege || slices.Contains(builtinGroups[g.Privilege], privilege)
}

// onCollections reports whether a grant is about collections at all.
func (g Grant) onCollections() bool {
	return slices.ContainsFunc(collectionAdmin, g.covers)
}

// ofOneself reports whether a request is about the user's own account or what its
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
