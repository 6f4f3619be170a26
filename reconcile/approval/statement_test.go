package approval

import "testing"

// TestStatementOf: only what the named person is proven to have signed is told.
func TestStatementOf(t *testing.T) {
	unsigned := with(tagOf(alice), func(c *Carrier) { c.Signature = Signature{} })
	for _, c := range []struct {
		name     string
		carrier  Carrier
		topology string
		unsigned bool
		told     bool
		back     bool
	}{
		{"an approval", tagOf(alice), "orders", false, true, false},
		{"an approval of an author, which counts for nothing", tagOf(bob), "orders", false, true, false},
		{"a withdrawal", withdrawn(alice), "orders", false, true, true},
		{"of another topology", tagOf(alice), "users", false, false, false},
		{"not signed", unsigned, "orders", false, false, false},
		{"not signed, where that is enough", unsigned, "orders", true, true, false},
		{"signed by somebody else", with(tagOf(alice), func(c *Carrier) { c.Signature = signedBy(carol) }), "orders", true, false, false},
		{"a signature that does not hold", with(tagOf(alice), func(c *Carrier) { c.Signature.Valid = false }), "orders", true, false, false},
		{"a key that was not allowed then", with(tagOf(alice), func(c *Carrier) { c.Signature.Principals[0].ValidBefore = noon.AddDate(-1, 0, 0) }), "orders", true, false, false},
		{"a damaged tag", with(tagOf(alice), func(c *Carrier) { c.Problem = "it cannot be read" }), "orders", true, false, false},
		{"no approval at all", with(tagOf(alice), func(c *Carrier) { c.Message = "Fail over orders\n" }), "orders", true, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := StatementOf(c.carrier, c.topology, c.unsigned)
			if ok != c.told || got.Withdrawn != c.back {
				t.Errorf("got %+v, %t", got, ok)
			}
			if ok && (got.By.Email == "" || got.Reason != "eu-1 lost power" || !got.At.Equal(c.carrier.Date)) {
				t.Errorf("got %+v", got)
			}
		})
	}
}
