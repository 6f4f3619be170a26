package gitsource

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// tableRef is a ref for a table: an id, or another ref's name.
type tableRef struct {
	name, target string
	id           []byte
}

// writeTable writes a table of refs (gitformat-reftable(5)) in blocks of a size.
func writeTable(refs []tableRef, blockSize int) []byte {
	slices.SortFunc(refs, func(a, b tableRef) int { return strings.Compare(a.name, b.name) })
	head := binary.BigEndian.AppendUint64(append([]byte("REFT\x01"), put24(blockSize)...), 1)
	head = binary.BigEndian.AppendUint64(head, 1)
	out := slices.Clone(head)
	for len(refs) > 0 {
		begin := len(out) / blockSize * blockSize
		block := []byte("r\x00\x00\x00")
		at, last, n := len(out)-begin, "", 0
		var restarts []int
		for _, ref := range refs {
			shared := 0
			for n%16 != 0 && shared < min(len(last), len(ref.name)) && last[shared] == ref.name[shared] {
				shared++
			}
			kind, value := 1, ref.id
			if ref.target != "" {
				kind, value = 3, append(putNumber(len(ref.target)), ref.target...)
			}
			suffix := ref.name[shared:]
			record := append(append(putNumber(shared), putNumber(len(suffix)<<3|kind)...), suffix...)
			record = append(append(record, putNumber(0)...), value...)
			if n > 0 && at+len(block)+len(record)+3*(len(restarts)+2)+2 > blockSize {
				break
			}
			if n%16 == 0 {
				restarts = append(restarts, at+len(block))
			}
			block, last, n = append(block, record...), ref.name, n+1
		}
		for _, r := range restarts {
			block = append(block, put24(r)...)
		}
		block = binary.BigEndian.AppendUint16(block, uint16(len(restarts)))
		copy(block[1:], put24(at+len(block)))
		out = append(out, block...)
		if refs = refs[n:]; len(refs) > 0 {
			out = append(out, make([]byte, (blockSize-len(out)%blockSize)%blockSize)...)
		}
	}
	foot := append(slices.Clone(head), make([]byte, 40)...)
	return append(out, binary.BigEndian.AppendUint32(foot, crc32.ChecksumIEEE(foot))...)
}

func put24(n int) []byte { return []byte{byte(n >> 16), byte(n >> 8), byte(n)} }

// putNumber writes a number of seven bits a byte, as the offsets in packs are written.
func putNumber(n int) []byte {
	out := []byte{byte(n & 0x7f)}
	for n >>= 7; n > 0; n >>= 7 {
		n--
		out = append([]byte{0x80 | byte(n&0x7f)}, out...)
	}
	return out
}

// toTables moves the refs of a repository into tables, in so many of them.
func (s *shell) toTables(blockSize, tables int) {
	s.t.Helper()
	all := []tableRef{{name: "HEAD", target: s.git("symbolic-ref", "HEAD")}}
	for line := range strings.Lines(s.git("for-each-ref", "--format=%(objectname) %(refname) %(symref)")) {
		id, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		name, target, _ := strings.Cut(rest, " ")
		all = append(all, tableRef{name: name, target: target, id: unhex(id)})
	}
	folder := filepath.Join(s.dir, ".git", "reftable")
	must := func(err error) {
		if err != nil {
			s.t.Fatal(err)
		}
	}
	must(os.MkdirAll(folder, 0o755))
	var list strings.Builder
	for i := range tables {
		var part []tableRef
		for j, ref := range all {
			switch {
			case j%tables == i:
				part = append(part, ref)
			case j%tables > i: // a later table says otherwise
				part = append(part, tableRef{name: ref.name, target: "refs/heads/nothing"})
			}
		}
		name := "0x00000000000" + string(rune('1'+i)) + "-0x000000000001-abcdef.ref"
		must(os.WriteFile(filepath.Join(folder, name), writeTable(part, blockSize), 0o644))
		list.WriteString(name + "\n")
	}
	must(os.WriteFile(filepath.Join(folder, "tables.list"), []byte(list.String()), 0o644))
	s.remove(".git/refs")
	s.remove(".git/packed-refs")
	s.remove(".git/HEAD")
	s.append(".git/HEAD", "ref: refs/heads/.invalid\n")
	s.append(".git/refs/heads", "this repository uses the reftable format\n")
	s.append(".git/config", "[core]\n\trepositoryFormatVersion = 1\n[extensions]\n\trefStorage = reftable\n")
}

// writtenTableWays are tables of refs by our own hand, as git 2.45 and later have them.
func writtenTableWays() []way {
	return []way{
		in("written tables of refs", func(s *shell) { s.toTables(4096, 1) }),
		in("written tables of refs in small blocks", func(s *shell) { s.toTables(512, 1) }),
		in("several written tables of refs", func(s *shell) { s.toTables(4096, 3) }),
		in("written tables of refs over packs", func(s *shell) { s.commands("gc -q"); s.toTables(1024, 2) }),
	}
}
