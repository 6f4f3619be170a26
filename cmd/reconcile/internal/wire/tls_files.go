package wire

import (
	"crypto/sha256"
	"crypto/tls"
	"sync"
	"time"

	"milvus-reconcile/reconcile/plainfile"
	"milvus-reconcile/schema"
)

// tlsFiles is a TLS configuration that follows its files: a certificate that was
// renewed is used from the next connection on. While a file cannot be read or
// used, as in the middle of a renewal, the last good configuration stays.
type tlsFiles struct {
	conf  schema.TLS
	build func(*schema.TLS) (*tls.Config, error)

	mu   sync.Mutex
	seen [sha256.Size]byte // of the files that good was made of
	good *tls.Config       // nil: the files were never good
	bad  error             // what is wrong with the files as they were last
}

// followTLS follows the files of a configuration; nil is plaintext.
func followTLS(t *schema.TLS, build func(*schema.TLS) (*tls.Config, error)) *tlsFiles {
	if t == nil {
		return nil
	}
	return &tlsFiles{conf: *t, build: build}
}

// content is a hash of all files together. One that cannot be read counts as empty.
func (f *tlsFiles) content() [sha256.Size]byte {
	h := sha256.New()
	for _, path := range []string{f.conf.CAFile, f.conf.CertFile, f.conf.KeyFile} {
		var data []byte
		if path != "" {
			data, _ = plainfile.Read(path) // what is wrong with it, build says
		}
		one := sha256.Sum256(data)
		h.Write(one[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// current is the configuration by the files as they are. It is the same pointer
// for as long as their content is the same. The error is of files that were never
// good.
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

// fault says what is wrong with the files as they are, and whether the connections
// go on all the same: by the last good certificate, while it counts.
func (f *tlsFiles) fault(now time.Time) (goesOn bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read()
	return f.good != nil && counts(f.good, now), f.bad
}

// counts says whether no certificate of ours has ended.
func counts(c *tls.Config, now time.Time) bool {
	for _, own := range c.Certificates {
		if own.Leaf != nil && now.After(own.Leaf.NotAfter) {
			return false
		}
	}
	return true
}

// getter is current, or nil for plaintext.
func (f *tlsFiles) getter() func() (*tls.Config, error) {
	if f == nil {
		return nil
	}
	return f.current
}
