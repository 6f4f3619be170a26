// Package boltfile finds damage in a bbolt file before bbolt opens it. bbolt trusts a file: it
// follows a cycle of pages until memory is exhausted, and reads missing bytes as zeros.
package boltfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// The layout of bbolt's two meta pages
// (go.etcd.io/bbolt internal/common: Page and Meta).
const (
	metaOffset   = 16 // behind the page header
	metaSize     = 64 // with the checksum of what is before it in its last 8 bytes
	metaMagic    = 0xED0CDAED
	metaPageSize = 8  // where the page size stands in the meta
	metaPages    = 40 // where the number of pages in use stands in the meta
)

// Damage says what is wrong with a file; empty: nothing. It refuses a file in which one of
// the two meta pages is damaged.
// bbolt goes on with the other, which is older: it would silently forget the
// last transaction, and with it an approval that was spent. A meta is smaller
// than a disk sector, so a power cut does not leave half of one.
//
// It also refuses a file that ends before the last page in use: bbolt maps whole
// pages, so missing bytes read as zeros, and a page of zeros as a page without entries.
// checkPages checks the tree below, unless the caller knows that this process checked or
// wrote the file last.
//
// The caller holds bbolt's lock on the file, so no other process writes.
func Damage(f *os.File, known func(os.FileInfo) bool) (damage string, err error) {
	first, ok := readMeta(f, 0)
	if !ok {
		return "its first page is damaged", nil
	}
	page := int64(binary.NativeEndian.Uint32(first[metaPageSize:]))
	second, ok := readMeta(f, page)
	if !ok {
		return "its second page is damaged", nil
	}
	info, err := f.Stat()
	if err != nil {
		return "", err //nolint:wrapcheck // the caller says what it opened
	}
	newest := first
	if binary.NativeEndian.Uint64(second[metaTx:]) > binary.NativeEndian.Uint64(first[metaTx:]) {
		newest = second
	}
	used := max(binary.NativeEndian.Uint64(first[metaPages:]), binary.NativeEndian.Uint64(second[metaPages:]))
	if used > uint64(info.Size()/page) {
		return "its end is cut off", nil
	}
	if known(info) {
		return "", nil
	}
	if err := checkPages(f, newest); err != nil {
		return err.Error(), nil
	}
	return "", nil
}

// LastTransaction returns the number of the last writing transaction; false: a meta
// page is damaged, or is being written.
func LastTransaction(f io.ReaderAt) (uint64, bool) {
	first, ok := readMeta(f, 0)
	if !ok {
		return 0, false
	}
	second, ok := readMeta(f, int64(binary.NativeEndian.Uint32(first[metaPageSize:])))
	return max(binary.NativeEndian.Uint64(first[metaTx:]), binary.NativeEndian.Uint64(second[metaTx:])), ok
}

func readMeta(f io.ReaderAt, page int64) (meta [metaSize]byte, ok bool) {
	if _, err := f.ReadAt(meta[:], page+metaOffset); err != nil {
		return meta, false
	}
	sum := fnv.New64a()
	sum.Write(meta[:metaSize-8])
	return meta, binary.NativeEndian.Uint32(meta[:]) == metaMagic &&
		binary.NativeEndian.Uint64(meta[metaSize-8:]) == sum.Sum64()
}

// The layout of bbolt's other pages (go.etcd.io/bbolt internal/common: Page,
// branchPageElement, leafPageElement, InBucket).
const (
	metaRoot     = 16 // where the number of the root page stands in the meta
	metaFreelist = 32
	metaTx       = 48

	pageHeader     = 16
	elementSize    = 16 // of a branch and of a leaf
	bucketHeader   = 16 // of a bucket's value, before the page of a small one
	branchPage     = 0x01
	leafPage       = 0x02
	freelistPage   = 0x10
	bucketElement  = 0x01
	manyPages      = 0xFFFF     // the count of a freelist whose count stands before its numbers
	noFreelistPage = ^uint64(0) // its number where none is stored
)

// pages walks the tree of a bbolt file once.
type pages struct {
	file io.ReaderAt
	size uint64 // of a page
	used uint64 // how many pages are in use
	seen map[uint64]bool
}

// checkPages refuses a file with a cycle of pages, with a page that is reached twice,
// or with an element that leaves its page. bbolt trusts the file: it follows a cycle
// until memory is exhausted, which no caller can recover from, and with a wrong list of
// free pages it overwrites records.
//
// The caller holds bbolt's lock on the file, so no other process writes.
func checkPages(f io.ReaderAt, meta [metaSize]byte) error {
	p := pages{
		file: f, size: uint64(binary.NativeEndian.Uint32(meta[metaPageSize:])),
		used: binary.NativeEndian.Uint64(meta[metaPages:]), seen: map[uint64]bool{0: true, 1: true},
	}
	if err := p.tree(binary.NativeEndian.Uint64(meta[metaRoot:])); err != nil {
		return err
	}
	if list := binary.NativeEndian.Uint64(meta[metaFreelist:]); list != noFreelistPage {
		return p.freelist(list)
	}
	return nil
}

// page reads one page with its overflow pages. It refuses to read a page twice.
func (p *pages) page(id uint64) ([]byte, error) {
	var head [pageHeader]byte
	if id >= p.used {
		return nil, fmt.Errorf("page %d is not there", id)
	}
	if _, err := p.file.ReadAt(head[:], int64(id*p.size)); err != nil { //nolint:gosec // it is within the file
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	whole := uint64(binary.NativeEndian.Uint32(head[12:])) + 1
	if binary.NativeEndian.Uint64(head[:]) != id || whole > p.used-id {
		return nil, fmt.Errorf("page %d is damaged", id)
	}
	for n := id; n < id+whole; n++ {
		if p.seen[n] {
			return nil, fmt.Errorf("page %d is reached twice", n)
		}
		p.seen[n] = true
	}
	raw := make([]byte, whole*p.size)
	if _, err := p.file.ReadAt(raw, int64(id*p.size)); err != nil { //nolint:gosec // it is within the file
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	return raw, nil
}

// tree checks the pages below a page.
func (p *pages) tree(id uint64) error {
	raw, err := p.page(id)
	if err != nil {
		return err
	}
	if err := p.elements(raw); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

// elements checks the elements of a page, or of a small bucket within one.
func (p *pages) elements(raw []byte) error {
	if len(raw) < pageHeader {
		return errTorn
	}
	kind, count := binary.NativeEndian.Uint16(raw[8:]), int(binary.NativeEndian.Uint16(raw[10:]))
	if kind != branchPage && kind != leafPage {
		return fmt.Errorf("it is of kind %#x", kind)
	}
	if pageHeader+count*elementSize > len(raw) {
		return errTorn
	}
	for i := range count {
		from := raw[pageHeader+i*elementSize:]
		if kind == branchPage {
			if _, err := valueAt(from, binary.NativeEndian.Uint32(from), 0, binary.NativeEndian.Uint32(from[4:])); err != nil {
				return err
			}
			if err := p.tree(binary.NativeEndian.Uint64(from[8:])); err != nil {
				return err
			}
			continue
		}
		if err := p.leaf(from); err != nil {
			return err
		}
	}
	return nil
}

// leaf checks one element; from is the rest of its page.
func (p *pages) leaf(from []byte) error {
	value, err := valueAt(from, binary.NativeEndian.Uint32(from[4:]), binary.NativeEndian.Uint32(from[8:]), binary.NativeEndian.Uint32(from[12:]))
	if err != nil || binary.NativeEndian.Uint32(from)&bucketElement == 0 {
		return err
	}
	if len(value) < bucketHeader {
		return errTorn
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return p.tree(root)
	}
	return p.elements(value[bucketHeader:])
}

// freelist checks the list of free pages: none of them is in use.
func (p *pages) freelist(id uint64) error {
	raw, err := p.page(id)
	if err != nil {
		return fmt.Errorf("the list of free pages: %w", err)
	}
	if kind := binary.NativeEndian.Uint16(raw[8:]); kind != freelistPage {
		return fmt.Errorf("the list of free pages is of kind %#x", kind)
	}
	count, numbers := uint64(binary.NativeEndian.Uint16(raw[10:])), raw[pageHeader:]
	if count == manyPages {
		count, numbers = binary.NativeEndian.Uint64(numbers), numbers[8:]
	}
	if count > uint64(len(numbers)/8) {
		return fmt.Errorf("the list of free pages: %w", errTorn)
	}
	for i := range count {
		free := binary.NativeEndian.Uint64(numbers[8*i:])
		if free >= p.used || p.seen[free] {
			return fmt.Errorf("page %d is said to be free and is not", free)
		}
		p.seen[free] = true
	}
	return nil
}

// errTorn: an element leaves its page.
var errTorn = errors.New("it is torn")

// valueAt returns the value of an element: at bytes behind its start, after the key.
func valueAt(from []byte, at, key, value uint32) ([]byte, error) {
	begin, end := uint64(at)+uint64(key), uint64(at)+uint64(key)+uint64(value)
	if end > uint64(len(from)) {
		return nil, errTorn
	}
	return from[begin:end], nil
}
