package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProposeImport(t *testing.T) {
	refused, mistaken, unproven := up("b"), up("b"), primaryOf("b")
	refused.Credential = CredentialRefused
	mistaken.IdentityConflict = "z"
	unproven.IdentityProven = false
	for _, tt := range []struct {
		name    string
		views   []View
		primary string
		want    map[string]Role
		errs    []string
	}{
		{name: "a pair", views: []View{primaryOf("a", "b"), standbyOf("a", "b")}, want: map[string]Role{"a": RolePrimary, "b": RoleStandby}},
		{name: "one alone", views: []View{empty("a")}, want: map[string]Role{"a": RolePrimary}},
		{name: "a standby that is to join", views: []View{primaryOf("a"), empty("b")}, want: map[string]Role{"a": RolePrimary, "b": RoleStandby}},
		{name: "two new ones", views: []View{empty("a"), empty("b")}, errs: []string{"a, b all take writes"}},
		{name: "two new ones, one is named", views: []View{empty("a"), empty("b")}, primary: "b", want: map[string]Role{"a": RoleStandby, "b": RolePrimary}},
		{name: "after a failover", views: []View{primaryOf("a", "b"), primaryOf("b")}, errs: []string{"a, b all take writes"}},
		{name: "after a failover, the promoted one is named", views: []View{primaryOf("a", "b"), primaryOf("b")}, primary: "b", want: map[string]Role{"a": RoleStale, "b": RolePrimary}},
		{name: "one that was let go", views: []View{primaryOf("a", "b"), standbyOf("a", "b"), primaryOf("c")}, primary: "a", want: map[string]Role{"a": RolePrimary, "b": RoleStandby, "c": RoleDetached}},
		{name: "a standby is named", views: []View{primaryOf("a", "b"), standbyOf("a", "b")}, primary: "b", errs: []string{"b cannot be the primary"}},
		{name: "only standbys", views: []View{standbyOf("a", "b"), standbyOf("a", "c")}, errs: []string{"also stores the cluster a at", "--cluster a=HOST:PORT"}},
		{name: "two stars", views: []View{primaryOf("a", "b"), standbyOf("a", "b"), primaryOf("c", "d"), standbyOf("c", "d")}, primary: "a", errs: []string{"d replicates from c"}},
		{
			name: "everything is told at once", views: []View{primaryOf("a", "b", "x"), refused, down("c"), unread("d")},
			errs: []string{"also stores the cluster x", "b refused the token", "c is unreachable", "d does not tell"},
		},
		{name: "addresses swapped", views: []View{primaryOf("a"), mistaken}, errs: []string{"the cluster at the address of b is z"}},
		{name: "not proven", views: []View{primaryOf("a"), unproven}, errs: []string{"b could not prove"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ProposeImport(Observed{Views: tt.views}, tt.primary)
			if len(tt.errs) == 0 {
				if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
					t.Errorf("%v (-want +got)\n%s", err, diff)
				}
				return
			}
			for _, want := range tt.errs {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nlacks %q", err, want)
				}
			}
		})
	}
}
