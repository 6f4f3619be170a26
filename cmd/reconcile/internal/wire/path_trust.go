package wire

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// mostLinks is how many links a path may lead through; the system follows 40.
const mostLinks = 40

// PathWalk follows paths as the system does, and looks at what each of them rests on:
// folders, links, and the file itself. It remembers folders.
type PathWalk struct {
	user  int // whose files, beside root's, are ours
	known map[string]fs.FileInfo
	told  map[string]bool // folders that everybody may write
}

// NewPathWalk starts a walk as the user of this process.
func NewPathWalk() *PathWalk {
	return &PathWalk{user: os.Geteuid(), known: map[string]fs.FileInfo{}, told: map[string]bool{}}
}

// Way is what a path rests on.
type Way struct {
	passed []string // folders, links and the file; none of them through a link
	// anybody says what every user of this machine could change, or put something else
	// in the place of. Others: the same of a group, or of another user.
	anybody []error
	Others  []string
}

// Follow walks to a file. What cannot be looked at is for whoever reads it.
func (w *PathWalk) Follow(path string) Way {
	var out Way
	abs, err := filepath.Abs(path)
	if err != nil {
		return out
	}
	at, rest, links := "/", parts(abs), 0
	for len(rest) > 0 {
		if rest[0] == ".." {
			at, rest = filepath.Dir(at), rest[1:]
			continue
		}
		folder := w.info(at)
		at, rest = filepath.Join(at, rest[0]), rest[1:]
		info := w.info(at)
		if folder == nil {
			return out
		}
		out.passed = append(out.passed, at)
		w.judge(&out, path, at, folder, info, len(rest) == 0)
		if info == nil {
			return out // it may come later
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		target, err := os.Readlink(at)
		if links++; err != nil || links > mostLinks {
			return out
		}
		rest = append(parts(target), rest...)
		if at = filepath.Dir(at); filepath.IsAbs(target) {
			at = "/"
		}
	}
	return out
}

// parts are the names of a path; ".." is kept, since it counts from where a link led.
func parts(path string) []string {
	var out []string
	for _, p := range strings.Split(path, "/") {
		if p != "" && p != "." {
			out = append(out, p)
		}
	}
	return out
}

func (w *PathWalk) info(path string) fs.FileInfo {
	info, seen := w.known[path]
	if !seen {
		info, _ = os.Lstat(path)
		w.known[path] = info
	}
	return info
}

// judge looks at one step of the way: who may replace what lies in the folder, and
// who may write it. In a sticky folder, such as /tmp, only its owner may replace it.
func (w *PathWalk) judge(out *Way, named, at string, folder, info fs.FileInfo, last bool) {
	const all, group = 0o002, 0o020
	parent := filepath.Dir(at)
	switch mode := folder.Mode(); {
	case mode.Perm()&all == 0 && mode.Perm()&group != 0 && mode&fs.ModeSticky == 0:
		out.Others = append(out.Others, fmt.Sprintf("a group may replace what lies in %s (chmod g-w %s)", parent, parent))
	case mode.Perm()&all == 0:
	case mode&fs.ModeSticky == 0 && w.told[parent]:
	case mode&fs.ModeSticky == 0:
		w.told[parent] = true
		what := "the folder of " + named
		if !last {
			what = "the folder " + parent + ", which " + named + " is reached through,"
		}
		out.anybody = append(out.anybody, fmt.Errorf("%s is writable by every user of this machine (hint: chmod o-w %s)", what, parent))
	case info != nil && !ownedBy(w.user, info):
		out.anybody = append(out.anybody, fmt.Errorf("%s lies in %s, where every user of this machine may put files, and is another user's (hint: chown it, or move it to a folder of your own)", at, parent))
	}
	if info == nil || info.Mode()&fs.ModeSymlink != 0 { // the mode of a link means nothing
		return
	}
	if !ownedBy(w.user, info) {
		out.Others = append(out.Others, fmt.Sprintf("%s is another user's (chown it)", at))
	}
	if !last {
		return
	}
	if info.Mode().Perm()&all != 0 && (!info.IsDir() || info.Mode()&fs.ModeSticky == 0) {
		out.anybody = append(out.anybody, fmt.Errorf("%s is writable by every user of this machine (hint: chmod o-w %s)", named, named))
	} else if info.Mode().Perm()&group != 0 {
		out.Others = append(out.Others, fmt.Sprintf("a group may write %s (chmod g-w %s)", at, at))
	}
}
