package gitsource

import (
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"

	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/reconciletest/needs"
)

// forge is who a forge says it is, and whose key signs what people do by its
// buttons (web-flow). Operators import that key to see their history verified.
var forge = approval.Person{Name: "GitHub", Email: "noreply@github.com"}

// attacksByKey are tries with keys that prove something else.
func attacksByKey() []attackCase {
	const always = "always:forever"
	return []attackCase{
		{
			"trailers in a pull request's body, squashed and signed by the forge (web-flow)", approval.CodeSignerMismatch,
			"the forge's signature says that a button was pressed, not who approved", func(a *attack) {
				a.forgeCommit(approve(alice))
			},
		},
		{
			"the same, approved in the forge's own name", approval.CodeSignerMismatch,
			"a forge is not a person, even with its key in the keyring", func(a *attack) {
				a.forgeCommit(approve(forge))
			},
		},
		{
			"a hardware key that nobody touched", approval.CodeUnsigned,
			"without a touch, any program on the owner's machine could have made the signature", func(a *attack) {
				payload := a.tagPayload(tagName, a.head, "commit", approve(alice))
				key := newSKKey(a.t, ssh.KeyAlgoSKED25519)
				a.keys = []byte(AllowedSignersLine(alice.Email, key.line()))
				a.ref(tagName, a.object("tag", payload+key.armored(a.t, payload, 0, key.public)))
			},
		},
		{
			"a certificate by the attacker's own authority", approval.CodeSignerNotAllowed,
			"only a cert-authority line in the operator's list names an authority", func(a *attack) {
				authority := filepath.Join(a.t.TempDir(), "authority")
				run(a.t, nil, needs.Program(a.t, "ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", authority)
				a.certifiedTag(mallory, authority, "-n", alice.Email, "-V", always)
			},
		},
		{
			"a certificate that an approver made with their own key", approval.CodeSignerNotAllowed,
			"without cert-authority, a key signs only for the people of its line", func(a *attack) {
				a.certifiedTag(mallory, a.sshKey(carol), "-n", alice.Email, "-V", always)
			},
		},
	}
}

// forgeCommit has the forge squash a change of Bob's, signed by its own key.
func (a *attack) forgeCommit(message string) {
	a.t.Helper()
	g := newGnupg(a.t)
	key := g.key(noon.Add(-day), forge.String(), "ed25519", "sign", "never")
	a.write(ordersFile, doc("orders", 3))
	a.git("add", "-A")
	a.as(forge, "-c", "gpg.program="+g.program(a.now), "-c", "user.signingKey="+key,
		"commit", "-q", "-S", "--cleanup=verbatim", "--author", bob.String(), "-m", message)
	a.keyring = g.export()
}

// certifiedTag approves in Alice's name by a certified key of somebody else.
func (a *attack) certifiedTag(by approval.Person, authority string, options ...string) {
	a.t.Helper()
	key := a.sshKey(by)
	run(a.t, nil, needs.Program(a.t, "ssh-keygen"), append(append([]string{"-q", "-s", authority, "-I", "id"}, options...), key+".pub")...)
	a.as(by, "-c", "gpg.format=ssh", "-c", "user.signingKey="+key+"-cert.pub",
		"tag", "-s", "--cleanup=verbatim", "-m", approve(alice), tagName, a.head)
}

// TestForgeSignaturesAreTrueOnes keeps the attacks above honest: what the forge
// signed does hold, so it is the person that is refused.
func TestForgeSignaturesAreTrueOnes(t *testing.T) {
	a := newAttack(t)
	a.forgeCommit(approve(alice))
	r := a.openWith(Config{AllowedSigners: a.keys, Keyring: a.keyring})
	s := changeOf(t, r, "orders").Carriers[0].Signature
	if !s.Valid || s.Kind != approval.SignatureOpenPGP || len(s.Principals) != 1 || s.Principals[0].Patterns[0] != forge.Email {
		t.Errorf("%+v", s)
	}
}
