package approval

import (
	"testing"
	"time"

	"milvus-reconcile/plan"
)

// TestStatementOf: each approval is told, and why it does not count. The reason is told only
// if the person whom it names is proven to have given it.
func TestStatementOf(t *testing.T) {
	unsigned := with(tagOf(alice), func(c *Carrier) { c.Signature = Signature{} })
	optional := Policy{Configured: true, SignatureOptional: true}
	for _, c := range []struct {
		name    string
		carrier Carrier
		rules   StatementRules
		told    bool
		code    string // empty: it counts
		back    bool
		proven  bool
	}{
		{"an approval", tagOf(alice), StatementRules{}, true, "", false, true},
		{"of a replay of lost rows", replayTag(alice, digestB), StatementRules{Transition: plan.TransitionFailover}, true, "", false, true},
		{"of the author", tagOf(bob), StatementRules{Authors: []Person{bob}}, true, CodeSelfApproved, false, true},
		{"of the author, where that is allowed", tagOf(bob), StatementRules{Authors: []Person{bob}, Policy: Policy{AuthorMayApprove: true}}, true, "", false, true},
		{"a withdrawal", withdrawn(alice), StatementRules{}, true, "", true, true},
		{"a withdrawal of the author", withdrawn(bob), StatementRules{Authors: []Person{bob}}, true, "", true, true},
		{"of another topology", tagOf(alice), StatementRules{Topology: "users"}, false, "", false, false},
		{"of another cluster", tagOf(alice), StatementRules{Primary: "cluster-c"}, true, CodeWrongTarget, false, true},
		{"for another repository", tagOf(alice), StatementRules{Policy: Policy{Repository: "platform/topologies"}}, true, CodeWrongRepository, false, false},
		{"not signed", unsigned, StatementRules{}, true, CodeUnsigned, false, false},
		{"not signed, where that is enough", unsigned, StatementRules{Policy: optional}, true, "", false, true},
		{"signed by somebody else", with(tagOf(alice), func(c *Carrier) { c.Signature = signedBy(carol) }), StatementRules{Policy: optional}, true, CodeSignerMismatch, false, false},
		{"a signature that does not hold", with(tagOf(alice), func(c *Carrier) { c.Signature.Valid = false }), StatementRules{Policy: optional}, true, CodeUnsigned, false, false},
		{"a key of nobody", with(tagOf(alice), func(c *Carrier) { c.Signature.Principals = nil }), StatementRules{}, true, CodeSignerNotAllowed, false, false},
		{"a key that was not allowed then", with(tagOf(alice), func(c *Carrier) { c.Signature.Principals[0].ValidBefore = noon.AddDate(-1, 0, 0) }), StatementRules{}, true, CodeSignerNotAllowed, false, false},
		{"a damaged tag", with(tagOf(alice), func(c *Carrier) { c.Problem = "it cannot be read" }), StatementRules{}, false, "", false, false},
		{"no approval at all", with(tagOf(alice), func(c *Carrier) { c.Message = "Fail over orders\n" }), StatementRules{}, false, "", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.rules.Topology == "" {
				c.rules.Topology = "orders"
			}
			got, ok := StatementOf(c.carrier, c.rules)
			if ok != c.told || got.Withdrawn != c.back || got.Code != c.code {
				t.Fatalf("got %+v, %t", got, ok)
			}
			if !ok {
				return
			}
			if want := c.name == "of a replay of lost rows"; (got.Replay == digestB) != want || want && !got.Until.Equal(noon.Add(24*time.Hour)) {
				t.Errorf("got %+v", got)
			}
			if got.By.Email == "" || got.Proven() != c.proven || (got.Reason == "eu-1 lost power") != c.proven || !got.At.Equal(c.carrier.Date) {
				t.Errorf("got %+v", got)
			}
			if why := got.Why(); (why == "") != (c.code == "") || why == c.code && why != "" {
				t.Errorf("it does not count since %q", why)
			}
		})
	}
}

// TestStatementEnds with the age that the policy allows, or by its own word.
func TestStatementEnds(t *testing.T) {
	for name, c := range map[string]struct {
		carrier    Carrier
		transition plan.Transition
		want       time.Time
	}{
		"of a failover":   {tagOf(alice), plan.TransitionFailover, noon.Add(2 * time.Hour)},
		"of a switchover": {tagOf(alice), plan.TransitionSwitchover, noon.Add(24 * time.Hour)},
		"by its own word": {tagOf(alice, KeyExpires+": 2026-11-22T12:30:00Z"), plan.TransitionFailover, noon.Add(30 * time.Minute)},
	} {
		got, ok := StatementOf(c.carrier, StatementRules{Topology: "orders", Transition: c.transition})
		if !ok || !got.Until.Equal(c.want) {
			t.Errorf("%s: until %s, want %s", name, got.Until, c.want)
		}
	}
}
