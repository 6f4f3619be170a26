package gitdir

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"sort"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"

	"milvus-reconcile/schema/recent"
)

// The limits of what packReader keeps and follows.
const (
	keepUnpacked = 2 << 20  // bytes of objects that are no folders
	keepFolders  = 32       // folders as large as the largest
	longestChain = 4096     // deltas, more than git makes
	packWindow   = 8 << 10  // bytes read at once
	firstRead    = 64 << 10 // bytes allocated on the word of a header
)

// packReader unpacks the objects of packs that git usually writes. It gives nothing for
// what is large, unusual or damaged: go-git reads those, and says what is wrong. Its
// results are not checked against ids. go-git's reader hashes each base of a delta, and
// copies an object three times, which costs more than unpacking it.
type packReader struct {
	in      window
	zlib    io.ReadCloser // reads from in; nil: nothing was read yet
	objects *recent.Map[packPlace, Object]
	// Folders have their own cache, so that large ones do not drive many small objects out.
	folders *recent.Map[packPlace, Object]
	largest int // bytes of the largest folder
}

// packPlace is where an object begins.
type packPlace struct {
	pack   *idxfile.MemoryIndex
	offset int64
}

// Object is an unpacked object. Its bytes are shared and not modified.
type Object struct {
	Kind plumbing.ObjectType
	Data []byte
}

func newPackReader() *packReader {
	return &packReader{objects: unpacked(keepUnpacked), folders: unpacked(0)}
}

func unpacked(limit int) *recent.Map[packPlace, Object] {
	return recent.NewWeighed[packPlace](limit, func(o Object) int { return len(o.Data) + 64 })
}

func (r *packReader) keep(at packPlace, o Object) {
	if o.Kind != plumbing.TreeObject {
		r.objects.Put(at, o)
		return
	}
	if len(o.Data) > r.largest {
		r.largest = len(o.Data) + len(o.Data)/4 // a folder grows with time
		r.folders = unpacked(keepFolders * (r.largest + 64))
	}
	r.folders.Put(at, o)
}

func (r *packReader) known(at packPlace) (Object, bool) {
	if o, ok := r.folders.Get(at); ok {
		return o, true
	}
	return r.objects.Get(at)
}

// delta is a step from one object to the next.
type delta struct {
	at    packPlace
	steps []byte
}

// read unpacks the object at an offset.
func (r *packReader) read(p *pack, offset int64) (Object, bool) {
	var chain []delta
	at := packPlace{p.index, offset}
	out, ok := r.known(at)
	for !ok {
		head, found := r.header(p, at.offset)
		if !found || len(chain) > longestChain {
			return Object{}, false
		}
		data, err := r.inflate(head.size)
		if err != nil {
			return Object{}, false
		}
		if !head.kind.IsDelta() {
			out = Object{head.kind, data}
			r.keep(at, out)
			break
		}
		chain = append(chain, delta{at, data})
		at.offset = head.base
		out, ok = r.known(at)
	}
	for i := len(chain) - 1; i >= 0; i-- {
		_, rest := DeltaSize(chain[i].steps)
		if becomes, _ := DeltaSize(rest); becomes > MaxUnpacked {
			return Object{}, false
		}
		data, err := packfile.PatchDelta(out.Data, chain[i].steps)
		if err != nil {
			return Object{}, false
		}
		out.Data = data
		r.keep(chain[i].at, out)
	}
	return out, true
}

// DeltaSize reads one of the two sizes at the start of a delta (gitformat-pack(5)).
func DeltaSize(b []byte) (size int64, rest []byte) {
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

// packedHeader begins an object in a pack (gitformat-pack(5)).
type packedHeader struct {
	kind plumbing.ObjectType
	size int64 // of the bytes that follow, unpacked
	base int64 // where the base of a delta begins
}

// header reads the header at an offset, after which the reader stands at the packed bytes.
func (r *packReader) header(p *pack, offset int64) (h packedHeader, ok bool) {
	r.in.seek(p, offset)
	b, err := r.in.ReadByte()
	h.kind, h.size = plumbing.ObjectType(b>>4&7), int64(b&15)
	for shift := 4; b&0x80 != 0 && err == nil && shift < 32; shift += 7 {
		b, err = r.in.ReadByte()
		h.size |= int64(b&0x7f) << shift
	}
	if err != nil || h.size > MaxUnpacked {
		return h, false
	}
	switch h.kind { //nolint:exhaustive // the others have no base
	case plumbing.OFSDeltaObject:
		back, ok := r.distance()
		h.base = offset - back
		return h, ok && h.base > 0
	case plumbing.REFDeltaObject:
		var id plumbing.Hash
		if _, err := io.ReadFull(&r.in, id[:]); err != nil {
			return h, false
		}
		h.base, ok = offsetOf(p.index, id)
		return h, ok
	}
	return h, h.kind.Valid()
}

// distance reads how far before a delta its base begins.
func (r *packReader) distance() (int64, bool) {
	b, err := r.in.ReadByte()
	out := int64(b & 0x7f)
	for b&0x80 != 0 && err == nil && out < 1<<48 {
		b, err = r.in.ReadByte()
		out = (out+1)<<7 | int64(b&0x7f)
	}
	return out, err == nil && out > 0
}

// errLonger means that an object has more bytes than its header says.
var errLonger = errors.New("longer than its header says")

// inflate unpacks as many bytes as the header says. zlib checks them.
func (r *packReader) inflate(size int64) ([]byte, error) {
	var err error
	if r.zlib == nil {
		r.zlib, err = zlib.NewReader(&r.in)
	} else {
		err = r.zlib.(zlib.Resetter).Reset(&r.in, nil)
	}
	if err != nil {
		return nil, err
	}
	data := make([]byte, 0, min(size, firstRead))
	for int64(len(data)) < size {
		data = slices.Grow(data, 1)
		more := data[len(data):min(int64(cap(data)), size)]
		if _, err := io.ReadFull(r.zlib, more); err != nil {
			return nil, err
		}
		data = data[:len(data)+len(more)]
	}
	if _, err := io.ReadFull(r.zlib, make([]byte, 1)); !errors.Is(err, io.EOF) {
		return nil, errors.Join(errLonger, err)
	}
	return data, nil
}

// offsetOf finds an object in an index. It finds none beyond 2 GiB.
func offsetOf(x *idxfile.MemoryIndex, id plumbing.Hash) (int64, bool) {
	at := x.FanoutMapping[id[0]]
	if at < 0 || at >= len(x.Names) {
		return 0, false
	}
	const size = len(id)
	names := x.Names[at]
	i, found := sort.Find(len(names)/size, func(i int) int { return bytes.Compare(id[:], names[size*i:size*i+size]) })
	if !found {
		return 0, false
	}
	offset := binary.BigEndian.Uint32(x.Offset32[at][4*i:])
	return int64(offset), offset < 1<<31
}

// window reads a pack from any offset, a few kilobytes at once.
type window struct {
	pack  *pack
	start int64 // of bytes
	bytes []byte
	at    int // in bytes
}

// seek goes to an offset.
func (w *window) seek(p *pack, offset int64) {
	if at := offset - w.start; w.pack == p && at >= 0 && at < int64(len(w.bytes)) {
		w.at = int(at)
		return
	}
	w.pack, w.start, w.bytes, w.at = p, offset, w.bytes[:0], 0
}

// fill reads on if nothing is left.
func (w *window) fill() error {
	if w.at < len(w.bytes) {
		return nil
	}
	next := w.start + int64(len(w.bytes))
	if w.bytes = w.bytes[:0]; cap(w.bytes) == 0 {
		w.bytes = make([]byte, 0, packWindow)
	}
	n, err := w.pack.file.ReadAt(w.bytes[:cap(w.bytes)], next)
	w.start, w.bytes, w.at = next, w.bytes[:n], 0
	if n > 0 {
		return nil
	}
	return err
}

// ReadByte implements io.ByteReader.
func (w *window) ReadByte() (byte, error) {
	if err := w.fill(); err != nil {
		return 0, err
	}
	w.at++
	return w.bytes[w.at-1], nil
}

// Read implements io.Reader.
func (w *window) Read(p []byte) (int, error) {
	if err := w.fill(); err != nil {
		return 0, err
	}
	n := copy(p, w.bytes[w.at:])
	w.at += n
	return n, nil
}
