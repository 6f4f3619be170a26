package gitsource

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// treeEntry is one entry of a folder.
type treeEntry struct {
	name string
	mode filemode.FileMode
	id   plumbing.Hash
}

// tree reads a folder. The zero id is an empty one.
func (r *Repo) tree(id plumbing.Hash) ([]treeEntry, error) {
	if id.IsZero() {
		return nil, nil
	}
	if t, ok := r.trees.get(id); ok {
		return t, nil
	}
	data, err := r.raw(plumbing.TreeObject, id, maxTree)
	if err != nil {
		return nil, err
	}
	t, err := parseTree(data)
	if err != nil {
		return nil, fmt.Errorf("folder %s: %w", id, err)
	}
	r.trees.put(id, t)
	return t, nil
}

// errTree marks a folder that git would not have made.
var errTree = errors.New("malformed folder")

// parseTree reads the raw bytes of a tree object. A name that stands twice,
// or that could lead out of the folder, is refused.
func parseTree(data []byte) ([]treeEntry, error) {
	var out []treeEntry
	seen := map[string]bool{}
	for rest := string(data); rest != ""; {
		head, tail, ok := strings.Cut(rest, "\x00")
		mode, name, spaced := strings.Cut(head, " ")
		if !ok || !spaced || len(tail) < len(plumbing.Hash{}) {
			return nil, fmt.Errorf("%w: it is cut short", errTree)
		}
		bits, err := strconv.ParseUint(mode, 8, 32)
		if err != nil || seen[name] || badName(name) {
			return nil, fmt.Errorf("%w: entry %+q", errTree, name)
		}
		seen[name] = true
		e := treeEntry{name: name, mode: filemode.FileMode(bits)}
		copy(e.id[:], tail)
		out = append(out, e)
		rest = tail[len(e.id):]
	}
	return out, nil
}

func badName(name string) bool {
	return name == "" || name == "." || name == ".." || strings.Contains(name, "/")
}

// regular says whether an entry is a plain file.
func (e treeEntry) regular() bool { return e.mode&0o170000 == 0o100000 }

func (e treeEntry) dir() bool { return e.mode&0o170000 == 0o040000 }

func (e treeEntry) symlink() bool { return e.mode&0o170000 == 0o120000 }

// folder returns the tree of the topology files at a commit, zero if there is none.
func (r *Repo) folder(c *commit) (plumbing.Hash, error) {
	if r.path == "" {
		return c.tree, nil
	}
	e, err := r.entryAt(c, r.path)
	return subfolder(e), err
}

// fileAt returns the content of a topology file at a commit, zero if there is none.
func (r *Repo) fileAt(c *commit, file string) (plumbing.Hash, error) {
	e, err := r.entryAt(c, file)
	return topologyFile(e, file), err
}

// entryAt walks to an entry of a commit; the zero entry is none.
func (r *Repo) entryAt(c *commit, name string) (treeEntry, error) {
	at := treeEntry{mode: 0o040000, id: c.tree}
	for _, part := range strings.Split(name, "/") {
		entries, err := r.tree(subfolder(at))
		if err != nil {
			return treeEntry{}, err
		}
		i := slices.IndexFunc(entries, func(e treeEntry) bool { return e.name == part })
		if i < 0 {
			return treeEntry{}, nil
		}
		at = entries[i]
	}
	return at, nil
}
