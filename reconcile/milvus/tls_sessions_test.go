package milvus

import (
	"crypto/tls"
	"crypto/x509"
	"sync"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestSessionsAreResumed: a process that observes again and again resumes the TLS session
// of a cluster, with the same token, certificates and address, for an hour. One that
// observes once, and what must be a new connection, make the whole handshake.
func TestSessionsAreResumed(t *testing.T) {
	authority, err := milvussim.NewAuthority()
	must(t, err)
	w := newWorld(t, milvussim.Options{Authority: authority}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	var mu sync.Mutex
	resumed, whole := 0, 0
	trusting := func() *tls.Config {
		conf := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool(), VerifyConnection: func(s tls.ConnectionState) error {
			mu.Lock()
			defer mu.Unlock()
			if s.DidResume {
				resumed++
			} else {
				whole++
			}
			return nil
		}}
		conf.RootCAs.AppendCertsFromPEM(authority.PEM())
		return conf
	}
	conf, token := trusting(), milvussim.RootToken
	for i := range w.config.Credentials {
		w.config.Credentials[i].TLS = func() (*tls.Config, error) { return conf, nil }
		w.config.Credentials[i].Token = func() (string, error) { return token, nil }
	}
	once := w.config
	once.OneShot = true
	w.config.KeepFor = time.Minute
	f := w.fleetWithLongWait()
	f.mostKept = 0 // each observation makes new connections
	// A connection that a busy machine makes again resumes, too, and is not counted.
	observe := func(f *Fleet, depth plan.Depth, wantResumed, wantWhole int) {
		t.Helper()
		resumed, whole = 0, 0
		for _, v := range f.Reader().Observe(w.ctx(), []plan.Topology{w.topology}, depth) {
			if v.Cluster == "b" || token == milvussim.RootToken {
				same(t, v.Reach, plan.ReachUp)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		same(t, whole, wantWhole)
		if resumed < wantResumed {
			t.Errorf("%d sessions were resumed, want %d", resumed, wantResumed)
		}
	}
	observe(f, plan.Depth{}, 0, 2)
	observe(f, plan.Depth{}, 2, 0)
	observe(f, plan.Depth{Progress: true}, 2, 0)
	observe(f, plan.Depth{Fresh: true}, 0, 2)
	<-w.clock.After(2 * time.Hour)
	observe(f, plan.Depth{}, 0, 2)
	conf = trusting()
	observe(f, plan.Depth{}, 0, 2)
	observe(f, plan.Depth{}, 2, 0)
	token = "root:other"
	observe(f, plan.Depth{}, 0, 2)
	token = milvussim.RootToken
	observe(f, plan.Depth{}, 0, 2)

	brief := NewFleet(once)
	brief.awaitSoon = time.Minute
	t.Cleanup(brief.Close)
	observe(brief, plan.Depth{}, 0, 2)
	observe(brief, plan.Depth{}, 0, 2)

	conf = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()} // trusts nobody any more
	for _, v := range f.Reader().Observe(w.ctx(), []plan.Topology{w.topology}, plan.Depth{}) {
		same(t, v.Class, plan.ClassTLS)
	}
	for _, v := range brief.Reader().Observe(w.ctx(), []plan.Topology{w.topology}, plan.Depth{}) {
		same(t, v.Class, plan.ClassTLS)
	}
}
