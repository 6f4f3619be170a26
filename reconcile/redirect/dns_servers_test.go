package redirect_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"os"
	programs "os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"

	"milvus-reconcile/reconcile/reconciletest/freeport"
	"milvus-reconcile/reconcile/reconciletest/needs"
	"milvus-reconcile/reconcile/redirect/nameserver"
)

// zoneServer is a real name server that holds the zone example. The key reconcile may change
// the records below milvus.example, the key reader none.
type zoneServer struct {
	Dir, Address, Host, Port string
	Secret, Reader           string // of the keys, in base64
	Secondary                string // the address of another server that gets the zone from this one
	kind                     serverKind
}

// serverKind is a program, and the files that it is started with.
type serverKind struct {
	name    string
	program string
	args    []string
	files   map[string]string // templates by name
	needs   []string          // files of packages
	prepare []string          // a program to run first; its input is the file prepare.in
}

const zoneFile = `$ORIGIN example.
$TTL 300
@ IN SOA ns1 admin 1 3600 600 86400 60
@ IN NS ns1
ns1 IN A 127.0.0.1
milvus 3600 IN CNAME a
a.milvus IN A 192.0.2.1
a.milvus IN AAAA 2001:db8::1
_m._tcp.milvus IN SRV 0 0 19530 a
taken.milvus IN TXT "another use"
`

// serverKinds are what the target is tested with.
var serverKinds = []serverKind{bind, knot, powerDNS}

var bind = serverKind{
	name: "BIND", program: "named", args: []string{"-g", "-n", "1", "-U", "1", "-c", "named.conf"},
	files: map[string]string{"example.zone": zoneFile, "named.conf": `
key "reconcile" { algorithm hmac-sha256; secret "{{.Secret}}"; };
key "reader" { algorithm hmac-sha256; secret "{{.Reader}}"; };
options {
  directory "{{.Dir}}"; pid-file none; session-keyfile "{{.Dir}}/session.key"; managed-keys-directory "{{.Dir}}";
  listen-on port {{.Port}} { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; notify no; allow-transfer { 127.0.0.1; };
};
controls {};
zone "example" { type primary; file "example.zone"; update-policy { grant reconcile subdomain milvus.example.; }; };
`},
}

const knotServer = `
server:
    listen: {{.Host}}@{{.Port}}
    rundir: "{{.Dir}}"
    background-workers: 1
    udp-workers: 1
    tcp-workers: 1
log:
  - target: stderr
    any: warning
database:
    storage: "{{.Dir}}"
`

var knot = serverKind{
	name: "Knot", program: "knotd", args: []string{"-c", "knot.conf"},
	files: map[string]string{"example.zone": zoneFile, "knot.conf": knotServer + `
key:
  - id: reconcile
    algorithm: hmac-sha256
    secret: "{{.Secret}}"
  - id: reader
    algorithm: hmac-sha256
    secret: "{{.Reader}}"
acl:
  - id: may
    key: reconcile
    action: update
    update-owner: name
    update-owner-match: sub-or-equal
    update-owner-name: milvus.example.
zone:
  - domain: example
    storage: "{{.Dir}}"
    file: example.zone
    acl: may
`},
}

// knotSecondary gets the zone from a primary, and asks again only when it is told to.
var knotSecondary = serverKind{
	name: "Knot", program: "knotd", args: []string{"-c", "knot.conf"},
	files: map[string]string{"knot.conf": knotServer + `
remote:
  - id: primary
    address: {{.Secondary}}
acl:
  - id: told
    address: 127.0.0.1
    action: notify
zone:
  - domain: example
    storage: "{{.Dir}}"
    master: primary
    acl: told
`},
}

var powerDNS = serverKind{
	name: "PowerDNS", program: "pdns_server", args: []string{"--config-dir=.", "--daemon=no", "--guardian=no"},
	files: map[string]string{"pdns.conf": `
launch=gsqlite3
gsqlite3-database={{.Dir}}/zones.sqlite
gsqlite3-pragma-synchronous=0
local-address=127.0.0.1
local-port={{.Port}}
socket-dir={{.Dir}}
dnsupdate=yes
receiver-threads=1
distributor-threads=1
loglevel=4
`, "prepare.in": `.read /usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql
INSERT INTO domains (id, name, type) VALUES (1, 'example', 'NATIVE');
INSERT INTO domains (id, name, type) VALUES (2, 'open', 'NATIVE');
INSERT INTO domainmetadata (domain_id, kind, content) VALUES (1, 'TSIG-ALLOW-DNSUPDATE', 'reconcile');
INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('reconcile', 'hmac-sha256', '{{.Secret}}'), ('reader', 'hmac-sha256', '{{.Reader}}');
INSERT INTO records (domain_id, name, type, content, ttl, auth) VALUES
  (1, 'example', 'SOA', 'ns1.example admin.example 1 3600 600 86400 60', 300, 1),
  (1, 'example', 'NS', 'ns1.example', 300, 1),
  (1, 'ns1.example', 'A', '127.0.0.1', 300, 1),
  (1, 'milvus.example', 'CNAME', 'a.example', 3600, 1),
  (1, 'a.milvus.example', 'A', '192.0.2.1', 300, 1),
  (1, 'a.milvus.example', 'AAAA', '2001:db8::1', 300, 1),
  (1, '_m._tcp.milvus.example', 'SRV', '0 19530 a.example', 300, 1),
  (2, 'open', 'SOA', 'ns1.open admin.open 1 3600 600 86400 60', 300, 1),
  (1, 'taken.milvus.example', 'TXT', '"another use"', 300, 1);
UPDATE records SET prio = 0; -- where it keeps the priority of an SRV
`},
	needs:   []string{"/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql"},
	prepare: []string{"sqlite3", "-batch", "zones.sqlite"},
}

// newZoneServer starts a name server, and waits until it answers for the zone.
func newZoneServer(t *testing.T, kind serverKind, secondaryOf string) *zoneServer {
	t.Helper()
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin") // where Debian puts name servers
	for _, path := range kind.needs {
		needs.File(t, path)
	}
	dir := t.TempDir()
	program := needs.Copy(t, kind.program, dir)
	s := &zoneServer{Dir: dir, Address: freeport.Address(t), Secret: newSecret(t), Reader: newSecret(t), kind: kind}
	s.Host, s.Port, _ = strings.Cut(s.Address, ":")
	s.Secondary = strings.ReplaceAll(secondaryOf, ":", "@")
	for name, text := range kind.files {
		var out bytes.Buffer
		if err := template.Must(template.New(name).Parse(text)).Execute(&out, s); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(s.Dir, name), out.String(), 0o600)
	}
	if len(kind.prepare) > 0 {
		first := programs.Command(needs.Program(t, kind.prepare[0]), kind.prepare[1:]...)
		first.Dir, first.Stdin = s.Dir, strings.NewReader(read(t, filepath.Join(s.Dir, "prepare.in")))
		if out, err := first.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", first, err, out)
		}
	}
	s.start(t, program)
	return s
}

func (s *zoneServer) start(t *testing.T, program string) {
	t.Helper()
	var log bytes.Buffer
	server := programs.Command(program, s.kind.args...)
	server.Dir, server.Stdout, server.Stderr = s.Dir, &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = server.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = server.Process.Kill() // its zone is thrown away
		<-ended
	})
	for deadline := time.After(30 * time.Second); ; {
		if _, err := s.server().Read(t.Context(), "milvus.example.", nameserver.CNAME); err == nil {
			return
		}
		select {
		case <-ended:
			t.Fatalf("%s ended: %s", s.kind.name, &log)
		case <-deadline:
			t.Fatalf("%s does not answer", s.kind.name)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *zoneServer) server() nameserver.Server { return nameserver.Server{Address: s.Address} }

// holds returns what the server holds, and the serial of the zone.
func (s *zoneServer) holds(t *testing.T, name, kind string) nameserver.RRset {
	t.Helper()
	got, err := s.server().Read(t.Context(), name, kind)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func newSecret(t *testing.T) string {
	t.Helper()
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(raw)
}
