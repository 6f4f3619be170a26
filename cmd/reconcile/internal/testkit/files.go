package testkit

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Repository returns the absolute path of the work tree.
var Repository = sync.OnceValue(func() string {
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			err = errors.New("no go.mod above the folder of the test")
		}
		dir = filepath.Dir(dir)
	}
	panic(err)
})

// Contents joins the texts of all files that match a pattern of the work tree.
func Contents(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(Repository(), pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v", pattern, err)
	}
	var b strings.Builder
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(data)
	}
	return b.String()
}

// Write writes a file that only its owner may read.
func Write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Rewrite replaces texts in a file, each once: texts are pairs of old and new.
func Rewrite(t *testing.T, path string, texts ...string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for ; len(texts) > 1; texts = texts[2:] {
		text = strings.Replace(text, texts[0], texts[1], 1)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
