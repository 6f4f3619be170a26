package gitdir

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// refFiles reads refs from their files and from packed-refs. A file takes precedence
// over a line of packed-refs.
type refFiles struct{ layout }

// Reference implements Refs.
func (r refFiles) Reference(name plumbing.ReferenceName) (*plumbing.Reference, error) {
	if name != plumbing.HEAD && !ValidRef(string(name)) {
		return nil, plumbing.ErrReferenceNotFound
	}
	ref, err := readRef(filepath.Join(r.folderOf(string(name)), filepath.FromSlash(string(name))), name)
	if !errors.Is(err, plumbing.ErrReferenceNotFound) {
		return ref, err
	}
	err = r.packed(func(ref *plumbing.Reference) bool { return ref.Name() == name }, func(found *plumbing.Reference) { ref = found })
	if ref == nil && err == nil {
		err = plumbing.ErrReferenceNotFound
	}
	return ref, err
}

// References implements Refs. A ref that cannot be read is left out, as git does.
func (r refFiles) References(prefix string) ([]*plumbing.Reference, error) {
	var out []*plumbing.Reference
	loose := map[plumbing.ReferenceName]bool{}
	// Files first: a ref that git packs in the meantime is then found in packed-refs.
	err := filepath.WalkDir(filepath.Join(r.common, filepath.FromSlash(prefix)), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil //nolint:nilerr // it was removed since, or is no ref
		}
		below, err := filepath.Rel(r.common, path)
		name := plumbing.ReferenceName(filepath.ToSlash(below))
		if err != nil || !ValidRef(string(name)) {
			return nil //nolint:nilerr // a lock file, or another program's
		}
		ref, err := readRef(path, name)
		if errors.Is(err, plumbing.ErrReferenceNotFound) {
			return nil
		}
		if loose[name] = true; err == nil {
			out = append(out, ref)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	wanted := func(ref *plumbing.Reference) bool {
		return strings.HasPrefix(string(ref.Name()), prefix) && !loose[ref.Name()]
	}
	err = r.packed(wanted, func(ref *plumbing.Reference) { out = append(out, ref) })
	return out, err
}

// folderOf returns the folder of a ref's file: a work tree has some refs of its own.
func (l layout) folderOf(name string) string {
	if !strings.HasPrefix(name, "refs/") {
		return l.own
	}
	for _, own := range []string{"refs/bisect/", "refs/worktree/", "refs/rewritten/"} {
		if strings.HasPrefix(name, own) {
			return l.own
		}
	}
	return l.common
}

// errRef marks a ref whose file is damaged.
var errRef = errors.New("its file holds neither an id nor another ref's name: `git fsck` tells more; write it again with `git update-ref`, or fetch it")

// readRef reads the file of a ref.
func readRef(path string, name plumbing.ReferenceName) (*plumbing.Reference, error) {
	if target, err := os.Readlink(path); err == nil && ValidRef(target) {
		return plumbing.NewSymbolicReference(name, plumbing.ReferenceName(target)), nil // core.preferSymlinkRefs
	}
	if isDir(path) {
		return nil, plumbing.ErrReferenceNotFound
	}
	text, err := readSmall(path)
	if err != nil && isMissingFile(err) {
		return nil, plumbing.ErrReferenceNotFound
	}
	if err != nil {
		return nil, err
	}
	if target, ok := strings.CutPrefix(text, "ref:"); ok {
		if target = strings.TrimSpace(target); ValidRef(target) {
			return plumbing.NewSymbolicReference(name, plumbing.ReferenceName(target)), nil
		}
	} else if fields := strings.Fields(text); len(fields) > 0 && strings.HasPrefix(text, fields[0]) && plumbing.IsHash(fields[0]) {
		return plumbing.NewHashReference(name, plumbing.NewHash(fields[0])), nil
	}
	return nil, fmt.Errorf("ref %+q: %w", string(name), errRef)
}

// packed passes the wanted refs of packed-refs to use. It skips lines that are no refs.
func (l layout) packed(wanted func(*plumbing.Reference) bool, use func(*plumbing.Reference)) error {
	f, err := os.Open(filepath.Join(l.common, "packed-refs"))
	if err != nil && isMissingFile(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxSmall)
	for lines.Scan() {
		id, name, ok := strings.Cut(lines.Text(), " ")
		if !ok || !plumbing.IsHash(id) || !ValidRef(name) {
			continue // a comment, what the tag before points at, or rubbish
		}
		if ref := plumbing.NewHashReference(plumbing.ReferenceName(name), plumbing.NewHash(id)); wanted(ref) {
			use(ref)
		}
	}
	return lines.Err()
}

// ValidRef says whether git takes a name below refs/ (git-check-ref-format(1)).
func ValidRef(name string) bool {
	if !strings.HasPrefix(name, "refs/") || strings.HasSuffix(name, ".") || strings.Contains(name, "..") || strings.Contains(name, "@{") {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return !strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c == 0x7f || strings.ContainsRune(`~^:?*[\`, c) })
}

// hexID writes an id of raw bytes as hex.
func hexID(raw []byte) plumbing.Hash { return plumbing.NewHash(hex.EncodeToString(raw)) }
