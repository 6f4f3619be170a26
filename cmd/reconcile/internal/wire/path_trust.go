package wire

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// mostLinks is the maximum number of symbolic links in a path; Linux follows 40.
const mostLinks = 40

// PathChecker resolves paths as the system does. It checks who may change the folders,
// the links and the file of each path. It remembers what it read.
type PathChecker struct {
	user     int // only this user and root should own the files
	known    map[string]fs.FileInfo
	reported map[string]bool // folders that every user may write
}

// NewPathChecker returns a checker for the user of this process.
func NewPathChecker() *PathChecker {
	return &PathChecker{user: os.Geteuid(), known: map[string]fs.FileInfo{}, reported: map[string]bool{}}
}

// PathAccess says who may change what a path leads to.
type PathAccess struct {
	passed []string // folders, links and the file; none of them through a link
	// anyUser says what every user of this machine could change or replace; Others says
	// what a group or another user could.
	anyUser []error
	Others  []string
	// anyUserAdds: nothing is there, and every user of this machine may put a file there.
	anyUserAdds bool
}

// Check resolves a path to a file. It ignores what it cannot read; the reader of the
// file reports that.
func (w *PathChecker) Check(path string) PathAccess {
	var out PathAccess
	abs, err := filepath.Abs(path)
	if err != nil {
		return out
	}
	at, rest, links := "/", pathParts(abs), 0
	for len(rest) > 0 {
		if rest[0] == ".." {
			at, rest = filepath.Dir(at), rest[1:]
			continue
		}
		folder := w.lstat(at)
		at, rest = filepath.Join(at, rest[0]), rest[1:]
		info := w.lstat(at)
		if folder == nil {
			return out
		}
		out.passed = append(out.passed, at)
		w.checkStep(&out, path, at, folder, info, len(rest) == 0)
		if info == nil {
			return out // it may be created later
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		target, err := os.Readlink(at)
		if links++; err != nil || links > mostLinks {
			return out
		}
		rest = append(pathParts(target), rest...)
		if at = filepath.Dir(at); filepath.IsAbs(target) {
			at = "/"
		}
	}
	return out
}

// pathParts splits a path into names. It keeps "..", which is relative to the target of a
// link before it.
func pathParts(path string) []string {
	var out []string
	for _, p := range strings.Split(path, "/") {
		if p != "" && p != "." {
			out = append(out, p)
		}
	}
	return out
}

func (w *PathChecker) lstat(path string) fs.FileInfo {
	info, seen := w.known[path]
	if !seen {
		info, _ = os.Lstat(path)
		w.known[path] = info
	}
	return info
}

// checkStep checks one name of a path: who may replace it in its folder, and who may
// write it. In a sticky folder, such as /tmp, only its owner may replace it.
func (w *PathChecker) checkStep(out *PathAccess, named, at string, folder, info fs.FileInfo, last bool) {
	const all, group = 0o002, 0o020
	parent := filepath.Dir(at)
	switch mode := folder.Mode(); {
	case mode.Perm()&all == 0 && mode.Perm()&group != 0 && mode&fs.ModeSticky == 0:
		out.Others = append(out.Others, fmt.Sprintf("a group may replace what lies in %s (chmod g-w %s)", parent, parent))
	case mode.Perm()&all == 0:
	case mode&fs.ModeSticky == 0 && w.reported[parent]:
	case mode&fs.ModeSticky == 0:
		w.reported[parent] = true
		what := "the folder of " + named
		if !last {
			what = "the folder " + parent + ", which " + named + " is reached through,"
		}
		out.anyUser = append(out.anyUser, fmt.Errorf("%s can be written by every user of this machine (hint: chmod o-w %s)", what, parent))
	case info != nil && !ownedBy(w.user, info):
		out.anyUser = append(out.anyUser, fmt.Errorf("%s lies in %s, where every user of this machine may put files, and belongs to another user (hint: chown it, or move it to a folder of your own)", at, parent))
	}
	out.anyUserAdds = info == nil && folder.Mode().Perm()&all != 0
	if info == nil || info.Mode()&fs.ModeSymlink != 0 { // the mode of a link means nothing
		return
	}
	if !ownedBy(w.user, info) {
		out.Others = append(out.Others, fmt.Sprintf("%s belongs to another user (chown it)", at))
	}
	if !last {
		return
	}
	if info.Mode().Perm()&all != 0 && (!info.IsDir() || info.Mode()&fs.ModeSticky == 0) {
		out.anyUser = append(out.anyUser, fmt.Errorf("%s can be written by every user of this machine (hint: chmod o-w %s)", named, named))
	} else if info.Mode().Perm()&group != 0 {
		out.Others = append(out.Others, fmt.Sprintf("a group may write %s (chmod g-w %s)", at, at))
	}
}
