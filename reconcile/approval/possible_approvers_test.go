package approval

import (
	"strings"
	"testing"
	"time"
)

func keyOf(p Person, lines ...AllowedLine) Key {
	return Key{Kind: SignatureSSH, Fingerprint: "SHA256:" + p.Email, Lines: append([]AllowedLine{lineOf(p)}, lines...)}
}

// TestElect counts people as a quorum would, by keys alone.
func TestElect(t *testing.T) {
	const month = 30 * 24 * time.Hour
	line := func(change func(*AllowedLine)) Key {
		k := keyOf(carol)
		change(&k.Lines[0])
		return k
	}
	for _, c := range []struct {
		name   string
		keys   []Key
		people int
		says   string // of what is unusable
		ending int
	}{
		{name: "nobody"},
		{name: "two people", keys: []Key{keyOf(alice), keyOf(bob)}, people: 2},
		{name: "one person, two keys", keys: []Key{keyOf(alice), {Kind: SignatureOpenPGP, Fingerprint: "AA", Lines: []AllowedLine{{ID: "keyring:AA", Patterns: []string{"Alice@Example.com"}}}}}, people: 1},
		{name: "two e-mails on one key", keys: []Key{keyOf(alice, lineOf(bob))}, people: 1},
		{name: "a line of two e-mails", keys: []Key{{Fingerprint: "x", Lines: []AllowedLine{{ID: "1", Patterns: []string{alice.Email, bob.Email}}}}, keyOf(carol)}, people: 2},
		{name: "expired", keys: []Key{keyOf(alice), line(func(l *AllowedLine) { l.ValidBefore = noon })}, people: 1, says: "line of carol@example.com: it expired"},
		{name: "not yet valid", keys: []Key{line(func(l *AllowedLine) { l.ValidAfter = noon.Add(time.Hour) })}, says: "valid only from"},
		{name: "for files", keys: []Key{line(func(l *AllowedLine) { l.Namespaces = []string{"file"} })}, says: "namespaces"},
		{name: "wildcards", keys: []Key{keyOf(alice), line(func(l *AllowedLine) { l.Patterns = []string{"*@example.com"} })}, people: 1, says: "wildcards"},
		{name: "a forge", keys: []Key{keyOf(alice), line(func(l *AllowedLine) { l.Patterns = []string{"noreply@github.com"} })}, people: 1, says: "none of its principals is a person's e-mail"},
		{name: "a name next to an e-mail", keys: []Key{line(func(l *AllowedLine) { l.Patterns = []string{"carol", carol.Email} })}, people: 1},
		{name: "revoked", keys: []Key{{Fingerprint: "BB", Problem: "the key is revoked"}}, says: "BB: the key is revoked"},
		{name: "ends within a month", keys: []Key{line(func(l *AllowedLine) { l.ValidBefore = noon.Add(month / 2) })}, people: 1, ending: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Elect(c.keys, noon, 5, month)
			said := ""
			for _, u := range got.Unusable {
				said += u.Line + ": " + u.Why + "\n"
			}
			if got.People != c.people || len(got.Ending) != c.ending || !strings.Contains(said, c.says) || (c.says == "") != (said == "") {
				t.Errorf("%d people, %d ending, %q; want %d, %d, %q", got.People, len(got.Ending), said, c.people, c.ending, c.says)
			}
		})
	}
	if got := Elect([]Key{keyOf(alice), keyOf(bob), keyOf(carol)}, noon, 2, 0); got.People != 2 || strings.Join(got.Names, " ") != "alice@example.com bob@example.com carol@example.com" {
		t.Errorf("counts %d, want no more than asked for; names %q", got.People, got.Names)
	}
}
