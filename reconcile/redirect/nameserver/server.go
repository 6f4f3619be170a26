package nameserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"milvus-reconcile/reconcile/foreign"
)

// mostValues bounds the records of a set that are read.
const mostValues = 64

// Server is one authoritative DNS server. It is reached over TCP, which every such server
// must speak (RFC 7766): a forged answer would have to break into the connection.
type Server struct {
	Address string // host:port
	// Dial connects; nil: [net.Dialer].
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Read returns the set of one type at a name, as the server's own zone holds it; an empty
// one if it holds none.
func (s Server) Read(ctx context.Context, name, kind string) (RRset, error) {
	answer, err := s.ask(ctx, name, kind)
	if err != nil {
		return RRset{}, err
	}
	var out RRset
	for _, rr := range answer {
		h := rr.Header()
		if !strings.EqualFold(h.Name, name) || h.Class != dns.ClassINET {
			continue // the target of a CNAME, which the server holds as well
		}
		if h.Rrtype == dns.TypeCNAME && kind != CNAME {
			return RRset{}, fmt.Errorf("%s is an alias of %s there, and has no %s of its own", name, foreign.Line(valueOf(rr)), kind)
		}
		if h.Rrtype == dns.StringToType[kind] {
			out.Values, out.TTL = append(out.Values, valueOf(rr)), max(out.TTL, h.Ttl)
		}
	}
	if len(out.Values) > mostValues {
		return RRset{}, fmt.Errorf("it holds %d records, more than %d", len(out.Values), mostValues)
	}
	slices.Sort(out.Values)
	return out, nil
}

// NameServers returns the names of the servers of a zone, sorted.
func (s Server) NameServers(ctx context.Context, zone string) ([]string, error) {
	answer, err := s.ask(ctx, zone, "NS")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, rr := range answer {
		if ns, ok := rr.(*dns.NS); ok && strings.EqualFold(ns.Hdr.Name, zone) {
			name, err := Name(ns.Ns)
			if err != nil {
				return nil, fmt.Errorf("a server of the zone: %w", err)
			}
			out = append(out, name)
		}
	}
	if len(out) == 0 || len(out) > mostValues {
		return nil, fmt.Errorf("it names %d servers of the zone %s", len(out), zone)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// ask returns the answer to one question. Only one from the server's own zone counts.
func (s Server) ask(ctx context.Context, name, kind string) ([]dns.RR, error) {
	m := new(dns.Msg).SetQuestion(name, dns.StringToType[kind])
	m.RecursionDesired = false
	r, err := s.exchange(ctx, m, Key{})
	switch {
	case err != nil:
		return nil, err
	case r.Rcode != dns.RcodeSuccess && r.Rcode != dns.RcodeNameError:
		return nil, fmt.Errorf("it answers %s", code(r.Rcode))
	case !r.Authoritative:
		return nil, fmt.Errorf("it is not authoritative for %s", name)
	case r.Truncated:
		return nil, errors.New("its answer is cut")
	}
	return r.Answer, nil
}

// exchange sends one message over a new connection, and returns the answer to it. With a
// key the message is signed, and its answer must be, unless it is a refusal.
func (s Server) exchange(ctx context.Context, m *dns.Msg, key Key) (*dns.Msg, error) {
	secrets, err := key.sign(m)
	if err != nil {
		return nil, err
	}
	dial := s.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	raw, err := dial(ctx, "tcp", s.Address)
	if err != nil {
		return nil, fmt.Errorf("reach it: %w", err)
	}
	defer raw.Close() //nolint:errcheck // the answer was read
	defer context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })()
	conn := &dns.Conn{Conn: raw, TsigSecret: secrets}
	if err := conn.WriteMsg(m); err != nil {
		return nil, fmt.Errorf("ask it: %w", err)
	}
	r, err := conn.ReadMsg()
	if r == nil || err != nil && r.IsTsig() == nil {
		return nil, fmt.Errorf("read its answer: %w", err)
	}
	if r.Id != m.Id || !r.Response || r.Opcode != m.Opcode || len(r.Question) > 0 && !sameQuestion(r.Question, m.Question) {
		return nil, errors.New("its answer belongs to another question")
	}
	if secrets == nil {
		return r, nil
	}
	return r, key.judge(r, err)
}

func sameQuestion(a, b []dns.Question) bool {
	return len(a) == len(b) && strings.EqualFold(a[0].Name, b[0].Name) && a[0].Qtype == b[0].Qtype && a[0].Qclass == b[0].Qclass
}

// code names an answer's code.
func code(rcode int) string {
	if name, ok := dns.RcodeToString[rcode]; ok {
		return name
	}
	return fmt.Sprintf("the code %d", rcode)
}
