package gitsource

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
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

// tree is the checked content of a tree object: entries of mode, name and id. It stays
// encoded, since a comparison of histories decodes only few of its entries. Its bytes are
// shared and not modified.
type tree struct {
	data []byte
	ends []uint32 // of the entries; shared by folders with the same names and modes
}

// encodedEntry is an entry that shares the bytes of its folder.
type encodedEntry struct {
	mode filemode.FileMode
	name []byte
	id   []byte
}

// decode copies the entry.
func (e encodedEntry) decode() treeEntry {
	return treeEntry{string(e.name), e.mode, plumbing.Hash(e.id)}
}

// bytes returns the bytes of an entry.
func (t tree) bytes(i int) []byte {
	if i == 0 {
		return t.data[:t.ends[0]]
	}
	return t.data[t.ends[i-1]:t.ends[i]]
}

// at reads an entry.
func (t tree) at(i int) encodedEntry {
	e, _, _ := cutEntry(t.bytes(i))
	return e
}

// entries lists the entries from one on.
func (t tree) entries(from int) []treeEntry {
	out := make([]treeEntry, 0, len(t.ends)-from)
	for i := from; i < len(t.ends); i++ {
		out = append(out, t.at(i).decode())
	}
	return out
}

// entry finds an entry by its name; the zero entry is none.
func (t tree) entry(name string) treeEntry {
	for i := range t.ends {
		if e := t.at(i); string(e.name) == name {
			return e.decode()
		}
	}
	return treeEntry{}
}

// idSize is the number of bytes of an id, which ends an entry.
const idSize = len(plumbing.ZeroHash)

// next parses a folder that may differ little from this one.
func (t tree) next(data []byte) (tree, error) {
	if _, onlyIDs := t.otherIDs(data); onlyIDs {
		return tree{data, t.ends}, nil
	}
	return parseTree(data)
}

// otherIDs lists the entries that have another id in data. onlyIDs says that nothing else
// differs: then data is a folder with the same names and modes.
func (t tree) otherIDs(data []byte) (changed []int, onlyIDs bool) {
	if len(data) != len(t.data) {
		return nil, false
	}
	for from := 0; ; {
		differs := from + commonPrefix(t.data[from:], data[from:])
		if differs == len(data) {
			return changed, true
		}
		i := sort.Search(len(t.ends), func(i int) bool { return int(t.ends[i]) > differs })
		if from = int(t.ends[i]); differs < from-idSize {
			return nil, false
		}
		changed = append(changed, i)
	}
}

// commonPrefix returns how many first bytes are equal.
func commonPrefix(a, b []byte) int {
	const step = 128
	at, end := 0, min(len(a), len(b))
	for at+step <= end && bytes.Equal(a[at:at+step], b[at:at+step]) {
		at += step
	}
	for at < end && a[at] == b[at] {
		at++
	}
	return at
}

// tree reads a folder. The zero id is an empty one.
func (r *Repo) tree(id plumbing.Hash) (tree, error) { return r.nextTree(tree{}, id) }

// nextTree reads a folder that may differ little from the one before.
func (r *Repo) nextTree(before tree, id plumbing.Hash) (tree, error) {
	if id.IsZero() {
		return tree{}, nil
	}
	if t, ok := r.trees.Get(id); ok {
		return t, nil
	}
	data, err := r.readObject(plumbing.TreeObject, id, maxTree)
	if err != nil {
		return tree{}, err
	}
	t, err := before.next(data)
	if err != nil {
		return tree{}, fmt.Errorf("folder %s: %w", id, err)
	}
	r.trees.Put(id, t)
	return t, nil
}

// errTree marks a folder that git would not have made.
var errTree = errors.New("malformed folder")

// parseTree checks the raw bytes of a tree object. It refuses a duplicate name, and a name
// that could lead out of the folder.
func parseTree(data []byte) (tree, error) {
	all := tree{data: data}
	ascending, before := true, []byte(nil)
	for rest := data; len(rest) > 0; {
		e, next, ok := cutEntry(rest)
		if !ok {
			return tree{}, fmt.Errorf("%w: it is cut short, or a mode cannot be read", errTree)
		}
		if badName(e.name) {
			return tree{}, fmt.Errorf("%w: entry %+q", errTree, e.name)
		}
		all.ends = append(all.ends, uint32(len(data)-len(next)))
		ascending = ascending && bytes.Compare(e.name, before) > 0
		before, rest = e.name, next
	}
	if ascending {
		return all, nil // so that no name stands twice
	}
	seen := map[string]bool{}
	for _, e := range all.entries(0) {
		if seen[e.name] {
			return tree{}, fmt.Errorf("%w: entry %+q", errTree, e.name)
		}
		seen[e.name] = true
	}
	return all, nil
}

// cutEntry reads the first entry of a folder's bytes: an octal mode, a space,
// the name, a NUL byte and the 20 bytes of an id.
func cutEntry(t []byte) (e encodedEntry, rest []byte, ok bool) {
	at := 0
	for ; at < len(t) && t[at] >= '0' && t[at] <= '7' && at < maxModeDigits; at++ {
		e.mode = e.mode<<3 | filemode.FileMode(t[at]-'0')
	}
	if at == 0 || at >= len(t) || t[at] != ' ' {
		return e, nil, false
	}
	t = t[at+1:]
	end, next := bytes.IndexByte(t, 0), 0
	if next = end + 1 + idSize; end < 0 || next > len(t) {
		return e, nil, false
	}
	e.name, e.id = t[:end], t[end+1:next]
	return e, t[next:], true
}

// maxModeDigits keeps a mode within its type; git writes six.
const maxModeDigits = 10

func badName(name []byte) bool {
	return len(name) == 0 || string(name) == "." || string(name) == ".." || bytes.IndexByte(name, '/') >= 0
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
		folder, err := r.tree(subfolder(at))
		if err != nil {
			return treeEntry{}, err
		}
		if at = folder.entry(part); at.name == "" {
			return treeEntry{}, nil
		}
	}
	return at, nil
}
