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

// OperatePrivilegeV2 grants a role a privilege or a built-in group, or revokes
// it.
func (service) OperatePrivilegeV2(ctx context.Context, req *milvuspb.OperatePrivilegeV2Request) (*commonpb.Status, error) {
	return operate(ctx, req.GetRole().GetName(), req.GetType(), Grant{
		Privilege: req.GetGrantor().GetPrivilege().GetName(), Database: req.GetDbName(), Collection: req.GetCollectionName(),
	})
}

// OperatePrivilege is OperatePrivilegeV2 as older SDKs call it: by the type and
// the name of an object.
func (service) OperatePrivilege(ctx context.Context, req *milvuspb.OperatePrivilegeRequest) (*commonpb.Status, error) {
	e := req.GetEntity()
	return operate(ctx, e.GetRole().GetName(), req.GetType(), Grant{
		Privilege: e.GetGrantor().GetPrivilege().GetName(), Database: e.GetDbName(), Collection: e.GetObjectName(),
	})
}

func operate(ctx context.Context, name string, what milvuspb.OperatePrivilegeType, g Grant) (*commonpb.Status, error) {
	revoke := what == milvuspb.OperatePrivilegeType_Revoke
	kind := kindAlterPrivilege
	if revoke {
		kind = kindDropPrivilege
	}
	return access(ctx, kind, func(c *cluster) {
		r := c.roles[name]
		if r == nil {
			return
		}
		r.grants = slices.DeleteFunc(r.grants, func(o Grant) bool { return o == g })
		if !revoke {
			r.grants = append(r.grants, g)
		}
	})
}

// SelectGrant lists what a role may do, in the order in which it was granted.
func (service) SelectGrant(ctx context.Context, req *milvuspb.SelectGrantRequest) (*milvuspb.SelectGrantResponse, error) {
	c, err := begin(ctx)
	name := req.GetEntity().GetRole().GetName()
	resp := &milvuspb.SelectGrantResponse{}
	if err == nil && c.roles[name] == nil {
		err = failf(codeUnexpected, "not found the role, maybe the role isn't existed or internal system error")
	}
	if err == nil {
		for _, g := range c.roles[name].grants {
			resp.Entities = append(resp.Entities, g.entity(name))
		}
	}
	resp.Status, err = split(err)
	return resp, err
}

func (g Grant) entity(role string) *milvuspb.GrantEntity {
	object, name := commonpb.ObjectType_Global, "*"
	if g.onCollections() {
		object = commonpb.ObjectType_Collection
	}
	if g.Collection != "" {
		name = g.Collection
	}
	return &milvuspb.GrantEntity{
		Role: &milvuspb.RoleEntity{Name: role}, Object: &milvuspb.ObjectEntity{Name: object.String()},
		ObjectName: name, DbName: g.Database,
		Grantor: &milvuspb.GrantorEntity{User: &milvuspb.UserEntity{Name: RootUser}, Privilege: &milvuspb.PrivilegeEntity{Name: g.Privilege}},
	}
}

// SelectRole lists roles, with their users if asked.
func (service) SelectRole(ctx context.Context, req *milvuspb.SelectRoleRequest) (*milvuspb.SelectRoleResponse, error) {
	c, err := begin(ctx)
	resp := &milvuspb.SelectRoleResponse{}
	if err == nil {
		for _, name := range sortedKeys(c.roles) {
			if want := req.GetRole().GetName(); want != "" && want != name {
				continue
			}
			result := &milvuspb.RoleResult{Role: &milvuspb.RoleEntity{Name: name}}
			for _, u := range sortedKeys(c.users) {
				if req.GetIncludeUserInfo() && slices.Contains(c.users[u].roles, name) {
					result.Users = append(result.Users, &milvuspb.UserEntity{Name: u})
				}
			}
			resp.Results = append(resp.Results, result)
		}
	}
	resp.Status, err = split(err)
	return resp, err
}

// SelectUser lists users, with their roles if asked.
func (service) SelectUser(ctx context.Context, req *milvuspb.SelectUserRequest) (*milvuspb.SelectUserResponse, error) {
	c, err := begin(ctx)
	resp := &milvuspb.SelectUserResponse{}
	if err == nil {
		for _, name := range sortedKeys(c.users) {
			if want := req.GetUser().GetName(); want != "" && want != name {
				continue
			}
			result := &milvuspb.UserResult{User: &milvuspb.UserEntity{Name: name}}
			if req.GetIncludeRoleInfo() {
				for _, r := range c.users[name].roles {
					result.Roles = append(result.Roles, &milvuspb.RoleEntity{Name: r})
				}
			}
			resp.Results = append(resp.Results, result)
		}
	}
	resp.Status, err = split(err)
	return resp, err
}

// CreatePrivilegeGroup makes a privilege group without privileges.
func (service) CreatePrivilegeGroup(ctx context.Context, req *milvuspb.CreatePrivilegeGroupRequest) (*commonpb.Status, error) {
	name := req.GetGroupName()
	return access(ctx, kindAlterPrivilege, func(c *cluster) {
		if _, there := c.groups[name]; !there {
			c.groups[name] = nil
		}
	})
}

// DropPrivilegeGroup forgets a privilege group.
func (service) DropPrivilegeGroup(ctx context.Context, req *milvuspb.DropPrivilegeGroupRequest) (*commonpb.Status, error) {
	return access(ctx, kindDropPrivilege, func(c *cluster) { delete(c.groups, req.GetGroupName()) })
}

// OperatePrivilegeGroup puts privileges into a group, or takes them out.
func (service) OperatePrivilegeGroup(ctx context.Context, req *milvuspb.OperatePrivilegeGroupRequest) (*commonpb.Status, error) {
	return access(ctx, kindAlterPrivilege, func(c *cluster) {
		holds, there := c.groups[req.GetGroupName()]
		if !there {
			return
		}
		for _, p := range req.GetPrivileges() {
			holds = slices.DeleteFunc(slices.Clone(holds), func(h string) bool { return h == p.GetName() })
			if req.GetType() == milvuspb.OperatePrivilegeGroupType_AddPrivilegesToGroup {
				holds = append(holds, p.GetName())
			}
		}
		c.groups[req.GetGroupName()] = holds
	})
}

// ListPrivilegeGroups lists the groups that somebody made.
func (service) ListPrivilegeGroups(ctx context.Context, _ *milvuspb.ListPrivilegeGroupsRequest) (*milvuspb.ListPrivilegeGroupsResponse, error) {
	c, err := begin(ctx)
	resp := &milvuspb.ListPrivilegeGroupsResponse{}
	if err == nil {
		for _, name := range sortedKeys(c.groups) {
			group := &milvuspb.PrivilegeGroupInfo{GroupName: name}
			for _, p := range c.groups[name] {
				group.Privileges = append(group.Privileges, &milvuspb.PrivilegeEntity{Name: p})
			}
			resp.PrivilegeGroups = append(resp.PrivilegeGroups, group)
		}
	}
	resp.Status, err = split(err)
	return resp, err
}
