package gitdir

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	objectcache "github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/objfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/utils/ioutil"
)

// MaxUnpacked is the size in bytes above which an object is not unpacked into memory.
const MaxUnpacked = 16 << 20

const (
	keepDecoded = 8 << 20 // bytes of objects that others are stored as deltas of
	keepLoose   = 1 << 20 // bytes of an object in a file of its own that is read at once
)

// Objects reads the objects below one or several folders. This type finds the packs and
// files: go-git's own storage fails entirely at an index of version 1, a pack whose name is
// not its checksum, a pack whose index git is about to write, or relative paths in the list
// of alternates.
type Objects struct {
	folders []*objectFolder
	decoded *objectcache.ObjectLRU
	reader  *packReader
	listed  bool
}

// objectFolder is one folder of objects.
type objectFolder struct {
	files billy.Filesystem
	packs []*pack
	seen  map[string]bool // names of packs, good or bad
	bad   error           // why a pack of it cannot be read
}

// pack is a file of objects with its index.
type pack struct {
	index *idxfile.MemoryIndex
	file  billy.File
	data  *packfile.Packfile // go-git's reader of it
}

// localObjects reads the objects below a folder.
func localObjects(folder string) *Objects {
	var all []billy.Filesystem
	for _, path := range withAlternates(folder) {
		all = append(all, osfs.New(path))
	}
	return NewObjects(all...)
}

// NewObjects reads the objects in these folders, the first one first.
func NewObjects(all ...billy.Filesystem) *Objects {
	o := &Objects{decoded: objectcache.NewObjectLRU(keepDecoded), reader: newPackReader()}
	for _, files := range all {
		o.folders = append(o.folders, &objectFolder{files: files, seen: map[string]bool{}})
	}
	return o
}

// maxAlternates is how deep git follows the alternates of alternates.
const maxAlternates = 5

// withAlternates lists a folder of objects and its alternates, as git reads
// objects/info/alternates. It skips missing folders.
func withAlternates(folder string) []string {
	out := []string{folder}
	var follow func(folder string, depth int)
	follow = func(folder string, depth int) {
		text, err := readSmall(filepath.Join(folder, "info", "alternates"))
		if err != nil || depth > maxAlternates {
			return
		}
		for line := range strings.Lines(text) {
			path := alternate(folder, strings.TrimRight(line, "\r\n"))
			if path != "" && isDir(path) && !slices.Contains(out, path) {
				out = append(out, path)
				follow(path, depth+1)
			}
		}
	}
	follow(folder, 0)
	return out
}

// alternate reads a line of alternates: a path, in quotes if it needs them,
// relative to the folder of objects. Empty: a comment.
func alternate(folder, line string) string {
	if line == "" || line[0] == '#' {
		return ""
	}
	if line[0] == '"' {
		if unquoted, err := unquote(line); err == nil {
			line = unquoted
		}
	}
	if !filepath.IsAbs(line) {
		line = filepath.Join(folder, line)
	}
	return filepath.Clean(line)
}

// unquote reads a string as git quotes it: as in C, with octal bytes.
func unquote(s string) (string, error) {
	var out []byte
	for s = strings.TrimPrefix(s, `"`); s != `"`; {
		c, _, rest, err := strconv.UnquoteChar(s, '"')
		if err != nil {
			return "", err
		}
		if s[0] == '\\' {
			out = append(out, byte(c))
		} else {
			out = append(out, s[:len(s)-len(rest)]...)
		}
		s = rest
	}
	return string(out), nil
}

// EncodedObject finds an object by its id.
func (o *Objects) EncodedObject(_ plumbing.ObjectType, id plumbing.Hash) (plumbing.EncodedObject, error) {
	if !o.listed {
		o.list()
	}
	found, err := o.find(id)
	if err != nil && o.list() { // git may have packed it since
		found, err = o.find(id)
	}
	return found, err
}

// Unpack reads an object that git stored in the usual way.
func (o *Objects) Unpack(id plumbing.Hash) (Object, bool) {
	if !o.listed {
		o.list()
	}
	for _, folder := range o.folders {
		for _, p := range folder.packs {
			if offset, ok := offsetOf(p.index, id); ok {
				if found, ok := o.reader.read(p, offset); ok {
					return found, true
				}
			}
		}
	}
	return Object{}, false
}

// Relist makes the next read look for new packs.
func (o *Objects) Relist() { o.listed = false }

// find reads an object from the packs, else from its own file. It skips an unreadable
// copy if there is another.
func (o *Objects) find(id plumbing.Hash) (plumbing.EncodedObject, error) {
	failed := plumbing.ErrObjectNotFound
	for _, folder := range o.folders {
		for _, p := range folder.packs {
			if contains, _ := p.index.Contains(id); !contains { // of an index in memory
				continue
			}
			found, err := p.data.Get(id)
			if err == nil {
				return found, nil
			}
			failed = err
		}
	}
	for _, folder := range o.folders {
		found, err := folder.loose(id)
		if err == nil {
			return found, nil
		}
		if !isMissingFile(err) {
			failed = err
		}
	}
	for _, folder := range o.folders {
		if folder.bad != nil && errors.Is(failed, plumbing.ErrObjectNotFound) {
			failed = folder.bad
		}
	}
	return nil, failed
}

// list opens new packs and reports whether there are any.
func (o *Objects) list() bool {
	o.listed = true
	found := false
	for _, folder := range o.folders {
		files, _ := folder.files.ReadDir("pack") // there may be none
		for _, f := range files {
			name, isIndex := strings.CutSuffix(f.Name(), ".idx")
			if !isIndex || folder.seen[name] {
				continue
			}
			p, err := folder.openPack(name, o.decoded)
			if err != nil && isMissingFile(err) {
				continue // git is about to write or to remove it
			}
			folder.seen[name], found = true, true
			if err != nil {
				folder.bad = fmt.Errorf("%s: %w", name, err)
				continue
			}
			folder.packs = append(folder.packs, p)
		}
	}
	return found
}

func (f *objectFolder) openPack(name string, decoded *objectcache.ObjectLRU) (*pack, error) {
	index, err := f.readIndex("pack/" + name + ".idx")
	if err != nil {
		return nil, err
	}
	info, err := f.files.Stat("pack/" + name + ".pack")
	if err != nil {
		return nil, err
	}
	file, err := f.files.Open("pack/" + name + ".pack")
	if err != nil {
		return nil, err
	}
	sum := make([]byte, len(index.PackfileChecksum))
	if _, err := file.ReadAt(sum, info.Size()-int64(len(sum))); err != nil || !bytes.Equal(sum, index.PackfileChecksum[:]) {
		_ = file.Close()
		return nil, errors.New("the pack is not the one of its index: `git fsck` tells more")
	}
	held := openPackFile{Filesystem: f.files, file: file, size: info.Size()}
	return &pack{index, file, packfile.NewPackfileWithCache(index, held, file, decoded, MaxUnpacked)}, nil
}

// loose finds an object in a file of its own.
func (f *objectFolder) loose(id plumbing.Hash) (plumbing.EncodedObject, error) {
	hex := id.String()
	o := &looseObject{files: f.files, path: hex[:2] + "/" + hex[2:], id: id}
	in, err := o.open()
	if err != nil {
		return nil, err
	}
	defer in.Close() //nolint:errcheck // only read
	if o.size > keepLoose {
		return o, nil
	}
	small := &plumbing.MemoryObject{}
	small.SetType(o.kind)
	_, err = io.Copy(small, io.LimitReader(in, o.size+1))
	return small, err
}

// HashesWithPrefix lists objects whose ids begin with the same bytes.
func (o *Objects) HashesWithPrefix(prefix []byte) ([]plumbing.Hash, error) {
	o.list()
	found := map[plumbing.Hash]bool{}
	consider := func(id plumbing.Hash) {
		if bytes.HasPrefix(id[:], prefix) {
			found[id] = true
		}
	}
	for _, folder := range o.folders {
		for _, p := range folder.packs {
			if at := p.index.FanoutMapping[prefix[0]]; at >= 0 && at < len(p.index.Names) {
				for raw := range slices.Chunk(p.index.Names[at], len(plumbing.ZeroHash)) {
					consider(plumbing.Hash(raw))
				}
			}
		}
		first := fmt.Sprintf("%02x", prefix[0])
		files, _ := folder.files.ReadDir(first) // there may be none
		for _, f := range files {
			if plumbing.IsHash(first + f.Name()) {
				consider(plumbing.NewHash(first + f.Name()))
			}
		}
	}
	out := make([]plumbing.Hash, 0, len(found))
	for id := range found {
		out = append(out, id)
	}
	return out, nil
}

// Partial reports whether the repository is a partial clone.
func (o *Objects) Partial() bool {
	for _, folder := range o.folders {
		files, _ := folder.files.ReadDir("pack") // there may be none
		if slices.ContainsFunc(files, func(f os.FileInfo) bool { return strings.HasSuffix(f.Name(), ".promisor") }) {
			return true
		}
	}
	return false
}

// Close closes the packs.
func (o *Objects) Close() error {
	var err error
	for _, folder := range o.folders {
		for _, p := range folder.packs {
			err = errors.Join(err, p.data.Close())
		}
		folder.packs, folder.seen = nil, map[string]bool{}
	}
	o.listed, o.reader = false, newPackReader()
	return err
}

// looseObject is an object in a file of its own that is too large to be kept.
type looseObject struct {
	files billy.Filesystem
	path  string
	id    plumbing.Hash
	kind  plumbing.ObjectType
	size  int64
}

// open reads the header of the file and returns a reader of its content.
func (o *looseObject) open() (io.ReadCloser, error) {
	f, err := o.files.Open(o.path)
	if err != nil {
		return nil, err
	}
	in, err := objfile.NewReader(f)
	if err == nil {
		o.kind, o.size, err = in.Header()
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return ioutil.NewReadCloserWithCloser(in, f.Close), nil
}

// Reader and the others implement plumbing.EncodedObject.
func (o *looseObject) Reader() (io.ReadCloser, error)  { return o.open() }
func (o *looseObject) Hash() plumbing.Hash             { return o.id }
func (o *looseObject) Type() plumbing.ObjectType       { return o.kind }
func (o *looseObject) SetType(plumbing.ObjectType)     {}
func (o *looseObject) Size() int64                     { return o.size }
func (o *looseObject) SetSize(int64)                   {}
func (o *looseObject) Writer() (io.WriteCloser, error) { return nil, errors.ErrUnsupported }

// openPackFile serves the pack file that is open already, so that it stays readable
// after git removed it.
type openPackFile struct {
	billy.Filesystem
	file billy.File
	size int64
}

// Open implements billy.Filesystem.
func (h openPackFile) Open(string) (billy.File, error) {
	return sectionFile{h.file, io.NewSectionReader(h.file, 0, h.size)}, nil
}

// sectionFile reads an open file at its own offset.
type sectionFile struct {
	billy.File
	at *io.SectionReader
}

// Read, ReadAt, Seek and Close implement billy.File.
func (v sectionFile) Read(p []byte) (int, error)                { return v.at.Read(p) }
func (v sectionFile) ReadAt(p []byte, off int64) (int, error)   { return v.at.ReadAt(p, off) }
func (v sectionFile) Seek(off int64, whence int) (int64, error) { return v.at.Seek(off, whence) }
func (v sectionFile) Close() error                              { return nil }
