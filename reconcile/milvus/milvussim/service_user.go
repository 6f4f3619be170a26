package milvussim

import (
	"context"
	"encoding/base64"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
)

// onAccess is a DCL that changes users, roles or grants.
type onAccess struct {
	what   kind
	change func(*cluster)
}

func (d *onAccess) kind() kind { return d.what }

func (d *onAccess) apply(c *cluster, _ *broadcast) { d.change(c) }

func access(ctx context.Context, what kind, change func(*cluster)) (*commonpb.Status, error) {
	c, err := begin(ctx)
	if err == nil {
		err = c.runDDL(ctx, &onAccess{what: what, change: change})
	}
	return answer(err)
}

// CreateCredential makes a user; the SDKs send the password in base64.
func (service) CreateCredential(ctx context.Context, req *milvuspb.CreateCredentialRequest) (*commonpb.Status, error) {
	password, err := base64.StdEncoding.DecodeString(req.GetPassword())
	if err != nil {
		return answer(failf(codeInvalidParameter, "decode password failed: invalid parameter"))
	}
	if rpcOf(ctx).cluster.users[req.GetUsername()] != nil {
		return answer(failf(codeUnexpected, "user already exists: %s", req.GetUsername()))
	}
	return access(ctx, kindAlterUser, func(c *cluster) {
		c.users[req.GetUsername()] = &user{name: req.GetUsername(), password: string(password)}
	})
}

// DeleteCredential forgets a user.
func (service) DeleteCredential(ctx context.Context, req *milvuspb.DeleteCredentialRequest) (*commonpb.Status, error) {
	if req.GetUsername() == RootUser {
		return answer(failf(codeInvalidParameter, "user root cannot be deleted: invalid parameter"))
	}
	return access(ctx, kindDropUser, func(c *cluster) { delete(c.users, req.GetUsername()) })
}

// ListCredUsers lists the users.
func (service) ListCredUsers(ctx context.Context, _ *milvuspb.ListCredUsersRequest) (*milvuspb.ListCredUsersResponse, error) {
	c, err := begin(ctx)
	st, err := split(err)
	resp := &milvuspb.ListCredUsersResponse{Status: st}
	if err == nil && st.GetCode() == 0 {
		resp.Usernames = sortedKeys(c.users)
	}
	return resp, err
}

// CreateRole makes a role without grants.
func (service) CreateRole(ctx context.Context, req *milvuspb.CreateRoleRequest) (*commonpb.Status, error) {
	name := req.GetEntity().GetName()
	return access(ctx, kindAlterRole, func(c *cluster) {
		if c.roles[name] == nil {
			c.roles[name] = &role{name: name}
		}
	})
}

// DropRole forgets a role.
func (service) DropRole(ctx context.Context, req *milvuspb.DropRoleRequest) (*commonpb.Status, error) {
	if req.GetRoleName() == adminRole {
		return answer(failf(codeInvalidParameter, "the role[admin] is a default role, which can't be dropped: invalid parameter"))
	}
	return access(ctx, kindDropRole, func(c *cluster) { delete(c.roles, req.GetRoleName()) })
}

// OperateUserRole gives a user a role, or takes it away.
func (service) OperateUserRole(ctx context.Context, req *milvuspb.OperateUserRoleRequest) (*commonpb.Status, error) {
	what := kindAlterUserRole
	if req.GetType() == milvuspb.OperateUserRoleType_RemoveUserFromRole {
		what = kindDropUserRole
	}
	return access(ctx, what, func(c *cluster) {
		u := c.users[req.GetUsername()]
		if u == nil {
			return
		}
		u.roles = slices.DeleteFunc(u.roles, func(r string) bool { return r == req.GetRoleName() })
		if what == kindAlterUserRole {
			u.roles = append(u.roles, req.GetRoleName())
		}
	})
}

// OperatePrivilegeV2 grants a role a privilege or a built-in group, or revokes
// it.
func (service) OperatePrivilegeV2(ctx context.Context, req *milvuspb.OperatePrivilegeV2Request) (*commonpb.Status, error) {
	g := Grant{
		Privilege: req.GetGrantor().GetPrivilege().GetName(), Database: req.GetDbName(), Collection: req.GetCollectionName(),
	}
	revoke := req.GetType() == milvuspb.OperatePrivilegeType_Revoke
	what := kindAlterPrivilege
	if revoke {
		what = kindDropPrivilege
	}
	return access(ctx, what, func(c *cluster) {
		r := c.roles[req.GetRole().GetName()]
		if r == nil {
			return
		}
		r.grants = slices.DeleteFunc(r.grants, func(o Grant) bool { return o == g })
		if !revoke {
			r.grants = append(r.grants, g)
		}
	})
}
