package cli

import (
	"crypto/sha256"
	"crypto/tls"
	"os"
	"sync"

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
	good *tls.Config
}

// followTLS reads the files for the first time; nil is plaintext.
func followTLS(t *schema.TLS, build func(*schema.TLS) (*tls.Config, error)) (*tlsFiles, error) {
	if t == nil {
		return nil, nil //nolint:nilnil // nil is plaintext, as milvus.Credential says
	}
	f := &tlsFiles{conf: *t, build: build}
	f.seen = f.content()
	var err error
	f.good, err = build(t)
	return f, err
}

// content is a hash of all files together. One that cannot be read counts as empty.
func (f *tlsFiles) content() [sha256.Size]byte {
	h := sha256.New()
	for _, path := range []string{f.conf.CAFile, f.conf.CertFile, f.conf.KeyFile} {
		data, _ := os.ReadFile(path) // what is wrong with it, build says
		one := sha256.Sum256(data)
		h.Write(one[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// current is the configuration by the files as they are. It is the same pointer
// for as long as their content is the same.
func (f *tlsFiles) current() *tls.Config {
	f.mu.Lock()
	defer f.mu.Unlock()
	if seen := f.content(); seen != f.seen {
		if conf, err := f.build(&f.conf); err == nil {
			f.good, f.seen = conf, seen
		}
	}
	return f.good
}

// getter is current, or nil for plaintext.
func (f *tlsFiles) getter() func() *tls.Config {
	if f == nil {
		return nil
	}
	return f.current
}
