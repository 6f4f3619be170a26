package notify

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"
)

// Email is what a target needs apart from the URL of its mail server, smtp:// or smtps://,
// and the password.
type Email struct {
	From     string
	To       []string
	Username func() (string, error)      // nil: no login
	TLS      func() (*tls.Config, error) // nil: the roots of this machine
}

// mailTimeout bounds one delivery to a mail server.
const mailTimeout = 30 * time.Second

// longestSubject keeps a subject readable in a list.
const longestSubject = 120

// message is the whole mail. The subject is encoded, so that no text can add a header;
// its replies and those of the same topology stand in one thread.
func (m Email) message(e Event, n notice) (Message, error) {
	from, err := mail.ParseAddress(m.From)
	if err != nil {
		return Message{}, fmt.Errorf("%q is no e-mail address", m.From)
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	var to []string
	for _, t := range m.To {
		a, err := mail.ParseAddress(t)
		if err != nil {
			return Message{}, fmt.Errorf("%q is no e-mail address", t)
		}
		to = append(to, a.String())
	}
	var b bytes.Buffer
	for _, h := range [][2]string{
		{"From", from.String()},
		{"To", strings.Join(to, ", ")},
		{"Subject", mime.QEncoding.Encode("utf-8", clip("[reconcile] "+n.title, longestSubject))},
		{"Date", e.Time.UTC().Format(time.RFC1123Z)},
		{"Message-ID", fmt.Sprintf("<%s@%s>", e.ID, domain)},
		{"References", fmt.Sprintf("<%s.reconcile@%s>", e.Topology, domain)},
		{"Auto-Submitted", "auto-generated"},
		{"MIME-Version", "1.0"},
		{"Content-Type", "text/plain; charset=utf-8"},
		{"Content-Transfer-Encoding", "quoted-printable"},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	if _, err := w.Write([]byte(strings.ReplaceAll(mailText(n), "\n", "\r\n"))); err != nil {
		return Message{}, fmt.Errorf("encode the mail: %w", err)
	}
	if err := w.Close(); err != nil {
		return Message{}, fmt.Errorf("encode the mail: %w", err)
	}
	return Message{ID: e.ID, Body: b.Bytes()}, nil
}

// mailText is the mail as it is read.
func mailText(n notice) string {
	var b strings.Builder
	b.WriteString(n.title + "\n")
	for _, i := range n.items {
		if i.head != "" || i.text != "" || i.remedy != "" {
			b.WriteString("\n")
		}
		if i.head != "" {
			b.WriteString(i.head + "\n")
		}
		for _, text := range []string{i.text, i.remedy} {
			if text != "" {
				b.WriteString("  " + strings.ReplaceAll(text, "\n", "\n  ") + "\n")
			}
		}
		if len(i.commands) > 0 {
			b.WriteString("\n      " + strings.Join(i.commands, "\n      ") + "\n")
		}
	}
	b.WriteString("\n")
	if n.link != "" {
		b.WriteString("Status page: " + n.link + "\n")
	}
	b.WriteString(strings.Join(n.footer(), " · ") + "\n")
	return b.String()
}

// mailDelays are the waits between the attempts of a mail. Servers that greylist refuse a
// sender they do not know for up to five minutes.
var mailDelays = []time.Duration{
	time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second,
	30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute,
}
