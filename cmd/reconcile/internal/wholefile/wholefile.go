// Package wholefile writes a file completely or not at all, even if the disk is full.
package wholefile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace writes a file next to the one of that name and moves it into its place, so
// that nobody reads half of it. If the disk is full, the old file stays. The mode stays,
// and a link keeps its target. Replace writes directly to a pipe or a device, and to a
// file whose folder takes no other file, such as a file that is mounted by itself. Such
// a file is left empty if it cannot be written completely.
func Replace(path string, data []byte) error {
	mode := fs.FileMode(0)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	switch info, err := os.Stat(path); {
	case err == nil && !info.Mode().IsRegular():
		return into(path, data)
	case err == nil:
		mode = info.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	written, err := temporary(path, data, mode)
	if errors.Is(err, fs.ErrPermission) {
		return inPlace(path, data)
	}
	if err != nil {
		return err
	}
	if err := os.Rename(written, path); err != nil {
		return errors.Join(inPlace(path, data), os.Remove(written))
	}
	return nil
}

// Create writes a file that does not exist yet.
func Create(path string, data []byte) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: %w", path, fs.ErrExist)
	}
	written, err := temporary(path, data, 0)
	if err != nil {
		return err
	}
	return os.Rename(written, path)
}

// temporary writes a file next to another, whole and to the disk, or leaves none. Mode 0
// is that of a new file.
func temporary(path string, data []byte, mode fs.FileMode) (name string, err error) {
	name = filepath.Join(filepath.Dir(path), ".reconcile-"+rand.Text())
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if mode != 0 {
		err = errors.Join(err, f.Chmod(mode))
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(name))
	}
	return name, nil
}

// into writes to what is there, and cuts nothing.
func into(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

func inPlace(path string, data []byte) error {
	err := os.WriteFile(path, data, 0o644)
	if err != nil {
		return errors.Join(err, os.Truncate(path, 0))
	}
	return nil
}
