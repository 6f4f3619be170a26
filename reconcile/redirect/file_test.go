package redirect_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"milvus-reconcile/reconcile/redirect"
)

const upstream = `# {{.topology}}
upstream milvus { server {{.primary.address}}; } # {{.primary.cluster}} {{.primary.host}} {{.primary.port}}
{{range .stale}}# not {{.cluster}} {{.address}}
{{end}}`

const rendered = `# orders
upstream milvus { server b.example:19530; } # cluster-b b.example 19530
# not cluster-a a.example:19530
`

// fileTarget is a target whose template holds text.
func fileTarget(t *testing.T, text string) (redirect.Target, string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "out", "upstream.conf")
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	template := write(t, filepath.Join(dir, "template"), text, 0o600)
	return redirect.Target{Name: "f", File: &redirect.File{Template: template, Path: path, Mode: 0o640}}, path
}

func TestFileIsRenderedWhole(t *testing.T) {
	target, path := fileTarget(t, upstream)
	r, _ := made(t, target)
	if s := only(t, r.Check(t.Context(), "orders", "cluster-b", []string{"cluster-a"})); s.OK {
		t.Error("a file that is not there is as wanted")
	}
	if s := only(t, r.Set(t.Context(), "orders", "cluster-b", []string{"cluster-a"})); !s.OK {
		t.Fatal(s.Detail)
	}
	if got := read(t, path); got != rendered {
		t.Errorf("got\n%s", got)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestFileCheck(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, path string)
		say    string // empty: it is as wanted
	}{
		{"nothing changed", func(*testing.T, string) {}, ""},
		{"another content", func(t *testing.T, path string) {
			write(t, path, strings.Replace(rendered, "b.example", "a.example", 1), 0)
		}, "does not hold"},
		{"a longer content", func(t *testing.T, path string) { write(t, path, rendered+"\n", 0) }, "does not hold"},
		{"other permissions", func(t *testing.T, path string) {
			if err := os.Chmod(path, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "permissions 0600, not 0640"},
		{"gone", func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, "no such file"},
		{"a folder", func(t *testing.T, path string) {
			if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o755)); err != nil {
				t.Fatal(err)
			}
		}, "does not hold"},
	} {
		t.Run(c.name, func(t *testing.T) {
			target, path := fileTarget(t, upstream)
			r, _ := made(t, target)
			if s := only(t, r.Set(t.Context(), "orders", "cluster-b", []string{"cluster-a"})); !s.OK {
				t.Fatal(s.Detail)
			}
			c.change(t, path)
			s := only(t, r.Check(t.Context(), "orders", "cluster-b", []string{"cluster-a"}))
			if s.OK != (c.say == "") || !strings.Contains(s.Detail, c.say) {
				t.Errorf("got %+v", s)
			}
		})
	}
}

// TestFileIsLeftAloneWhenItIsRight: a process that watches it is not woken.
func TestFileIsLeftAloneWhenItIsRight(t *testing.T) {
	target, path := fileTarget(t, upstream)
	r, _ := made(t, target)
	var inodes []uint64
	for range 2 {
		if s := only(t, r.Set(t.Context(), "orders", "cluster-b", nil)); !s.OK {
			t.Fatal(s.Detail)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		inodes = append(inodes, info.Sys().(*syscall.Stat_t).Ino)
	}
	if inodes[0] != inodes[1] {
		t.Error("it was written again")
	}
}

// TestLinksStay: a link that leads to the file still does.
func TestLinksStay(t *testing.T) {
	target, path := fileTarget(t, upstream)
	behind := write(t, filepath.Join(t.TempDir(), "behind"), "old", 0o644)
	if err := os.Symlink(behind, path); err != nil {
		t.Fatal(err)
	}
	r, _ := made(t, target)
	if s := only(t, r.Set(t.Context(), "orders", "cluster-b", []string{"cluster-a"})); !s.OK {
		t.Fatal(s.Detail)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != os.ModeSymlink || read(t, behind) != rendered {
		t.Errorf("%v, %v, %q", info.Mode(), err, read(t, behind))
	}
}

// TestBadTemplatesChangeNothing: the file that stands keeps standing.
func TestBadTemplatesChangeNothing(t *testing.T) {
	for _, c := range []struct{ name, template, say string }{
		{"an unknown name", "{{.primray.address}}", `no entry for key "primray"`},
		{"an unknown field", "{{.primary.token}}", `no entry for key "token"`},
		{"no template", "{{", "unclosed action"},
		{"too much", `{{range $i, $x := .stale}}{{end}}{{printf "%2000000d" 1}}`, "larger than"},
		{"half of it is right", "half {{.nothing}}", "no entry"},
	} {
		t.Run(c.name, func(t *testing.T) {
			target, path := fileTarget(t, c.template)
			write(t, path, "as before", 0o644)
			r, _ := made(t, target)
			s := only(t, r.Set(t.Context(), "orders", "cluster-b", nil))
			if s.OK || !strings.Contains(s.Detail, c.say) || read(t, path) != "as before" {
				t.Errorf("%+v, the file holds %q", s, read(t, path))
			}
			if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
				t.Errorf("%v, %v", entries, err)
			}
		})
	}
}

// TestReadersNeverSeeHalf: at every moment the file is one of the two.
func TestReadersNeverSeeHalf(t *testing.T) {
	target, path := fileTarget(t, "{{.primary.cluster}} "+strings.Repeat("padding ", 10000))
	r, _ := made(t, target)
	if s := only(t, r.Set(t.Context(), "orders", "cluster-a", nil)); !s.OK {
		t.Fatal(s.Detail)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 50 {
			r.Set(t.Context(), "orders", []string{"cluster-b", "cluster-a"}[i%2], nil)
		}
	}()
	want := len(read(t, path))
	for looks := 0; ; looks++ {
		if got := read(t, path); len(got) != want || !strings.HasPrefix(got, "cluster-") {
			t.Fatalf("a reader saw %d of %d bytes", len(got), want)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

func TestFileThatCannotBeWritten(t *testing.T) {
	target, path := fileTarget(t, upstream)
	if err := os.Remove(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	r, _ := made(t, target)
	if s := only(t, r.Set(t.Context(), "orders", "cluster-b", nil)); s.OK || !strings.Contains(s.Detail, "write "+path) {
		t.Errorf("got %+v", s)
	}
}
