package gitsource

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the checksum of git's own pack files
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// What a pack may hold. go-git keeps an entry for each object, and unpacks each in
// memory once.
const (
	maxObjects  = 16 << 20  // objects of a pack
	maxUnpacked = 256 << 20 // bytes of one of them
	leastPacked = 9         // bytes that an object takes in a pack
)

// PackfileWriter implements storer.PackfileWriter: a pack is kept once all of it is
// there, is what its checksum says, and is within the bounds. go-git's own writer
// makes room for as many objects as the first bytes of a pack promise, and leaves its
// files behind when a pack is cut.
func (c *gitCopy) PackfileWriter() (io.WriteCloser, error) {
	c.allowed.pack(c.files.most)
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
	c.came = append(c.came, index)
	c.Reindex()
	return nil
}

// errPack marks a pack that is not whole.
var errPack = errors.New("the remote sent a pack that is not whole")

// checkPack demands that a pack has the checksum that it ends with, and is within
// the bounds.
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

// checkPacked reads over the next object, and what a delta comes to.
func checkPacked(objects *packfile.Scanner) error {
	head, err := objects.NextObjectHeader()
	if err != nil {
		return fmt.Errorf("%w: %w", errPack, err)
	}
	var begin beginning
	size := head.Length
	if size <= maxUnpacked {
		if _, _, err := objects.NextObject(&begin); err != nil {
			return fmt.Errorf("%w: %w", errPack, err)
		}
	}
	if head.Type.IsDelta() {
		_, rest := deltaSize(begin)
		becomes, _ := deltaSize(rest)
		size = max(size, becomes)
	}
	if size > maxUnpacked {
		return fmt.Errorf("%w: an object of more than %d MiB (hint: keep the topologies in a repository of their own)", ErrRemoteTooLarge, maxUnpacked>>20)
	}
	return nil
}

// beginning keeps the first bytes of what is written.
type beginning []byte

func (b *beginning) Write(p []byte) (int, error) {
	if room := 20 - len(*b); room > 0 {
		*b = append(*b, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

// deltaSize reads a size as deltas begin with two of them (gitformat-pack(5)).
func deltaSize(b []byte) (size int64, rest []byte) {
	for i, c := range b {
		if i == 9 {
			break // it is beyond every bound
		}
		size |= int64(c&0x7f) << (7 * i)
		if c&0x80 == 0 {
			return size, b[i+1:]
		}
	}
	return 1 << 62, nil
}
