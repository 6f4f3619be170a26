package approve

import (
	"slices"
	"testing"
)

// TestFreeTag: no ref is replaced, and none stands in the way.
func TestFreeTag(t *testing.T) {
	const first = "failover/orders/8/a@x"
	for _, c := range []struct {
		name    string
		refs    []string
		want    string
		earlier []string
	}{
		{"none is there", nil, first, nil},
		{"somebody else's", []string{"refs/tags/failover/orders/8/b@x", "refs/tags/failover/orders/7/a@x"}, first, nil},
		{"one", []string{"refs/tags/" + first}, first + "-2", []string{first}},
		{"three, and one was deleted", []string{"refs/tags/" + first, "refs/tags/" + first + "-3"}, first + "-4", []string{first, first + "-3"}},
		{"a clone and its remote", []string{"refs/tags/" + first, "refs/tags/" + first}, first + "-2", []string{first}},
		{"another e-mail that begins alike", []string{"refs/tags/" + first + "y", "refs/tags/" + first + "-y"}, first, nil},
		{"a folder of that name", []string{"refs/tags/" + first + "/x"}, first + "-2", nil},
		{"a tag in place of the generation's folder", []string{"refs/tags/failover/orders/8"}, "failover/orders-8-a@x", nil},
		{"a tag in place of the topology's folder, twice", []string{"refs/tags/failover/orders", "refs/tags/failover/orders-8-a@x"}, "failover/orders-8-a@x-2", []string{"failover/orders-8-a@x"}},
		{"a branch", []string{"refs/heads/" + first}, first, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			name, earlier := freeTag(first, c.refs)
			if name != c.want || !slices.Equal(earlier, c.earlier) {
				t.Errorf("%q after %q, want %q after %q", name, earlier, c.want, c.earlier)
			}
		})
	}
}

// TestPlaceOf: one repository has one place, however it is reached.
func TestPlaceOf(t *testing.T) {
	for _, same := range [][]string{
		{"ssh://git@git.example/platform/topologies.git", "git@git.example:platform/topologies", "https://Git.example/platform/topologies/", "ssh://git@git.example:22/platform/topologies"},
		{"/srv/topologies.git", "file:///srv/topologies", "/srv/x/../topologies/"},
	} {
		for _, url := range same {
			if repositoryAddress(url) != repositoryAddress(same[0]) {
				t.Errorf("%s is %s, want %s", url, repositoryAddress(url), repositoryAddress(same[0]))
			}
		}
	}
	for _, other := range []string{"ssh://git@git.example/staging/topologies.git", "git@staging.example:platform/topologies", "/platform/topologies"} {
		if repositoryAddress(other) == repositoryAddress("git@git.example:platform/topologies") {
			t.Errorf("%s is taken for another", other)
		}
	}
}
