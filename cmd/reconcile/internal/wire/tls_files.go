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

	mu       sync.Mutex
	files    [3]*plainfile.Followed
	versions [3]uint64         // of files when they were last looked at
	newest   [sha256.Size]byte // their hash then
	seen     [sha256.Size]byte // hash of the files that good was built from
	good     *tls.Config       // nil if the files have never been valid
	bad      error             // why the files are not valid now
}

// followTLS returns a configuration that follows its files; nil, for nil, is plaintext.
func followTLS(t *schema.TLS, build func(*schema.TLS) (*tls.Config, error)) *tlsFiles {
	if t == nil {
		return nil
	}
	f := &tlsFiles{conf: *t, build: build}
	for i, path := range []string{t.CAFile, t.CertFile, t.KeyFile} {
		if path != "" {
			f.files[i] = plainfile.Follow(path)
		}
	}
	return f
}

// content returns a hash of all files. A file that cannot be read counts as empty. While
// no file changes, they are not read and hashed again: each connection asks.
func (f *tlsFiles) content() [sha256.Size]byte {
	var data [len(f.files)][]byte
	var versions [len(f.files)]uint64
	for i, file := range f.files {
		if file != nil {
			data[i], versions[i], _ = file.Read() // build reports the error
		}
	}
	if versions == f.versions && f.versions != [len(f.files)]uint64{} {
		return f.newest
	}
	h := sha256.New()
	for _, one := range data {
		sum := sha256.Sum256(one)
		h.Write(sum[:])
	}
	f.versions, f.newest = versions, [sha256.Size]byte(h.Sum(nil))
	return f.newest
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
