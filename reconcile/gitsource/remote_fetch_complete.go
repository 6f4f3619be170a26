package gitsource

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// errNotAll marks a fetch that lacks objects of its refs.
var errNotAll = errors.New("the remote did not send all that its refs need")

// requireComplete checks, as git does, that every reachable commit and tag exists with its
// folder, and that the tips have all files below git.path. It does not check objects of
// earlier fetches again.
func (c *gitCopy) requireComplete(path string) error {
	w := arrivalCheck{c: c, seen: map[plumbing.Hash]bool{}, path: path}
	for name, ref := range c.inMemory.ReferenceStorage {
		if err := w.follow(ref.Hash(), string(name)); err != nil {
			return err
		}
	}
	return nil
}

// arrivalCheck checks the objects of a fetch.
type arrivalCheck struct {
	c    *gitCopy
	seen map[plumbing.Hash]bool
	path string
}

// arrived reports whether an object came with the fetch. Other objects must exist.
func (w *arrivalCheck) arrived(id plumbing.Hash, of string) (bool, error) {
	for _, index := range w.c.arrived {
		if found, _ := index.Contains(id); found { // of an index in memory
			return true, nil
		}
	}
	if w.c.HasEncodedObject(id) != nil {
		return false, fmt.Errorf("%w: object %s of %+q is not there (hint: 'git fsck' in the remote tells more; if it is a shallow or partial clone, complete it there: git fetch --unshallow)", errNotAll, id, of)
	}
	return false, nil
}

// follow checks the commits and tags of the fetch that an object reaches.
func (w *arrivalCheck) follow(id plumbing.Hash, of string) error {
	tip := true
	for todo := []plumbing.Hash{id}; len(todo) > 0; {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if w.seen[id] {
			continue
		}
		w.seen[id] = true
		if came, err := w.arrived(id, of); err != nil || !came {
			if err != nil {
				return err
			}
			continue
		}
		named, tree, err := w.references(id)
		if err != nil {
			return err
		}
		todo = append(todo, named...)
		if tree.IsZero() {
			continue
		}
		came, err := w.arrived(tree, of)
		if err == nil && came && tip {
			err = w.checkFiles(tree, of)
		}
		if err != nil {
			return err
		}
		tip = false
	}
	return nil
}

// references lists the commits and tags that an object names, and its folder. What cannot
// be read names nothing.
func (w *arrivalCheck) references(id plumbing.Hash) (named []plumbing.Hash, tree plumbing.Hash, err error) {
	o, err := w.c.EncodedObject(plumbing.AnyObject, id)
	if err != nil {
		return nil, tree, err
	}
	in, err := o.Reader()
	if err != nil {
		return nil, tree, err
	}
	defer in.Close()
	switch o.Type() { //nolint:exhaustive // the others name none
	case plumbing.TagObject:
		target, size, err := idLine(bufio.NewReader(in), "object ")
		if err == nil && size > 0 {
			named = append(named, target)
		}
	case plumbing.CommitObject:
		tree, named, _, _ = treeAndParents(bufio.NewReader(in))
	}
	return named, tree, nil
}

// checkFiles checks that every file below git.path exists in the folders of the fetch.
func (w *arrivalCheck) checkFiles(root plumbing.Hash, of string) error {
	folder, arrived, err := w.topologyFolder(root, of)
	if err != nil || !arrived {
		return err
	}
	for todo := []plumbing.Hash{folder}; len(todo) > 0; {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if w.seen[id] {
			continue
		}
		w.seen[id] = true
		below, err := w.arrivedFolders(id, of)
		if err != nil {
			return err
		}
		todo = append(todo, below...)
	}
	return nil
}

// topologyFolder returns the folder git.path below a root; false: there is none, or the
// fetch did not bring it.
func (w *arrivalCheck) topologyFolder(root plumbing.Hash, of string) (folder plumbing.Hash, arrived bool, err error) {
	if w.path == "" {
		return root, true, nil
	}
	for part := range strings.SplitSeq(w.path, "/") {
		entries, err := w.entries(root)
		if err != nil {
			return root, false, err
		}
		if root = subfolder(entries.entry(part)); root.IsZero() {
			return root, false, nil
		}
		if came, err := w.arrived(root, of); err != nil || !came {
			return root, false, err
		}
	}
	return root, true, nil
}

// arrivedFolders checks the files and folders in a folder, and returns the folders that the
// fetch brought.
func (w *arrivalCheck) arrivedFolders(id plumbing.Hash, of string) ([]plumbing.Hash, error) {
	entries, err := w.entries(id)
	if err != nil {
		return nil, err
	}
	var folders []plumbing.Hash
	for _, e := range entries.entries(0) {
		if !e.dir() && !e.regular() {
			continue
		}
		came, err := w.arrived(e.id, of)
		if err != nil {
			return nil, err
		}
		if came && e.dir() {
			folders = append(folders, e.id)
		}
	}
	return folders, nil
}

// entries returns the entries of a folder; none for a malformed one.
func (w *arrivalCheck) entries(id plumbing.Hash) (tree, error) {
	o, err := w.c.EncodedObject(plumbing.AnyObject, id)
	if err != nil || o.Type() != plumbing.TreeObject || o.Size() > maxTree {
		return tree{}, err
	}
	in, err := o.Reader()
	if err != nil {
		return tree{}, err
	}
	defer in.Close()
	data, err := io.ReadAll(in)
	if err != nil {
		return tree{}, err
	}
	if t, err := parseTree(data); err == nil {
		return t, nil
	}
	return tree{}, nil
}
