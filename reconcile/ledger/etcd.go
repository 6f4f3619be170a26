package ledger

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/foreign"
)

// DefaultTTL is how long a lock or a leadership in etcd outlives its holder.
const DefaultTTL = 15 * time.Second

// EtcdConfig says where an etcd ledger is.
type EtcdConfig struct {
	Endpoints []string      // host:port, or http:// and https:// urls
	Prefix    string        // of all keys; /reconcile if empty
	TTL       time.Duration // of a lease; DefaultTTL if 0, at least 1 s
	// NotePath is a file on this machine that names the newest record. It reveals
	// restored data in etcd; empty: only this process remembers the record.
	NotePath string
	// Login is called at each connect, and again after etcd refused a request or did not
	// answer, so that rotated secrets are used; nil: no authentication.
	Login func() (EtcdLogin, error)
}

// EtcdLogin holds the credentials of an etcd client.
type EtcdLogin struct {
	TLS      *tls.Config // nil: plaintext, or the machine's authorities for https://
	Username string      // empty: no authentication
	Password string      // never part of an error
}

const (
	// compressFrom is the size in bytes from which a value is stored compressed.
	// maxRequest is etcd's default limit of a request (1.5 MiB), less room for keys.
	compressFrom = 8 << 10
	maxRequest   = 1400 << 10
	// maxOps is the number of operations in one transaction; etcd allows 128 by default.
	// A larger change uses up to nested transactions of nestedOps operations within it:
	// etcd counts them with the outer one (server/etcdserver/api/v3rpc key.go:
	// checkTxnRequest).
	maxOps    = 120
	nested    = 40
	nestedOps = 80
)

// etcd keeps the ledger in etcd, so that several machines share it. Its keys below the
// prefix are format, head, cluster, records/<number>, latest/<key>, locks/<topology>
// and leader.
type etcd struct {
	config EtcdConfig
	wait   time.Duration // for one request

	mu           sync.Mutex
	client       *clientv3.Client // nil until it is used
	login        EtcdLogin        // of client
	retired      []*clientv3.Client
	knownRecords recordCache
	lastRead     revisionImage // that was read last
	cluster      uint64        // of etcd, that it was read from
	version      uint64        // of the image that was made last
	notes        machineNotes
}

// Etcd returns the ledger in etcd. The first use connects. The caller closes it.
func Etcd(c EtcdConfig, o Options) (*Ledger, error) {
	if len(c.Endpoints) == 0 {
		return nil, errors.New("the ledger needs an endpoint of etcd")
	}
	if c.Prefix = "/" + strings.Trim(c.Prefix, "/"); c.Prefix == "/" {
		c.Prefix = "/reconcile"
	}
	if c.TTL == 0 {
		c.TTL = DefaultTTL
	}
	if c.TTL < time.Second {
		return nil, fmt.Errorf("a lease of %s is too short: at least 1s", c.TTL)
	}
	wait := o.BusyWait
	if wait <= 0 {
		wait = defaultBusyWait
	}
	return newLedger(&etcd{config: c, wait: wait, notes: machineNotes{path: c.NotePath}}, o), nil
}

func (b *etcd) kind() plan.LedgerKind { return plan.LedgerEtcd }

func (b *etcd) name() string {
	return "etcd " + strings.Join(b.config.Endpoints, ",") + " " + b.config.Prefix
}

func (b *etcd) reportSoundness(newest sealed, sound bool) { b.notes.sound(newest, sound) }

// batch is small: etcd limits the operations and the bytes of a transaction.
func (b *etcd) batch() int { return 50 }

func (b *etcd) key(parts ...string) string { return b.config.Prefix + "/" + strings.Join(parts, "/") }

// connect returns the client, and creates it at the first use. With authentication that
// takes a request.
func (b *etcd) connect(ctx context.Context) (*clientv3.Client, error) {
	if err := contextError(ctx); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.client != nil {
		return b.client, nil
	}
	login, err := b.currentLogin()
	if err != nil {
		return nil, b.unreachable(err)
	}
	c, err := clientv3.New(clientv3.Config{
		Endpoints: b.config.Endpoints, TLS: login.TLS, Username: login.Username, Password: login.Password,
		DialTimeout: b.wait, DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: 3 * time.Second,
		PermitWithoutStream: true, Logger: zap.NewNop(),
	})
	if err != nil {
		return nil, b.unreachable(err)
	}
	b.client, b.login = c, login
	return c, nil
}

func (b *etcd) currentLogin() (EtcdLogin, error) {
	if b.config.Login == nil {
		return EtcdLogin{}, nil
	}
	return b.config.Login()
}

// retire makes the next request log in again if the secrets changed. The old client
// stays open for the leases that it keeps alive.
func (b *etcd) retire() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if login, err := b.currentLogin(); b.client != nil && err == nil && login != b.login {
		b.retired, b.client = append(b.retired, b.client), nil
	}
}

func (b *etcd) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.retired
	if b.client != nil {
		all = append(all, b.client)
	}
	b.retired, b.client = nil, nil
	var bad []error
	for _, c := range all {
		if err := c.Close(); err != nil && !errors.Is(err, context.Canceled) {
			bad = append(bad, fmt.Errorf("close ledger: %w", err))
		}
	}
	return errors.Join(bad...)
}

// requestContext bounds ctx by the time limit of one request.
func (b *etcd) requestContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, b.wait)
}

// requestFailed returns ErrUnreachable with the cause. The secrets may have been
// rotated, so the next request logs in again.
func (b *etcd) requestFailed(err error) error {
	b.retire()
	return b.unreachable(err)
}

func (b *etcd) unreachable(err error) error {
	login, _ := b.currentLogin() // one that cannot be read was not sent
	return fmt.Errorf("%w: %s: %w", ErrUnreachable, b.name(), foreign.Error(err, login.Password, foreign.Name(login.Username)))
}

// compress returns the form of a value in etcd: small values unchanged, so that a
// person can read them, large ones compressed.
func compress(raw []byte) []byte {
	if len(raw) < compressFrom {
		return raw
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(raw) // into memory: it cannot fail
	_ = w.Close()
	return out.Bytes()
}

// decompress undoes compress. A stored value begins with a hash in hex, never with the
// magic bytes of gzip.
func decompress(value []byte) ([]byte, error) {
	if !bytes.HasPrefix(value, []byte{0x1f, 0x8b}) {
		return value, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(value))
	if err != nil {
		return nil, fmt.Errorf("compressed value: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(r, maxValue+1))
	if err != nil {
		return nil, fmt.Errorf("compressed value: %w", err)
	}
	if len(raw) > maxValue {
		return nil, errors.New("compressed value: it is too large")
	}
	return raw, nil
}
