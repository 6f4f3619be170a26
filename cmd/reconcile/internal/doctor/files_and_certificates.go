package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/reconcile/plainfile"
	"milvus-reconcile/reconcile/program"
	"milvus-reconcile/schema"
)

// files looks at what lies in files beside the ledger: certificates, secrets and
// programs.
func (x *examination) files(ctx context.Context, now time.Time) {
	defer x.e.Doing("looking at certificates and secrets")()
	x.certificates(ctx, now)
	x.exposed()
	if _, err := wire.ReadSecret(x.e.Config.Serve.WebhookSecret); err != nil {
		x.check(render.Check{
			Area: "credentials", Subject: "serve.webhookSecretFrom", Verdict: render.CheckFailed,
			Message: "run would answer each push with an error: " + err.Error(), Remedy: "put the secret where the configuration says",
		})
	}
	for _, c := range x.e.Config.Clusters {
		if c.Restart == nil {
			continue
		}
		check := render.Check{Area: "restart", Subject: c.ID, Verdict: render.CheckOK, Message: "the program that restarts its coordinator is there"}
		if err := program.Usable(c.Restart.Command); err != nil {
			check.Verdict, check.Message = render.CheckFailed, "its coordinator could not be restarted: "+err.Error()
			check.Remedy = "correct clusters[].restart: a force promote that stays half done is finished by nothing else"
		}
		x.check(check)
	}
}

// ending is a certificate, or a file of them, and from when to when it counts.
type ending struct {
	subject     string
	begin, end  time.Time
	unreadable  error
	consequence string
}

// certificates warns of what ends soon: our own files, and what servers show us.
func (x *examination) certificates(ctx context.Context, now time.Time) {
	found := x.ownCertificates()
	found = append(found, x.shownCertificates(ctx)...)
	for _, e := range found {
		c := render.Check{Area: "certificates", Subject: e.subject, Remedy: "renew it"}
		left := e.end.Sub(now)
		switch {
		case e.unreadable != nil:
			c.Verdict, c.Message, c.Remedy = render.CheckFailed, e.unreadable.Error(), "put a certificate there, and the key that fits it"
		case left <= 0:
			c.Verdict, c.Message = render.CheckFailed, "it ended at "+e.end.UTC().Format(time.RFC3339)+": "+e.consequence
		case now.Before(e.begin):
			c.Verdict, c.Message = render.CheckFailed, "it counts only from "+e.begin.UTC().Format(time.RFC3339)+": "+e.consequence
		case left < min(endsSoon, e.end.Sub(e.begin)/4):
			c.Verdict, c.Message, c.Remedy = render.CheckWarning, "it ends at "+e.end.UTC().Format(time.RFC3339)+": "+e.consequence, "renew it before that"
		default:
			c.Verdict, c.Message, c.Remedy = render.CheckOK, "it counts until "+e.end.UTC().Format(time.RFC3339), ""
		}
		x.check(c)
	}
}

// ownCertificates are those in files of the configuration, each once.
func (x *examination) ownCertificates() []ending {
	var out []ending
	seen := map[string]bool{}
	add := func(path, consequence string, read func(string) (ending, error)) {
		if path == "" || seen[path] {
			return
		}
		seen[path] = true
		e, err := read(path)
		e.subject, e.unreadable, e.consequence = path, err, consequence
		out = append(out, e)
	}
	connection := func(t *schema.TLS, peer string) {
		if t != nil {
			add(t.CertFile, peer+" lets us in no more", chainOf)
			add(t.CAFile, "we trust "+peer+" no more", authoritiesOf)
		}
	}
	for _, c := range x.e.Config.Credentials {
		connection(c.TLS, c.ClusterID)
	}
	if etcd := x.e.Config.Ledger.Etcd; etcd != nil {
		connection(etcd.TLS, "etcd")
	}
	if t := x.e.Config.Serve.TLS; t != nil {
		if _, err := wire.ServerTLS(t); err != nil {
			out = append(out, ending{subject: "serve.tls", unreadable: fmt.Errorf("run would fail each handshake: %w", err)})
		}
		add(t.CertFile, "clients of the daemon trust it no more", chainOf)
		add(t.CAFile, "the daemon lets its clients in no more", authoritiesOf)
	}
	add(x.e.Config.Git.Auth.CAFile, "we trust the Git server no more", authoritiesOf)
	return out
}

// chainOf counts as long as each certificate of a chain does.
func chainOf(path string) (ending, error) {
	return span(path, func(e *ending, c *x509.Certificate) {
		if e.end.IsZero() || c.NotAfter.Before(e.end) {
			e.end = c.NotAfter
		}
		if c.NotBefore.After(e.begin) {
			e.begin = c.NotBefore
		}
	})
}

// authoritiesOf counts as long as one of the authorities does.
func authoritiesOf(path string) (ending, error) {
	return span(path, func(e *ending, c *x509.Certificate) {
		if c.NotAfter.After(e.end) {
			e.begin, e.end = c.NotBefore, c.NotAfter
		}
	})
}

func span(path string, add func(*ending, *x509.Certificate)) (ending, error) {
	var out ending
	data, err := plainfile.Read(path)
	if err != nil {
		return out, err
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return out, fmt.Errorf("it holds a certificate that cannot be read: %w", err)
		}
		add(&out, c)
	}
	if out.end.IsZero() {
		return out, errors.New("it holds no certificate")
	}
	return out, nil
}

// server is one that shows a certificate when it is reached.
type server struct {
	what, address string
	tls           *schema.TLS
}

// servers are those that a failover speaks to by TLS.
func (x *examination) servers() []server {
	var out []server
	for _, c := range x.e.Config.Credentials {
		if c.TLS != nil {
			out = append(out, server{c.ClusterID, c.Address, c.TLS})
		}
	}
	if etcd := x.e.Config.Ledger.Etcd; etcd != nil {
		for _, e := range etcd.Endpoints {
			if rest, secure := strings.CutPrefix(e, "https://"); secure || etcd.TLS != nil {
				out = append(out, server{"etcd " + e, strings.TrimPrefix(rest, "http://"), etcd.TLS})
			}
		}
	}
	urls := map[string]string{"Git": x.e.Git.URL}
	for _, r := range x.e.Config.Redirect {
		if r.Webhook != nil {
			urls[r.Name] = r.Webhook.URL
		}
	}
	for what, raw := range urls {
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "https" {
			continue
		}
		port := u.Port()
		if port == "" {
			port = "443"
		}
		s := server{what: what + " " + u.Hostname(), address: net.JoinHostPort(u.Hostname(), port)}
		if what == "Git" {
			s.tls = &schema.TLS{CAFile: x.e.Config.Git.Auth.CAFile}
		}
		out = append(out, s)
	}
	return out
}

// shownCertificates are those of the servers that can be reached and are trusted;
// what the others stop, their own checks say.
func (x *examination) shownCertificates(ctx context.Context) []ending {
	servers := x.servers()
	shown := make([]ending, len(servers))
	var wg sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i, s := range servers {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			shown[i] = s.certificate(ctx)
		})
	}
	wg.Wait()
	var out []ending
	for _, e := range shown {
		if !e.end.IsZero() {
			out = append(out, e)
		}
	}
	return out
}

// certificate shakes hands and says nothing more.
func (s server) certificate(ctx context.Context) ending {
	conf, err := wire.TLSConfig(s.tls)
	if err != nil {
		return ending{}
	}
	ctx, cancel := context.WithTimeout(ctx, resolvePatience)
	defer cancel()
	conn, err := (&tls.Dialer{Config: conf}).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return ending{}
	}
	defer conn.Close() //nolint:errcheck // nothing was sent
	c := conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
	return ending{subject: "the server " + s.what, begin: c.NotBefore, end: c.NotAfter, consequence: "nobody reaches it then"}
}

// exposed warns of secrets that every user of this machine can read, and of files
// that another user, or a group, could change or replace.
func (x *examination) exposed() {
	files := x.e.NamedFiles()
	var open, others []string
	secrets := 0
	walk := wire.NewPathChecker()
	for _, f := range files {
		if f.Secret {
			secrets++
			if readableByAll(f.Path) {
				open = append(open, f.Path)
			}
		}
		for _, who := range walk.Check(f.Path).Others {
			if !slices.Contains(others, who) {
				others = append(others, who)
			}
		}
	}
	const area = "permissions"
	if len(open) > 0 {
		x.check(render.Check{
			Area: area, Subject: "secrets", Verdict: render.CheckWarning,
			Message: "every user of this machine can read secrets: " + strings.Join(open, ", "), Remedy: "chmod o-r " + strings.Join(open, " "),
		})
	}
	if len(others) > 0 {
		x.check(render.Check{
			Area: area, Subject: "files", Verdict: render.CheckWarning,
			Message: "beside this user and root: " + foldMany(others), Remedy: "let this user or root own each of them with its folders, and nobody else write them",
		})
	}
	if len(open)+len(others) == 0 {
		x.check(render.Check{
			Area: area, Verdict: render.CheckOK,
			Message: fmt.Sprintf("no other user can change the %d files that the configuration rests on, or read the %d with secrets", len(files), secrets),
		})
	}
}

// foldMany names a few of many.
func foldMany(all []string) string {
	const shown = 10
	if more := len(all) - shown; more > 0 {
		return fmt.Sprintf("%s; and %d more", strings.Join(all[:shown], "; "), more)
	}
	return strings.Join(all, "; ")
}

// readableByAll says whether every user of this machine can read a file, through
// all the folders that it lies in.
func readableByAll(path string) bool {
	const reads, enters fs.FileMode = 0o004, 0o001
	path = wire.RealPath(path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&reads == 0 {
		return false
	}
	for folder := filepath.Dir(path); ; folder = filepath.Dir(folder) {
		info, err := os.Stat(folder)
		if err != nil || info.Mode().Perm()&enters == 0 {
			return false
		}
		if folder == filepath.Dir(folder) {
			return true
		}
	}
}
