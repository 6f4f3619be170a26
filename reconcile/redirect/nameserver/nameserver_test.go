package nameserver_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"milvus-reconcile/reconcile/redirect/nameserver"
)

const secret = "c2VjcmV0IG9mIHRoZSBrZXk="

func key() nameserver.Key {
	return nameserver.Key{Name: "reconcile.", Algorithm: "hmac-sha256", Secret: func() (string, error) { return secret, nil }}
}

// answering starts a server that answers each message as answer says; the answer to a
// signed message is signed if answer adds a TSIG.
func answering(t *testing.T, answer func(w dns.ResponseWriter, m, r *dns.Msg)) nameserver.Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{
		Listener: l, TsigSecret: map[string]string{"reconcile.": secret}, MsgAcceptFunc: func(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept },
		Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
			r := new(dns.Msg).SetReply(m)
			r.Authoritative = true
			answer(w, m, r)
			_ = w.WriteMsg(r) // the test sees that it is missing
		}),
	}
	done := make(chan struct{})
	go func() { _ = s.ActivateAndServe(); close(done) }()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return nameserver.Server{Address: l.Addr().String()}
}

func rr(t *testing.T, text string) dns.RR {
	t.Helper()
	out, err := dns.NewRR(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestReadTakesOnlyWhatTheServerOwns: an answer that may be stale, forged or of another
// question is none.
func TestReadTakesOnlyWhatTheServerOwns(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(r *dns.Msg)
		want   nameserver.RRset
		say    string
	}{
		{"two addresses, in the order of their text", func(r *dns.Msg) {
			r.Answer = []dns.RR{rr(t, "M.example. 60 IN A 192.0.2.9"), rr(t, "m.example. 30 IN A 192.0.2.1"), rr(t, "other.example. 30 IN A 192.0.2.3")}
		}, nameserver.RRset{Values: []string{"192.0.2.1", "192.0.2.9"}, TTL: 60}, ""},
		{"no such name", func(r *dns.Msg) { r.Rcode = dns.RcodeNameError }, nameserver.RRset{}, ""},
		{"an alias", func(r *dns.Msg) {
			r.Answer = []dns.RR{rr(t, "m.example. 60 IN CNAME B.example."), rr(t, "b.example. 30 IN A 192.0.2.1")}
		}, nameserver.RRset{}, "m.example. is an alias of b.example. there, and has no A of its own"},
		{"from a cache", func(r *dns.Msg) { r.Authoritative = false }, nameserver.RRset{}, "not authoritative"},
		{"refused", func(r *dns.Msg) { r.Rcode = dns.RcodeRefused }, nameserver.RRset{}, "it answers REFUSED"},
		{"an unknown code", func(r *dns.Msg) { r.Rcode = 12 }, nameserver.RRset{}, "it answers the code 12"},
		{"cut", func(r *dns.Msg) { r.Truncated = true }, nameserver.RRset{}, "its answer is cut"},
		{"of another question", func(r *dns.Msg) { r.Id++ }, nameserver.RRset{}, "belongs to another question"},
		{"of another name", func(r *dns.Msg) { r.Question[0].Name = "x.example." }, nameserver.RRset{}, "belongs to another question"},
		{"a question", func(r *dns.Msg) { r.Response = false }, nameserver.RRset{}, "belongs to another question"},
		{"of more than fits in a head", func(r *dns.Msg) {
			for i := range 65 {
				r.Answer = append(r.Answer, rr(t, "m.example. 60 IN A 192.0.2."+string(rune('0'+i%10))))
			}
		}, nameserver.RRset{}, "it holds 65 records"},
	} {
		s := answering(t, func(_ dns.ResponseWriter, _, r *dns.Msg) { c.answer(r) })
		got, err := s.Read(t.Context(), "m.example.", nameserver.A)
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
		if (err == nil) != (c.say == "") || err != nil && !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

func TestNameServers(t *testing.T) {
	s := answering(t, func(_ dns.ResponseWriter, _, r *dns.Msg) {
		r.Answer = []dns.RR{rr(t, "example. 60 IN NS NS2.example."), rr(t, "example. 60 IN NS ns1.example."), rr(t, "sub.example. 60 IN NS no.example.")}
	})
	got, err := s.NameServers(t.Context(), "example.")
	if d := cmp.Diff([]string{"ns1.example.", "ns2.example."}, got); err != nil || d != "" {
		t.Errorf("%v, %s", err, d)
	}
	none := answering(t, func(dns.ResponseWriter, *dns.Msg, *dns.Msg) {})
	if _, err := none.NameServers(t.Context(), "example."); err == nil || !strings.Contains(err.Error(), "it names 0 servers") {
		t.Errorf("got %v", err)
	}
}

// TestAnUnprovenAnswerIsNone: who cannot sign cannot say that a record was set, nor that it
// could be.
func TestAnUnprovenAnswerIsNone(t *testing.T) {
	sign := func(r *dns.Msg) { r.SetTsig("reconcile.", dns.HmacSHA256, 300, time.Now().Unix()) }
	for _, c := range []struct {
		name          string
		answer        func(w dns.ResponseWriter, r *dns.Msg)
		set, rehearse string
	}{
		{"signed", func(_ dns.ResponseWriter, r *dns.Msg) { sign(r) }, "", "requirements cannot hold: it would overwrite changes of others"},
		{"not signed", func(dns.ResponseWriter, *dns.Msg) {}, "not signed, so it proves nothing", "not signed, so it proves nothing"},
		{"a signed failure of a requirement", func(_ dns.ResponseWriter, r *dns.Msg) { sign(r); r.Rcode = dns.RcodeNXRrset }, "the record changed since it was read", ""},
		{"a failure that is not signed", func(_ dns.ResponseWriter, r *dns.Msg) { r.Rcode = dns.RcodeYXRrset }, "proves nothing", "proves nothing"},
		{"refused", func(_ dns.ResponseWriter, r *dns.Msg) { r.Rcode = dns.RcodeRefused }, "it refuses to change m.example. CNAME", "it refuses to change m.example. CNAME"},
		{"not its zone", func(_ dns.ResponseWriter, r *dns.Msg) { r.Rcode = dns.RcodeNotAuth }, "it is not the primary of the zone example.", "it is not the primary"},
		{"outside its zone", func(_ dns.ResponseWriter, r *dns.Msg) { sign(r); r.Rcode = dns.RcodeNotZone }, "m.example. is not in its zone example.", "NOTZONE"},
		{"it fails", func(_ dns.ResponseWriter, r *dns.Msg) { r.Rcode = dns.RcodeServerFailure }, "it answers SERVFAIL", "it answers SERVFAIL"},
	} {
		s := answering(t, func(w dns.ResponseWriter, m, r *dns.Msg) {
			if m.Opcode != dns.OpcodeUpdate || w.TsigStatus() != nil {
				t.Errorf("%s: it was sent %v, %v", c.name, m, w.TsigStatus())
			}
			c.answer(w, r)
		})
		record := nameserver.Record{Zone: "example.", Name: "m.example.", Type: nameserver.CNAME}
		old, want := nameserver.RRset{Values: []string{"a.example."}, TTL: 300}, nameserver.RRset{Values: []string{"b.example."}, TTL: 30}
		for say, err := range map[string]error{"set: " + c.set: s.Replace(t.Context(), key(), record, old, want), "rehearse: " + c.rehearse: s.Rehearse(t.Context(), key(), record, old)} {
			_, say, _ = strings.Cut(say, ": ")
			if (err == nil) != (say == "") || err != nil && !strings.Contains(err.Error(), say) {
				t.Errorf("%s: got %v, want %q", c.name, err, say)
			}
		}
	}
}

// TestAWrongSignatureIsNone: an answer that another key signed.
func TestAWrongSignatureIsNone(t *testing.T) {
	s := answering(t, func(_ dns.ResponseWriter, _, r *dns.Msg) {
		r.SetTsig("reconcile.", dns.HmacSHA256, 300, time.Now().Add(-time.Hour).Unix())
	})
	err := s.Replace(t.Context(), key(), nameserver.Record{Zone: "example.", Name: "m.example.", Type: nameserver.A}, nameserver.RRset{}, nameserver.RRset{Values: []string{"192.0.2.1"}})
	if err == nil || !strings.Contains(err.Error(), "the signature of its answer is wrong") {
		t.Errorf("got %v", err)
	}
}

func TestKeysWithoutASecretSendNothing(t *testing.T) {
	s := answering(t, func(_ dns.ResponseWriter, m, _ *dns.Msg) { t.Errorf("it was sent %v", m) })
	for say, secret := range map[string]func() (string, error){
		"the key has no secret":      nil,
		"read the secret of the key": func() (string, error) { return "", errors.New("it is not there") },
		"is not base64":              func() (string, error) { return "CANARY!", nil },
	} {
		k := key()
		k.Secret = secret
		err := s.Rehearse(t.Context(), k, nameserver.Record{Zone: "example.", Name: "m.example.", Type: nameserver.A}, nameserver.RRset{})
		if err == nil || !strings.Contains(err.Error(), say) || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("got %v, want %q", err, say)
		}
	}
}

func TestValues(t *testing.T) {
	for _, c := range []struct{ kind, text, want string }{
		{nameserver.A, " 192.0.2.1 ", "192.0.2.1"},
		{nameserver.A, "2001:db8::1", ""},
		{nameserver.A, "a.example", ""},
		{nameserver.AAAA, "2001:DB8:0:0::1", "2001:db8::1"},
		{nameserver.AAAA, "192.0.2.1", ""},
		{nameserver.AAAA, "::ffff:192.0.2.1", ""},
		{nameserver.AAAA, "fe80::1%eth0", ""},
		{nameserver.CNAME, "A.Example", "a.example."},
		{nameserver.CNAME, "a.example.", "a.example."},
		{nameserver.CNAME, "", ""},
		{nameserver.CNAME, ".", ""},
		{nameserver.CNAME, "a..example", ""},
		{nameserver.CNAME, "a.example ; x", ""},
		{nameserver.CNAME, `a\.b.example`, ""},
		{nameserver.CNAME, strings.Repeat("a", 64) + ".example", ""},
		{nameserver.SRV, "0  5 19530 A.example", "0 5 19530 a.example."},
		{nameserver.SRV, "0 5 a.example", ""},
		{nameserver.SRV, "0 5 99999 a.example", ""},
		{nameserver.SRV, "0 5 ; a.example", ""},
		{"TXT", "x", ""},
	} {
		got, err := nameserver.Value(c.kind, c.text)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s %q: got %q, %v", c.kind, c.text, got, err)
		}
	}
}
