package conformance

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
)

// TLSFromFiles is how the suite connects to clusters whose address begins with
// https://. ca holds the roots (the system's if empty); cert and key are the
// suite's own, for clusters that want both sides (tlsMode 2), or empty.
func TLSFromFiles(ca, cert, key string) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("read the certificate authority: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", ca)
		}
	}
	if (cert == "") != (key == "") {
		return nil, errors.New("a client certificate needs its key, and a key its certificate")
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("read the client certificate: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

func (c *Cluster) credentials(secured *tls.Config) credentials.TransportCredentials {
	if !c.Secured {
		return insecure.NewCredentials()
	}
	return credentials.NewTLS(secured)
}

// dial connects to a cluster and waits until it serves.
func (e *env) dial(c *Cluster) {
	e.t.Helper()
	e.connect(c)
	if err := e.ready(c, e.limits.start); err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) connect(c *Cluster) {
	e.t.Helper()
	// A cluster that is started again must not be waited for longer than it takes to start.
	often := grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second}, MinConnectTimeout: 20 * time.Second}
	conn, err := grpc.NewClient(c.Address, grpc.WithTransportCredentials(c.credentials(e.tls)), grpc.WithConnectParams(often))
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = conn.Close() })
	c.rpc = milvuspb.NewMilvusServiceClient(conn)
}

// build is how a cluster calls itself.
func (e *env) build(c *Cluster) string {
	resp, err := c.rpc.Connect(e.long(c), &milvuspb.ConnectRequest{ClientInfo: &commonpb.ClientInfo{SdkType: "conformance"}})
	if err != nil || resp.GetServerInfo().GetBuildTags() == "" {
		return "of unknown build"
	}
	return strings.TrimSpace(resp.GetServerInfo().GetBuildTags() + " " + resp.GetServerInfo().GetGitCommit())
}
