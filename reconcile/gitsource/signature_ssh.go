package gitsource

import (
	"bytes"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"milvus-reconcile/reconcile/approval"
)

// The lines that begin a signature, and the namespace that git signs in.
const (
	armorSSH     = "-----BEGIN SSH SIGNATURE-----"
	armorPGP     = "-----BEGIN PGP SIGNATURE-----"
	sshNamespace = "git"
)

// minRSABits is the minimum of OpenPGP implementations and current guidance.
const minRSABits = 2048

// verify checks the signature of an object against the operator's keys.
func (t *trust) verify(o object) approval.Signature {
	switch {
	case o.signature == "":
		return approval.Signature{}
	case strings.HasPrefix(o.signature, armorSSH):
		return t.verifySSH(o)
	case strings.HasPrefix(o.signature, armorPGP):
		return t.keyring.verify(o)
	}
	return approval.Signature{Kind: approval.SignatureOther, Problem: "only SSH and OpenPGP signatures are checked"}
}

func (t *trust) verifySSH(o object) approval.Signature {
	out := approval.Signature{Kind: approval.SignatureSSH}
	sig, err := unarmorSSH(o.signature)
	if err != nil {
		out.Problem = err.Error()
		return out
	}
	key := signingKey(sig.PublicKey)
	out.Fingerprint = ssh.FingerprintSHA256(key)
	if err := sshsig.Verify(bytes.NewReader(o.payload), sig, sig.PublicKey, sig.HashAlgorithm, sshNamespace); err != nil {
		out.Problem = err.Error()
		return out
	}
	if out.Problem = weakKey(key); out.Problem == "" {
		out.Problem = touchProblem(key, sig.Signature)
	}
	if out.Problem != "" {
		return out
	}
	out.Valid = true
	if cert, ok := sig.PublicKey.(*ssh.Certificate); ok {
		out.Principals, out.Problem = t.certificateLines(cert)
		return out
	}
	for _, l := range t.signers {
		if !l.CertAuthority && bytes.Equal(l.key.Marshal(), key.Marshal()) {
			out.Principals = append(out.Principals, l.AllowedLine)
		}
	}
	return out
}

// unarmorSSH reads exactly one armoured signature with nothing around it.
func unarmorSSH(text string) (*sshsig.Signature, error) {
	block, rest := pem.Decode([]byte(text))
	switch {
	case block == nil || block.Type != sshsig.PEMType || len(block.Headers) > 0:
		return nil, fmt.Errorf("the SSH signature's armour cannot be read")
	case strings.TrimSpace(string(rest)) != "":
		return nil, fmt.Errorf("there is text after the SSH signature")
	}
	sig, err := sshsig.ParseSignature(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the SSH signature cannot be read: %w", err)
	}
	return sig, nil
}

// signingKey is the key itself, without the certificate around it.
func signingKey(key ssh.PublicKey) ssh.PublicKey {
	if cert, ok := key.(*ssh.Certificate); ok {
		return cert.Key
	}
	return key
}

// weakKey refuses keys of weak types or sizes.
func weakKey(key ssh.PublicKey) string {
	if !isKeyType(key.Type()) {
		return fmt.Sprintf("keys of type %s are not accepted", key.Type())
	}
	if k, ok := key.(ssh.CryptoPublicKey); ok {
		if r, ok := k.CryptoPublicKey().(*rsa.PublicKey); ok && r.N.BitLen() < minRSABits {
			return fmt.Sprintf("an RSA key of %d bits is too short, %d are needed", r.N.BitLen(), minRSABits)
		}
	}
	return ""
}

// touchProblem refuses a signature of a hardware key without a touch: any program on the
// owner's machine could have requested it.
func touchProblem(key ssh.PublicKey, sig *ssh.Signature) string {
	if !strings.HasPrefix(key.Type(), "sk-") {
		return ""
	}
	const userPresent = 1
	if len(sig.Rest) != 5 || sig.Rest[0]&userPresent == 0 {
		return "the security key was not touched for this signature"
	}
	return ""
}

// certificateLines returns the lines whose authority signed the certificate, with
// the certificate's own principals and bounds.
func (t *trust) certificateLines(cert *ssh.Certificate) ([]approval.AllowedLine, string) {
	if problem := badCertificate(cert); problem != "" {
		return nil, problem
	}
	var out []approval.AllowedLine
	for _, l := range t.signers {
		if !l.CertAuthority || !bytes.Equal(l.key.Marshal(), cert.SignatureKey.Marshal()) {
			continue
		}
		line := l.AllowedLine
		line.Patterns = nil
		for _, p := range cert.ValidPrincipals {
			if approval.MatchPatterns(p, l.Patterns) {
				line.Patterns = append(line.Patterns, p)
			}
		}
		if len(line.Patterns) == 0 {
			continue
		}
		line = limitToCertificate(line, cert)
		out = append(out, line)
	}
	return out, ""
}

func badCertificate(cert *ssh.Certificate) string {
	switch {
	case cert.CertType != ssh.UserCert:
		return "the certificate is a host's, not a user's"
	case len(cert.ValidPrincipals) == 0:
		return "the certificate names no principal"
	case cert.Signature == nil || cert.Signature.Format == ssh.KeyAlgoRSA:
		return "the certificate is signed with SHA-1"
	}
	if problem := weakKey(cert.SignatureKey); problem != "" {
		return "its authority: " + problem
	}
	checker := ssh.CertChecker{Clock: func() time.Time { return time.Unix(int64(cert.ValidAfter), 0) }}
	if err := checker.CheckCert(cert.ValidPrincipals[0], cert); err != nil {
		return err.Error()
	}
	return ""
}

// limitToCertificate narrows a line to the time of a certificate.
func limitToCertificate(l approval.AllowedLine, cert *ssh.Certificate) approval.AllowedLine {
	const farFuture = 253402300799 // the end of the year 9999
	if after := time.Unix(int64(min(cert.ValidAfter, farFuture)), 0).UTC(); cert.ValidAfter > 0 && after.After(l.ValidAfter) {
		l.ValidAfter = after
	}
	if cert.ValidBefore < farFuture {
		before := time.Unix(int64(cert.ValidBefore), 0).UTC()
		if l.ValidBefore.IsZero() || before.Before(l.ValidBefore) {
			l.ValidBefore = before
		}
	}
	l.Patterns = slices.Clone(l.Patterns)
	return l
}
