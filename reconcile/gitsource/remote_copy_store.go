package gitsource

import (
	"bufio"
	"bytes"
	"crypto/sha1" //nolint:gosec // the checksum of git's own pack files
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/memory"
)

// copyStore is the storage of a copy: objects in pack files, all else in memory. Refs are
// not files, since a file system cannot hold every set of ref names: a name that was a
// folder, a name that is too long, two names that differ in case. All refs change at once
// after a successful fetch.
type copyStore struct {
	*filesystem.Storage
	inMemory *memory.Storage // refs, shallow commits and configuration
}

func newCopyStore(objects *filesystem.Storage, refs memory.ReferenceStorage) *copyStore {
	light := memory.NewStorage()
	light.ReferenceStorage = refs
	return &copyStore{Storage: objects, inMemory: light}
}

// SetReference implements storer.ReferenceStorer, with the methods below.
func (s *copyStore) SetReference(ref *plumbing.Reference) error { return s.inMemory.SetReference(ref) }

// CheckAndSetReference sets a ref that is still what it was.
func (s *copyStore) CheckAndSetReference(ref, old *plumbing.Reference) error {
	return s.inMemory.CheckAndSetReference(ref, old)
}

// Reference finds a ref.
func (s *copyStore) Reference(name plumbing.ReferenceName) (*plumbing.Reference, error) {
	return s.inMemory.Reference(name)
}

// References implements gitdir.Refs.
func (s *copyStore) References(prefix string) ([]*plumbing.Reference, error) {
	var out []*plumbing.Reference
	for name, ref := range s.inMemory.ReferenceStorage {
		if strings.HasPrefix(string(name), prefix) {
			out = append(out, ref)
		}
	}
	return out, nil
}

// IterReferences goes through all refs.
func (s *copyStore) IterReferences() (storer.ReferenceIter, error) {
	return s.inMemory.IterReferences()
}

// RemoveReference forgets a ref.
func (s *copyStore) RemoveReference(name plumbing.ReferenceName) error {
	return s.inMemory.RemoveReference(name)
}

// CountLooseRefs says that there is nothing to pack.
func (s *copyStore) CountLooseRefs() (int, error) { return 0, nil }

// PackRefs does nothing.
func (s *copyStore) PackRefs() error { return nil }

// Shallow implements storer.ShallowStorer: a fetch of ours is never shallow.
func (s *copyStore) Shallow() ([]plumbing.Hash, error) { return s.inMemory.Shallow() }

// SetShallow notes commits whose parents are not there.
func (s *copyStore) SetShallow(commits []plumbing.Hash) error { return s.inMemory.SetShallow(commits) }

// Config implements config.ConfigStorer.
func (s *copyStore) Config() (*config.Config, error) { return s.inMemory.Config() }

// SetConfig replaces the configuration.
func (s *copyStore) SetConfig(c *config.Config) error { return s.inMemory.SetConfig(c) }

// errDamaged marks a copy on disk that differs from the result of the last fetch.
var errDamaged = errors.New("the copy is damaged")

// manifest is the record of the last fetch: the tracked ref, the packs and all refs.
type manifest struct {
	tracked string
	packs   []string // names of their files, without the ending
	refs    memory.ReferenceStorage
}

// manifestHead begins a manifest; its SHA-256 over the rest follows.
const manifestHead = "reconcile copy 1 sha256 "

// String is the manifest as it stands on disk.
func (m manifest) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "tracked %s\n", m.tracked)
	for _, p := range slices.Sorted(slices.Values(m.packs)) {
		fmt.Fprintf(&b, "pack %s\n", p)
	}
	for _, name := range slices.Sorted(maps.Keys(m.refs)) {
		if ref := m.refs[name]; ref.Type() == plumbing.HashReference {
			fmt.Fprintf(&b, "ref %s %s\n", ref.Hash(), name)
		}
	}
	sum := sha256.Sum256([]byte(b.String()))
	return manifestHead + hex.EncodeToString(sum[:]) + "\n" + b.String()
}

// parseManifest reads what String wrote, and nothing else.
func parseManifest(text []byte) (manifest, error) {
	m := manifest{refs: memory.ReferenceStorage{}}
	head, rest, _ := bytes.Cut(text, []byte("\n"))
	sum := sha256.Sum256(rest)
	if string(head) != manifestHead+hex.EncodeToString(sum[:]) {
		return m, fmt.Errorf("%w: its manifest was changed", errDamaged)
	}
	for line := range strings.Lines(string(rest)) {
		kind, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch kind {
		case "tracked":
			m.tracked = value
		case "pack":
			m.packs = append(m.packs, value)
		case "ref":
			id, name, _ := strings.Cut(value, " ")
			m.refs[plumbing.ReferenceName(name)] = plumbing.NewHashReference(plumbing.ReferenceName(name), plumbing.NewHash(id))
		}
	}
	return m, nil
}

// maxManifest bounds a manifest: a million of refs with long names is less.
const maxManifest = 256 << 20

// readManifest reads the manifest in a file.
func readManifest(path string) (manifest, error) {
	f, err := openRegular(path)
	if err != nil {
		return manifest{}, err
	}
	defer f.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(f, maxManifest))
	if err != nil {
		return manifest{}, err
	}
	return parseManifest(text)
}

// openRegular opens a regular file of the copy. It never blocks on a pipe, and reads from
// no device.
func openRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = f.Close() // only opened
		return nil, fmt.Errorf("%w: %s is no regular file", errDamaged, filepath.Base(path))
	}
	return f, nil
}

// checkPacks returns an error unless every pack of the manifest exists below dir and
// matches its checksum.
func checkPacks(dir string, m manifest) error {
	for _, name := range m.packs {
		pack, err := checkSum(filepath.Join(dir, name+".pack"))
		if err != nil {
			return err
		}
		if _, err := checkSum(filepath.Join(dir, name+".idx"), pack...); err != nil {
			return err
		}
	}
	return nil
}

// checkSum verifies that a file ends with about and the SHA-1 of all before that SHA-1
// (gitformat-pack(5)). It returns the SHA-1.
func checkSum(path string, about ...byte) ([]byte, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	if err != nil || info.Size() < int64(len(about))+sha1.Size {
		return nil, fmt.Errorf("%w: %s is cut off", errDamaged, filepath.Base(path))
	}
	hash, tail := sha1.New(), make([]byte, len(about)+sha1.Size) //nolint:gosec // see above
	in := bufio.NewReaderSize(f, 1<<16)
	_, err = io.CopyN(hash, in, info.Size()-int64(len(tail)))
	if err == nil {
		_, err = io.ReadFull(in, tail)
	}
	_, _ = hash.Write(tail[:len(about)]) // a hash never fails
	if err != nil || !bytes.Equal(tail[:len(about)], about) || !bytes.Equal(tail[len(about):], hash.Sum(nil)) {
		return nil, fmt.Errorf("%w: %s has another checksum than it says", errDamaged, filepath.Base(path))
	}
	return tail[len(about):], nil
}
