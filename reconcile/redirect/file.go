package redirect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"text/template"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/plainfile"
)

// maxFileBytes bounds a template and its result, in bytes.
const maxFileBytes = 1 << 20

// file is a file target.
type file struct{ conf File }

func (file) concerns(desiredTraffic) bool { return true }

// set writes the file only if it differs, so that its watchers are not woken without a
// change. It writes and syncs a temporary file with the permissions, and renames it.
func (f file) set(ctx context.Context, w desiredTraffic) error {
	content, err := f.render(w)
	if err != nil {
		return err
	}
	path := resolvePath(f.conf.Path)
	if f.differs(path, content) == nil {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := replace(path, content, f.conf.Mode.Perm()); err != nil {
		return fmt.Errorf("write %s: %w", f.conf.Path, err)
	}
	return nil
}

func (f file) check(_ context.Context, w desiredTraffic) (plan.Stay, error) {
	content, err := f.render(w)
	if err != nil {
		return plan.Stay{}, err
	}
	return plan.Stay{}, f.differs(resolvePath(f.conf.Path), content)
}

// differs returns how the file differs from content and mode; nil: it does not.
func (f file) differs(path string, content []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("read the file: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() != int64(len(content)) {
		return fmt.Errorf("%s does not hold what its template gives", f.conf.Path)
	}
	got, err := plainfile.ReadUpTo(path, maxFileBytes)
	switch {
	case err != nil:
		return fmt.Errorf("read the file: %w", err)
	case !bytes.Equal(got, content):
		return fmt.Errorf("%s does not hold what its template gives", f.conf.Path)
	case info.Mode().Perm() != f.conf.Mode.Perm():
		return fmt.Errorf("%s has the permissions %04o, not %04o", f.conf.Path, info.Mode().Perm(), f.conf.Mode.Perm())
	}
	return nil
}

// resolvePath returns the target of a link, so that a rename does not replace the link.
func resolvePath(path string) string {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		return resolved
	}
	return path
}

// render reads and fills the template. An unknown name is an error.
func (f file) render(w desiredTraffic) ([]byte, error) {
	text, err := plainfile.ReadUpTo(f.conf.Template, maxFileBytes)
	if err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	t, err := template.New(filepath.Base(f.conf.Template)).Option("missingkey=error").Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	stale := []map[string]string{}
	for _, s := range w.stale {
		stale = append(stale, fields(s))
	}
	out := &boundedBuffer{}
	err = t.Execute(out, map[string]any{
		"target": w.target, "topology": w.topology, "primary": fields(w.primary), "stale": stale,
	})
	if err != nil {
		return nil, fmt.Errorf("fill the template: %w", err)
	}
	return out.Bytes(), nil
}

func fields(e endpoint) map[string]string {
	host, port, err := net.SplitHostPort(e.Address)
	if err != nil {
		host, port = e.Address, ""
	}
	return map[string]string{"cluster": e.Cluster, "address": e.Address, "host": host, "port": port}
}

// boundedBuffer is a buffer of at most maxFileBytes.
type boundedBuffer struct{ bytes.Buffer }

func (l *boundedBuffer) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxFileBytes {
		return 0, fmt.Errorf("the result is larger than %d bytes", maxFileBytes)
	}
	return l.Buffer.Write(p)
}

// replace replaces a file atomically: a reader sees the old or the new content, also after
// a crash.
func replace(path string, content []byte, mode fs.FileMode) error {
	temporary, err := writeTemporary(path, content, mode)
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		if temporary != "" {
			err = errors.Join(err, os.Remove(temporary))
		}
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// writeTemporary writes and syncs a file in the folder of path, and returns its name. The
// file may exist although an error is returned.
func writeTemporary(path string, content []byte, mode fs.FileMode) (string, error) {
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", err
	}
	_, err = temporary.Write(content)
	if err == nil {
		err = temporary.Chmod(mode)
	}
	if err == nil {
		keepOwner(temporary, path)
		err = temporary.Sync()
	}
	return temporary.Name(), errors.Join(err, temporary.Close())
}

// syncFolder makes a rename durable. A failure does not undo the rename.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil //nolint:nilerr // a folder that may be written and not read
	}
	defer d.Close() //nolint:errcheck // only synced
	return d.Sync()
}
