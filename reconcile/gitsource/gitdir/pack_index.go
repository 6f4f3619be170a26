package gitdir

import (
	"bufio"
	"bytes"
	"crypto/sha1" //nolint:gosec // the checksum of git's own pack files
	"encoding/binary"
	"io"
	"slices"

	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
)

// readIndex reads the index of a pack, of version 2, or 1 as git wrote it until 2008.
func (f *objectFolder) readIndex(path string) (*idxfile.MemoryIndex, error) {
	in, err := f.files.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close() //nolint:errcheck // only read
	info, err := f.files.Stat(path)
	if err != nil {
		return nil, err
	}
	head := make([]byte, 8+256*4)
	if _, err := in.ReadAt(head, 0); err != nil {
		return nil, idxfile.ErrMalformedIdxFile
	}
	var from io.Reader = bufio.NewReader(in)
	if n := int64(binary.BigEndian.Uint32(head[len(head)-4:])); string(head[:4]) == indexMagic && info.Size() < n*28 {
		return nil, idxfile.ErrMalformedIdxFile // allocate no memory for missing entries
	}
	if string(head[:4]) != indexMagic {
		data, err := io.ReadAll(in)
		if err != nil {
			return nil, err
		}
		if data, err = secondVersion(data); err != nil {
			return nil, err
		}
		from = bytes.NewReader(data)
	}
	index := idxfile.NewMemoryIndex()
	return index, idxfile.NewDecoder(from).Decode(index)
}

// indexMagic begins an index of version 2 and later.
const indexMagic = "\xfftOc"

// secondVersion makes an index of version 2 out of one of version 1
// (gitformat-pack(5)): a table of 256 counts, then for each object its offset and
// id, then the checksums of the pack and of all before.
func secondVersion(v1 []byte) ([]byte, error) {
	const counts, entry, tail = 256 * 4, 4 + 20, 2 * 20
	if len(v1) < counts+tail {
		return nil, idxfile.ErrMalformedIdxFile
	}
	n := int(binary.BigEndian.Uint32(v1[counts-4:]))
	if len(v1) != counts+n*entry+tail || sha1.Sum(v1[:len(v1)-20]) != [20]byte(v1[len(v1)-20:]) {
		return nil, idxfile.ErrMalformedIdxFile
	}
	out := append([]byte(indexMagic), 0, 0, 0, 2)
	out = append(out, v1[:counts]...)
	entries := v1[counts : counts+n*entry]
	for e := range slices.Chunk(entries, entry) {
		out = append(out, e[4:]...)
	}
	out = append(out, make([]byte, 4*n)...) // checksums, which nothing reads
	var large []byte                        // offsets of 2 GiB and more stand in a table of their own
	for e := range slices.Chunk(entries, entry) {
		at := binary.BigEndian.Uint32(e)
		if at >= 1<<31 {
			large = append(large, 0, 0, 0, 0)
			large = append(large, e[:4]...)
			at = 1<<31 | uint32(len(large)/8-1)
		}
		out = binary.BigEndian.AppendUint32(out, at)
	}
	out = append(out, large...)
	out = append(out, v1[len(v1)-tail:len(v1)-20]...)
	sum := sha1.Sum(out) //nolint:gosec // see above
	return append(out, sum[:]...), nil
}
