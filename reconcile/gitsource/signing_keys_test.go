package gitsource

import (
	"testing"

	"milvus-reconcile/reconcile/approval"
)

// TestApprovers lists the keys of a file, each once, with all its lines.
func TestApprovers(t *testing.T) {
	_, one := newSigner(t)
	_, two := newSigner(t)
	file := "alice@example.com " + one + "\nbob@example.com " + two + "\nalias@example.com " + one + "\n*@example.com cert-authority " + one + "\n"
	got, err := Approvers([]byte(file), nil, noon)
	if err != nil || len(got) != 3 {
		t.Fatalf("%d keys, %v", len(got), err)
	}
	if len(got[0].Lines) != 2 || len(got[1].Lines) != 1 || got[0].Fingerprint == got[2].Fingerprint || !got[2].Lines[0].CertAuthority {
		t.Errorf("%+v", got)
	}
	if who := approval.Elect(got, noon, 9, 0); who.People != 2 || len(who.Unusable) != 1 {
		t.Errorf("%+v", who)
	}
	if _, err := Approvers([]byte("alice@example.com ssh-ed25519 no-key"), nil, noon); err == nil {
		t.Error("a broken line was passed over")
	}
	if _, err := Approvers(nil, []byte("no keyring"), noon); err == nil {
		t.Error("a broken keyring was passed over")
	}
}

// TestApproversOfAKeyring has the real gpg make keys that hold and keys that
// don't.
func TestApproversOfAKeyring(t *testing.T) {
	g := newGnupg(t)
	g.key(noon.Add(-day), aliceUID, "ed25519", "sign", "never")
	g.key(noon.Add(-day), "Bob <bob@example.com>", "ed25519", "sign", "1w")
	g.key(noon.Add(-day), "Carol <carol@example.com>", "rsa1024", "sign", "never") // too short to count
	ring := g.export()
	for _, c := range []struct {
		name   string
		late   int
		people int
	}{{"now", 0, 2}, {"a month later", 30, 1}} {
		keys, err := Approvers(nil, ring, noon.AddDate(0, 0, c.late))
		if err != nil {
			t.Fatal(err)
		}
		if who := approval.Elect(keys, noon.AddDate(0, 0, c.late), 9, 0); who.People != c.people {
			t.Errorf("%s: %+v, want %d people", c.name, who, c.people)
		}
	}
}
