package redirect_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// answersAsDocumented holds the table of docs/redirect.md: what the servers answer
// differently to one update, and whether the serial of the zone rises.
func answersAsDocumented(t *testing.T, s *zoneServer) {
	const same = "_m._tcp.milvus.example. 30 IN SRV 0 0 19530 b.example."
	for _, c := range []struct {
		name, zone, key string
		remove          bool // the set first
		record          string
		want            map[string]string // by kind of server
	}{
		{"an unsigned update", "example.", "", false, "x.milvus.example. 30 IN A 192.0.2.1", map[string]string{"BIND": "REFUSED", "Knot": "NOTAUTH", "PowerDNS": "REFUSED"}},
		{"an unsigned update of a zone without a key", "open.", "", false, "x.open. 30 IN A 192.0.2.1", map[string]string{"PowerDNS": "NOERROR"}},
		{"a known key without the right", "example.", "reader.", false, "x.milvus.example. 30 IN A 192.0.2.1", map[string]string{"BIND": "REFUSED signed", "Knot": "NOTAUTH BADKEY", "PowerDNS": "REFUSED signed"}},
		{"another record than the key is held to", "example.", "reconcile.", false, "x.example. 30 IN A 192.0.2.1", map[string]string{"BIND": "REFUSED signed", "Knot": "NOTAUTH BADKEY", "PowerDNS": "NOERROR signed, serial rises"}},
		{"an A next to a CNAME", "example.", "reconcile.", false, "milvus.example. 30 IN A 192.0.2.1", map[string]string{"BIND": "NOERROR signed", "Knot": "NOERROR signed", "PowerDNS": "REFUSED signed"}},
		{"a CNAME next to an A", "example.", "reconcile.", false, "a.milvus.example. 30 IN CNAME b.example.", map[string]string{"BIND": "NOERROR signed", "Knot": "NOERROR signed", "PowerDNS": "REFUSED signed"}},
		{"an update that changes nothing", "example.", "reconcile.", true, same, map[string]string{"BIND": "NOERROR signed", "Knot": "NOERROR signed", "PowerDNS": "NOERROR signed, serial rises"}},
		{"a zone that it does not hold", "other.", "reconcile.", false, "x.other. 30 IN A 192.0.2.1", map[string]string{"BIND": "NOTAUTH signed", "Knot": "NOTAUTH", "PowerDNS": "NOTAUTH signed"}},
	} {
		want, tried := c.want[s.kind.name]
		if !tried {
			continue
		}
		rr, err := dns.NewRR(c.record)
		if err != nil {
			t.Fatal(err)
		}
		m := new(dns.Msg).SetUpdate(c.zone)
		if c.remove {
			m.RemoveRRset([]dns.RR{rr})
		}
		m.Insert([]dns.RR{rr})
		before := serial(t, s)
		got := s.answerTo(t, m, c.key)
		if serial(t, s) != before {
			got += ", serial rises"
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", c.name, got, want)
		}
	}
}

// answerTo sends an update, and returns the code of the answer and how it is signed.
func (s *zoneServer) answerTo(t *testing.T, m *dns.Msg, key string) string {
	t.Helper()
	client := dns.Client{Net: "tcp", TsigSecret: map[string]string{"reconcile.": s.Secret, "reader.": s.Reader}}
	if key != "" {
		m.SetTsig(key, dns.HmacSHA256, 300, time.Now().Unix())
	}
	r, _, err := client.ExchangeContext(t.Context(), m, s.Address)
	if r == nil {
		t.Fatal(err)
	}
	out := []string{dns.RcodeToString[r.Rcode]}
	if sign := r.IsTsig(); sign != nil && sign.Error != 0 {
		out = append(out, dns.RcodeToString[int(sign.Error)])
	} else if sign != nil {
		out = append(out, "signed")
	}
	return strings.Join(slices.Compact(out), " ")
}
