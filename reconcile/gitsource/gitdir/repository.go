// Package gitdir reads the objects and refs of a Git repository from its files, in all forms
// that git writes: loose objects, packs, alternates, packed refs and tables of refs. go-git's
// own storage opens only some of them.
//
// Its results are not checked against the ids of the objects: the caller hashes them.
// Nothing is written, and of the config of a repository only the storage format is read.
package gitdir

import (
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"
)

// Refs reads the refs of a repository.
type Refs interface {
	// Reference returns a ref, or plumbing.ErrReferenceNotFound.
	Reference(plumbing.ReferenceName) (*plumbing.Reference, error)
	// References returns the refs whose names begin with prefix, which ends in a slash.
	References(prefix string) ([]*plumbing.Reference, error)
}

// Repository is a repository on disk.
type Repository struct {
	Refs
	*Objects
	layout layout
}

// Open finds the repository of a path as git does: the folder itself or one above it. The
// error is ErrNoRepository if there is none, or ErrFormat if its format is not read.
func Open(path string) (*Repository, error) {
	where, err := findLayout(path)
	if err != nil {
		return nil, err
	}
	stored, err := where.readFormat()
	if err != nil {
		return nil, err
	}
	out := &Repository{refFiles{where}, localObjects(filepath.Join(where.common, "objects")), where}
	if stored.reftable() {
		out.Refs = newRefTables(where)
	}
	return out, nil
}

// Shallow lists the commits whose parents a clone left out.
func (r *Repository) Shallow() ([]plumbing.Hash, error) { return r.layout.shallow() }
