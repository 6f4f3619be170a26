package gitsource

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// The limits of a repository's folders: a few small trees that refer to each other many
// times expand to billions of files.
const (
	maxFiles = 100_000
	maxDepth = 64
)

var errTooMany = errors.New("the folder of the topologies unfolds to too many files")

// fileChange is one topology file that differs between two commits. A zero
// id: it is not there.
type fileChange struct {
	file          string
	before, after plumbing.Hash
	// lost is why the content before (wasLost) or after is not known, for a file, or for a
	// folder if file ends in a slash; nil: it is known.
	lost    error
	wasLost bool
}

// isMalformedFolder reports whether an error is a fault of a folder itself.
func isMalformedFolder(err error) bool {
	return errors.Is(err, errTree) || errors.Is(err, errTooMany) || errors.Is(err, errTooLarge) || errors.Is(err, errKind)
}

// changedFiles compares the topology files of a commit with those of the folder before,
// and returns the folder for the next comparison. A malformed folder is an error at the
// tip; a malformed folder within it loses only its own files. In an earlier commit it
// counts as empty: it was corrected since, and must not block the history for ever. If the
// folder is unreadable, its files are lost, and the next commit is compared with before.
func (r *Repo) changedFiles(c *commit, before plumbing.Hash, tip bool) ([]fileChange, plumbing.Hash, error) {
	after, err := r.folder(c)
	var out []fileChange
	if err == nil {
		out, err = r.differing(before, after, tip)
	}
	switch {
	case isMalformedFolder(err) && !tip:
		after = plumbing.ZeroHash
		out, err = r.differing(before, after, tip)
	case isUnreadable(err) && !tip:
		return []fileChange{{file: folderPrefix(r.path), lost: err}}, before, nil
	}
	if isMalformedFolder(err) {
		err = fmt.Errorf("%w (hint: a commit that repairs the folder is enough, such as `git revert`)", err)
	}
	if err != nil {
		return nil, after, fmt.Errorf("commit %s: %w", c.id, err)
	}
	slices.SortStableFunc(out, func(a, b fileChange) int { return strings.Compare(a.file, b.file) })
	return out, after, nil
}

// folderPrefix is what the paths of a folder's files begin with.
func folderPrefix(folder string) string {
	if folder == "" {
		return ""
	}
	return folder + "/"
}

// differing lists the topology files in which two folders differ.
func (r *Repo) differing(before, after plumbing.Hash, tip bool) ([]fileChange, error) {
	d := difference{repo: r, budget: maxFiles, tip: tip}
	err := d.diff(before, after, r.path, maxDepth)
	return d.out, err
}

// difference is what two folders differ in.
type difference struct {
	repo   *Repo
	budget int
	tip    bool // the later one is what counts now
	out    []fileChange
}

// diff compares two folders, and descends only into differing entries.
func (d *difference) diff(before, after plumbing.Hash, prefix string, depth int) error {
	if before == after {
		return nil
	}
	if depth == 0 {
		return errTooMany
	}
	earlier, _, err := d.folder(tree{}, before, prefix, true)
	if err != nil {
		return err
	}
	later, known, err := d.folder(earlier, after, prefix, false)
	if err != nil || !known { // the earlier files may still exist
		return err
	}
	for _, pair := range unequalEntries(earlier, later) {
		if err := d.entry(pair.before, pair.after, path.Join(prefix, pair.name), depth); err != nil {
			return err
		}
	}
	return nil
}

// folder reads a folder. A fault of a subfolder loses only its own files: they are not
// known if it is unreadable, or malformed in the later commit at the tip. Any other
// malformed subfolder counts as empty.
func (d *difference) folder(before tree, id plumbing.Hash, prefix string, was bool) (t tree, known bool, err error) {
	t, err = d.repo.nextTree(before, id)
	switch {
	case err == nil:
		return t, true, nil
	case prefix == d.repo.path, !isMalformedFolder(err) && !isUnreadable(err):
		return tree{}, false, err
	case isUnreadable(err) || d.tip && !was:
		d.out = append(d.out, fileChange{file: folderPrefix(prefix), lost: err, wasLost: was})
		return tree{}, false, nil
	}
	return tree{}, true, nil
}

// entryPair is one name in two folders, with the zero entry where it is missing.
type entryPair struct {
	name          string
	before, after treeEntry
}

// unequalEntries lists the differing entries of two folders. Most commits change few
// entries and keep their order. So it compares both folders in parallel until a name is
// new or missing, and compares the rest by name.
func unequalEntries(before, after tree) []entryPair {
	var out []entryPair
	changed, onlyIDs := before.otherIDs(after.data)
	for _, i := range changed {
		was, is := before.at(i).decode(), after.at(i).decode()
		out = append(out, entryPair{was.name, was, is})
	}
	if onlyIDs {
		return out
	}
	at := 0
	for ; at < min(len(before.ends), len(after.ends)); at++ {
		if bytes.Equal(before.bytes(at), after.bytes(at)) {
			continue
		}
		was, is := before.at(at).decode(), after.at(at).decode()
		if was.name != is.name {
			break
		}
		out = append(out, entryPair{was.name, was, is})
	}
	return append(out, unequalNames(before.entries(at), after.entries(at))...)
}

// unequalNames compares entries by name.
func unequalNames(before, after []treeEntry) []entryPair {
	var out []entryPair
	was := map[string]treeEntry{}
	for _, e := range before {
		was[e.name] = e
	}
	for _, e := range after {
		if was[e.name] != e {
			out = append(out, entryPair{e.name, was[e.name], e})
		}
		delete(was, e.name)
	}
	for name, e := range was {
		out = append(out, entryPair{name: name, before: e})
	}
	return out
}

func (d *difference) entry(before, after treeEntry, file string, depth int) error {
	if d.budget--; d.budget < 0 {
		return errTooMany
	}
	if ch := (fileChange{file: file, before: topologyFile(before, file), after: topologyFile(after, file)}); ch.before != ch.after {
		d.out = append(d.out, ch)
	}
	return d.diff(subfolder(before), subfolder(after), file, depth-1)
}

// topologyFile returns the blob of an entry that may hold topologies.
func topologyFile(e treeEntry, file string) plumbing.Hash {
	if e.regular() && IsTopologyFile(file) {
		return e.id
	}
	return plumbing.ZeroHash
}

func subfolder(e treeEntry) plumbing.Hash {
	if e.dir() {
		return e.id
	}
	return plumbing.ZeroHash
}

// IsTopologyFile says whether a file of that name is read for topologies:
// *.yaml and *.yml, with a path that can be written down.
func IsTopologyFile(file string) bool {
	ext := path.Ext(file)
	return (ext == ".yaml" || ext == ".yml") && fs.ValidPath(file)
}

// index returns the key of every document in a folder, by name. If a part is unreadable,
// it returns the rest with an error.
func (r *Repo) index(folder plumbing.Hash, keys KeysFunc) (map[string]string, error) {
	if idx, ok := r.indexes.Get(folder); ok {
		return idx, nil
	}
	files, err := r.differing(plumbing.ZeroHash, folder, false)
	if err != nil && !isMalformedFolder(err) {
		return nil, err
	}
	if err != nil {
		files = nil // of a folder that cannot be read, not even a part counts
	}
	found, gone := map[string][]occurrence{}, error(nil)
	for _, f := range files {
		docs, err := r.documents(f.after, keys)
		if err = cmp.Or(f.lost, err); isUnreadable(err) {
			gone = err
		} else if err != nil {
			return nil, err
		}
		for _, d := range docs {
			found[d.Name] = append(found[d.Name], occurrence{file: f.file, doc: d})
		}
	}
	idx := make(map[string]string, len(found))
	for name, o := range found {
		idx[name] = documentKey(o)
	}
	if gone == nil {
		r.indexes.Put(folder, idx)
	}
	return idx, gone
}

// keyAt returns the key of one document at a commit; empty: it is not there.
func (r *Repo) keyAt(c *commit, name string, keys KeysFunc) (string, error) {
	folder, err := r.folder(c)
	if err != nil && !isMalformedFolder(err) {
		return "", err
	}
	idx, err := r.index(folder, keys)
	if isUnreadable(err) && idx[name] != "" {
		err = nil // another file was lost
	}
	return idx[name], err
}
