package nameserver

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// The types of records that can be read and replaced.
const (
	A     = "A"
	AAAA  = "AAAA"
	CNAME = "CNAME"
	SRV   = "SRV"
)

// RRset is what a server holds of one type at one name. The zero value holds nothing.
type RRset struct {
	Values []string // in the form of [Value], sorted
	TTL    uint32   // in seconds
}

// Same reports whether two sets hold the same values, at whatever TTL.
func (s RRset) Same(other RRset) bool { return slices.Equal(s.Values, other.Values) }

// Value returns the value of a record in the one form in which values are compared: an
// address as it is written usually, names in lower case with the final dot.
func Value(kind, text string) (string, error) {
	text = strings.TrimSpace(text)
	switch kind {
	case A, AAAA:
		ip, err := netip.ParseAddr(text)
		if err != nil || ip.Zone() != "" || ip.Is4() != (kind == A) || ip.Is4In6() {
			return "", fmt.Errorf("%q is no address of type %s", text, kind)
		}
		return ip.String(), nil
	case CNAME:
		return Name(text)
	case SRV:
		fields := strings.Fields(text)
		if len(fields) != 4 {
			return "", fmt.Errorf("%q is not PRIORITY WEIGHT PORT HOST", text)
		}
		host, err := Name(fields[3])
		if err != nil {
			return "", err
		}
		rr, err := record(".", SRV, 0, strings.Join(append(fields[:3:3], host), " "))
		if err != nil {
			return "", err
		}
		return valueOf(rr), nil
	}
	return "", fmt.Errorf("records of type %s cannot be set", kind)
}

// Name returns a domain name in lower case, with the final dot.
func Name(text string) (string, error) {
	name := dns.CanonicalName(strings.TrimSpace(text))
	if _, ok := dns.IsDomainName(name); !ok || name == "." || strings.ContainsFunc(name, foreignToNames) {
		return "", fmt.Errorf("%q is no domain name", text)
	}
	return name, nil
}

// foreignToNames reports a character that hosts and services have not in their names. It
// keeps escapes of the text form out.
func foreignToNames(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.", r)
}

// record makes the record of a value.
func record(name, kind string, ttl uint32, value string) (dns.RR, error) {
	rr, err := dns.NewRR(fmt.Sprintf("%s %d IN %s %s", name, ttl, kind, value))
	if err != nil || rr == nil {
		return nil, fmt.Errorf("%q is no value of type %s", value, kind)
	}
	return rr, nil
}

// records makes the records of a set.
func (s RRset) records(name, kind string) ([]dns.RR, error) {
	var out []dns.RR
	var bad []error
	for _, value := range s.Values {
		rr, err := record(name, kind, s.TTL, value)
		out, bad = append(out, rr), append(bad, err)
	}
	return out, errors.Join(bad...)
}

// valueOf returns the value of a record in the form of [Value].
func valueOf(rr dns.RR) string {
	switch r := rr.(type) {
	case *dns.A:
		return r.A.String()
	case *dns.AAAA:
		return r.AAAA.String()
	case *dns.CNAME:
		return dns.CanonicalName(r.Target)
	case *dns.SRV:
		return fmt.Sprintf("%d %d %d %s", r.Priority, r.Weight, r.Port, dns.CanonicalName(r.Target))
	}
	return ""
}
