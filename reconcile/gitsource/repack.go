package gitsource

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// repackAbove is how many packs of single fetches may gather.
const repackAbove = 50

// deltaWindow is how many objects an object is compared with, as git has it.
const deltaWindow = 10

// joinPacks writes what the refs reach into one pack, and removes the others once it
// is written down. go-git's own way stops at symbolic links, submodules and odd
// commits. An object that cannot be read has the copy made again by the next fetch.
func (r *Repo) joinPacks(old []plumbing.Hash) error {
	c := r.copied
	c.files.begin()
	objects, err := r.reachable()
	if err != nil {
		r.suspect = fmt.Errorf("join packs: %w", err)
		return nil //nolint:nilerr // what was fetched is there
	}
	joined, err := c.join(objects)
	if refused := c.files.end(); err != nil {
		if refused == nil {
			r.suspect = fmt.Errorf("join packs: %w", err)
		}
		return refused
	}
	old = slices.DeleteFunc(slices.Clone(old), func(id plumbing.Hash) bool { return id == joined })
	if err := c.save(old...); err != nil {
		return err
	}
	for _, id := range old {
		if err := c.DeleteOldObjectPackAndIndex(id, time.Time{}); err != nil {
			return err
		}
	}
	err = c.reopen() // its list of packs is out of date
	r.decoded = c.decoded
	return err
}

// join writes objects into a pack.
func (c *gitCopy) join(objects []plumbing.Hash) (plumbing.Hash, error) {
	out, err := c.PackfileWriter()
	if err != nil {
		return plumbing.ZeroHash, err
	}
	joined, err := packfile.NewEncoder(out, c, false).Encode(objects, deltaWindow)
	return joined, errors.Join(err, out.Close())
}

// reachable lists the objects that the refs of the copy reach. What is not there,
// such as a submodule's commit, is nothing to keep.
func (r *Repo) reachable() ([]plumbing.Hash, error) {
	seen := map[plumbing.Hash]bool{}
	var todo, out []plumbing.Hash
	for _, ref := range r.copied.light.ReferenceStorage {
		todo = append(todo, ref.Hash())
	}
	for len(todo) > 0 {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[id] {
			continue
		}
		seen[id] = true
		o, err := r.copied.EncodedObject(plumbing.AnyObject, id)
		if errors.Is(err, plumbing.ErrObjectNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, id)
		below, files, err := r.named(o, id)
		if err != nil {
			return nil, err
		}
		todo = append(todo, below...)
		for _, f := range files { // which name nothing, and need not be read
			if !seen[f] && r.copied.HasEncodedObject(f) == nil {
				seen[f] = true
				out = append(out, f)
			}
		}
	}
	return out, nil
}

// named lists the objects that an object names, those of files apart.
func (r *Repo) named(o plumbing.EncodedObject, id plumbing.Hash) (below, files []plumbing.Hash, err error) {
	switch o.Type() { //nolint:exhaustive // the others name nothing
	case plumbing.TagObject:
		err = r.read(o, o.Type(), id, func(in io.Reader) error {
			target, _, err := placeLine(bufio.NewReader(in), "object ")
			below = append(below, target)
			return err
		})
	case plumbing.CommitObject:
		var c *commit
		if c, err = r.commit(id); err == nil {
			below = append(slices.Clone(c.parents), c.tree)
		}
	case plumbing.TreeObject:
		var t tree
		if t, err = r.tree(id); unreadable(err) {
			return nil, nil, nil // so nothing below it is ever read
		}
		for _, e := range t.entries() {
			switch {
			case e.dir():
				below = append(below, e.id)
			case e.regular() || e.symlink():
				files = append(files, e.id)
			}
		}
	}
	if errors.Is(err, errObject) {
		err = nil // what cannot be read names nothing
	}
	return below, files, err
}
