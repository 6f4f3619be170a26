package nameserver

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// fudge is how far the clocks of both sides may differ, as RFC 8945 recommends.
const fudge = 300

// ErrChanged is returned if the server no longer holds what was read, so that it changed
// nothing.
var ErrChanged = errors.New("the record changed since it was read")

// Key signs updates. The zero value signs nothing.
type Key struct {
	Name      string // in the form of [Name]
	Algorithm string // hmac-sha256 or hmac-sha512
	Secret    func() (string, error)
}

// Record names what is replaced.
type Record struct{ Zone, Name, Type string }

// Replace makes the server hold want instead of old, if it still holds old.
func (s Server) Replace(ctx context.Context, key Key, r Record, old, want RRset) error {
	m, err := r.update(old, want)
	if err != nil {
		return err
	}
	answer, err := s.exchange(ctx, m, key)
	if err != nil {
		return err
	}
	return r.outcome(answer.Rcode)
}

// Rehearse sends an update of the record that no server can accept: it requires the record
// to exist and not to exist. What the server answers shows whether it takes updates of the
// record with this key. The update itself would write what is there already, so that not
// even a server that ignores requirements changes anything.
func (s Server) Rehearse(ctx context.Context, key Key, r Record, old RRset) error {
	m, err := r.update(old, old)
	if err != nil {
		return err
	}
	same := []dns.RR{&dns.ANY{Hdr: dns.RR_Header{Name: r.Name, Rrtype: dns.StringToType[r.Type]}}}
	m.RRsetUsed(same)
	m.RRsetNotUsed(same)
	answer, err := s.exchange(ctx, m, key)
	if err != nil {
		return err
	}
	switch err := r.outcome(answer.Rcode); {
	case err == nil:
		return errors.New("it accepts an update whose requirements cannot hold: it would overwrite changes of others")
	case !errors.Is(err, ErrChanged):
		return err
	}
	return nil
}

// update makes the message of an update. It requires that the server holds old, and that no
// record stands in the way of want: a server may drop such a record and answer NOERROR.
func (r Record) update(old, want RRset) (*dns.Msg, error) {
	before, err := old.records(r.Name, r.Type)
	if err != nil {
		return nil, err
	}
	after, err := want.records(r.Name, r.Type)
	if err != nil {
		return nil, err
	}
	m := new(dns.Msg).SetUpdate(r.Zone)
	of := func(kind uint16) []dns.RR {
		return []dns.RR{&dns.ANY{Hdr: dns.RR_Header{Name: r.Name, Rrtype: kind}}}
	}
	kind := dns.StringToType[r.Type]
	switch {
	case len(before) > 0:
		m.Used(before)
	case r.Type == CNAME:
		m.NameNotUsed(of(kind))
	default:
		m.RRsetNotUsed(of(kind))
		m.RRsetNotUsed(of(dns.TypeCNAME))
	}
	// There is one CNAME at a name, and one that is added replaces it (RFC 2136, 3.4.2.2). Knot,
	// if it signs the zone, would delete it and not add the new one in the same update.
	if r.Type != CNAME {
		m.RemoveRRset(of(kind))
	}
	m.Insert(after)
	return m, nil
}

// outcome judges the code of the answer to an update.
func (r Record) outcome(rcode int) error {
	switch rcode {
	case dns.RcodeSuccess:
		return nil
	case dns.RcodeNXRrset, dns.RcodeYXRrset, dns.RcodeNameError:
		return ErrChanged
	case dns.RcodeYXDomain:
		return fmt.Errorf("%s has records of another type, next to which no %s can stand (hint: remove them, or choose another name)", r.Name, r.Type)
	case dns.RcodeRefused:
		return fmt.Errorf("it refuses to change %s %s (hint: let the key change it; PowerDNS answers so to a wrong key, too)", r.Name, r.Type)
	case dns.RcodeNotAuth:
		return fmt.Errorf("it answers NOTAUTH: it is not the primary of the zone %s", r.Zone)
	case dns.RcodeNotZone:
		return fmt.Errorf("it answers NOTZONE: %s is not in its zone %s", r.Name, r.Zone)
	}
	return fmt.Errorf("it answers %s", code(rcode))
}

// title is the name as people write it.
func (k Key) title() string { return strings.TrimSuffix(k.Name, ".") }

// sign adds a signature to a message, and returns the secret that makes it; nil without a
// key.
func (k Key) sign(m *dns.Msg) (map[string]string, error) {
	if k.Name == "" {
		return nil, nil //nolint:nilnil // no key signs nothing
	}
	if k.Secret == nil {
		return nil, errors.New("the key has no secret")
	}
	secret, err := k.Secret()
	if err != nil {
		return nil, fmt.Errorf("read the secret of the key: %w", err)
	}
	if raw, err := base64.StdEncoding.DecodeString(secret); err != nil || len(raw) == 0 {
		return nil, fmt.Errorf("the secret of key %s is not base64 (hint: write what tsig-keygen prints between the quotes)", k.title())
	}
	m.SetTsig(k.Name, dns.Fqdn(k.Algorithm), fudge, time.Now().Unix())
	return map[string]string{k.Name: secret}, nil
}

// judge returns what is wrong with the signature of an answer. A plain refusal needs none:
// nothing was changed, and nothing is concluded from it.
func (k Key) judge(r *dns.Msg, err error) error {
	t := r.IsTsig()
	switch {
	case t == nil && r.Rcode != dns.RcodeSuccess && r.Rcode != dns.RcodeNXRrset && r.Rcode != dns.RcodeYXRrset:
		return nil
	case t == nil:
		return errors.New("its answer is not signed, so it proves nothing")
	case t.Error == dns.RcodeBadSig:
		return fmt.Errorf("it answers BADSIG: the secret of key %s is another one there", k.title())
	case t.Error == dns.RcodeBadKey:
		return fmt.Errorf("it answers BADKEY: it does not know key %s with %s (Knot: or does not let it change this record)", k.title(), k.Algorithm)
	case t.Error == dns.RcodeBadTime:
		return errors.New("it answers BADTIME: its clock and ours differ by more than 5 min")
	case t.Error != dns.RcodeSuccess:
		return fmt.Errorf("it answers %s to the signature", code(int(t.Error)))
	case err != nil:
		return fmt.Errorf("the signature of its answer is wrong: %w", err)
	}
	return nil
}
