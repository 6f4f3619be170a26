package gitsource

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-git/v5/plumbing"
	objectcache "github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"milvus-reconcile/reconcile/gitsource/gitdir"
	"milvus-reconcile/schema/recent"
)

// The limits of the caches. They do not limit what can be read.
const (
	keepCommits = 50_000
	keepTrees   = 2 << 20 // bytes
	keepBlobs   = 20_000  // documents of blobs, not their bytes
	keepStates  = 8
	keepIndexes = 64
	keepSigned  = 5_000
	keepBytes   = 4 << 20 // bytes of blobs
	keepDecoded = 8 << 20 // bytes of objects that others are stored as deltas of
)

// Repo is an open repository. It may be used by several goroutines at once.
type Repo struct {
	loc     location
	ref     string
	path    string
	auth    func() (Auth, error)
	keys    func() (Keys, error) // nil: trust never changes
	dir     string               // where the copy of a remote is kept
	message func(string)
	build   string // of the program; empty: no history is kept on disk
	trust   trust

	mu     sync.Mutex
	store  store
	copied *gitCopy // the same; nil: it is no copy of a remote
	// suspect is why the copy must be made again, refused why the disk took none.
	suspect      error
	diskRefusal  error
	diskBackoff  backoff // of the disk that took none
	renewBackoff backoff // of a copy that the remote did not send
	lastMessage  string  // of the copy, last
	// leftOut are the failover tags that the remote lists and cannot send, and why.
	leftOut      map[plumbing.ReferenceName]absent
	leftOutAgain backoff // of asking for them again
	now          func() time.Time
	tracked      string // full name of the tracked ref, once known

	commits    *recent.Map[plumbing.Hash, *commit]
	statements *recent.Map[plumbing.Hash, *statement]
	trees      *recent.Map[plumbing.Hash, tree]
	folderHash folderHasher
	docs       *recent.Map[plumbing.Hash, []Document]
	blobs      *recent.Map[plumbing.Hash, []byte]
	states     *recent.Map[stateKey, *state]
	indexes    *recent.Map[plumbing.Hash, map[string]string]
	sources    *recent.Map[sourceKey, changeSource]
	signed     *recent.Map[plumbing.Hash, *tagInfo]
	merges     *recent.Map[plumbing.Hash, []plumbing.Hash]
	proven     *recent.Map[sourceKey, bool] // governing commits from the file of the history
	// historyRead: that file was read since the caches were emptied.
	historyRead bool
	saveAfter   int        // commits that are worth writing it
	packs       packLimits // of the copy
	// doubts counts what could not be read and perhaps can the next time.
	doubts int

	reads map[plumbing.ObjectType]int // objects, counted for the tests of what things cost
}

// Open opens a repository, and fetches it if it is a remote.
func Open(ctx context.Context, c Config) (*Repo, error) {
	r, err := New(c)
	if err != nil {
		return nil, err
	}
	return r, r.Fetch(ctx)
}

// New prepares a repository, which can be read after Fetch. It fails on unreadable static
// keys and on invalid paths, so that these faults do not appear during a failover.
func New(c Config) (*Repo, error) {
	loc, err := parseLocation(c.URL)
	if err != nil {
		return nil, err
	}
	folder, err := cleanPath(c.Path)
	if err != nil {
		return nil, err
	}
	r := &Repo{loc: loc, ref: c.Ref, path: folder, auth: c.Auth, keys: c.Keys, dir: c.CacheDir, message: c.Tell, build: c.Build, saveAfter: saveAfter, packs: usualPackLimits, now: time.Now, reads: map[plumbing.ObjectType]int{}}
	if r.keys == nil {
		if r.trust = (Keys{c.AllowedSigners, c.Keyring}).trust(); r.trust.problem != nil {
			return nil, r.trust.problem
		}
	}
	r.clearCaches()
	return r, nil
}

// clearCaches empties all caches.
func (r *Repo) clearCaches() {
	r.commits = recent.NewWeighed[plumbing.Hash](keepCommits, func(c *commit) int { return 1 + len(c.parents)/16 })
	r.trees = recent.NewWeighed[plumbing.Hash](keepTrees, func(t tree) int { return len(t.data) + 4*len(t.ends) })
	r.docs = recent.New[plumbing.Hash, []Document](keepBlobs)
	r.blobs = recent.NewWeighed[plumbing.Hash](keepBytes, func(b []byte) int { return len(b) })
	r.states = recent.New[stateKey, *state](keepStates)
	r.indexes = recent.New[plumbing.Hash, map[string]string](keepIndexes)
	r.merges = recent.New[plumbing.Hash, []plumbing.Hash](keepSigned)
	r.proven = recent.New[sourceKey, bool](keepSigned)
	r.historyRead = false
	r.clearSignatureCaches()
}

// clearSignatureCaches empties the caches that depend on the operator's keys.
func (r *Repo) clearSignatureCaches() {
	r.statements = recent.New[plumbing.Hash, *statement](keepSigned)
	r.sources = recent.New[sourceKey, changeSource](keepSigned)
	r.signed = recent.New[plumbing.Hash, *tagInfo](keepSigned)
}

// Fetch updates the repository. It fetches and prunes the tracked ref and the failover
// tags of a remote. It reopens a local repository, which git may have packed since.
func (r *Repo) Fetch(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.loc.transport != transportLocal {
		return r.fetchRemote(ctx)
	}
	return r.openLocal()
}

// store reads the refs and objects of a repository.
type store interface {
	gitdir.Refs
	EncodedObject(plumbing.ObjectType, plumbing.Hash) (plumbing.EncodedObject, error)
	Unpack(id plumbing.Hash) (gitdir.Object, bool)
	HashesWithPrefix(prefix []byte) ([]plumbing.Hash, error)
	Shallow() ([]plumbing.Hash, error)
	Close() error
}

func (r *Repo) openLocal() error {
	if _, err := os.Stat(r.loc.path); err != nil {
		return fmt.Errorf("repository %s: %w", r.loc.path, errors.Unwrap(err))
	}
	local, err := gitdir.Open(r.loc.path)
	if errors.Is(err, gitdir.ErrNoRepository) {
		return fmt.Errorf("%s is not a Git repository: give a clone, or the URL of a remote", r.loc.path)
	}
	if err != nil {
		return fmt.Errorf("repository %s: %w", r.loc.path, err)
	}
	if err := r.release(); err != nil {
		return fmt.Errorf("repository: %w", err)
	}
	r.store = local
	return nil
}

// storage returns the object storage of a copy. Its pack files stay open, so that reads of
// many objects are cheap.
func storage(folder billy.Filesystem) *filesystem.Storage {
	options := filesystem.Options{KeepDescriptors: true, LargeObjectThreshold: maxTree}
	return filesystem.NewStorageWithOptions(folder, objectcache.NewObjectLRU(keepDecoded), options)
}

// release closes the files of the present repository.
func (r *Repo) release() error {
	if r.store == nil {
		return nil
	}
	held := r.store
	r.store, r.copied = nil, nil
	return held.Close()
}

// errClosed is the error of a closed Repo.
var errClosed = errors.New("the repository is closed")

// Close releases the files that are held open. The Repo can be used again
// after the next Fetch.
func (r *Repo) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.release()
}
