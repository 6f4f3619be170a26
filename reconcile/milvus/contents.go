package milvus

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/plan"
)

// contents lists what a cluster holds, as database/collection. Known is only
// said of a token that sees everything: Milvus leaves out what a user has no
// right to, and a cluster must not pass for empty because of that.
func (l *link) contents(ctx context.Context, t ticket) plan.Contents {
	if !l.seesEverything(ctx, t.token) {
		return plan.Contents{}
	}
	databases, err := l.databases(ctx)
	if err != nil {
		return plan.Contents{}
	}
	c := plan.Contents{Known: true}
	for _, database := range databases {
		names, err := l.collections(ctx, database)
		if err != nil {
			return plan.Contents{}
		}
		c.Collections = append(c.Collections, names...)
	}
	slices.Sort(c.Collections)
	return c
}

// Names that Milvus gives at its birth.
const (
	rootUser        = "root"
	adminRole       = "admin"
	defaultDatabase = "default"
)

// seesEverything: a server without authentication shows all to everybody, and
// else the roles of the user must say that it is an administrator. Where they
// cannot be read, only root is.
func (l *link) seesEverything(ctx context.Context, token string) bool {
	if token == "" {
		return true
	}
	user, _, named := strings.Cut(token, ":")
	if !named {
		return false // an API key does not say whose it is
	}
	ctx, cancel := l.shortly(ctx)
	defer cancel()
	resp, err := l.api.SelectUser(ctx, &milvuspb.SelectUserRequest{User: &milvuspb.UserEntity{Name: user}, IncludeRoleInfo: true})
	if err != nil || classifyStatus(resp.GetStatus()).err != nil || len(resp.GetResults()) == 0 {
		return user == rootUser
	}
	return slices.ContainsFunc(resp.GetResults()[0].GetRoles(), func(r *milvuspb.RoleEntity) bool { return r.GetName() == adminRole })
}

func (l *link) databases(ctx context.Context) ([]string, error) {
	ctx, cancel := l.shortly(ctx)
	defer cancel()
	resp, err := l.api.ListDatabases(ctx, &milvuspb.ListDatabasesRequest{})
	if err == nil {
		err = classifyStatus(resp.GetStatus()).err
	}
	if err != nil {
		return nil, l.fleet.secrets.err(err)
	}
	if !slices.Contains(resp.GetDbNames(), defaultDatabase) {
		return nil, fmt.Errorf("the database %q is not listed: the user does not see everything", defaultDatabase)
	}
	return resp.GetDbNames(), nil
}

// collections lists one database, without throwaway collections: they are
// ours, and a crash may have left one.
func (l *link) collections(ctx context.Context, database string) ([]string, error) {
	ctx, cancel := l.shortly(ctx)
	defer cancel()
	resp, err := l.api.ShowCollections(ctx, &milvuspb.ShowCollectionsRequest{DbName: database})
	if err == nil {
		err = classifyStatus(resp.GetStatus()).err
	}
	if err != nil {
		return nil, l.fleet.secrets.err(err)
	}
	var out []string
	for _, name := range resp.GetCollectionNames() {
		if !isThrowaway(name) {
			out = append(out, database+"/"+name)
		}
	}
	return out, nil
}
