package ledger

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

func TestEtcd(t *testing.T) {
	endpoint := etcdServer(t, nil)
	ledgers := 0
	conformance(t, func(t *testing.T) func(Options) *Ledger {
		ledgers++
		c := EtcdConfig{Endpoints: []string{endpoint}, Prefix: fmt.Sprint("/test/", ledgers), TTL: 2 * time.Second}
		return func(o Options) *Ledger { return newEtcd(t, c, o) }
	})
}

// writtenEtcd is a ledger with a few records of each sort, and its etcd.
func writtenEtcd(t *testing.T, endpoint string) (*Ledger, *clientv3.Client) {
	t.Helper()
	prefix := "/" + strings.ReplaceAll(t.Name(), "/", "-")
	l := newEtcd(t, EtcdConfig{Endpoints: []string{endpoint}, Prefix: prefix, TTL: 2 * time.Second}, Options{})
	fillLedger(t, l)
	return l, etcdClient(t, clientv3.Config{Endpoints: []string{endpoint}})
}

func TestDamageInEtcdIsReported(t *testing.T) {
	endpoint := etcdServer(t, nil)
	replace := func(seq uint64, from, to string, seal bool) func(*testing.T, *etcd, *clientv3.Client) {
		return func(t *testing.T, b *etcd, c *clientv3.Client) {
			res, err := c.Get(t.Context(), b.recordKey(seq))
			must(t, err)
			value := strings.Replace(string(res.Kvs[0].Value), from, to, 1)
			if seal {
				_, body, _ := cutHash([]byte(value))
				value = string(withHash(body))
			}
			_, err = c.Put(t.Context(), b.recordKey(seq), value)
			must(t, err)
		}
	}
	put := func(key func(*etcd) string, value string) func(*testing.T, *etcd, *clientv3.Client) {
		return func(t *testing.T, b *etcd, c *clientv3.Client) {
			_, err := c.Put(t.Context(), key(b), value)
			must(t, err)
		}
	}
	del := func(key func(*etcd) string) func(*testing.T, *etcd, *clientv3.Client) {
		return func(t *testing.T, b *etcd, c *clientv3.Client) {
			_, err := c.Delete(t.Context(), key(b))
			must(t, err)
		}
	}
	record := func(seq uint64) func(*etcd) string { return func(b *etcd) string { return b.recordKey(seq) } }
	key := func(parts ...string) func(*etcd) string { return func(b *etcd) string { return b.key(parts...) } }
	cases := map[string]struct {
		edit func(*testing.T, *etcd, *clientv3.Client)
		seq  uint64
	}{
		"an edited record":                  {replace(3, `"generation":8`, `"generation":9`, false), 3},
		"an edited record with a new hash":  {replace(3, `"generation":8`, `"generation":9`, true), 4},
		"the last record with a new hash":   {replace(5, `"done"`, `"gone"`, true), 6},
		"a torn record":                     {put(record(3), "x"), 3},
		"a record that is badly compressed": {put(record(3), "\x1f\x8bx"), 3},
		"a record taken out":                {del(record(3)), 3},
		"the last record taken out":         {del(record(5)), 5},
		"a record put behind":               {put(record(6), "x"), 6},
		"a record with a strange name":      {put(key("records", "x"), "x"), 6},
		"the head taken out":                {del(key("head")), 6},
		"the format taken out":              {del(key("format")), 0},
		"edited progress":                   {put(key("latest", "progress", "b"), "x"), 0},
		"progress taken out":                {del(key("latest", "progress", "b")), 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l, client := writtenEtcd(t, endpoint)
			_, err := l.Read(t.Context()) // so that it knows the records before they change
			must(t, err)
			c.edit(t, l.store.(*etcd), client)
			fresh := newEtcd(t, l.store.(*etcd).config, Options{})
			for what, reader := range map[string]*Ledger{"known": l, "fresh": fresh} {
				s, err := reader.Read(t.Context())
				var damaged *CorruptError
				if !errors.As(err, &damaged) || damaged.Seq != c.seq || damaged.Path != l.store.name() {
					t.Fatalf("%s: %v", what, err)
				}
				same(t, s.Memory(), plan.Memory{})
				if err := reader.RecordHome(t.Context(), plan.Home{Cluster: "q", Topology: "orders"}); !errors.As(err, &damaged) {
					t.Fatalf("%s: written to a damaged ledger: %v", what, err)
				}
			}
		})
	}
}

// A ledger of the same name that is made again is not the one that was known.
func TestEtcdLedgerMadeAnew(t *testing.T) {
	l, client := writtenEtcd(t, etcdServer(t, nil))
	b := l.store.(*etcd)
	_, err := client.Delete(t.Context(), b.config.Prefix+"/", clientv3.WithPrefix())
	must(t, err)
	var corrupt *CorruptError
	if _, err := l.Read(t.Context()); !errors.As(err, &corrupt) || !strings.Contains(err.Error(), "it held 5 records") {
		t.Fatalf("who knew it: %v", err)
	}
	other := newEtcd(t, b.config, Options{})
	_, isNew, err := other.Ensure(t.Context())
	must(t, err)
	same(t, isNew, true)
	_, err = l.Accept(t.Context())
	must(t, err)
	s, err := l.Read(t.Context())
	must(t, err)
	same(t, len(s.History("")), 2)
}

func TestEtcdCompacted(t *testing.T) {
	l, client := writtenEtcd(t, etcdServer(t, nil))
	res, err := client.Get(t.Context(), "x")
	must(t, err)
	_, err = client.Compact(t.Context(), res.Header.Revision, clientv3.WithCompactPhysical())
	must(t, err)
	s, err := l.Read(t.Context())
	must(t, err)
	same(t, len(s.History("")), 5)
	fillMore(t, l)
}

func fillMore(t *testing.T, l *Ledger) {
	t.Helper()
	must(t, l.RecordServed(t.Context(), "orders", Served{Version: 1}))
	s, err := l.Read(t.Context())
	must(t, err)
	same(t, s.Served()["orders"].Version, int64(1))
}

func TestEtcdOutOfReach(t *testing.T) {
	l := newEtcd(t, EtcdConfig{Endpoints: []string{freeport.Address(t)}}, Options{BusyWait: 300 * time.Millisecond})
	_, err := l.Read(t.Context())
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), l.store.name()) {
		t.Fatal(err)
	}
	if err := l.RecordServed(t.Context(), "orders", Served{Version: 1}); !errors.Is(err, ErrUnreachable) {
		t.Fatal(err)
	}
	if _, err := l.Lock(t.Context(), "orders", time.Hour); !errors.Is(err, ErrUnreachable) {
		t.Fatal(err)
	}
}

func TestEtcdConfigIsChecked(t *testing.T) {
	for name, c := range map[string]EtcdConfig{
		"no endpoint":       {},
		"a lease too short": {Endpoints: []string{"e:1"}, TTL: time.Millisecond},
	} {
		if _, err := Etcd(c, Options{}); err == nil {
			t.Error(name)
		}
	}
}

// With TLS, client certificates and authentication, for a user who may touch
// the prefix only.
// patient are the options of a ledger that a busy machine may keep waiting.
var patient = Options{BusyWait: time.Minute}

func TestEtcdSecured(t *testing.T) {
	files, config := certificates(t)
	endpoint := etcdServer(t, files)
	root := etcdClient(t, clientv3.Config{Endpoints: []string{endpoint}, TLS: config})
	ctx := t.Context()
	for _, do := range []func() error{
		func() error { _, err := root.RoleAdd(ctx, "root"); return err },
		func() error { _, err := root.UserAdd(ctx, "root", "secret"); return err },
		func() error { _, err := root.UserGrantRole(ctx, "root", "root"); return err },
		func() error { _, err := root.RoleAdd(ctx, "ledger"); return err },
		func() error {
			_, err := root.RoleGrantPermission(ctx, "ledger", "/reconcile/", clientv3.GetPrefixRangeEnd("/reconcile/"), clientv3.PermissionType(clientv3.PermReadWrite))
			return err
		},
		func() error { _, err := root.UserAdd(ctx, "reconcile", "hunter2"); return err },
		func() error { _, err := root.UserGrantRole(ctx, "reconcile", "ledger"); return err },
		func() error { _, err := root.AuthEnable(ctx); return err },
	} {
		must(t, do())
	}
	login := EtcdLogin{TLS: config, Username: "reconcile", Password: "hunter2"}
	with := func(l EtcdLogin) EtcdConfig {
		return EtcdConfig{Endpoints: []string{endpoint}, TTL: 2 * time.Second, Login: func() (EtcdLogin, error) { return l, nil }}
	}
	good := with(login)
	fillLedger(t, newEtcd(t, good, patient))
	s, err := newEtcd(t, good, patient).Read(ctx)
	must(t, err)
	same(t, len(s.History("")), 5)
	leader, err := newEtcd(t, good, patient).Campaign(ctx, Holder{})
	must(t, err)
	must(t, leader.Resign(ctx))
	t.Run("a rotated password", func(t *testing.T) { rotatedPassword(t, endpoint, login) })
	for name, edit := range map[string]func(*EtcdConfig){
		"a wrong password": func(c *EtcdConfig) { *c = with(EtcdLogin{config, "reconcile", "hunter3"}) },
		"no user":          func(c *EtcdConfig) { *c = with(EtcdLogin{config, "", ""}) },
		"another prefix":   func(c *EtcdConfig) { c.Prefix = "/elsewhere" },
		"no client certificate": func(c *EtcdConfig) {
			*c = with(EtcdLogin{&tls.Config{RootCAs: config.RootCAs}, "reconcile", "hunter2"})
		},
		"an authority not trusted": func(c *EtcdConfig) {
			*c = with(EtcdLogin{&tls.Config{Certificates: config.Certificates}, "reconcile", "hunter2"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			edit(&c)
			_, err := newEtcd(t, c, Options{BusyWait: time.Second}).Read(t.Context())
			if !errors.Is(err, ErrUnreachable) || strings.Contains(err.Error(), "hunter") {
				t.Fatal(err)
			}
		})
	}
}

// rotatedPassword changes the password of a user under a ledger that is in use: it
// takes up the new one with its next request that fails.
func rotatedPassword(t *testing.T, endpoint string, login EtcdLogin) {
	t.Helper()
	root := etcdClient(t, clientv3.Config{Endpoints: []string{endpoint}, TLS: login.TLS, Username: "root", Password: "secret"})
	l := newEtcd(t, EtcdConfig{Endpoints: []string{endpoint}, TTL: 2 * time.Second, Login: func() (EtcdLogin, error) { return login, nil }}, patient)
	if _, err := l.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := root.UserChangePassword(t.Context(), "reconcile", "hunter4")
	must(t, err)
	t.Cleanup(func() {
		_, err := root.UserChangePassword(context.WithoutCancel(t.Context()), "reconcile", "hunter2")
		must(t, err)
	})
	if _, err := l.Read(t.Context()); !errors.Is(err, ErrUnreachable) || strings.Contains(err.Error(), "hunter") {
		t.Fatalf("before the new password is there: %v", err)
	}
	login.Password = "hunter4"
	if _, err := l.Read(t.Context()); err != nil { // it logs in again after this
		t.Logf("the first request with the new password: %v", err)
	}
	if _, err := l.Read(t.Context()); err != nil {
		t.Errorf("with the new password: %v", err)
	}
	won, err := l.Campaign(t.Context(), Holder{})
	must(t, err)
	must(t, won.Resign(t.Context()))
}

// certificates makes an authority and one certificate for both ends.
func certificates(t *testing.T) (*transport.TLSInfo, *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "reconcile test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	must(t, err)
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	must(t, os.WriteFile(certFile, certPEM, 0o600))
	must(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600))
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	must(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return &transport.TLSInfo{CertFile: certFile, KeyFile: keyFile, TrustedCAFile: certFile, ClientCertAuth: true},
		&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: []tls.Certificate{pair}}
}
