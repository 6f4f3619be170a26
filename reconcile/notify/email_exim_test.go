package notify_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/notify"
)

// eximConfig is the configuration of an Exim that takes mail of alice with the password
// CANARY-1 over TLS, refuses nobody@… for good and grey@… once, and delivers to a maildir.
var eximConfig = template.Must(template.New("exim").Parse(`
primary_hostname = mail.example
spool_directory = {{.Dir}}/spool
log_file_path = {{.Dir}}/spool/%slog
keep_environment =
host_lookup =
rfc1413_hosts =
tls_advertise_hosts = {{if .TLS}}*{{end}}
tls_certificate = {{.Dir}}/cert.pem
tls_privatekey = {{.Dir}}/key.pem
auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}
acl_smtp_rcpt = rcpt
acl_smtp_data = data
begin acl
rcpt:
{{- if .TLS}}
  deny !authenticated = *
       message = CANARY-1 of alice comes first
{{- end}}
  defer local_parts = grey
       condition = ${if !exists{ {{- .Dir}}/spool/seen}}
       set acl_m_seen = ${run{/usr/bin/touch {{.Dir}}/spool/seen}}
       message = CANARY-1 greylisted
  deny local_parts = nobody
       message = CANARY-1 is not here
  accept
data:
  accept
begin routers
all:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {{.Dir}}/mail
  maildir_format
  envelope_to_add
  user = Debian-exim
begin authenticators
{{- if .Plain}}
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${if and{ {eq{$auth2}{alice}} {eq{$auth3}{CANARY-1}} }}
  server_set_id = $auth2
{{- end}}
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if and{ {eq{$auth1}{alice}} {eq{$auth2}{CANARY-1}} }}
  server_set_id = $auth1
`))

// eximOptions are how an Exim behaves.
type eximOptions struct {
	implicit bool // TLS from the first byte
	clear    bool // no TLS, and no login
	login    bool // LOGIN alone
}

// exim is a real mail server: that of Debian.
type exim struct {
	dir     string
	scheme  string
	address string
	clear   bool
	roots   *x509.CertPool
	mu      sync.Mutex // held while a process starts
	running sync.WaitGroup
}

// newExim starts one process of Exim for each connection, as inetd does.
func newExim(t *testing.T, o eximOptions) *exim {
	t.Helper()
	program := eximProgram(t)
	out := &exim{dir: openDir(t), scheme: "smtp", clear: o.clear, roots: x509.NewCertPool()}
	out.certify(t)
	var config strings.Builder
	if err := eximConfig.Execute(&config, map[string]any{"Dir": out.dir, "TLS": !o.clear, "Plain": !o.login}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(out.dir, "exim.conf")
	if err := os.WriteFile(file, []byte(config.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"-C", file, "-odi", "-bs"}
	if o.implicit {
		out.scheme, args = "smtps", append(args, "-tls-on-connect")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out.address = l.Addr().String()
	t.Cleanup(func() { _ = l.Close() })
	go out.serve(t, l, program, args)
	return out
}

// eximProgram is the path of Exim. Only root may give it connections.
func eximProgram(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("exim4")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/exim4") // people's PATH seldom has it
	}
	if err != nil {
		err = errors.New("exim4 is not installed")
	} else if os.Getuid() != 0 {
		err = errors.New("exim4 takes connections from root only")
	}
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	return path
}

// openDir is a folder in which Exim's own user may write.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "exim")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, d := range []string{dir, filepath.Join(dir, "spool"), filepath.Join(dir, "mail")} {
		if err := errors.Join(os.MkdirAll(d, 0o777), os.Chmod(d, 0o777)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// certify makes the certificate of the server.
func (e *exim) certify(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	made := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, made, made, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(e.dir, name), pem.EncodeToMemory(b), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	e.roots.AddCert(parsed)
}

// serve gives every connection to a process of its own.
func (e *exim) serve(t *testing.T, l net.Listener, program string, args []string) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return // the test ended
		}
		tcp, ok := conn.(*net.TCPConn)
		if !ok {
			continue
		}
		file, err := tcp.File()
		_ = conn.Close() // the file is a copy
		if err != nil {
			continue
		}
		cmd := exec.Command(program, args...)
		cmd.Stdin, cmd.Stdout = file, file
		e.mu.Lock()
		if err := cmd.Start(); err != nil {
			t.Error(err)
		} else {
			e.running.Go(func() { _ = cmd.Wait() })
		}
		e.mu.Unlock()
		_ = file.Close()
	}
}

func (e *exim) target(to ...string) notify.Target {
	out := notify.Target{Name: "mail", URL: e.scheme + "://" + e.address, Format: notify.FormatEmail, Email: notify.Email{
		From: "reconcile <reconcile@example.com>", To: to,
		TLS: func() (*tls.Config, error) { return &tls.Config{RootCAs: e.roots, MinVersion: tls.VersionTLS12}, nil },
	}}
	if !e.clear {
		out.Email.Username, out.Secret = secret("alice"), secret("CANARY-1")
	}
	return out
}

// delivered are the mails in the maildir, after Exim did all its work.
func (e *exim) delivered(t *testing.T) []string {
	t.Helper()
	e.mu.Lock() // who was answered was served by a process that has started
	defer e.mu.Unlock()
	e.running.Wait()
	files, err := filepath.Glob(filepath.Join(e.dir, "mail", "new", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(data))
	}
	return out
}

// TestMailByExim sends to a real mail server.
func TestMailByExim(t *testing.T) {
	eximProgram(t)
	const ops, oncall, grey, nobody = "ops@example.com", "On Call <oncall@example.com>", "grey@example.com", "nobody@example.com"
	for _, c := range []struct {
		name    string
		options eximOptions
		to      []string
		change  func(*notify.Target)
		got     string // who got it
		failed  string
	}{
		{name: "STARTTLS and PLAIN", to: []string{ops, oncall}, got: "oncall ops"},
		{name: "STARTTLS and LOGIN", options: eximOptions{login: true}, to: []string{ops}, got: "ops"},
		{name: "TLS from the first byte", options: eximOptions{implicit: true}, to: []string{ops}, got: "ops"},
		{name: "in the clear on this machine", options: eximOptions{clear: true}, to: []string{ops}, got: "ops"},
		{name: "greylisted", to: []string{grey}, got: "grey"},
		{name: "greylisted, and one is not", to: []string{grey, ops}, got: "grey ops"},
		{name: "one of two is refused", to: []string{nobody, ops}, got: "ops", failed: "attempt 1 of 10: it answered 550, it refused the mailbox, for nobody@example.com"},
		{name: "refused, greylisted and taken", to: []string{nobody, grey, ops}, got: "grey ops", failed: "attempt 2 of 10: it answered 550"},
		{name: "all are refused", to: []string{nobody}, failed: "attempt 1 of 10: it answered 550"},
		{name: "a wrong password", to: []string{ops}, change: func(x *notify.Target) { x.Secret = secret("CANARY-2") }, failed: "attempt 1 of 10: it answered 535, it refused the login"},
		{name: "it wants a login", to: []string{ops}, change: func(x *notify.Target) { x.Email.Username = nil }, failed: "attempt 1 of 10: it answered 550"},
		{name: "it takes no login", options: eximOptions{clear: true}, to: []string{ops}, change: func(x *notify.Target) {
			x.Email.Username, x.Secret = secret("alice"), secret("CANARY-1")
		}, failed: "attempt 1 of 10: the server takes no login here"},
		{name: "a certificate of nobody we know", to: []string{ops}, change: func(x *notify.Target) { x.Email.TLS = nil }, failed: "attempt 1 of 10: tls:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := newExim(t, c.options)
			target := server.target(c.to...)
			if c.change != nil {
				c.change(&target)
			}
			failed := mailed(t, target, []notify.Pass{{Findings: []plan.Finding{noPrimary}}})
			var got []string
			for _, mail := range server.delivered(t) {
				for line := range strings.SplitSeq(mail, "\n") {
					to, _ := strings.CutPrefix(line, "Envelope-to: ")
					for _, who := range []string{"ops", "oncall", "grey", "nobody"} {
						if to != line && strings.Contains(to, who+"@") {
							got = append(got, who)
						}
					}
				}
				if !strings.Contains(mail, "NO_PRIMARY") || strings.Contains(mail, "CANARY") {
					t.Errorf("the mail is\n%s", mail)
				}
			}
			slices.Sort(got)
			if strings.Join(got, " ") != c.got {
				t.Errorf("%q got it, want %q", got, c.got)
			}
			if c.failed == "" && len(failed) > 0 || c.failed != "" && (len(failed) != 1 || !strings.Contains(failed[0].Error(), c.failed) || strings.Contains(failed[0].Error(), "CANARY")) {
				t.Errorf("failed: %v, want %q", failed, c.failed)
			}
		})
	}
}
