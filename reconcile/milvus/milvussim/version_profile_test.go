package milvussim_test

import (
	"strings"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

func TestProfiles(t *testing.T) {
	for _, version := range milvussim.Profiles() {
		t.Run(version, func(t *testing.T) {
			w := start(t, milvussim.Options{Profile: version}, milvussim.ClusterSpec{ID: "a"})
			resp, err := dial(t, w, "a").Connect(root(t), &milvuspb.ConnectRequest{})
			tag := resp.GetServerInfo().GetBuildTags()
			want := strings.NewReplacer("3.0-beta", "3.0.0-beta", "master-353ce56", "353ce56", milvussim.Unlabelled, "").Replace(version)
			if err != nil || !strings.Contains(tag, want) {
				t.Errorf("build tag %q, %v", tag, err)
			}
			if said, err := dial(t, w, "a").GetVersion(root(t), &milvuspb.GetVersionRequest{}); err != nil || said.GetVersion() != tag {
				t.Errorf("version %q, %v, want %q", said.GetVersion(), err, tag)
			}
		})
	}
	for _, version := range []string{"", "2", "2.6", "2.6.26", "2.7.0", "3.0.3", "master-2026-954c4e7", "4.0.0", "latest", "2.6.x"} {
		if _, err := milvussim.ParseProfile(version); err == nil {
			t.Errorf("%q has a profile", version)
		}
	}
}
