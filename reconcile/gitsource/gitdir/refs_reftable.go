package gitdir

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// refTables are refs in the tables of git 2.45 and later (reftable,
// gitformat-reftable(5)), which go-git does not read. It reads all refs at once.
type refTables struct {
	layout
	known map[string]tableStack // by folder
}

// tableStack holds the refs of all tables of a folder.
type tableStack struct {
	list string // its tables.list
	refs map[plumbing.ReferenceName]*plumbing.Reference
}

func newRefTables(l layout) *refTables { return &refTables{layout: l, known: map[string]tableStack{}} }

// Reference implements Refs.
func (r *refTables) Reference(name plumbing.ReferenceName) (*plumbing.Reference, error) {
	refs, err := r.read(filepath.Join(r.folderOf(string(name)), "reftable"))
	if err != nil {
		return nil, err
	}
	if ref := refs[name]; ref != nil {
		return ref, nil
	}
	return nil, plumbing.ErrReferenceNotFound
}

// References implements Refs.
func (r *refTables) References(prefix string) ([]*plumbing.Reference, error) {
	refs, err := r.read(filepath.Join(r.common, "reftable"))
	var out []*plumbing.Reference
	for name, ref := range refs {
		if strings.HasPrefix(string(name), prefix) {
			out = append(out, ref)
		}
	}
	return out, err
}

// tableTries bounds how often the list is read again while git compacts tables.
const tableTries = 10

func (r *refTables) read(folder string) (map[plumbing.ReferenceName]*plumbing.Reference, error) {
	for try := 1; ; try++ {
		list, err := readSmall(filepath.Join(folder, "tables.list"))
		if err != nil {
			return nil, fmt.Errorf("refs: %w", err)
		}
		if s := r.known[folder]; s.refs != nil && s.list == list {
			return s.refs, nil
		}
		refs, err := readTables(folder, strings.Fields(list))
		if err == nil {
			r.known[folder] = tableStack{list, refs}
			return refs, nil
		}
		if !isMissingFile(err) || try == tableTries {
			return nil, fmt.Errorf("refs: %w", err)
		}
	}
}

func readTables(folder string, tables []string) (map[plumbing.ReferenceName]*plumbing.Reference, error) {
	refs := map[plumbing.ReferenceName]*plumbing.Reference{}
	for _, name := range tables { // later tables override earlier ones
		data, err := os.ReadFile(filepath.Join(folder, filepath.Base(name)))
		if err != nil {
			return nil, err
		}
		if err := readTable(data, refs); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return refs, nil
}

// errTable marks a table that git would not have written.
var errTable = errors.New("the table is damaged: `git fsck` tells more")

// readTable applies one table to the refs of the tables before it. A table is a header,
// blocks of refs, blocks of other kinds, and a footer. The first block begins in the header,
// so that its size counts from the start of the file.
func readTable(data []byte, refs map[plumbing.ReferenceName]*plumbing.Reference) error {
	head, end, err := tableBounds(data)
	if err != nil {
		return err
	}
	full := uint24(data[5:]) // the size of a block that is padded
	for at := 0; at < end; {
		begin := at
		if at == 0 {
			begin = head
		}
		if begin+4 > end || data[begin] != 'r' {
			return nil // no refs, or what follows them
		}
		size := uint24(data[begin+1:])
		if size < begin-at+4+2 || at+size > end {
			return errTable
		}
		if err := readRefBlock(data[at:at+size], begin-at+4, refs); err != nil {
			return err
		}
		if size < full && (at+size >= end || data[at+size] == 0) {
			size = full
		}
		at += size
	}
	return nil
}

// tableBounds checks the header and the footer of a table, of version 1 or 2. It returns
// the size of the header and where the footer begins.
func tableBounds(data []byte) (head, end int, err error) {
	head, foot := 24, 68
	if len(data) > 4 && data[4] == 2 {
		head, foot = 28, 72
		if len(data) >= head && string(data[24:28]) != "sha1" {
			return 0, 0, fmt.Errorf("%w: only SHA-1 object names are read: %s", ErrFormat, ConvertHint)
		}
	}
	if len(data) < head+foot || string(data[:4]) != "REFT" || data[4] != 1 && data[4] != 2 {
		return 0, 0, errTable
	}
	end = len(data) - foot
	if crc32.ChecksumIEEE(data[end:len(data)-4]) != binary.BigEndian.Uint32(data[len(data)-4:]) {
		return 0, 0, errTable
	}
	return head, end, nil
}

// readRefBlock reads the records of a block from at on, up to the index behind them.
func readRefBlock(block []byte, at int, refs map[plumbing.ReferenceName]*plumbing.Reference) error {
	end := len(block) - 2 - 3*int(binary.BigEndian.Uint16(block[len(block)-2:]))
	if end < at {
		return errTable
	}
	in := tableReader{rest: block[at:end]}
	var name []byte
	for len(in.rest) > 0 && !in.bad {
		shared := in.number()
		length := in.number()
		kind := length & 7
		suffix := in.take(length >> 3)
		in.number() // when it was written
		if in.bad = in.bad || shared < 0 || shared > len(name); in.bad {
			break
		}
		name = append(slices.Clone(name[:shared]), suffix...)
		full := plumbing.ReferenceName(name)
		const deleted, id, idAndPeeled, symbolic = 0, 1, 2, 3
		switch kind {
		case deleted:
			delete(refs, full)
		case id, idAndPeeled:
			refs[full] = plumbing.NewHashReference(full, hexID(in.take(len(plumbing.ZeroHash))))
			in.take((kind - id) * len(plumbing.ZeroHash))
		case symbolic:
			refs[full] = plumbing.NewSymbolicReference(full, plumbing.ReferenceName(in.take(in.number())))
		default:
			in.bad = true
		}
	}
	if in.bad {
		return errTable
	}
	return nil
}

// tableReader reads the numbers and strings of a block.
type tableReader struct {
	rest []byte
	bad  bool // it ended too early
}

func (r *tableReader) take(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.rest, r.bad = nil, true
		return nil
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

// number reads a number of seven bits a byte, as the offsets in packs are written.
func (r *tableReader) number() int {
	n := -1
	for range 5 {
		b := r.take(1)
		if r.bad {
			return 0
		}
		n = (n+1)<<7 | int(b[0]&0x7f)
		if b[0]&0x80 == 0 {
			return n
		}
	}
	r.rest, r.bad = nil, true
	return 0
}

func uint24(b []byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }
