package gitsource

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// NewKey makes an ed25519 key: a signer, its private part as ssh-keygen
// writes it, unencrypted, and its public part as one line without a comment.
func NewKey() (signer ssh.Signer, privatePEM []byte, authorizedKey string, err error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, "", fmt.Errorf("new key: %w", err)
	}
	if signer, err = ssh.NewSignerFromKey(private); err != nil {
		return nil, nil, "", fmt.Errorf("new key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return nil, nil, "", fmt.Errorf("new key: %w", err)
	}
	line := bytes.TrimSpace(ssh.MarshalAuthorizedKey(signer.PublicKey()))
	return signer, pem.EncodeToMemory(block), string(line), nil
}

// AllowedSignersLine gives the line that lets a key sign for an e-mail.
func AllowedSignersLine(email, authorizedKey string) string {
	return email + " namespaces=\"" + sshNamespace + "\" " + authorizedKey + "\n"
}

// signPayload signs as git does with gpg.format=ssh.
func signPayload(payload []byte, signer ssh.Signer) (string, error) {
	sig, err := sshsig.Sign(bytes.NewReader(payload), signer, sshsig.HashSHA512, sshNamespace)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return string(sshsig.Armor(sig)), nil
}
