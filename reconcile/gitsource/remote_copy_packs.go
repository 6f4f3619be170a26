package gitsource

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha1" //nolint:gosec // the checksum of git's own pack files
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"time"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"

	"milvus-reconcile/reconcile/gitsource/gitdir"
)

// The limits of a pack. go-git keeps an entry for each object, and unpacks each once in
// memory.
const (
	maxObjects  = 16 << 20  // objects of a pack
	maxUnpacked = 256 << 20 // bytes of one of them
	leastPacked = 9         // bytes that an object takes in a pack
)

// PackfileWriter implements storer.PackfileWriter. It keeps a pack only if it is complete,
// matches its checksum and is within the limits. go-git's own writer allocates memory for
// the number of objects that the first bytes claim, and leaves its files if a pack is cut
// off.
func (c *gitCopy) PackfileWriter() (io.WriteCloser, error) {
	c.allowed.allowPack(c.files.most)
	f, err := c.files.TempFile(path.Join("objects", "pack"), "tmp_pack_")
	return &packWriter{c: c, to: f}, err
}

// packWriter receives a pack.
type packWriter struct {
	c    *gitCopy
	to   billy.File
	size int64
	err  error
}

// Write adds to the pack.
func (w *packWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	w.size += int64(n)
	if err != nil {
		w.err = err
	}
	return n, err
}

// Close checks the pack, and gives it and its index their names.
func (w *packWriter) Close() error {
	if err := w.to.Close(); err != nil || w.err != nil || w.size == 0 {
		return errors.Join(w.err, err)
	}
	from, err := w.c.files.Open(w.to.Name())
	if err != nil {
		return err
	}
	defer from.Close() //nolint:errcheck // only read
	reading := &copyFile{File: from, of: w.c.files}
	if err := checkPack(reading, w.size); err != nil {
		return err
	}
	if _, err := reading.Seek(0, io.SeekStart); err != nil {
		return err
	}
	var made idxfile.Writer
	parser, err := packfile.NewParser(packfile.NewScanner(reading), &made)
	if err != nil {
		return err
	}
	sum, err := parser.Parse()
	if err != nil {
		return err
	}
	index, err := made.Index()
	if err != nil {
		return err
	}
	return w.c.keepPack(w.to.Name(), sum, index)
}

// keepPack names a pack and writes its index.
func (c *gitCopy) keepPack(file string, sum plumbing.Hash, index *idxfile.MemoryIndex) error {
	name := path.Join("objects", "pack", "pack-"+sum.String())
	if _, err := c.files.Stat(name + ".idx"); err == nil {
		return nil // it is there
	}
	var text bytes.Buffer
	if _, err := idxfile.NewEncoder(&text).Encode(index); err != nil {
		return err
	}
	if err := c.files.Rename(file, name+".pack"); err != nil {
		return err
	}
	out, err := c.files.Create(name + ".idx")
	if err != nil {
		return err
	}
	_, err = out.Write(text.Bytes())
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	c.arrived = append(c.arrived, index)
	c.Reindex()
	c.objects.Relist()
	return nil
}

// errPack marks a pack that is not whole.
var errPack = errors.New("the remote sent an incomplete pack")

// checkPack verifies the checksum at the end of a pack, and the limits.
func checkPack(in io.Reader, size int64) error {
	sum := sha1.New() //nolint:gosec // see above
	body := io.TeeReader(io.LimitReader(in, size-sha1.Size), sum)
	objects := packfile.NewScanner(struct{ io.Reader }{body})
	_, count, err := objects.Header()
	if err != nil {
		return fmt.Errorf("%w: %w", errPack, err)
	}
	if int64(count) > size/leastPacked {
		return fmt.Errorf("%w: it promises %d objects in %d bytes", errPack, count, size)
	}
	if count > maxObjects {
		return fmt.Errorf("%w: a pack of %d objects, where at most %d are taken (hint: keep the topologies in a repository of their own)", ErrRemoteTooLarge, count, maxObjects)
	}
	for range count {
		if err := checkPacked(objects); err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, body); err != nil {
		return err
	}
	tail := make([]byte, sha1.Size)
	if _, err := io.ReadFull(in, tail); err != nil || !bytes.Equal(tail, sum.Sum(nil)) {
		return fmt.Errorf("%w: it has another checksum than it says", errPack)
	}
	return nil
}

// checkPacked checks the size of the next object, and of the result of a delta.
func checkPacked(objects *packfile.Scanner) error {
	head, err := objects.NextObjectHeader()
	if err != nil {
		return fmt.Errorf("%w: %w", errPack, err)
	}
	var begin prefixBuffer
	size := head.Length
	if size <= maxUnpacked {
		if _, _, err := objects.NextObject(&begin); err != nil {
			return fmt.Errorf("%w: %w", errPack, err)
		}
	}
	if head.Type.IsDelta() {
		_, rest := gitdir.DeltaSize(begin)
		becomes, _ := gitdir.DeltaSize(rest)
		size = max(size, becomes)
	}
	if size > maxUnpacked {
		return fmt.Errorf("%w: an object of more than %d MiB (hint: keep the topologies in a repository of their own)", ErrRemoteTooLarge, maxUnpacked>>20)
	}
	return nil
}

// prefixBuffer keeps the first bytes that are written.
type prefixBuffer []byte

func (b *prefixBuffer) Write(p []byte) (int, error) {
	if room := 20 - len(*b); room > 0 {
		*b = append(*b, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

// packLimits say how many packs of single fetches may gather: a reader opens each of them.
type packLimits struct {
	quiet int // until a fetch brings nothing
	most  int // in any case
}

var usualPackLimits = packLimits{quiet: 50, most: 200}

// deltaWindow is how many objects an object is compared with, as git has it.
const deltaWindow = 10

// saveCopy saves the manifest after a fetch. It joins packs if there are many and the fetch brought
// nothing: what it brings may be a failover, which does not wait for that.
func (r *Repo) saveCopy(c *gitCopy, brought bool) error {
	packs, err := c.ObjectPacks()
	most := r.packs.quiet
	if brought {
		most = r.packs.most
	}
	if err != nil || c.dir == "" || len(packs) <= most || r.copied != c {
		return cmp.Or(err, c.save())
	}
	if err := c.save(); err != nil {
		return err
	}
	return r.joinPacks(packs)
}

// joinPacks writes all reachable objects into one pack, and removes the others after the
// manifest names it. go-git's own repack fails at symbolic links, submodules and malformed
// commits. After an unreadable object the next fetch renews the copy.
func (r *Repo) joinPacks(old []plumbing.Hash) error {
	c := r.copied
	c.files.beginFetch()
	objects, err := r.reachable()
	if err != nil {
		r.suspect = fmt.Errorf("join packs: %w", err)
		return nil //nolint:nilerr // what was fetched is there
	}
	joined, err := c.writePack(objects)
	if refused := c.files.endFetch(); err != nil {
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
	return c.reopen() // its list of packs is out of date
}

// writePack writes objects into a pack.
func (c *gitCopy) writePack(objects []plumbing.Hash) (plumbing.Hash, error) {
	out, err := c.PackfileWriter()
	if err != nil {
		return plumbing.ZeroHash, err
	}
	joined, err := packfile.NewEncoder(out, c, false).Encode(objects, deltaWindow)
	return joined, errors.Join(err, out.Close())
}

// reachable lists the objects that the refs of the copy reach. It skips missing ones, such
// as a submodule's commit.
func (r *Repo) reachable() ([]plumbing.Hash, error) {
	seen := map[plumbing.Hash]bool{}
	var todo, out []plumbing.Hash
	for _, ref := range r.copied.inMemory.ReferenceStorage {
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
		below, files, err := r.referencedObjects(o, id)
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

// referencedObjects lists the objects that an object names, those of files apart.
func (r *Repo) referencedObjects(o plumbing.EncodedObject, id plumbing.Hash) (below, files []plumbing.Hash, err error) {
	switch o.Type() { //nolint:exhaustive // the others name nothing
	case plumbing.TagObject:
		err = r.readVerified(o, o.Type(), id, func(in io.Reader) error {
			target, _, err := idLine(bufio.NewReader(in), "object ")
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
		if t, err = r.tree(id); isMalformedFolder(err) {
			return nil, nil, nil // so nothing below it is ever read
		}
		for _, e := range t.entries(0) {
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
