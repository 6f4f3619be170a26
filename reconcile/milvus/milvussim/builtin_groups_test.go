package milvussim_test

import (
	"slices"
	"testing"

	"github.com/milvus-io/milvus/pkg/v2/util"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestGroupsAreUpstreams holds the built-in privilege groups to upstream's own
// lists; GetReplicateConfiguration is newer than those (milvus.md §1.6).
func TestGroupsAreUpstreams(t *testing.T) {
	for group, want := range map[string][]string{
		"ClusterReadOnly": util.ClusterReadOnlyPrivileges, "ClusterReadWrite": util.ClusterReadWritePrivileges, "ClusterAdmin": util.ClusterAdminPrivileges,
		"DatabaseReadOnly": util.DatabaseReadOnlyPrivileges, "DatabaseReadWrite": util.DatabaseReadWritePrivileges, "DatabaseAdmin": util.DatabaseAdminPrivileges,
		"CollectionReadOnly": util.CollectionReadOnlyPrivileges, "CollectionReadWrite": util.CollectionReadWritePrivileges, "CollectionAdmin": util.CollectionAdminPrivileges,
	} {
		got := slices.DeleteFunc(milvussim.Privileges(group), func(p string) bool { return p == "GetReplicateConfiguration" })
		want = slices.Clone(want)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n got %v\nwant %v", group, got, want)
		}
	}
}
