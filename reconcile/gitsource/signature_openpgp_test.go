package gitsource

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/reconcile/approval"
)

const (
	aliceUID = "Alice Smith <alice@example.com>"
	day      = 24 * time.Hour
)

// TestOpenPGP has the real gpg make keys that hold and keys that don't.
func TestOpenPGP(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(g *gnupg) (key string)
		how  []string                   // options for the signature
		then func(g *gnupg, key string) // after the signature
		late time.Duration              // until it is judged
		code string
	}{
		{name: "an ed25519 key", make: func(g *gnupg) string { return g.key(noon.Add(-day), aliceUID, "ed25519", "sign", "never") }},
		{name: "an RSA key", make: func(g *gnupg) string { return g.key(noon.Add(-day), aliceUID, "rsa3072", "sign", "1y") }},
		{name: "a subkey", make: func(g *gnupg) string {
			key := g.key(noon.Add(-day), aliceUID, "ed25519", "cert", "never")
			g.run(noon.Add(-day), "--quick-add-key", key, "ed25519", "sign", "1y")
			return key
		}},
		{name: "an ECDSA key", make: func(g *gnupg) string { return g.key(noon.Add(-day), aliceUID, "nistp384", "sign", "never") }},
		{name: "a signature that expired", make: func(g *gnupg) string {
			return g.key(noon.Add(-day), aliceUID, "ed25519", "sign", "never")
		}, how: []string{"--default-sig-expire", "1d"}, late: 25 * time.Hour, code: approval.CodeSignerNotAllowed},
		{name: "a signature over SHA-1", make: func(g *gnupg) string {
			return g.key(noon.Add(-day), aliceUID, "rsa3072", "sign", "never")
		}, how: []string{"--digest-algo", "SHA1"}, code: approval.CodeUnsigned},
		{name: "an RSA key of 1024 bits", make: func(g *gnupg) string {
			return g.key(noon.Add(-day), aliceUID, "rsa1024", "sign", "never")
		}, code: approval.CodeUnsigned},
		{name: "a strong subkey of an RSA key of 1024 bits", make: func(g *gnupg) string {
			key := g.key(noon.Add(-day), aliceUID, "rsa1024", "cert", "never")
			g.run(noon.Add(-day), "--quick-add-key", key, "ed25519", "sign", "1y")
			return key
		}, code: approval.CodeUnsigned},
		{name: "a DSA key", make: func(g *gnupg) string {
			return g.key(noon.Add(-day), aliceUID, "dsa2048", "sign", "never")
		}, code: approval.CodeUnsigned},
		{name: "a second user id", make: func(g *gnupg) string {
			key := g.key(noon.Add(-day), "A <other@example.com>", "ed25519", "sign", "never")
			g.run(noon.Add(-time.Hour), "--quick-add-uid", key, aliceUID)
			return key
		}},
		{name: "a user id of an e-mail and nothing else", make: func(g *gnupg) string {
			return g.key(noon.Add(-day), "alice@example.com", "ed25519", "sign", "never")
		}},
		{name: "a user id that can never match, next to one that can", make: func(g *gnupg) string {
			key := g.key(noon.Add(-day), "Alice <\u0430lice@example.com>", "ed25519", "sign", "never")
			g.run(noon.Add(-time.Hour), "--quick-add-uid", key, aliceUID)
			return key
		}},
		{name: "a key whose life was made longer after the signature", make: func(g *gnupg) string {
			return g.key(noon.Add(-day), aliceUID, "ed25519", "sign", "2d")
		}, then: func(g *gnupg, key string) {
			g.run(noon.Add(time.Hour), "--quick-set-expire", key, "1y")
		}},
		{name: "somebody else's key", make: func(g *gnupg) string {
			return g.key(noon.Add(-day), "Carol <carol@example.com>", "ed25519", "sign", "never")
		}, code: approval.CodeSignerMismatch},
		{name: "an e-mail in the name of a user id", make: func(g *gnupg) string {
			return g.key(noon.Add(-day), "alice@example.com <mallory@example.com>", "ed25519", "sign", "never")
		}, code: approval.CodeSignerMismatch},
		{name: "a key that expired after the signature", make: func(g *gnupg) string {
			return g.key(noon.Add(-day), aliceUID, "ed25519", "sign", "2d")
		}, late: 25 * time.Hour, code: approval.CodeSignerNotAllowed},
		{name: "a subkey that expired after the signature", make: func(g *gnupg) string {
			key := g.key(noon.Add(-day), aliceUID, "ed25519", "cert", "never")
			g.run(noon.Add(-day), "--quick-add-key", key, "ed25519", "sign", "2d")
			return key
		}, late: 25 * time.Hour, code: approval.CodeSignerNotAllowed},
		{name: "a key that was revoked after the signature", make: func(g *gnupg) string {
			return g.key(noon.Add(-day), aliceUID, "ed25519", "sign", "never")
		}, then: (*gnupg).revoke, code: approval.CodeSignerNotAllowed},
		{name: "a subkey that was revoked after the signature", make: func(g *gnupg) string {
			key := g.key(noon.Add(-day), aliceUID, "ed25519", "cert", "never")
			g.run(noon.Add(-day), "--quick-add-key", key, "ed25519", "sign", "1y")
			return key
		}, then: (*gnupg).revokeSubkey, code: approval.CodeSignerNotAllowed},
		{name: "a user id that was revoked", make: func(g *gnupg) string {
			key := g.key(noon.Add(-day), aliceUID, "ed25519", "sign", "never")
			g.run(noon.Add(-day), "--quick-add-uid", key, "A <other@example.com>")
			return key
		}, then: func(g *gnupg, key string) {
			g.run(noon.Add(time.Minute), "--quick-revoke-uid", key, aliceUID)
		}, code: approval.CodeSignerMismatch},
		{name: "a key that is not in the keyring", make: func(g *gnupg) string {
			return g.key(noon.Add(-day), aliceUID, "ed25519", "sign", "never")
		}, then: func(g *gnupg, key string) {
			g.key(noon.Add(-day), "Carol <carol@example.com>", "ed25519", "sign", "never")
			g.run(noon, "--delete-secret-and-public-key", key)
		}, code: approval.CodeSignerNotAllowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g, s := newGnupg(t), newShell(t)
			s.commit(bob, "Begin", ordersFile, doc("orders", 1))
			key := c.make(g)
			g.tag(s, key, "failover/orders/1/alice", alice, c.how...)
			if c.then != nil {
				c.then(g, key)
			}
			r := s.openWith(Config{AllowedSigners: []byte("# nobody\n"), Keyring: g.export()})
			policy := approval.Policy{MaxAge: approval.MaxAge{Failover: 48 * time.Hour}}
			d := decide(changeOf(t, r, "orders"), s.now.Add(c.late), policy)
			if d.Code != c.code {
				t.Errorf("%q %s, want %q", d.Code, d.Detail, c.code)
			}
		})
	}
}

// revoke imports the certificate of revocation that gpg made with the key.
func (g *gnupg) revoke(key string) {
	g.t.Helper()
	data, err := os.ReadFile(filepath.Join(g.home, "openpgp-revocs.d", key+".rev"))
	if err != nil {
		g.t.Fatal(err)
	}
	file := filepath.Join(g.home, "revocation")
	if err := os.WriteFile(file, []byte(strings.Replace(string(data), ":-----BEGIN", "-----BEGIN", 1)), 0o600); err != nil {
		g.t.Fatal(err)
	}
	g.run(noon.Add(time.Minute), "--import", file)
}

func (g *gnupg) revokeSubkey(key string) {
	g.t.Helper()
	args := g.args(noon.Add(time.Minute), "--command-fd", "0", "--edit-key", key)
	script := fmt.Sprintf("printf 'key 1\\nrevkey\\ny\\n0\\n\\ny\\nsave\\n' | gpg '%s'", strings.Join(args, "' '"))
	run(g.t, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + g.home}, "sh", "-c", script)
}

// TestOpenPGPSignaturesThatDontHold works on what gpg signed.
func TestOpenPGPSignaturesThatDontHold(t *testing.T) {
	g := newGnupg(t)
	g.key(noon.Add(-day), aliceUID, "ed25519", "sign", "never")
	ring, err := parseKeyring(g.export())
	if err != nil {
		t.Fatal(err)
	}
	const payload = "object x\n\nMessage\n"
	sign := func(text string, how ...string) string {
		file := filepath.Join(t.TempDir(), "payload")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return g.run(noon, append(how, "--armor", "--output", "-", file)...) + "\n"
	}
	good := sign(payload, "--detach-sign")
	known := trust{keyring: ring}
	if s := known.verify(signedObject(payload, good)); !s.Valid || len(s.Principals) != 1 {
		t.Fatalf("a good one: %+v", s)
	}
	for name, o := range map[string]object{
		"over other bytes":      signedObject(payload+" ", good),
		"over text":             signedObject(payload, sign(payload, "--detach-sign", "--textmode")),
		"with something behind": signedObject(payload, good+"Failover-Accept: X\n"),
		"twice":                 signedObject(payload, good+good),
		"cut short":             signedObject(payload, good[:len(good)/2]),
		"armour around nothing": signedObject(payload, armorPGP+"\n\n-----END PGP SIGNATURE-----\n"),
		"a key for a signature": signedObject(payload, strings.ReplaceAll(string(g.export()), "PUBLIC KEY BLOCK", "SIGNATURE")),
	} {
		t.Run(name, func(t *testing.T) {
			if s := known.verify(o); s.Valid || s.Kind == approval.SignatureNone || len(s.Principals) > 0 {
				t.Errorf("%+v", s)
			}
		})
	}
	nobody := trust{}
	if s := nobody.verify(signedObject(payload, good)); s.Valid || !s.KeyUnknown {
		t.Errorf("without a keyring: %+v", s)
	}
}

// TestKeysThatNeverMatch: the error names the key, the user id and the character.
func TestKeysThatNeverMatch(t *testing.T) {
	for name, c := range map[string]struct{ uid, says string }{
		"no e-mail":           {"Alice Smith", "no user id with an e-mail"},
		"a Cyrillic letter":   {"Alice <\u0430lice@example.com>", "U+0430, a character of the script Cyrillic, as its character 1"},
		"a zero-width space":  {"Alice <alice@example.com\u200b>", "U+200B, a zero-width space, as its character 18"},
		"another no-break":    {"Alice <alice@\u00a0example.com>", "U+00A0, a no-break space"},
		"two e-mails as one":  {"Alice <alice@example.com;a@example.com>", "';' as its character 18"},
		"an e-mail in quotes": {"Alice <\"alice@example.com\">", `'"' as its character 1`},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGnupg(t)
			g.key(noon, aliceUID, "ed25519", "sign", "never")
			g.run(noon, "--utf8-strings", "--allow-freeform-uid", "--quick-gen-key", c.uid, "ed25519", "sign", "never")
			_, err := parseKeyring(g.export())
			if err == nil || !strings.Contains(err.Error(), "can never match") || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
}

func TestKeyrings(t *testing.T) {
	g := newGnupg(t)
	g.key(noon, aliceUID, "ed25519", "sign", "never")
	first := g.export()
	g.key(noon, "Carol <carol@example.com>", "ed25519", "sign", "never")
	secret := g.run(noon, "--armor", "--export-secret-keys")
	file := filepath.Join(t.TempDir(), "ring")
	g.run(noon, "--output", file, "--export")
	binary, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data []byte
		keys int
	}{
		"armoured":           {first, 1},
		"two blocks":         {append(append([]byte{}, first...), g.export()...), 3},
		"binary":             {binary, 2},
		"a secret key":       {[]byte(secret), -1},
		"rubbish":            {[]byte("rubbish"), -1},
		"armour and rubbish": {[]byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nrubbish\n"), -1},
	} {
		t.Run(name, func(t *testing.T) {
			ring, err := parseKeyring(c.data)
			if (err != nil) != (c.keys < 0) {
				t.Fatalf("%v", err)
			}
			if err == nil && len(ring.entities) != c.keys {
				t.Errorf("%d keys", len(ring.entities))
			}
		})
	}
	if ring, err := parseKeyring([]byte(" \n")); ring != nil || err != nil {
		t.Errorf("nothing: %v, %v", ring, err)
	}
}
