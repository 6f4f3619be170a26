package milvussim

import (
	"context"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
)

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
