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

// checkFiles checks certificates, secrets and programs.
func (x *examination) checkFiles(ctx context.Context, now time.Time) {
	defer x.e.Doing("checking certificates and secrets")()
	x.certificates(ctx, now)
	x.checkPermissions()
	if _, err := wire.ReadSecret(x.e.Config.Serve.WebhookSecret); err != nil {
		x.check(render.Check{
			Area: "credentials", Subject: "serve.webhookSecretFrom", Verdict: render.CheckFailed,
			Message: "run would answer each push with an error: " + err.Error(), Remedy: "put the secret where the configuration says",
		})
	}
	for _, c := range x.e.Config.Clusters {
		if c.Rebuild != nil {
			x.rebuildProgram(c.ID, c.Rebuild.Command)
		}
		if c.Restart == nil {
			continue
		}
		check := render.Check{Area: "restart", Subject: c.ID, Verdict: render.CheckOK, Message: "the program that restarts its coordinator is there"}
		if err := program.Usable(c.Restart.Command); err != nil {
			check.Verdict, check.Message = render.CheckFailed, "its coordinator could not be restarted: "+err.Error()
			check.Remedy = "correct clusters[].restart: only a restart finishes a force promote that stays half done"
		}
		x.check(check)
	}
}

// rebuildProgram checks the program that wipes and fills a cluster. No failover needs it.
func (x *examination) rebuildProgram(cluster string, command []string) {
	check := render.Check{Area: "rebuild", Subject: cluster, Verdict: render.CheckOK, Message: "the program that wipes and fills it is there"}
	if err := program.Usable(command); err != nil {
		check.Verdict, check.Message = render.CheckWarning, "it could not be rebuilt by the program: "+err.Error()
		check.Remedy = "correct clusters[].rebuild, or wipe and fill it by hand (docs/rebuild.md)"
	}
	x.check(check)
}

// validity is the period in which a certificate, or a file of certificates, is valid.
type validity struct {
	subject     string
	begin, end  time.Time
	unreadable  error
	consequence string
}

// certificates warns of certificates that expire soon: in our files, and of servers.
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
		case left < min(expiryWarning, e.end.Sub(e.begin)/4):
			c.Verdict, c.Message, c.Remedy = render.CheckWarning, "it ends at "+e.end.UTC().Format(time.RFC3339)+": "+e.consequence, "renew it before that"
		default:
			c.Verdict, c.Message, c.Remedy = render.CheckOK, "it counts until "+e.end.UTC().Format(time.RFC3339), ""
		}
		x.check(c)
	}
}

// ownCertificates returns those in files of the configuration, each once.
func (x *examination) ownCertificates() []validity {
	var out []validity
	seen := map[string]bool{}
	add := func(path, consequence string, read func(string) (validity, error)) {
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
			add(t.CertFile, peer+" no longer accepts us", chainValidity)
			add(t.CAFile, "we trust "+peer+" no more", authoritiesValidity)
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
			out = append(out, validity{subject: "serve.tls", unreadable: fmt.Errorf("run would fail each handshake: %w", err)})
		}
		add(t.CertFile, "clients of the daemon no longer trust it", chainValidity)
		add(t.CAFile, "the daemon no longer accepts its clients", authoritiesValidity)
	}
	add(x.e.Config.Git.Auth.CAFile, "we no longer trust the Git server", authoritiesValidity)
	return append(out, kubernetesCertificates(x.e.Config)...)
}

// chainValidity returns when all certificates of a chain are valid.
func chainValidity(path string) (validity, error) { return validityOf(path, ofChain) }

func ofChain(e *validity, c *x509.Certificate) {
	if e.end.IsZero() || c.NotAfter.Before(e.end) {
		e.end = c.NotAfter
	}
	if c.NotBefore.After(e.begin) {
		e.begin = c.NotBefore
	}
}

// authoritiesValidity returns when the authority that expires last is valid.
func authoritiesValidity(path string) (validity, error) { return validityOf(path, ofAuthorities) }

func ofAuthorities(e *validity, c *x509.Certificate) {
	if c.NotAfter.After(e.end) {
		e.begin, e.end = c.NotBefore, c.NotAfter
	}
}

func validityOf(path string, add func(*validity, *x509.Certificate)) (validity, error) {
	data, err := plainfile.Read(path)
	if err != nil {
		return validity{}, err
	}
	return validityIn(data, add)
}

func validityIn(data []byte, add func(*validity, *x509.Certificate)) (validity, error) {
	var out validity
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

// server is a TLS server.
type server struct {
	what, address string
	tls           *schema.TLS
}

// servers returns the TLS servers that a failover calls.
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

// shownCertificates returns the certificates of the servers that can be reached and are
// trusted. The others have checks of their own.
func (x *examination) shownCertificates(ctx context.Context) []validity {
	servers := x.servers()
	shown := make([]validity, len(servers))
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
	var out []validity
	for _, e := range shown {
		if !e.end.IsZero() {
			out = append(out, e)
		}
	}
	return out
}

// certificate makes a TLS handshake and sends nothing else.
func (s server) certificate(ctx context.Context) validity {
	conf, err := wire.TLSConfig(s.tls)
	if err != nil {
		return validity{}
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := (&tls.Dialer{Config: conf}).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return validity{}
	}
	defer conn.Close() //nolint:errcheck // nothing was sent
	c := conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
	return validity{subject: "the server " + s.what, begin: c.NotBefore, end: c.NotAfter, consequence: "nobody can then reach it"}
}

// checkPermissions warns of secrets that every user of this machine can read, and of files
// that another user or a group could change or replace.
func (x *examination) checkPermissions() {
	files := x.e.NamedFiles()
	var open, others []string
	needed, secrets := 0, 0
	walk := wire.NewPathChecker()
	for _, f := range files {
		if !f.Before {
			needed++
		}
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
			Message: "other users than this one and root can change files: " + listFirst(others), Remedy: "let this user or root own each of them and its folders, and let nobody else write them",
		})
	}
	if len(open)+len(others) == 0 {
		x.check(render.Check{
			Area: area, Verdict: render.CheckOK,
			Message: fmt.Sprintf("no other user can change the %d files that the configuration needs, or read the %d with secrets", needed, secrets),
		})
	}
}

// listFirst joins the first ten, and says how many more there are.
func listFirst(all []string) string {
	const shown = 10
	if more := len(all) - shown; more > 0 {
		return fmt.Sprintf("%s; and %d more", strings.Join(all[:shown], "; "), more)
	}
	return strings.Join(all, "; ")
}

// readableByAll reports whether every user of this machine can read a file and enter all
// folders above it.
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
