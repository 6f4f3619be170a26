package plan

import (
	"strings"
	"testing"
)

// TestAnUnreadClusterHasARemedy: where a failover cannot be judged, the remedy says what to
// mend, and does not send people to a command that only says the same.
func TestAnUnreadClusterHasARemedy(t *testing.T) {
	refused := unread("b")
	refused.Credential = CredentialRefused
	old := unread("b")
	old.ReadsConfiguration = SupportNo
	for _, c := range []struct {
		name string
		b    View
		want string
	}{
		{"its token is refused", refused, "correct its token in the operator's configuration"},
		{"its version cannot tell", old, "upgrade b to "},
		{"a right is missing", unread("b"), "let the token of b call GetReplicateConfiguration"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := world{t: failingOver("b", "a"), views: []View{down("a"), c.b}}.plan(t)
			f := find(p, CodeRoleUnknown, "a")
			if f == nil || !strings.Contains(f.Remedy, c.want) || strings.HasPrefix(f.Remedy, "see why") {
				t.Errorf("the remedy is %+v, want %q", f, c.want)
			}
		})
	}
}
