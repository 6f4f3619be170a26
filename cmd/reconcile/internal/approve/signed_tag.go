package approve

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/reconcile/approval"
)

// dateTolerance is how far the date of a tag may lie outside the time in which git made
// it. Git counts in seconds, and its clock may lag.
const dateTolerance = time.Minute

// wantedTag is the tag that git is asked to sign.
type wantedTag struct {
	dir    string
	name   string // below refs/tags/
	commit string
	// topologies are those that it approves, at least one.
	topologies []string
	by         approval.Person
	message    string
}

func (w wantedTag) ref() string { return "refs/tags/" + w.name }

// sign has git create the tag, reads it back as apply does, and returns its object id. It
// deletes a tag that differs from the wanted one, so that it cannot be pushed.
func (w wantedTag) sign(ctx context.Context, o wire.Options) (string, error) {
	began := o.Clock()
	if _, err := desired.Git(ctx, w.dir, w.message, "tag", "--sign", "--cleanup=verbatim", "--file=-", w.name, w.commit); err != nil {
		return "", fmt.Errorf("sign the tag %s: %w (hint: git needs user.signingKey, and gpg.format ssh for an SSH key)", w.name, err)
	}
	carrier, err := w.read(ctx, o)
	if err == nil {
		err = w.differs(ctx, carrier, began, o.Clock())
	}
	if err != nil {
		_, undone := desired.Git(ctx, w.dir, "", "update-ref", "-d", w.ref())
		return "", errors.Join(fmt.Errorf("git signed something else, so the tag %s was deleted again: %w", w.name, err), undone)
	}
	return carrier.Object, nil
}

// read returns the tag as apply would read it.
func (w wantedTag) read(ctx context.Context, o wire.Options) (approval.Carrier, error) {
	repo, err := openClone(ctx, o, w.dir)
	if err != nil {
		return approval.Carrier{}, err
	}
	defer repo.Close() //nolint:errcheck // only read
	rev, err := o.Loader.Load(ctx, repo, w.commit)
	if err != nil {
		return approval.Carrier{}, err
	}
	var found approval.Carrier
	for _, topology := range w.topologies {
		if found, err = w.carrierOf(rev.Changes[topology].Carriers, topology); err != nil {
			return approval.Carrier{}, err
		}
	}
	return found, nil
}

// carrierOf returns the tag among the carriers of a topology. It must be the newest of the
// person there.
func (w wantedTag) carrierOf(carriers []approval.Carrier, topology string) (approval.Carrier, error) {
	i := slices.IndexFunc(carriers, func(c approval.Carrier) bool { return c.Ref == w.ref() })
	if i < 0 {
		return approval.Carrier{}, fmt.Errorf("%s does not hold it, or not for this document of %s", w.dir, topology)
	}
	for _, c := range carriers {
		if claim, err := approval.ParseTrailers(c.Message); err == nil && claim.By.SameEmail(w.by) && c.Date.After(carriers[i].Date) {
			return approval.Carrier{}, fmt.Errorf("your approval %s is dated %s, later than this machine's clock, so it would still be the newest of yours (hint: set the clocks right, and try again)", c.Ref, c.Date.UTC().Format(time.RFC3339))
		}
	}
	return carriers[i], nil
}

// differs returns how a tag differs from the wanted one; nil if it does not.
func (w wantedTag) differs(ctx context.Context, c approval.Carrier, began, ended time.Time) error {
	signature := c.Signature
	switch {
	case c.Problem != "":
		return errors.New(c.Problem)
	case len(c.UnknownHeaders) > 0:
		return fmt.Errorf("it has the unknown header %s", strings.Join(c.UnknownHeaders, ", "))
	case c.Commit != w.commit:
		return fmt.Errorf("it points at %s, not at %s", c.Commit, w.commit)
	case strings.TrimRight(c.Message, "\n") != strings.TrimRight(w.message, "\n"):
		return errors.New("its message differs")
	case c.Date.Before(began.Add(-dateTolerance)) || c.Date.After(ended.Add(dateTolerance)):
		return fmt.Errorf("it is dated %s", c.Date.UTC().Format(time.RFC3339))
	case signature.Kind == approval.SignatureNone:
		return errors.New("it is not signed")
	case signature.Kind == approval.SignatureOpenPGP && signature.KeyUnknown:
		return nil // the operator's keyring has the key, not this clone
	case !signature.Valid || signature.Problem != "":
		return fmt.Errorf("its signature does not count: %s", signature.Problem)
	}
	if key := configuredKey(ctx, w.dir); key != "" && key != signature.Fingerprint {
		return fmt.Errorf("the key %s signed it; user.signingKey is %s", signature.Fingerprint, key)
	}
	return nil
}

// push pushes only the tag. It fails if the remote then has another object under its name.
func (w wantedTag) push(ctx context.Context, remote, object string) error {
	if _, err := desired.Git(ctx, w.dir, "", "push", "--no-follow-tags", "--", remote, w.ref()); err != nil {
		return err
	}
	places, err := desired.Git(ctx, w.dir, "", "remote", "get-url", "--push", "--all", "--", remote)
	if err != nil { // it is an address, not the name of a remote
		places = remote
	}
	for place := range strings.Lines(places) {
		there, err := desired.Git(ctx, w.dir, "", "ls-remote", "--refs", "--", strings.TrimSpace(place), w.ref())
		if err != nil {
			return fmt.Errorf("it was pushed, and cannot be read back: %w", err)
		}
		if found := strings.Fields(there); !slices.Equal(found, []string{object, w.ref()}) {
			return fmt.Errorf("it was pushed, and the remote holds %s in its place, not %s", orNothing(found), object)
		}
	}
	return nil
}

func orNothing(found []string) string {
	if len(found) == 0 {
		return "nothing"
	}
	return found[0]
}

// configuredKey returns the fingerprint of the SSH key in user.signingKey; "" if that is
// not known, as with an OpenPGP key.
func configuredKey(ctx context.Context, dir string) string {
	if format, err := desired.Git(ctx, dir, "", "config", "gpg.format"); err != nil || format != "ssh" {
		return ""
	}
	named, err := desired.Git(ctx, dir, "", "config", "--type=path", "user.signingKey")
	if err != nil {
		return ""
	}
	if literal, ok := strings.CutPrefix(named, "key::"); ok || strings.HasPrefix(named, "ssh-") {
		return fingerprint([]byte(literal))
	}
	if !filepath.IsAbs(named) {
		named = filepath.Join(dir, named)
	}
	for _, path := range []string{named, named + ".pub"} {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if found := fingerprint(text); found != "" {
			return found
		}
	}
	return ""
}

// fingerprint returns the SHA-256 fingerprint of an SSH public key, or of a private key
// whose public key can be read without a passphrase; else "".
func fingerprint(text []byte) string {
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		signer, err := ssh.ParsePrivateKey(text)
		var locked *ssh.PassphraseMissingError
		switch {
		case err == nil:
			key = signer.PublicKey()
		case errors.As(err, &locked) && locked.PublicKey != nil:
			key = locked.PublicKey
		default:
			return ""
		}
	}
	if cert, ok := key.(*ssh.Certificate); ok {
		key = cert.Key
	}
	return ssh.FingerprintSHA256(key)
}
