package wire

import (
	"crypto/sha256"
	"crypto/tls"
	"sync"
	"time"

	"milvus-reconcile/reconcile/plainfile"
	"milvus-reconcile/schema"
)

// tlsFiles is a TLS configuration that follows its files. A renewed certificate takes
// effect with the next connection. While a file cannot be read or used, as in the middle
// of a renewal, the last good configuration stays.
type tlsFiles struct {
	conf  schema.TLS
	build func(*schema.TLS) (*tls.Config, error)

	mu   sync.Mutex
	seen [sha256.Size]byte // hash of the files that good was built from
	good *tls.Config       // nil if the files have never been valid
	bad  error             // why the files are not valid now
}

// followTLS returns a configuration that follows its files; nil, for nil, is plaintext.
func followTLS(t *schema.TLS, build func(*schema.TLS) (*tls.Config, error)) *tlsFiles {
	if t == nil {
		return nil
	}
	return &tlsFiles{conf: *t, build: build}
}

// content returns a hash of all files. A file that cannot be read counts as empty.
func (f *tlsFiles) content() [sha256.Size]byte {
	h := sha256.New()
	for _, path := range []string{f.conf.CAFile, f.conf.CertFile, f.conf.KeyFile} {
		var data []byte
		if path != "" {
			data, _ = plainfile.Read(path) // build reports the error
		}
		one := sha256.Sum256(data)
		h.Write(one[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// current returns the last good configuration. The pointer is the same as long as the
// content of the files is. It fails if the files have never been valid.
func (f *tlsFiles) current() (*tls.Config, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read()
	if f.good == nil {
		return nil, f.bad
	}
	return f.good, nil
}

func (f *tlsFiles) read() {
	seen := f.content()
	if f.good != nil && seen == f.seen {
		f.bad = nil
		return
	}
	conf, err := f.build(&f.conf)
	if f.bad = err; err == nil {
		f.good, f.seen = conf, seen
	}
}

// fault returns why the files are not valid now. goesOn is true if connections continue
// with the last good certificate, which has not expired.
func (f *tlsFiles) fault(now time.Time) (goesOn bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read()
	return f.good != nil && unexpired(f.good, now), f.bad
}

// unexpired reports whether none of the own certificates has expired.
func unexpired(c *tls.Config, now time.Time) bool {
	for _, own := range c.Certificates {
		if own.Leaf != nil && now.After(own.Leaf.NotAfter) {
			return false
		}
	}
	return true
}

// getter returns the method current, or nil for plaintext.
func (f *tlsFiles) getter() func() (*tls.Config, error) {
	if f == nil {
		return nil
	}
	return f.current
}
