package schema

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func topologyText(name, a, b string) string {
	return strings.NewReplacer("orders", name, "id: a", "id: "+a, "id: b", "id: "+b).Replace(minimal)
}

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func TestLoad(t *testing.T) {
	good := topologyText("orders", "a", "b")
	tests := []struct {
		name  string
		files fstest.MapFS
		root  string
		good  string   // names, joined by blanks
		bad   []string // a part of each problem, in order
	}{
		{"recursive, both endings, sorted", fstest.MapFS{
			"top/z.yaml": file(topologyText("a1", "p", "q")), "top/sub/deep/a.yml": file(topologyText("b1", "r", "s")),
			"top/README.md": file("not yaml: ["), "else/x.yaml": file("bad"),
		}, "top", "a1 b1", nil},
		{"root with slashes", fstest.MapFS{"top/a.yaml": file(good)}, "./top/", "orders", nil},
		{"empty root", fstest.MapFS{"a.yaml": file(good), ".git/refs/heads/fix.yaml": file("0123")}, "", "orders", nil},
		{"one file", fstest.MapFS{"top/a.yaml": file(good), "top/b.yaml": file("bad")}, "top/a.yaml", "orders", nil},
		{"no folder", fstest.MapFS{}, "top", "", []string{"top: it cannot be read"}},
		{"outside", fstest.MapFS{}, "../top", "", []string{"../top: it cannot be read"}},
		{"same name in two files", fstest.MapFS{
			"a.yaml": file(good), "b.yaml": file(topologyText("orders", "c", "d")), "c.yaml": file(topologyText("other", "e", "f")),
		}, ".", "other", []string{`a.yaml:3:18: /metadata/name: the topology name "orders" is used twice`, "b.yaml:3:18:"}},
		{"same name in a bad document", fstest.MapFS{
			"a.yaml": file(good), "b.yaml": file("metadata: {name: orders}\nspec: &x {}\nmore: *x\n"),
		}, ".", "", []string{"a.yaml:3:18: /metadata/name: the topology name", "b.yaml:1:18: /metadata/name", "b.yaml:2:7: /spec: anchors", "b.yaml:3:7: /more: aliases"}},
		{"same cluster in two topologies", fstest.MapFS{
			"a.yaml": file(good), "b.yaml": file(topologyText("other", "b", "c")),
		}, ".", "", []string{`a.yaml:7:12: /spec/clusters/0/id: the cluster id "b" is also in another topology`, "b.yaml:8:12: /spec/clusters/1/id"}},
		{"ids inside ids of another topology", fstest.MapFS{
			"a.yaml": file(topologyText("t1", "prod", "test")), "b.yaml": file(topologyText("t2", "prod2", "test2")),
		}, ".", "t1 t2", nil},
		{"links and devices", fstest.MapFS{
			"a.yaml": file(good),
			"l":      {Data: []byte("elsewhere"), Mode: fs.ModeSymlink | 0o777},
			"p.yaml": {Mode: fs.ModeNamedPipe | 0o600},
		}, ".", "orders", []string{"l: symbolic links", "p.yaml: it is not a regular file"}},
		{"linked root", fstest.MapFS{"top": {Data: []byte("else"), Mode: fs.ModeSymlink | 0o777}}, "top", "", []string{"top: it is a symbolic link"}},
		{"large file", fstest.MapFS{"a.yaml": file(good), "b.yaml": file(strings.Repeat("#", maxFileSize+1))}, ".", "orders", []string{"b.yaml: the file has 1048577 bytes"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, problems := Load(tt.files, tt.root)
			var names []string
			for _, x := range got {
				names = append(names, x.Name)
			}
			if strings.Join(names, " ") != tt.good {
				t.Errorf("good: %q, want %q", names, tt.good)
			}
			if len(problems) != len(tt.bad) {
				t.Fatalf("problems:\n%v\nwant %q", problems, tt.bad)
			}
			for i, p := range problems {
				if !strings.Contains(p.String(), tt.bad[i]) || p.Hint == "" {
					t.Errorf("problem %d: %v, want %q", i, p, tt.bad[i])
				}
			}
		})
	}
}

// failingFS fails to open one file, or to read it.
type failingFS struct {
	fstest.MapFS
	open bool
}

func (f failingFS) Open(name string) (fs.File, error) {
	if name != "bad.yaml" {
		return f.MapFS.Open(name)
	}
	if f.open {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return failingFile{}, nil
}

type failingFile struct{}

func (failingFile) Stat() (fs.FileInfo, error) { return failingInfo{}, nil }
func (failingFile) Read([]byte) (int, error)   { return 0, fs.ErrClosed }
func (failingFile) Close() error               { return nil }

type failingInfo struct{}

func (failingInfo) Name() string       { return "bad.yaml" }
func (failingInfo) Size() int64        { return 1 }
func (failingInfo) Mode() fs.FileMode  { return 0o600 }
func (failingInfo) ModTime() time.Time { return time.Time{} }
func (failingInfo) IsDir() bool        { return false }
func (failingInfo) Sys() any           { return nil }

func TestUnreadableFileIsAProblem(t *testing.T) {
	for _, open := range []bool{true, false} {
		files := failingFS{fstest.MapFS{"a.yaml": file(minimal), "bad.yaml": file("x")}, open}
		got, problems := Load(files, ".")
		if len(got) != 1 || len(problems) != 1 || problems[0].File != "bad.yaml" {
			t.Errorf("open fails %t: %v, %v", open, got, problems)
		}
	}
}

// TestExamples loads every example and demands what its users rely on.
func TestExamples(t *testing.T) {
	root := os.DirFS("../topologies")
	got, problems := Load(root, ".")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	names := map[string]bool{}
	for _, x := range got {
		names[x.Name] = true
		for _, c := range x.Clusters {
			if !strings.HasPrefix(c.ClientAddress, "127.0.0.1:") {
				t.Errorf("%s: %s is not on loopback, so the simulator cannot start it", c.ID, c.ClientAddress)
			}
		}
		text, err := fs.ReadFile(root, x.At.File)
		if err != nil || !strings.HasPrefix(string(text), "# yaml-language-server: $schema=../schema/topology.schema.json\n") {
			t.Errorf("%s: the first line does not name the schema (%v)", x.At.File, err)
		}
	}
	if !names["orders"] || !names["catalog"] {
		t.Errorf("an example is missing: %v", names)
	}
}
