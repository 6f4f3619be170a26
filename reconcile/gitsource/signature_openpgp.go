package gitsource

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"milvus-reconcile/reconcile/approval"
)

// keyring is the operator's OpenPGP keys. A nil keyring knows nobody.
type keyring struct {
	entities openpgp.EntityList
}

// parseKeyring reads keys in binary form, or any number of armoured blocks.
func parseKeyring(data []byte) (*keyring, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil //nolint:nilnil // a nil keyring knows nobody
	}
	var out keyring
	if !bytes.Contains(data, []byte("-----BEGIN PGP")) {
		list, err := openpgp.ReadKeyRing(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("OpenPGP keyring: %w", err)
		}
		out.entities = list
		return &out, out.check()
	}
	// The decoder reads ahead of the block that it decodes, so each gets its own text.
	for _, text := range strings.SplitAfter(string(data), "\n-----END PGP PUBLIC KEY BLOCK-----") {
		if !strings.Contains(text, "-----BEGIN PGP") {
			continue
		}
		block, err := armor.Decode(strings.NewReader(text + "\n"))
		if err != nil {
			return nil, fmt.Errorf("OpenPGP keyring: %w", err)
		}
		if block.Type != openpgp.PublicKeyType {
			return nil, fmt.Errorf("OpenPGP keyring: a block of type %+q, where public keys belong", block.Type)
		}
		list, err := openpgp.ReadKeyRing(block.Body)
		if err != nil {
			return nil, fmt.Errorf("OpenPGP keyring: %w", err)
		}
		out.entities = append(out.entities, list...)
	}
	if len(out.entities) == 0 {
		return nil, errors.New("OpenPGP keyring: it holds no key")
	}
	return &out, out.check()
}

// check refuses a key that can never approve, since none of its user ids can occur in an
// approval. An expired or revoked key is allowed.
func (k *keyring) check() error {
	var problems []error
	for _, e := range k.entities {
		fits := len(e.Revocations) > 0
		why := "it has no user id with an e-mail"
		for _, id := range e.Identities {
			email := emailOf(id)
			problem := approval.CheckPrincipal(email)
			fits = fits || len(id.Revocations) > 0 || email != "" && problem == ""
			if problem != "" {
				why = fmt.Sprintf("of its user id %+q, %s", id.Name, problem)
			}
		}
		if !fits {
			problems = append(problems, fmt.Errorf("OpenPGP keyring: key %X %w: %s", e.PrimaryKey.Fingerprint, errPrincipal, why))
		}
	}
	return errors.Join(problems...)
}

// verify checks the OpenPGP signature of an object. Whether a key or a
// signature has expired is left to the bounds of the lines it returns, so that
// the decision is made for the time of signing and for now.
func (k *keyring) verify(o object) approval.Signature {
	out := approval.Signature{Kind: approval.SignatureOpenPGP}
	raw, sig, err := unarmorPGP(o.signature)
	if err != nil {
		out.Problem = err.Error()
		return out
	}
	if k == nil || len(k.entities.KeysByIdUsage(*sig.IssuerKeyId, packet.KeyFlagSign)) == 0 {
		out.KeyUnknown = true
		out.Fingerprint = fmt.Sprintf("%016X", *sig.IssuerKeyId)
		out.Problem = "the OpenPGP keyring has no signing key of this id"
		return out
	}
	at := &packet.Config{Time: func() time.Time { return sig.CreationTime }}
	_, entity, err := openpgp.VerifyDetachedSignature(k.entities, bytes.NewReader(o.payload), bytes.NewReader(raw), at)
	if entity != nil {
		out.Fingerprint = fmt.Sprintf("%X", entity.PrimaryKey.Fingerprint)
	}
	switch {
	case errors.Is(err, pgperrors.ErrKeyRevoked):
		out.Valid, out.Problem = true, "the key is revoked"
		return out
	case err != nil && !errors.Is(err, pgperrors.ErrKeyExpired) && !errors.Is(err, pgperrors.ErrSignatureExpired):
		out.Problem = err.Error()
		return out
	}
	if out.Problem = cmp.Or(weakHash(sig), weakPGPKey(entity, *sig.IssuerKeyId)); out.Problem != "" {
		return out
	}
	out.Valid = true
	out.Principals, out.Problem = linesOfKey(entity, sig)
	return out
}

// weakHash refuses hashes that can be forged. The library has the list but leaves the
// check to its caller, as for keys.
func weakHash(sig *packet.Signature) string {
	if (*packet.Config)(nil).RejectMessageHashAlgorithm(sig.Hash) {
		return fmt.Sprintf("it is over a hash by %s, which can be forged: sign with SHA-256 or more", sig.Hash)
	}
	return ""
}

// weakPGPKey refuses an entity whose signing key of this id is weak, or whose primary key,
// which certifies it, is.
func weakPGPKey(e *openpgp.Entity, id uint64) string {
	var rules *packet.Config
	keys := []*packet.PublicKey{e.PrimaryKey}
	for _, sub := range e.Subkeys {
		if sub.PublicKey.KeyId == id {
			keys = append(keys, sub.PublicKey)
		}
	}
	for _, k := range keys {
		if rules.RejectPublicKeyAlgorithm(k.PubKeyAlgo) {
			return fmt.Sprintf("keys of OpenPGP algorithm %d are not accepted", k.PubKeyAlgo)
		}
		if k.PubKeyAlgo != packet.PubKeyAlgoRSA && k.PubKeyAlgo != packet.PubKeyAlgoRSASignOnly {
			continue
		}
		if bits, err := k.BitLength(); err != nil || bits < rules.MinimumRSABits() {
			return fmt.Sprintf("an RSA key of %d bits is too short, %d are needed", bits, minRSABits)
		}
	}
	return ""
}

// unarmorPGP reads exactly one signature over binary data, with nothing around it. A text
// signature is valid for several line endings, hence for several payloads.
func unarmorPGP(text string) ([]byte, *packet.Signature, error) {
	const end = "-----END PGP SIGNATURE-----"
	text = strings.TrimSpace(text)
	if !strings.HasSuffix(text, end) || strings.Count(text, "-----END ") != 1 {
		return nil, nil, errors.New("there is other text around the OpenPGP signature, or it does not end")
	}
	block, err := armor.Decode(strings.NewReader(text + "\n"))
	if err != nil || block.Type != openpgp.SignatureType {
		return nil, nil, errors.New("the OpenPGP signature's armour cannot be read")
	}
	raw, err := io.ReadAll(io.LimitReader(block.Body, maxObject))
	if err != nil {
		return nil, nil, errors.New("the OpenPGP signature's armour cannot be read")
	}
	packets := packet.NewReader(bytes.NewReader(raw))
	first, err := packets.Next()
	sig, ok := first.(*packet.Signature)
	switch {
	case err != nil || !ok:
		return nil, nil, errors.New("the OpenPGP signature cannot be read")
	case sig.IssuerKeyId == nil:
		return nil, nil, errors.New("the OpenPGP signature does not name its key")
	case sig.SigType != packet.SigTypeBinary:
		return nil, nil, errors.New("the OpenPGP signature is not one over binary data")
	}
	if _, err := packets.Next(); !errors.Is(err, io.EOF) {
		return nil, nil, errors.New("there is more than one OpenPGP signature")
	}
	return raw, sig, nil
}

// linesOfKey returns the user ids of a key as lines, limited to the validity of the keys
// and self-signatures that the signature depends on.
func linesOfKey(e *openpgp.Entity, sig *packet.Signature) ([]approval.AllowedLine, string) {
	if len(e.Revocations) > 0 {
		return nil, "the key is revoked"
	}
	var b bounds
	self, _ := e.PrimarySelfSignature()
	if self == nil {
		return nil, "the key has no self-signature"
	}
	b.key(e.PrimaryKey, self)
	b.signature(sig)
	for _, sub := range e.Subkeys {
		if sub.PublicKey.KeyId != *sig.IssuerKeyId {
			continue
		}
		if len(sub.Revocations) > 0 {
			return nil, "the subkey is revoked"
		}
		b.key(sub.PublicKey, sub.Sig)
	}
	var out []approval.AllowedLine
	unfit := "the key has no user id with an e-mail"
	for _, id := range e.Identities {
		email := emailOf(id)
		if email == "" {
			continue
		}
		if problem := approval.CheckPrincipal(email); problem != "" {
			unfit = fmt.Sprintf("its user id %+q can never match: %s", id.Name, problem)
			continue
		}
		own := b
		own.signature(id.SelfSignature)
		out = append(out, approval.AllowedLine{
			ID:          fmt.Sprintf("keyring:%X", e.PrimaryKey.Fingerprint),
			Patterns:    []string{email},
			ValidAfter:  b.after,
			ValidBefore: own.before,
			Wildcard:    approval.IsWildcard(email),
		})
	}
	slices.SortFunc(out, func(a, b approval.AllowedLine) int { return strings.Compare(a.Patterns[0], b.Patterns[0]) })
	if len(out) == 0 {
		return nil, unfit
	}
	return out, ""
}

// emailOf returns the e-mail of a user id that is not revoked. As in gpg, a user id may be
// a bare e-mail.
func emailOf(id *openpgp.Identity) string {
	if len(id.Revocations) > 0 || id.SelfSignature == nil || id.UserId == nil {
		return ""
	}
	if bare := id.UserId.Id; id.UserId.Email == "" && strings.Count(bare, "@") == 1 && !strings.ContainsAny(bare, " <>()") {
		return bare
	}
	return id.UserId.Email
}

// bounds narrows down when something holds.
type bounds struct {
	after, before time.Time
}

func (b *bounds) key(k *packet.PublicKey, self *packet.Signature) {
	if k.CreationTime.After(b.after) {
		b.after = k.CreationTime.UTC()
	}
	b.until(k.CreationTime, self.KeyLifetimeSecs)
	b.until(self.CreationTime, self.SigLifetimeSecs)
}

func (b *bounds) signature(s *packet.Signature) {
	b.until(s.CreationTime, s.SigLifetimeSecs)
}

func (b *bounds) until(from time.Time, lifetime *uint32) {
	if lifetime == nil || *lifetime == 0 {
		return
	}
	end := from.Add(time.Duration(*lifetime) * time.Second).UTC()
	if b.before.IsZero() || end.Before(b.before) {
		b.before = end
	}
}
