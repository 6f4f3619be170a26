package gitsource

import (
	"bytes"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"pgregory.net/rapid"
)

// TestFolderHashIsTheHash of folders that begin alike, end alike, grow and shrink, in any
// order.
func TestFolderHashIsTheHash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h folderHasher
		data := bytes.Repeat([]byte("folder"), 4*hashStep/6)
		for range rapid.IntRange(1, 12).Draw(t, "folders") {
			data = bytes.Clone(data)
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				data = data[:rapid.IntRange(0, len(data)).Draw(t, "length")]
			case 1:
				data = append(data, make([]byte, rapid.IntRange(0, 2*hashStep).Draw(t, "more"))...)
			case 2:
			default:
				if len(data) > 0 {
					data[rapid.IntRange(0, len(data)-1).Draw(t, "changed")]++
				}
			}
			if got, want := h.id(data), plumbing.ComputeHash(plumbing.TreeObject, data); got != want {
				t.Fatalf("%d bytes: %s, want %s", len(data), got, want)
			}
		}
	})
}
