package redirect_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"milvus-reconcile/reconcile/redirect/nameserver"
)

// signed is a kind of server with another text in one of its files.
func (k serverKind) signed(name, file, old, replacement string) serverKind {
	k.name, k.files = name, maps.Clone(k.files)
	k.files[file] = strings.Replace(k.files[file], old, replacement, 1)
	return k
}

// signedPowerDNS has the keys of the zone in its database.
func signedPowerDNS() serverKind {
	k := powerDNS.signed("PowerDNS", "pdns.conf", "dnsupdate=yes", "dnsupdate=yes\ngsqlite3-dnssec=yes")
	k.files["prepare.in"] = "sqlite3 -batch zones.sqlite <<'END'\n" + k.files["prepare.in"] + "END\npdnsutil --config-dir=. secure-zone example && pdnsutil --config-dir=. rectify-zone example\n"
	k.prepare = []string{"sh", "-e"}
	return k
}

// TestDNSZonesThatTheirServerSigns: an update of a zone with DNSSEC works as without, the check
// sees the same values, and the server signs the new ones by itself.
func TestDNSZonesThatTheirServerSigns(t *testing.T) {
	const update = "update-policy { grant"
	for _, kind := range []serverKind{
		bind.signed("BIND with dnssec-policy", "named.conf", update, "dnssec-policy default; "+update),
		bind.signed("BIND with inline-signing", "named.conf", update, "dnssec-policy default; inline-signing yes; "+update),
		knot.signed("Knot", "knot.conf", "    acl: may\n", "    acl: may\n    dnssec-signing: on\n"),
		signedPowerDNS(),
	} {
		t.Run(kind.name, func(t *testing.T) {
			s := newZoneServer(t, kind, "")
			s.awaitSigned(t, "milvus.example.", "a.example.")
			r := named(t, alias(s), nil)
			says(t, "a rehearsal", r.Rehearse(t.Context(), "orders", "cluster-b", []string{"cluster-a"}), "")
			says(t, "the old primary", r.Check(t.Context(), "orders", "cluster-a", nil), "")
			says(t, "a shorter TTL", r.Set(t.Context(), "orders", "cluster-a", nil), "")
			if got := s.holds(t, "milvus.example.", nameserver.CNAME).TTL; got != 30 {
				t.Errorf("the TTL is %d", got)
			}
			set := r.Set(t.Context(), "orders", "cluster-b", []string{"cluster-a"})
			if says(t, "a set", set, ""); set[0].Seen != "within 0 s" {
				t.Errorf("it was tried again: %s", set[0].Seen)
			}
			s.awaitSigned(t, "milvus.example.", "b.example.")
			says(t, "the new primary", r.Check(t.Context(), "orders", "cluster-b", []string{"cluster-a"}), "")
			want := nameserver.RRset{Values: []string{"b.example."}, TTL: 30}
			if d := cmp.Diff(want, s.holds(t, "milvus.example.", nameserver.CNAME)); d != "" {
				t.Error(d)
			}
		})
	}
}

// awaitSigned waits until the server answers with an alias whose signature is right.
func (s *zoneServer) awaitSigned(t *testing.T, name, target string) {
	t.Helper()
	got := ""
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		answer := s.asked(t, name, dns.TypeCNAME)
		var alias []dns.RR
		var by *dns.RRSIG
		for _, rr := range answer {
			switch rr := rr.(type) {
			case *dns.CNAME:
				if rr.Hdr.Name == name {
					alias = append(alias, rr)
					got = rr.Target
				}
			case *dns.RRSIG:
				if rr.Hdr.Name == name {
					by = rr
				}
			}
		}
		if got == target && by != nil && s.verifies(t, by, alias) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s leads to %s; signature %v", name, got, by)
		}
	}
}

// verifies says whether a key of the zone made the signature.
func (s *zoneServer) verifies(t *testing.T, by *dns.RRSIG, set []dns.RR) bool {
	t.Helper()
	for _, rr := range s.asked(t, "example.", dns.TypeDNSKEY) {
		if key, ok := rr.(*dns.DNSKEY); ok && key.KeyTag() == by.KeyTag {
			return by.Verify(key, set) == nil && by.ValidityPeriod(time.Now())
		}
	}
	return false
}

// asked returns the answer to a client that wants signatures.
func (s *zoneServer) asked(t *testing.T, name string, kind uint16) []dns.RR {
	t.Helper()
	client := dns.Client{Net: "tcp"}
	r, _, err := client.ExchangeContext(t.Context(), new(dns.Msg).SetQuestion(name, kind).SetEdns0(4096, true), s.Address)
	if err != nil {
		t.Fatal(err)
	}
	return r.Answer
}
