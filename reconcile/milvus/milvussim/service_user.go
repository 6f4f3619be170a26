package milvussim

import (
	"context"
	"encoding/base64"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
)

// onAccess is a DCL that changes users, roles or grants, or resource groups.
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

// UpdateCredential changes a password. Everybody but root must know the old one.
func (service) UpdateCredential(ctx context.Context, req *milvuspb.UpdateCredentialRequest) (*commonpb.Status, error) {
	old, errOld := base64.StdEncoding.DecodeString(req.GetOldPassword())
	next, errNext := base64.StdEncoding.DecodeString(req.GetNewPassword())
	if errOld != nil || errNext != nil {
		return answer(failf(codeInvalidParameter, "decode password failed: invalid parameter"))
	}
	r := rpcOf(ctx)
	known := r.cluster.users[req.GetUsername()]
	if r.user.name != RootUser && (known == nil || known.password != string(old)) {
		return answer(failf(codeNotAuthenticated, "old password not correct for %s: not authenticated", req.GetUsername()))
	}
	return access(ctx, kindAlterUser, func(c *cluster) {
		if u := c.users[req.GetUsername()]; u != nil {
			u.password = string(next)
		}
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
