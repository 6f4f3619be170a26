package milvussim

import (
	"context"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
)

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
