package ledger

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// The layout of bbolt's meta page, of which there are two
// (go.etcd.io/bbolt internal/common: Page and Meta).
const (
	metaOffset   = 16 // behind the page header
	metaSize     = 64 // with the checksum of what is before it in its last 8 bytes
	metaMagic    = 0xED0CDAED
	metaPageSize = 8  // where the page size stands in the meta
	metaPages    = 40 // where the number of pages in use stands in the meta
)

// checkFile refuses a file in which one of the two meta pages is damaged.
// bbolt goes on with the other, which is older: it would silently forget the
// last transaction, and with it an approval that was spent. A meta is smaller
// than a disk sector, so a power cut does not leave half of one.
//
// It also refuses a file that ends before the last page in use: bbolt maps
// whole pages, so what is cut off reads as zeros, and a page of zeros as one
// without entries. What the pages lead to is for checkPages, unless the file is
// one that was checked or written here last.
//
// The caller holds bbolt's lock on the file, so nobody is writing.
func checkFile(path string, f *os.File, known func(os.FileInfo) bool) error {
	first, ok := readMeta(f, 0)
	if !ok {
		return &CorruptError{Path: path, Reason: "its first page is damaged"}
	}
	page := int64(binary.NativeEndian.Uint32(first[metaPageSize:]))
	second, ok := readMeta(f, page)
	if !ok {
		return &CorruptError{Path: path, Reason: "its second page is damaged"}
	}
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open ledger: %w", err)
	}
	newest := first
	if binary.NativeEndian.Uint64(second[metaTx:]) > binary.NativeEndian.Uint64(first[metaTx:]) {
		newest = second
	}
	used := max(binary.NativeEndian.Uint64(first[metaPages:]), binary.NativeEndian.Uint64(second[metaPages:]))
	if used > uint64(info.Size()/page) {
		return &CorruptError{Path: path, Reason: "its end is cut off"}
	}
	if known(info) {
		return nil
	}
	if err := checkPages(f, newest); err != nil {
		return &CorruptError{Path: path, Reason: err.Error()}
	}
	return nil
}

// lastTransaction is the number of the one that wrote last; false: a meta page is
// damaged, or being written.
func lastTransaction(f io.ReaderAt) (uint64, bool) {
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
