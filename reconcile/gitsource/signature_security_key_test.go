package gitsource

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/reconciletest/needs"
)

const skApplication = "ssh:"

// skKey is a hardware key as PROTOCOL.u2f of OpenSSH describes it, with the private
// part at hand: its public key as ssh-keygen writes it, and what it signs.
type skKey struct {
	public ssh.PublicKey
	sign   func(t testing.TB, message []byte) []byte // the signature's blob
}

func newSKKey(t testing.TB, kind string) skKey {
	t.Helper()
	var blob []byte
	var out skKey
	switch kind {
	case ssh.KeyAlgoSKED25519:
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		blob = ssh.Marshal(struct {
			Type        string
			Key         []byte
			Application string
		}{kind, public, skApplication})
		out.sign = func(_ testing.TB, message []byte) []byte { return ed25519.Sign(private, message) }
	case ssh.KeyAlgoSKECDSA256:
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		point, err := private.PublicKey.ECDH()
		if err != nil {
			t.Fatal(err)
		}
		blob = ssh.Marshal(struct {
			Type, Curve string
			Point       []byte
			Application string
		}{kind, "nistp256", point.Bytes(), skApplication})
		out.sign = func(t testing.TB, message []byte) []byte {
			digest := sha256.Sum256(message)
			r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
			if err != nil {
				t.Fatal(err)
			}
			return ssh.Marshal(struct{ R, S *big.Int }{r, s})
		}
	default:
		t.Fatalf("no hardware key of type %s", kind)
	}
	var err error
	if out.public, err = ssh.ParsePublicKey(blob); err != nil {
		t.Fatal(err)
	}
	return out
}

// line is the public key as it stands in a .pub file.
func (k skKey) line() string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k.public)))
}

// armored signs as git does; shown is the key or its certificate.
func (k skKey) armored(t testing.TB, payload string, flags byte, shown ssh.PublicKey) string {
	t.Helper()
	digest := sha256.Sum256([]byte(payload))
	message := append([]byte("SSHSIG"), ssh.Marshal(struct{ Namespace, Reserved, Algorithm, Hash string }{"git", "", "sha256", string(digest[:])})...)
	rest := binary.BigEndian.AppendUint32([]byte{flags}, 7)
	app, msg := sha256.Sum256([]byte(skApplication)), sha256.Sum256(message)
	signed := append(append(append([]byte{}, app[:]...), rest...), msg[:]...)
	return string(sshsig.Armor(&sshsig.Signature{
		Version: 1, PublicKey: shown, Namespace: "git", HashAlgorithm: sshsig.HashSHA256,
		Signature: &ssh.Signature{Format: k.public.Type(), Blob: k.sign(t, signed), Rest: rest},
	}))
}

// opensshAccepts asks the real ssh-keygen about a signature.
func opensshAccepts(t *testing.T, allowed, payload, armored string) bool {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"allowed": allowed + "\n", "signature": armored}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(needs.Program(t, "ssh-keygen"), "-Y", "verify", "-f", filepath.Join(dir, "allowed"), "-I", alice.Email, "-n", "git", "-s", filepath.Join(dir, "signature"))
	cmd.Stdin = strings.NewReader(payload)
	return cmd.Run() == nil
}

// TestSecurityKeys holds that both types of hardware key count if they were touched,
// by themselves and with a certificate of ssh-keygen's. The signatures are made here,
// as no hardware is at hand; ssh-keygen accepts each, so they are as a key makes them.
func TestSecurityKeys(t *testing.T) {
	const payload = "object x\n\nMessage\n"
	authority := filepath.Join(t.TempDir(), "authority")
	run(t, nil, needs.Program(t, "ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", authority)
	ca, err := os.ReadFile(authority + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256} {
		key := newSKKey(t, kind)
		cert := certificateOf(t, key.line(), authority)
		for name, c := range map[string]struct {
			flags byte
			valid bool
		}{"touched": {1, true}, "touched and verified": {5, true}, "not touched": {0, false}, "verified without a touch": {4, false}} {
			for how, shown := range map[string]struct {
				key  ssh.PublicKey
				line string
			}{
				"by itself":          {key.public, alice.Email + " " + key.line()},
				"with a certificate": {cert, alice.Email + " cert-authority " + strings.TrimSpace(string(ca))},
			} {
				t.Run(kind+" "+name+" "+how, func(t *testing.T) {
					armored := key.armored(t, payload, c.flags, shown.key)
					if !opensshAccepts(t, shown.line, payload, armored) && c.valid {
						t.Error("ssh-keygen does not accept it")
					}
					signers, err := parseAllowedSigners([]byte(shown.line))
					if err != nil {
						t.Fatal(err)
					}
					known := trust{signers: signers}
					s := known.verify(signedObject(payload, armored))
					if s.Valid != c.valid || c.valid && len(s.Principals) != 1 {
						t.Errorf("%+v", s)
					}
					if over := known.verify(signedObject(payload+" ", armored)); over.Valid || over.Kind != approval.SignatureSSH {
						t.Errorf("over other content: %+v", over)
					}
				})
			}
		}
	}
}

// certificateOf has ssh-keygen certify a public key for Alice, and reads it.
func certificateOf(t *testing.T, line, authority string) ssh.PublicKey {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key.pub")
	if err := os.WriteFile(file, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, nil, "ssh-keygen", "-q", "-s", authority, "-I", "id", "-n", alice.Email, "-V", "always:forever", file)
	data, err := os.ReadFile(strings.TrimSuffix(file, ".pub") + "-cert.pub")
	if err != nil {
		t.Fatal(err)
	}
	cert, _, _, _, err := ssh.ParseAuthorizedKey(data)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
