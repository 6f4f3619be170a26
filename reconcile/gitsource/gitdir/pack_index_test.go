package gitdir

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the checksum of git's own files
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/memfs"
)

// TestSecondVersion turns an index with an offset of 2 GiB and more.
func TestSecondVersion(t *testing.T) {
	var v1 bytes.Buffer
	for i := range 256 {
		_ = binary.Write(&v1, binary.BigEndian, uint32(min(i, 2)))
	}
	for i, offset := range []uint32{12, 3 << 30} {
		_ = binary.Write(&v1, binary.BigEndian, offset)
		fmt.Fprintf(&v1, "%c%19d", i+1, 0)
	}
	v1.WriteString(strings.Repeat("p", 20))
	sum := sha1.Sum(v1.Bytes()) //nolint:gosec // the checksum of git's own files
	v1.Write(sum[:])
	f := &objectFolder{files: memFile(t, "pack/x.idx", v1.Bytes())}
	index, err := f.readIndex("pack/x.idx")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int64{12, 3 << 30} {
		id := [20]byte([]byte(fmt.Sprintf("%c%19d", i+1, 0)))
		if got, err := index.FindOffset(id); err != nil || got != want {
			t.Errorf("object %d stands at %d, %v, want %d", i, got, err, want)
		}
	}
	for name, damage := range map[string]func([]byte) []byte{
		"short":      func(b []byte) []byte { return b[:1000] },
		"cut":        func(b []byte) []byte { return b[:len(b)-1] },
		"other sums": func(b []byte) []byte { b[1030] ^= 1; return b },
	} {
		if _, err := secondVersion(damage(bytes.Clone(v1.Bytes()))); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func memFile(t *testing.T, name string, data []byte) billy.Filesystem {
	t.Helper()
	files := memfs.New()
	f, err := files.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	return files
}
