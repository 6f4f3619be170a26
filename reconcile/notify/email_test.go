package notify_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/notify"
)

// mailOptions are how a mail server behaves.
type mailOptions struct {
	starttls bool     // it offers STARTTLS, and a login only then
	implicit bool     // TLS from the first byte
	methods  []string // of login, as alice with the password CANARY-1; none: no login is needed
	refuse   []error  // what it answers to the n-th mail; nil, and all after: it takes it
	// recipients are what it answers to the n-th mail to somebody; the last for ever.
	recipients map[string][]error
}

// sentMail is one mail that a server took.
type sentMail struct {
	user, from string
	to         []string
	secret     bool // the connection was
	data       string
}

// mailServer is a real SMTP server that keeps what it gets.
type mailServer struct {
	options mailOptions
	scheme  string
	address string
	roots   *x509.CertPool

	mu    sync.Mutex
	got   []sentMail
	tries int
	asked map[string]int // how often somebody was named
}

func newMailServer(t *testing.T, o mailOptions) *mailServer {
	t.Helper()
	web := httptest.NewTLSServer(nil) // has a certificate for 127.0.0.1
	t.Cleanup(web.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out := &mailServer{options: o, scheme: "smtp", address: l.Addr().String(), roots: x509.NewCertPool(), asked: map[string]int{}}
	out.roots.AddCert(web.Certificate())
	s := smtp.NewServer(out)
	s.Domain = "mail.example"
	conf := &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12}
	if o.starttls {
		s.TLSConfig = conf
	}
	if o.implicit {
		out.scheme, l = "smtps", tls.NewListener(l, conf)
	}
	s.AllowInsecureAuth = !o.starttls
	s.ErrorLog = silent{}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return out
}

type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

func (s *mailServer) target(t *testing.T) notify.Target {
	t.Helper()
	out := notify.Target{Name: "mail", URL: s.scheme + "://" + s.address, Format: notify.FormatEmail, Email: notify.Email{
		From: "reconcile <reconcile@example.com>", To: []string{"ops@example.com", "On Call <oncall@example.com>"},
		TLS: func() (*tls.Config, error) { return &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}, nil },
	}}
	if len(s.options.methods) > 0 {
		out.Email.Username, out.Secret = secret("alice"), secret("CANARY-1")
	}
	return out
}

func (s *mailServer) all() []sentMail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]sentMail(nil), s.got...)
}

// NewSession begins a connection.
func (s *mailServer) NewSession(c *smtp.Conn) (smtp.Session, error) {
	if len(s.options.methods) == 0 {
		return struct{ smtp.Session }{&mailSession{server: s, conn: c}}, nil // offers no login
	}
	return &mailSession{server: s, conn: c}, nil
}

type mailSession struct {
	server *mailServer
	conn   *smtp.Conn
	mail   sentMail
}

func (s *mailSession) AuthMechanisms() []string { return s.server.options.methods }

func (s *mailSession) Auth(method string) (sasl.Server, error) {
	check := func(user, password string) error {
		if user != "alice" || password != "CANARY-1" {
			return &smtp.SMTPError{Code: 535, Message: "no login for " + user + " with " + password}
		}
		s.mail.user = user
		return nil
	}
	if method == sasl.Login {
		return &loginServer{check: check}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
}

// loginServer is the server's side of LOGIN.
type loginServer struct {
	check func(user, password string) error
	said  []string
}

func (l *loginServer) Next(response []byte) ([]byte, bool, error) {
	if response != nil {
		l.said = append(l.said, string(response))
	}
	switch len(l.said) {
	case 0:
		return []byte("Username:"), false, nil
	case 1:
		return []byte("Password:"), false, nil
	default:
		return nil, true, l.check(l.said[0], l.said[1])
	}
}

func (s *mailSession) Reset()        {}
func (s *mailSession) Logout() error { return nil }

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	if len(s.server.options.methods) > 0 && s.mail.user == "" {
		return smtp.ErrAuthRequired
	}
	s.mail.from = from
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if answers := s.server.options.recipients[to]; len(answers) > 0 {
		n := s.server.asked[to]
		s.server.asked[to]++
		if err := answers[min(n, len(answers)-1)]; err != nil {
			return err
		}
	}
	s.mail.to = append(s.mail.to, to)
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.tries++
	if n := s.server.tries - 1; n < len(s.server.options.refuse) && s.server.options.refuse[n] != nil {
		return s.server.options.refuse[n]
	}
	_, s.mail.secret = s.conn.TLSConnectionState()
	s.mail.data = string(data)
	s.server.got = append(s.server.got, s.mail)
	return nil
}

// mailed sends the passes of topology orders and returns why deliveries failed.
func mailed(t *testing.T, target notify.Target, passes []notify.Pass) []error {
	t.Helper()
	var mu sync.Mutex
	var failed []error
	n := notify.New([]notify.Target{target}, notify.Options{Poster: newClock().poster(), Failed: func(_ string, _ notify.Event, err error) {
		mu.Lock()
		defer mu.Unlock()
		failed = append(failed, err)
	}})
	for _, p := range passes {
		p.Topology, p.Commit, p.Link = "orders", "3f9c2d1e5b6a7081", page
		n.Pass(p)
	}
	closed(t, n)
	return failed
}

// TestMailIsDelivered by each way into a server, to every recipient at once.
func TestMailIsDelivered(t *testing.T) {
	for _, c := range []struct {
		name    string
		options mailOptions
	}{
		{"STARTTLS and PLAIN", mailOptions{starttls: true, methods: []string{sasl.Plain}}},
		{"STARTTLS and LOGIN", mailOptions{starttls: true, methods: []string{sasl.Login}}},
		{"STARTTLS without a login", mailOptions{starttls: true}},
		{"TLS from the first byte", mailOptions{implicit: true, methods: []string{sasl.Plain}}},
		{"in the clear on this machine", mailOptions{}},
		{"tried again", mailOptions{refuse: []error{&smtp.SMTPError{Code: 451, Message: "later"}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := newMailServer(t, c.options)
			if failed := mailed(t, server.target(t), []notify.Pass{{Findings: []plan.Finding{noPrimary}}}); failed != nil {
				t.Fatal(failed)
			}
			got := server.all()
			if len(got) != 1 || strings.Join(got[0].to, " ") != "ops@example.com oncall@example.com" || got[0].from != "reconcile@example.com" {
				t.Fatalf("got %+v", got)
			}
			if got[0].secret != (c.options.starttls || c.options.implicit) || (got[0].user == "alice") != (len(c.options.methods) > 0) {
				t.Errorf("got %+v", got[0])
			}
			if strings.Contains(got[0].data, "CANARY") {
				t.Error("the mail holds the password")
			}
		})
	}
}

// TestMailIsRefused: what a server refuses for good is not tried again, and its words,
// which may repeat the login, are not told.
func TestMailIsRefused(t *testing.T) {
	wrong := func(target *notify.Target) { target.Secret = secret("CANARY-2") }
	for _, c := range []struct {
		name    string
		options mailOptions
		change  func(*notify.Target)
		want    string
	}{
		{"a wrong password", mailOptions{starttls: true, methods: []string{sasl.Plain}}, wrong, "attempt 1 of 10: it answered 535, it refused the login"},
		{"a wrong password by LOGIN", mailOptions{starttls: true, methods: []string{sasl.Login}}, wrong, "attempt 1 of 10: it answered 535"},
		{"it wants a login", mailOptions{starttls: true, methods: []string{sasl.Plain}}, func(x *notify.Target) { x.Email.Username = nil }, "attempt 1 of 10: it answered 502"},
		{"it takes no login", mailOptions{}, func(x *notify.Target) { x.Email.Username, x.Secret = secret("alice"), secret("CANARY-1") }, "attempt 1 of 10: the server takes no login"},
		{"no STARTTLS on what is not this machine by its address", mailOptions{methods: []string{sasl.Plain}}, func(x *notify.Target) {
			x.URL = strings.Replace(x.URL, "127.0.0.1", "0.0.0.0", 1)
		}, "attempt 1 of 10: the server offers no STARTTLS"},
		{"a certificate of nobody we know", mailOptions{starttls: true}, func(x *notify.Target) { x.Email.TLS = nil }, "attempt 1 of 10: tls:"},
		{"refused", mailOptions{refuse: []error{&smtp.SMTPError{Code: 554, Message: "CANARY"}}}, nil, "attempt 1 of 10: it answered 554, it refused the mail"},
		{"down", mailOptions{}, func(x *notify.Target) { x.URL = "smtp://127.0.0.1:1" }, "attempt 10 of 10: dial"},
		{"no password", mailOptions{methods: []string{sasl.Plain}}, func(x *notify.Target) {
			x.Secret = func() (string, error) { return "", errors.New("the file is gone") }
		}, "read the password of the mail server: the file is gone"},
		{"no address", mailOptions{}, func(x *notify.Target) { x.Email.To = []string{"ops"} }, `"ops" is no e-mail address`},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := newMailServer(t, c.options)
			target := server.target(t)
			if c.change != nil {
				c.change(&target)
			}
			failed := mailed(t, target, []notify.Pass{{Findings: []plan.Finding{noPrimary}}})
			if len(failed) != 1 || !strings.Contains(failed[0].Error(), c.want) || strings.Contains(failed[0].Error(), "CANARY") {
				t.Errorf("got %v, want %s", failed, c.want)
			}
			if got := server.all(); len(got) != 0 {
				t.Errorf("it took %+v", got)
			}
		})
	}
}

// TestMailToSome: who is refused keeps the mail from nobody else, and nobody gets it
// twice, also not by the next pass.
func TestMailToSome(t *testing.T) {
	const ops, oncall = "ops@example.com", "oncall@example.com"
	never, later := &smtp.SMTPError{Code: 550, Message: "CANARY"}, &smtp.SMTPError{Code: 451, Message: "CANARY"}
	for _, c := range []struct {
		name       string
		recipients map[string][]error
		got        []string
		failed     string
	}{
		{"one is refused for good", map[string][]error{ops: {never}}, []string{oncall}, "attempt 1 of 10: it answered 550, it refused the mailbox, for ops@example.com"},
		{"one is greylisted", map[string][]error{ops: {later, later, nil}}, []string{oncall, ops}, ""},
		{"both are greylisted", map[string][]error{ops: {later, nil}, oncall: {later, nil}}, []string{ops + " " + oncall}, ""},
		{"one is refused, one greylisted", map[string][]error{ops: {never}, oncall: {later, nil}}, []string{oncall}, "attempt 2 of 10: it answered 550"},
		{"one is never taken", map[string][]error{ops: {later}}, []string{oncall}, "attempt 10 of 10: it answered 451, not now (it may be greylisting), for ops@example.com"},
		{"the server goes away", map[string][]error{ops: {never, nil}, oncall: {&smtp.SMTPError{Code: 421, Message: "CANARY"}, nil}}, []string{ops + " " + oncall}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := newMailServer(t, mailOptions{recipients: c.recipients})
			failed := make(chan error, 2)
			n := notify.New([]notify.Target{server.target(t)}, notify.Options{Poster: newClock().poster(), Failed: func(_ string, _ notify.Event, err error) { failed <- err }})
			pass := notify.Pass{Topology: "orders", Findings: []plan.Finding{noPrimary}}
			n.Pass(pass)
			if c.failed != "" {
				if err := <-failed; !strings.Contains(err.Error(), c.failed) || strings.Contains(err.Error(), "CANARY") {
					t.Errorf("got %v, want %q", err, c.failed)
				}
			}
			n.Pass(pass)
			closed(t, n)
			var got []string
			for _, m := range server.all() {
				got = append(got, strings.Join(m.to, " "))
			}
			if strings.Join(got, ", ") != strings.Join(c.got, ", ") {
				t.Errorf("it took mails to %q, want %q", got, c.got)
			}
			if len(failed) > 0 {
				t.Errorf("also failed: %v", <-failed)
			}
		})
	}
}

// TestMailsHaveNoHeadersOfOthers: a text with line breaks stays in the subject.
func TestMailsHaveNoHeadersOfOthers(t *testing.T) {
	server := newMailServer(t, mailOptions{})
	e := done("error\r\nBcc: eve@evil.example\r\n\r\nbody", plan.SeverityCritical, hostile)
	e.Cluster = "b\r\nCc: eve@evil.example"
	if failed := mailed(t, server.target(t), []notify.Pass{{News: []notify.Event{e}}}); failed != nil {
		t.Fatal(failed)
	}
	header, _, _ := strings.Cut(server.all()[0].data, "\r\n\r\n")
	for line := range strings.SplitSeq(header, "\r\n") {
		if name, _, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Bcc") || strings.EqualFold(name, "Cc") {
			t.Errorf("a header of others: %s", line)
		}
	}
}
