package approval

import "time"

// Person is a name and e-mail in a commit, a tag or a trailer. Only a Signature proves
// them.
type Person struct {
	Name  string
	Email string
}

// String gives the usual form, Name <email>.
func (p Person) String() string {
	if p.Name == "" {
		return "<" + p.Email + ">"
	}
	return p.Name + " <" + p.Email + ">"
}

// SameEmail says whether two people give the same e-mail, in whatever case.
func (p Person) SameEmail(o Person) bool { return foldEmail(p.Email) == foldEmail(o.Email) }

// SignatureKind says how an object is signed. The zero value is not at all.
type SignatureKind string

// The kinds of signature.
const (
	SignatureNone    SignatureKind = ""
	SignatureSSH     SignatureKind = "ssh"
	SignatureOpenPGP SignatureKind = "openpgp"
	SignatureOther   SignatureKind = "other" // of a kind that is not checked here
)

// Signature is the result of checking the signature of one object. The zero value is an
// unsigned object.
type Signature struct {
	Kind SignatureKind
	// Valid: the key of Fingerprint made the signature over the object's payload. Valid
	// does not say whose key that is.
	Valid bool
	// KeyUnknown: the signature cannot be checked, since no configured key made it.
	KeyUnknown bool
	// Problem says why the signature is not valid, or why its key stands for
	// nobody (not in the keyring, revoked).
	Problem string
	// Fingerprint is the key: SHA256:… of an SSH key (of the key inside a
	// certificate), the fingerprint of an OpenPGP key.
	Fingerprint string
	// Principals are the lines of the operator's configuration that name the
	// key, whether they apply now or not.
	Principals []AllowedLine
}

// AllowedLine is one entry of the operator's configuration that ties a key to
// people: a line of the allowed-signers file, or the user ids of an OpenPGP key.
type AllowedLine struct {
	ID          string   // of the line or key; two signatures with a common one are one person's
	Patterns    []string // principals; may hold * and ?, and ! to exclude
	Namespaces  []string // empty: any
	ValidAfter  time.Time
	ValidBefore time.Time // zero: no bound
	// CertAuthority: the key signed the signer's certificate. Patterns are
	// then the certificate's principals that the line allows.
	CertAuthority bool
	// Wildcard: the line is written with wildcards, so it does not say whose
	// key it is. It never counts for a quorum.
	Wildcard bool
}

// CarrierKind is the kind of object that carries an approval.
type CarrierKind string

// The kinds of carrier.
const (
	CarrierCommit CarrierKind = "commit"
	CarrierTag    CarrierKind = "tag"
)

// Carrier is an object whose message may carry an approval.
type Carrier struct {
	Kind   CarrierKind
	Ref    string // of a tag; empty for a commit
	Object string // id of the commit or tag object
	Commit string // the commit that is approved
	// PayloadHash is the sha256 of the object's bytes without its signature,
	// in hex. Re-armouring a signature gives another object, not another payload.
	PayloadHash string
	Message     string
	Date        time.Time // as signed: committer or tagger
	Signature   Signature
	// UnknownHeaders are headers of unknown meaning. Such an object carries no approval.
	UnknownHeaders []string
	// Problem says why the object cannot be a carrier at all; empty: it can.
	Problem string
}

// Change is the newest change of one topology, with its possible approvals.
type Change struct {
	Topology   string
	Commit     string // the governing commit; empty: none is known
	Generation int64  // of the document at that commit; 0: not known here
	// Authors are the authors and co-authors of the commits that changed the
	// document.
	Authors  []Person
	Carriers []Carrier
	// Earlier is the date of the newest tag by which a known key approved a lower
	// generation; zero: there is none. A younger ledger replaced an earlier one.
	Earlier time.Time
	// NoKeys: the operator's lists of keys are empty. KeysUnreadable says why the lists
	// could not be read together with the carriers; empty: they were read.
	NoKeys         bool
	KeysUnreadable string
}
