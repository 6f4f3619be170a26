package gitsource

import (
	"bytes"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hiddeco/sshsig"

	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/reconciletest/needs"
)

// TestKeyTypes has the real git sign with every type of key that needs no
// hardware, in commits and in tags.
func TestKeyTypes(t *testing.T) {
	for _, kind := range []string{"ed25519", "ecdsa -b 256", "ecdsa -b 384", "ecdsa -b 521", "rsa -b 2048", "rsa -b 4096"} {
		t.Run(kind, func(t *testing.T) {
			s := newShell(t)
			s.commit(bob, "Begin", ordersFile, doc("orders", 1))
			s.sshKey(alice, append([]string{"-t"}, strings.Fields(kind)...)...)
			s.signedCommit(alice, approve(alice), ordersFile, doc("orders", 2))
			policy := approval.Policy{AuthorMayApprove: true}
			if d := decide(s.change("orders"), s.now, policy); d.Verdict != approval.VerdictApproved {
				t.Errorf("a commit: %s %s", d.Code, d.Detail)
			}
			s.commit(bob, "More", ordersFile, doc("orders", 3))
			s.tag(alice, "failover/orders/3/alice", "HEAD", approve(alice))
			if d := decide(s.change("orders"), s.now, policy); d.Verdict != approval.VerdictApproved {
				t.Errorf("a tag: %s %s", d.Code, d.Detail)
			}
		})
	}
}

func TestShortKeysAreRefused(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", ordersFile, doc("orders", 1))
	s.sshKey(alice, "-t", "rsa", "-b", "1024")
	s.tag(alice, "failover/orders/1/alice", "HEAD", approve(alice))
	_, other := newSigner(t)
	r := s.openWith(Config{AllowedSigners: []byte(AllowedSignersLine(alice.Email, other))})
	if d := decide(changeOf(t, r, "orders"), s.now, approval.Policy{}); d.Code != approval.CodeUnsigned || !strings.Contains(d.Detail, "1024") {
		t.Errorf("%s %s", d.Code, d.Detail)
	}
	if _, err := Open(t.Context(), Config{URL: s.dir, AllowedSigners: s.allowed()}); err == nil {
		t.Error("the key was configured")
	}
}

// certify has ssh-keygen sign Alice's key by an authority and gives the
// options by which git signs with the certificate.
func certify(s *shell, authority string, options ...string) []string {
	key := s.sshKey(alice)
	run(s.t, nil, "ssh-keygen", append(append([]string{"-q", "-s", authority, "-I", "id"}, options...), key+".pub")...)
	return []string{"-c", "gpg.format=ssh", "-c", "user.signingKey=" + key + "-cert.pub"}
}

// TestCertificates has ssh-keygen certify keys in ways that hold and don't.
func TestCertificates(t *testing.T) {
	const always = "always:forever"
	for _, c := range []struct {
		name    string
		options []string
		line    string // of the authority; KEY is its key
		code    string
	}{
		{"a principal of its own", []string{"-n", alice.Email, "-V", always}, alice.Email + " cert-authority KEY", ""},
		{"one of several principals", []string{"-n", "x," + alice.Email, "-V", always}, alice.Email + " cert-authority KEY", ""},
		{"within its time", []string{"-n", alice.Email, "-V", "20261122110000Z:20261122140000Z"}, alice.Email + " cert-authority KEY", ""},
		{"an authority of wildcards", []string{"-n", alice.Email, "-V", always}, "*@example.com cert-authority KEY", approval.CodeQuorumNotMet},
		{"another principal", []string{"-n", "carol@example.com", "-V", always}, "*@example.com cert-authority KEY", approval.CodeSignerMismatch},
		{"a principal that the line does not allow", []string{"-n", alice.Email, "-V", always}, "bob@example.com cert-authority KEY", approval.CodeSignerNotAllowed},
		{"no principal", []string{"-V", always}, alice.Email + " cert-authority KEY", approval.CodeSignerNotAllowed},
		{"a host's", []string{"-h", "-n", alice.Email, "-V", always}, alice.Email + " cert-authority KEY", approval.CodeSignerNotAllowed},
		{"expired", []string{"-n", alice.Email, "-V", "20261121000000Z:20261122110000Z"}, alice.Email + " cert-authority KEY", approval.CodeSignerNotAllowed},
		{"not valid yet", []string{"-n", alice.Email, "-V", "20271121000000Z:20281122110000Z"}, alice.Email + " cert-authority KEY", approval.CodeSignerNotAllowed},
		{"a forced command", []string{"-n", alice.Email, "-V", always, "-O", "force-command=x"}, alice.Email + " cert-authority KEY", approval.CodeSignerNotAllowed},
		{"a line that is no authority's", []string{"-n", alice.Email, "-V", always}, alice.Email + " KEY", approval.CodeSignerNotAllowed},
		{"a line for another namespace", []string{"-n", alice.Email, "-V", always}, alice.Email + ` cert-authority,namespaces="file" KEY`, approval.CodeSignerNotAllowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShell(t)
			s.commit(bob, "Begin", ordersFile, doc("orders", 1))
			authority := filepath.Join(t.TempDir(), "authority")
			run(t, nil, needs.Program(t, "ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", authority)
			public, err := os.ReadFile(authority + ".pub")
			if err != nil {
				t.Fatal(err)
			}
			options := certify(s, authority, c.options...)
			s.as(alice, append(options, "tag", "-s", "--cleanup=verbatim", "-m", approve(alice), "failover/orders/1/alice", "HEAD")...)
			line := strings.Replace(c.line, "KEY", strings.TrimSpace(string(public)), 1)
			r := s.openWith(Config{AllowedSigners: []byte(line)})
			d := decide(changeOf(t, r, "orders"), s.now, approval.Policy{})
			if d.Code != c.code {
				t.Errorf("%q %s, want %q", d.Code, d.Detail, c.code)
			}
		})
	}
}

// TestCertificatesOfEveryKeyType has ssh-keygen certify every type of key that needs
// no hardware, by every type of authority, and git sign with the certificate.
func TestCertificatesOfEveryKeyType(t *testing.T) {
	kinds := []string{"ed25519", "ecdsa -b 256", "ecdsa -b 384", "ecdsa -b 521", "rsa -b 2048"}
	for i, kind := range kinds {
		by := kinds[(i+1)%len(kinds)]
		t.Run(kind+" by "+by, func(t *testing.T) {
			t.Parallel()
			s := newShell(t)
			s.commit(bob, "Begin", ordersFile, doc("orders", 1))
			s.sshKey(alice, append([]string{"-t"}, strings.Fields(kind)...)...)
			authority := s.sshKey(carol, append([]string{"-t"}, strings.Fields(by)...)...)
			options := certify(s, authority, "-n", alice.Email, "-V", "always:forever")
			s.as(alice, append(options, "tag", "-s", "--cleanup=verbatim", "-m", approve(alice), "failover/orders/1/alice", "HEAD")...)
			r := s.openWith(Config{AllowedSigners: []byte(alice.Email + " cert-authority " + s.line[carol.Email])})
			if d := decide(changeOf(t, r, "orders"), s.now, approval.Policy{}); d.Verdict != approval.VerdictApproved {
				t.Errorf("%q %s", d.Code, d.Detail)
			}
		})
	}
}

// TestCertificatesOfOldAuthorities refuses an authority that signs with SHA-1.
func TestCertificatesOfOldAuthorities(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", ordersFile, doc("orders", 1))
	s.sshKey(alice)
	authority := s.sshKey(carol, "-t", "rsa", "-b", "2048")
	options := certify(s, authority, "-t", "ssh-rsa", "-n", alice.Email, "-V", "always:forever")
	s.as(alice, append(options, "tag", "-s", "--cleanup=verbatim", "-m", approve(alice), "failover/orders/1/alice", "HEAD")...)
	r := s.openWith(Config{AllowedSigners: []byte(alice.Email + " cert-authority " + s.line[carol.Email])})
	if d := decide(changeOf(t, r, "orders"), s.now, approval.Policy{}); d.Code != approval.CodeSignerNotAllowed || !strings.Contains(d.Detail, "SHA-1") {
		t.Errorf("%q %s", d.Code, d.Detail)
	}
}

// signedObject is a tag object with a signature made here.
func signedObject(payload string, armored string) object {
	return object{payload: []byte(payload), signature: armored}
}

func TestSSHSignaturesThatDontHold(t *testing.T) {
	signer, line := newSigner(t)
	const payload = "object x\n\nMessage\n"
	sign := func(payload, namespace string) string {
		sig, err := sshsig.Sign(strings.NewReader(payload), signer, sshsig.HashSHA512, namespace)
		if err != nil {
			t.Fatal(err)
		}
		return string(sshsig.Armor(sig))
	}
	signers, err := parseAllowedSigners([]byte(AllowedSignersLine(alice.Email, line)))
	if err != nil {
		t.Fatal(err)
	}
	known := trust{signers: signers}
	good := sign(payload, "git")
	if s := known.verify(signedObject(payload, good)); !s.Valid || len(s.Principals) != 1 {
		t.Fatalf("a good one: %+v", s)
	}
	block, _ := pem.Decode([]byte(good))
	headers := pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes, Headers: map[string]string{"A": "b"}})
	flipped := bytes.Clone(block.Bytes)
	flipped[len(flipped)-1] ^= 1
	for name, o := range map[string]object{
		"over other bytes":           signedObject(payload+" ", good),
		"for another namespace":      signedObject(payload, sign(payload, "file")),
		"one bit flipped":            signedObject(payload, string(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: flipped}))),
		"with armour headers":        signedObject(payload, string(headers)),
		"with something behind":      signedObject(payload, good+"Failover-Accept: X\n"),
		"cut short":                  signedObject(payload, good[:len(good)/2]),
		"armour around nothing":      signedObject(payload, armorSSH+"\n-----END SSH SIGNATURE-----\n"),
		"of a kind that is not read": signedObject(payload, "-----BEGIN SIGNED MESSAGE-----\nx\n"),
	} {
		t.Run(name, func(t *testing.T) {
			if s := known.verify(o); s.Valid || s.Kind == approval.SignatureNone || s.Problem == "" || len(s.Principals) > 0 {
				t.Errorf("%+v", s)
			}
		})
	}
	if s := known.verify(object{payload: []byte(payload)}); s.Kind != approval.SignatureNone {
		t.Errorf("without a signature: %+v", s)
	}
}

func TestNewKeyIsOpenSSHs(t *testing.T) {
	_, private, line, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, private, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := run(t, nil, needs.Program(t, "ssh-keygen"), "-y", "-f", file); strings.TrimSpace(got) != line {
		t.Errorf("ssh-keygen reads %q, want %q", got, line)
	}
}
