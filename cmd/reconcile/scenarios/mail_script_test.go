package scenarios

import (
	"fmt"
	"io"
	"os"

	"github.com/emersion/go-smtp"
)

// mailServer ADDRESS FILE is a real mail server without TLS that writes what it gets to
// FILE.
func mailServer(address, file string) {
	out, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return mailSession{out}, nil }))
		s.Addr, s.Domain = address, "localhost"
		err = s.ListenAndServe()
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// mailSession writes every mail to a file.
type mailSession struct{ out *os.File }

func (mailSession) Reset()                               {}
func (mailSession) Logout() error                        { return nil }
func (mailSession) Mail(string, *smtp.MailOptions) error { return nil }
func (s mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	_, err := fmt.Fprintln(s.out, "RCPT", to)
	return err
}

func (s mailSession) Data(r io.Reader) error {
	_, err := io.Copy(s.out, r)
	return err
}
