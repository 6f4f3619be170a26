package milvussim

import (
	"context"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
)

// defaultResourceGroup is there from the start.
const defaultResourceGroup = "__default_resource_group"

// CreateResourceGroup makes a resource group on this cluster alone.
func (service) CreateResourceGroup(ctx context.Context, req *milvuspb.CreateResourceGroupRequest) (*commonpb.Status, error) {
	return localResourceGroup(ctx, kindAlterResourceGroup, func(c *cluster) { c.resourceGroups[req.GetResourceGroup()] = true })
}

// UpdateResourceGroups alters resource groups on this cluster alone.
func (service) UpdateResourceGroups(ctx context.Context, req *milvuspb.UpdateResourceGroupsRequest) (*commonpb.Status, error) {
	return localResourceGroup(ctx, kindAlterResourceGroup, func(c *cluster) {
		for name := range req.GetResourceGroups() {
			c.resourceGroups[name] = true
		}
	})
}

// DropResourceGroup drops a resource group on this cluster alone.
func (service) DropResourceGroup(ctx context.Context, req *milvuspb.DropResourceGroupRequest) (*commonpb.Status, error) {
	return localResourceGroup(ctx, kindDropResourceGroup, func(c *cluster) { delete(c.resourceGroups, req.GetResourceGroup()) })
}

// localResourceGroup changes resource groups, which are not replicated. A primary
// broadcasts the change, and its standbys drop the message; a standby changes its
// own without writing it to any log (querycoordv2/ddl_callbacks.go, milvus.md §3).
func localResourceGroup(ctx context.Context, what kind, change func(*cluster)) (*commonpb.Status, error) {
	c, err := begin(ctx)
	switch {
	case err != nil:
	case c.source() != "":
		change(c)
	default:
		err = c.runDDL(ctx, &onAccess{what: what, change: change})
	}
	return answer(err)
}

// ListResourceGroups lists the resource groups of this cluster.
func (service) ListResourceGroups(ctx context.Context, _ *milvuspb.ListResourceGroupsRequest) (*milvuspb.ListResourceGroupsResponse, error) {
	c, err := begin(ctx)
	st, err := split(err)
	resp := &milvuspb.ListResourceGroupsResponse{Status: st}
	if err == nil && st.GetCode() == 0 {
		resp.ResourceGroups = sortedKeys(c.resourceGroups)
	}
	return resp, err
}
