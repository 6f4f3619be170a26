package wire

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// walked is a folder of this user with a file. A test spoils something of it.
type walked struct {
	t    *testing.T
	dir  string
	walk *PathChecker
}

func newWalked(t *testing.T) *walked {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &walked{t: t, dir: dir, walk: NewPathChecker()}
	w.must(os.Chmod(dir, 0o755), os.MkdirAll(w.at("up/in"), 0o755), os.WriteFile(w.at("up/in/file"), nil, 0o600), os.Mkdir(w.at("links"), 0o755))
	return w
}

func (w *walked) at(name string) string { return filepath.Join(w.dir, name) }

func (w *walked) must(errs ...error) {
	w.t.Helper()
	if err := errors.Join(errs...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *walked) chmod(name string, mode os.FileMode) { w.must(os.Chmod(w.at(name), mode)) }

func (w *walked) link(to, name string) { w.must(os.Symlink(to, w.at(name))) }

// give makes something another user's. Who is not root cannot, and is another user
// than the owner from then on.
func (w *walked) give(name string) {
	if os.Geteuid() != 0 {
		w.walk.user = os.Geteuid() + 1
		return
	}
	w.must(os.Lchown(w.at(name), 65534, 65534))
}

// TestWhoMayChangeAFile: the file, the folders on the way, and the links.
func TestWhoMayChangeAFile(t *testing.T) {
	const sticky = os.ModeSticky
	for _, c := range []struct {
		name    string
		spoil   func(w *walked)
		path    string
		anybody string // what is said of everybody; empty: nothing
		others  string // of a group or another user
	}{
		{"nobody else", func(*walked) {}, "up/in/file", "", ""},
		{"the file", func(w *walked) { w.chmod("up/in/file", 0o602) }, "up/in/file", "up/in/file can be written by every user of this machine (hint: chmod o-w", ""},
		{"its folder", func(w *walked) { w.chmod("up/in", 0o777) }, "up/in/file", "the folder of", ""},
		{"a folder above", func(w *walked) { w.chmod("up", 0o777) }, "up/in/file", "which", ""},
		{"a sticky folder above", func(w *walked) { w.chmod("up", 0o777|sticky) }, "up/in/file", "", ""},
		{"a sticky folder", func(w *walked) { w.chmod("up/in", 0o777|sticky) }, "up/in/file", "", ""},
		{"what another user put into a sticky folder", func(w *walked) { w.chmod("up/in", 0o777|sticky); w.give("up/in/file") }, "up/in/file", "belongs to another user", "belongs to another user"},
		{"a folder that another user made in a sticky one", func(w *walked) { w.chmod("up", 0o777|sticky); w.give("up/in") }, "up/in/file", "belongs to another user", "belongs to another user"},
		{"the folder of a link", func(w *walked) { w.link("../up/in/file", "links/file"); w.chmod("links", 0o777) }, "links/file", "the folder", ""},
		{"a link to a folder in a folder of everybody's", func(w *walked) { w.link(w.at("up"), "links/up"); w.chmod("links", 0o777) }, "links/up/in/file", "links", ""},
		{"a link of links", func(w *walked) {
			w.link(w.at("up/in/file"), "links/one")
			w.must(os.Mkdir(w.at("more"), 0o755))
			w.link("../links/one", "more/two")
			w.chmod("links", 0o777)
		}, "more/two", "links", ""},
		{"where a link leads", func(w *walked) { w.link(w.at("up/in/file"), "links/file"); w.chmod("up", 0o777) }, "links/file", "up", ""},
		{"a link in a sticky folder", func(w *walked) { w.link("../up/in/file", "links/file"); w.chmod("links", 0o777|sticky) }, "links/file", "", ""},
		{"another user's link in a sticky folder", func(w *walked) {
			w.link("../up/in/file", "links/file")
			w.chmod("links", 0o777|sticky)
			w.give("links/file")
		}, "links/file", "belongs to another user", ""},
		{"a link that leads in a circle", func(w *walked) { w.link("b", "links/a"); w.link("a", "links/b") }, "links/a", "", ""},
		{"another user's file", func(w *walked) { w.give("up/in/file") }, "up/in/file", "", "up/in/file belongs to another user"},
		{"another user's folder", func(w *walked) { w.give("up") }, "up/in/file", "", "up belongs to another user"},
		{"a group's file", func(w *walked) { w.chmod("up/in/file", 0o660) }, "up/in/file", "", "a group may write"},
		{"a group's folder above", func(w *walked) { w.chmod("up", 0o775) }, "up/in/file", "", "a group may replace"},
		{"a file that is not there, in everybody's folder", func(w *walked) { w.chmod("up/in", 0o777) }, "up/in/none", "the folder of", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWalked(t)
			c.spoil(w)
			way := w.walk.Check(w.at(c.path))
			said := ""
			if err := errors.Join(way.anyUser...); err != nil {
				said = err.Error()
			}
			if (said != "") != (c.anybody != "") || !strings.Contains(said, c.anybody) {
				t.Errorf("of everybody it says %q, want %q", said, c.anybody)
			}
			others := strings.Join(way.Others, "; ")
			if os.Geteuid() != 0 && c.others == "" && w.walk.user != os.Geteuid() {
				return // then all of this user's folders are another's
			}
			if (others != "") != (c.others != "") || !strings.Contains(others, c.others) {
				t.Errorf("of others it says %q, want %q", others, c.others)
			}
		})
	}
}

// TestAWayNamesEveryLink: what a pull request could change may be a link on the way.
func TestAWayNamesEveryLink(t *testing.T) {
	w := newWalked(t)
	w.link("../up", "links/up")
	way := w.walk.Check(w.at("links/up/in/file"))
	for _, name := range []string{"links/up", "up/in", "up/in/file"} {
		if !strings.Contains(strings.Join(way.passed, "\n")+"\n", w.at(name)+"\n") {
			t.Errorf("it does not pass %s: %v", name, way.passed)
		}
	}
}

// TestWhoMayPutAProgramBeforeAnother: a place of PATH that is searched first is trusted only if
// neither a pull request nor any user of this machine may put a program there.
func TestWhoMayPutAProgramBeforeAnother(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(w *walked)
		say   string
	}{
		{"nobody else", func(*walked) {}, ""},
		{"a folder that is not there", func(w *walked) { w.must(os.RemoveAll(w.at("up"))) }, ""},
		{"everybody's folder", func(w *walked) { w.chmod("up/in", 0o777) }, "every user of this machine may put a program at"},
		{"a sticky folder", func(w *walked) { w.chmod("up/in", 0o777|os.ModeSticky) }, "every user of this machine may put a program at"},
		{"a folder that is not there, in a sticky one", func(w *walked) { w.must(os.RemoveAll(w.at("up/in"))); w.chmod("up", 0o777|os.ModeSticky) }, "every user of this machine may put a program at"},
		{"a folder above", func(w *walked) { w.chmod("up", 0o777) }, "can be written by every user"},
		{"the repository", func(w *walked) { w.must(os.Mkdir(w.at("up/.git"), 0o755)) }, "a pull request could put a program there"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWalked(t)
			c.spoil(w)
			err := checkFiles([]NamedFile{{Path: w.at("up/in/tool"), Before: true}}, w.at("up"))
			if (err != nil) != (c.say != "") || err != nil && !strings.Contains(err.Error(), c.say) {
				t.Errorf("got %v, want %q", err, c.say)
			}
		})
	}
}
