package gitdir

import (
	"bytes"
	"testing"

	"github.com/go-git/go-billy/v5/memfs"
	"github.com/go-git/go-billy/v5/util"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/storage/memory"
)

// packOf packs texts that differ little, and returns the pack and its index.
func packOf(t testing.TB, texts ...string) ([]byte, *idxfile.MemoryIndex) {
	t.Helper()
	objects := memory.NewStorage()
	var ids []plumbing.Hash
	for _, text := range texts {
		o := &plumbing.MemoryObject{}
		o.SetType(plumbing.BlobObject)
		if _, err := o.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		id, err := objects.SetEncodedObject(o)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	var packed bytes.Buffer
	if _, err := packfile.NewEncoder(&packed, objects, true).Encode(ids, 10); err != nil {
		t.Fatal(err)
	}
	index := &idxfile.Writer{}
	parser, err := packfile.NewParser(packfile.NewScanner(bytes.NewReader(packed.Bytes())), index)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(); err != nil {
		t.Fatal(err)
	}
	out, err := index.Index()
	if err != nil {
		t.Fatal(err)
	}
	return packed.Bytes(), out
}

// FuzzPackReader holds that no pack makes the reader fail or go on for ever.
func FuzzPackReader(f *testing.F) {
	long := string(bytes.Repeat([]byte("replicate to b\n"), 100))
	good, index := packOf(f, long, long+"x", "short")
	f.Add(good[12:min(len(good), 400)])
	f.Add([]byte{0x60, 0x01, 0x78, 0x9c})
	f.Add([]byte{0x70, 0x01})
	f.Fuzz(func(t *testing.T, raw []byte) {
		files := memfs.New()
		if err := util.WriteFile(files, "p", raw, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := files.Open("p")
		if err != nil {
			t.Fatal(err)
		}
		r := newPackReader()
		for offset := range int64(min(len(raw), 16)) {
			if o, ok := r.read(&pack{index: index, file: file}, offset); ok && len(o.Data) > MaxUnpacked {
				t.Fatalf("%d bytes", len(o.Data))
			}
		}
	})
}
