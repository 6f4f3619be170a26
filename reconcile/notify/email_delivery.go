package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/reconcile/foreign"
)

// mail delivers one mail, in attempts like those of a post. Who took it does not get it
// again, and who is refused for good is not asked again: the others get it all the same.
func (p Poster) mail(ctx context.Context, t Target, m Message) error {
	d := delivery{waiting: slices.Clone(t.Email.To)}
	err := p.retry(ctx, "mail to "+hostOf(t.URL), mailDelays, func(ctx context.Context) (time.Duration, bool, error) {
		again, err := t.mailOnce(ctx, &d, m.Body)
		return 0, again, err
	})
	if err == nil {
		p.accepted(fmt.Sprintf("250, it took the mail for %s", strings.Join(d.took, ", ")))
	} else if len(d.took) > 0 {
		err = partialError{fmt.Errorf("%w (%s got it)", err, strings.Join(d.took, ", "))}
	}
	return err
}

// delivery is how far one mail has come.
type delivery struct {
	waiting []string // recipients who did not get it yet
	took    []string
	refused refusals // for good
}

// refusals are the recipients whom a server does not take, as error.
type refusals []refusal

type refusal struct {
	to   string
	code int
}

func (r refusals) Error() string {
	out := make([]string, len(r))
	for i, x := range r {
		out[i] = fmt.Sprintf("it answered %d%s, for %s", x.code, mailWords[x.code], bare(x.to))
	}
	return strings.Join(out, "; ")
}

// partialError is the error of a mail that some recipients got. To send it again would
// tell these a second time.
type partialError struct{ error }

// Unwrap returns why the others did not get it.
func (p partialError) Unwrap() error { return p.error }

// mailOnce says whether a failed delivery may be tried again.
func (t Target) mailOnce(ctx context.Context, d *delivery, body []byte) (bool, error) {
	u, err := url.Parse(t.URL)
	if err != nil {
		return false, errors.New("the URL is malformed")
	}
	var user, password string
	if t.Email.Username != nil {
		if user, err = t.Email.Username(); err != nil {
			return false, fmt.Errorf("read the user of the mail server: %w", err)
		}
	}
	if t.Secret != nil {
		if password, err = t.Secret(); err != nil {
			return false, fmt.Errorf("read the password of the mail server: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	c, err := t.mailServer(ctx, u)
	if err == nil {
		defer c.Close() //nolint:errcheck // Quit said what counts
		err = t.session(c, u, user, password, d, body)
	}
	return mailFault(err, foreign.Name(user), password)
}

// mailServer opens a connection: TLS from the first byte for smtps.
func (t Target) mailServer(ctx context.Context, u *url.URL) (*smtp.Client, error) {
	conf, err := t.mailTLS(u)
	if err != nil {
		return nil, final{err}
	}
	port := "587"
	if u.Scheme == "smtps" {
		port = "465"
	}
	if u.Port() != "" {
		port = u.Port()
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	if u.Scheme == "smtps" {
		conn = tls.Client(conn, conf)
	}
	c, err := smtp.NewClient(conn, u.Hostname())
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	if u.Scheme == "smtps" {
		return c, nil
	}
	if err := startTLS(c, u, conf); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// startTLS makes the connection secret. Only to this machine mail goes in the clear,
// where the server offers nothing else.
func startTLS(c *smtp.Client, u *url.URL, conf *tls.Config) error {
	offered, _ := c.Extension("STARTTLS")
	switch {
	case offered:
		return c.StartTLS(conf)
	case loopback(u.Hostname()):
		return nil
	default:
		return final{errors.New("the server offers no STARTTLS, and mail goes over TLS only (hint: use its port for smtps://, or ask who runs it)")}
	}
}

func (t Target) mailTLS(u *url.URL) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.Email.TLS != nil {
		made, err := t.Email.TLS()
		if err != nil {
			return nil, err
		}
		conf = made.Clone()
	}
	if conf.ServerName == "" {
		conf.ServerName = u.Hostname()
	}
	return conf, nil
}

// session logs in and sends the mail to everybody who waits for it.
func (t Target) session(c *smtp.Client, u *url.URL, user, password string, d *delivery, body []byte) error {
	if user != "" {
		auth, err := mailAuth(c, u.Hostname(), user, password)
		if err != nil {
			return err
		}
		if err := c.Auth(auth); err != nil {
			return err
		}
	}
	if err := c.Mail(bare(t.Email.From)); err != nil {
		return err
	}
	took, later, err := d.address(c)
	if err != nil {
		return err
	}
	if len(took) > 0 {
		if err := sendBody(c, body); err != nil {
			return err
		}
		d.took = append(d.took, took...)
		d.waiting = slices.DeleteFunc(d.waiting, func(to string) bool { return slices.Contains(took, to) })
	}
	_ = c.Quit() // what was taken is delivered
	if left := slices.Concat(d.refused, later); len(left) > 0 {
		return left
	}
	return nil
}

// address names the recipients who wait to the server. It returns those whom the server
// takes, and those whom it takes later. Those whom it refuses for good wait no longer.
func (d *delivery) address(c *smtp.Client) (took []string, later refusals, err error) {
	var never refusals
	for _, to := range d.waiting {
		err := c.Rcpt(bare(to))
		var answer *textproto.Error
		switch {
		case err == nil:
			took = append(took, to)
		case !errors.As(err, &answer) || answer.Code == closing:
			return nil, nil, err
		case answer.Code/100 == 4:
			later = append(later, refusal{to, answer.Code})
		default:
			never = append(never, refusal{to, answer.Code})
		}
	}
	d.refused = append(d.refused, never...)
	d.waiting = slices.DeleteFunc(slices.Clone(d.waiting), func(to string) bool {
		return slices.ContainsFunc(never, func(r refusal) bool { return r.to == to })
	})
	return took, later, nil
}

// closing is the answer of a server that ends the connection.
const closing = 421

func sendBody(c *smtp.Client, body []byte) error {
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(body); err != nil {
		return err
	}
	return w.Close()
}

// bare is the address without the name.
func bare(s string) string {
	a, err := mail.ParseAddress(s)
	if err != nil {
		return s
	}
	return a.Address
}

// mailAuth is PLAIN, or LOGIN where the server knows only that.
func mailAuth(c *smtp.Client, host, user, password string) (smtp.Auth, error) {
	offered, methods := c.Extension("AUTH")
	if !offered {
		return nil, final{errors.New("the server takes no login here (hint: leave out usernameFrom, or use its port for senders)")}
	}
	known := strings.Fields(strings.ToUpper(methods))
	if slices.Contains(known, "LOGIN") && !slices.Contains(known, "PLAIN") {
		return loginAuth{user, password}, nil
	}
	return smtp.PlainAuth("", user, password, host), nil
}

// loginAuth is the method LOGIN, which some servers offer instead of PLAIN.
type loginAuth struct{ user, password string }

// Start sends nothing but the method, and that over TLS or to this machine only.
func (a loginAuth) Start(s *smtp.ServerInfo) (string, []byte, error) {
	if !s.TLS && !loopback(s.Name) {
		return "", nil, errors.New("the connection is not secret")
	}
	return "LOGIN", nil, nil
}

// Next answers the two questions, for the user and then for the password.
func (a loginAuth) Next(question []byte, more bool) ([]byte, error) {
	switch {
	case !more:
		return nil, nil
	case strings.HasPrefix(strings.ToLower(string(question)), "user"):
		return []byte(a.user), nil
	default:
		return []byte(a.password), nil
	}
}

// final is an error that another attempt does not end.
type final struct{ error }

// Unwrap returns what it is.
func (f final) Unwrap() error { return f.error }

// mailFault says what failed in our words, since the server's may repeat the login, and
// whether another attempt may end it.
func mailFault(err error, secrets ...string) (bool, error) {
	var answer *textproto.Error
	var stop final
	var untrusted *tls.CertificateVerificationError
	var some refusals
	switch {
	case err == nil:
		return false, nil
	case errors.As(err, &some):
		return slices.ContainsFunc(some, func(r refusal) bool { return r.code/100 == 4 }), some
	case errors.As(err, &answer):
		return answer.Code/100 == 4, fmt.Errorf("it answered %d%s", answer.Code, mailWords[answer.Code])
	default:
		again := !errors.As(err, &stop) && !errors.As(err, &untrusted)
		return again, foreign.Error(err, secrets...)
	}
}

// mailWords say what the answers mean that people can end.
var mailWords = map[int]string{
	closing: ", it is not available now", 450: ", not now (it may be greylisting)", 451: ", not now (it may be greylisting)", 452: ", it has no room",
	530: ", it wants a login (hint: write usernameFrom and secretFrom)", 534: ", it takes no such login", 535: ", it refused the login",
	550: ", it refused the mailbox", 552: ", the mail is too large", 553: ", it refused the address", 554: ", it refused the mail",
}
