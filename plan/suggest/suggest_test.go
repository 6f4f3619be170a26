package suggest_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"milvus-reconcile/plan/suggest"
)

func TestNames(t *testing.T) {
	topologies := []string{"orders", "users", "orders-archive", "video-1", "video-2", "video-3", "video-4"}
	codes := []string{"SPLIT_BRAIN", "NO_PRIMARY", "PRIMARY_REACHABLE", "PRIMARY_UNKNOWN", "LOCK_HELD"}
	for _, c := range []struct {
		word  string
		known []string
		want  string
	}{
		{"ordres", topologies, "orders"},
		{"order", topologies, "orders"},
		{"Orders", topologies, "orders"},
		{"user", topologies, "users"},
		{"orders_archive", topologies, "orders-archive"},
		{"archive", topologies, "orders-archive"},
		{"video-9", topologies, "video-1 video-2 video-3"},
		{"SPLITBRAIN", codes, "SPLIT_BRAIN"},
		{"split brain", codes, "SPLIT_BRAIN"},
		{"reachable", codes, "PRIMARY_REACHABLE"},
		{"LOCKHELD", codes, "LOCK_HELD"},
		{"plna", []string{"plan", "apply"}, "plan"},
		{"cluster-c", []string{"cluster-a", "cluster-b"}, "cluster-a cluster-b"},
		{"zebra", topologies, ""},
		{"", topologies, ""},
		{"-", topologies, ""},
		{"or", topologies, ""},
		{strings.Repeat("orders", 20), topologies, ""},
	} {
		if got := strings.Join(suggest.Names(c.word, c.known), " "); got != c.want {
			t.Errorf("%q: got %q, want %q", c.word, got, c.want)
		}
	}
}

func TestHint(t *testing.T) {
	many := strings.Fields("a1 a2 a3 a4 a5 a6 a7 a8 a9 b1 b2 b3 b4 b5")
	for _, c := range []struct {
		word      string
		known     []string
		otherwise string
		want      string
	}{
		{"ordres", []string{"orders", "users"}, "see the list", "did you mean orders?"},
		{"cluster-c", []string{"cluster-a", "cluster-b"}, "", "did you mean cluster-a or cluster-b?"},
		{"zebra", []string{"orders", "users"}, "see the list", "see the list"},
		{"zebra", []string{"orders", "users"}, "", "use orders or users"},
		{"zebra", []string{"orders"}, "", "use orders"},
		{"zebra", many, "", "there are a1, a2, a3, a4, a5, a6, a7, a8, a9, b1, b2, b3 and 2 more"},
		{"zebra", nil, "", ""},
	} {
		if got := suggest.Hint(c.word, c.known, c.otherwise); got != c.want {
			t.Errorf("%q: got %q, want %q", c.word, got, c.want)
		}
	}
	if got := suggest.WithHint("there is no x", ""); got != "there is no x" {
		t.Error(got)
	}
	if got := suggest.WithHint("there is no x", "use y"); got != "there is no x (hint: use y)" {
		t.Error(got)
	}
}

// TestOneSlipIsForgiven: a name with one letter left out, doubled or exchanged with its
// neighbour is found again.
func TestOneSlipIsForgiven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z]{4,20}`).Draw(t, "name")
		i := rapid.IntRange(0, len(name)-2).Draw(t, "at")
		slips := []string{
			name[:i] + name[i+1:],
			name[:i+1] + name[i:],
			name[:i] + name[i+1:i+2] + name[i:i+1] + name[i+2:],
			strings.ToUpper(name),
		}
		for _, slip := range slips {
			if got := suggest.Names(slip, []string{name}); !slices.Equal(got, []string{name}) {
				t.Errorf("%q for %q gives %q", slip, name, got)
			}
			if got := suggest.Nearest(slip, []string{name}); got != name {
				t.Errorf("%q for %q gives %q", slip, name, got)
			}
		}
	})
}
