package gitsource

import (
	"crypto/sha1" //nolint:gosec // the checksum of git own files
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// way is a way in which git stores a repository, or what it leaves in one.
type way struct {
	name    string
	make    func(s *shell) string // returns what is to be opened
	problem string                // by which it is refused
	or      bool                  // it is refused, or read: a short history is all there
}

// in makes a way that stays in the same folder.
func in(name string, do func(s *shell)) way {
	return way{name: name, make: func(s *shell) string { do(s); return s.dir }}
}

// runs makes a way of git commands; words are parted by blanks.
func runs(name string, commands ...string) way {
	return in(name, func(s *shell) { s.commands(commands...) })
}

func (s *shell) commands(commands ...string) {
	s.t.Helper()
	for _, c := range commands {
		s.git(strings.Fields(strings.ReplaceAll(c, "file://.", "file://"+s.dir))...)
	}
}

// elsewhere makes a way that git puts into another folder, below the same one.
func elsewhere(name, folder string, commands ...string) way {
	return way{name: name, make: func(s *shell) string { s.commands(commands...); return filepath.Join(s.dir, folder) }}
}

// file appends to a file of the repository, or makes one.
func file(name, path, content string) way {
	return in(name, func(s *shell) { s.append(path, content) })
}

func (s *shell) append(path, content string) {
	s.t.Helper()
	full := filepath.Join(s.dir, path)
	old, _ := os.ReadFile(full)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(full, append(old, content...), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// waysToStore lists what this git can do, and what later ones do by our own hand.
// Tables of refs are made by git 2.45 and later; a writer of the tests makes them for
// any git, and gitdir/testdata/reftable has some that git 2.55 wrote.
func waysToStore(t *testing.T) []way {
	t.Log(run(t, nil, "git", "version"), "makes the repositories, and says what is in them")
	all := [][]way{{{name: "as it is"}}, packWays(), refWays(), layoutWays(), cloneWays(), alternateWays(), configWays(), writtenTableWays()}
	probe := newShell(t)
	if _, err := probe.tryGit(alice, "init", "-q", "--ref-format=reftable", "tables"); err == nil {
		all = append(all, tableWays())
	}
	var out []way
	for _, ways := range all {
		out = append(out, ways...)
	}
	return out
}

func packWays() []way {
	return []way{
		runs("packed", "repack -q -a -d"),
		runs("collected", "gc -q"),
		runs("long chains of deltas", "repack -q -a -d -f --depth=250 --window=50"),
		runs("deltas by id", "-c repack.useDeltaBaseOffset=false repack -q -a -d -f"),
		runs("a pack index of version 1", "-c pack.indexVersion=1 repack -q -a -d -f"),
		runs("no compression", "-c core.compression=0 repack -q -a -d -F"),
		runs("no deltas of what is large", "-c core.bigFileThreshold=1 repack -q -a -d -F"),
		runs("a multi-pack index alone", "repack -q", "multi-pack-index write"),
		runs("a multi-pack index that joined packs", "repack -q", "repack -q -a", "multi-pack-index write", "multi-pack-index repack", "multi-pack-index expire"),
		runs("packs in steps of size", "repack -q --geometric=2 -d", "repack -q --geometric=2 -d --write-midx"),
		runs("packs of few bytes", "-c pack.packSizeLimit=1m repack -q -a -d -f"),
		runs("a multi-pack index with bitmaps", "repack -q -a -d", "multi-pack-index write --bitmap"),
		runs("bitmaps and a reverse index", "-c pack.writeReverseIndex=true repack -q -a -d -b"),
		runs("a commit graph", "commit-graph write --reachable --changed-paths"),
		runs("a chain of commit graphs", "commit-graph write --reachable --split", "commit-graph write --reachable --split=no-merge"),
		runs("a pack of what is not reachable", "repack -q --cruft -d"),
		in("many packs, some objects twice", func(s *shell) {
			s.commands("repack -q -a", "repack -q -a -d -f", "config gc.auto 0")
			s.append("x", "x")
			s.commands("hash-object -w x", "repack -q")
		}),
		in("packs under other names", func(s *shell) {
			s.commands("repack -q -a -d")
			for _, ending := range []string{".pack", ".idx"} {
				for _, f := range s.glob(".git/objects/pack/pack-*" + ending) {
					s.rename(f, filepath.Join(filepath.Dir(f), "pack-"+strings.Repeat("12", 20)+ending))
				}
			}
		}),
		in("a pack whose index is not written yet", func(s *shell) {
			s.commands("repack -q -a")
			for _, f := range s.glob(".git/objects/pack/pack-*.idx") {
				s.rename(f, f+".tmp")
			}
		}),
		in("an index whose pack is gone", func(s *shell) {
			s.commands("repack -q -a")
			for _, f := range s.glob(".git/objects/pack/pack-*.pack") {
				s.rename(f, f+".gone")
			}
		}),
		in("a damaged pack next to a whole one", func(s *shell) {
			s.commands("repack -q -a -d")
			s.append(".git/objects/pack/pack-"+strings.Repeat("34", 20)+".pack", "PACK")
			s.append(".git/objects/pack/pack-"+strings.Repeat("34", 20)+".idx", "\xfftOc")
		}),
		in("what fetches left behind", func(s *shell) {
			s.commands("repack -q -a -d")
			for _, f := range []string{"tmp_pack_x", "tmp_idx_x", ".tmp-1-pack-x.pack", "pack-x.keep", "pack-x.promisor"} {
				s.append(".git/objects/pack/"+f, "x")
			}
			s.append(".git/objects/12/tmp_obj_x", "x")
			s.append(".git/objects/info/packs", "P x\n")
		}),
		elsewhere("a bundle", "c", "bundle create -q b --all", "clone -q --mirror b c"),
	}
}

func (s *shell) glob(pattern string) []string {
	s.t.Helper()
	found, err := filepath.Glob(filepath.Join(s.dir, pattern))
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

func (s *shell) rename(from, to string) {
	s.t.Helper()
	if err := os.Rename(from, to); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shell) remove(path string) {
	s.t.Helper()
	if err := os.RemoveAll(filepath.Join(s.dir, path)); err != nil {
		s.t.Fatal(err)
	}
}

func refWays() []way {
	return []way{
		runs("packed refs", "pack-refs --all"),
		runs("packed refs, some of them with files too", "pack-refs --all --no-prune"),
		in("packed refs that files overrule", func(s *shell) {
			at := s.git("rev-parse", "main")
			s.git("tag", "failover/new", at)
			s.commands("pack-refs --all")
			s.git("tag", "-d", "failover/new")
			s.append(".git/packed-refs", "") // as git left it
			packed := s.git("rev-list", "--max-parents=0", "-1", "main")
			text := strings.Replace(s.read(".git/packed-refs"), at+" refs/heads/main", packed+" refs/heads/main", 1)
			s.remove(".git/packed-refs")
			s.append(".git/packed-refs", text)
			s.append(".git/refs/heads/main", at+"\n")
		}),
		in("packed refs without a head", func(s *shell) {
			s.commands("pack-refs --all")
			text := s.read(".git/packed-refs")
			s.remove(".git/packed-refs")
			s.append(".git/packed-refs", "# a comment\n\n"+text[strings.IndexByte(text, '\n')+1:])
		}),
		in("locks and files of other programs below refs", func(s *shell) {
			s.append(".git/refs/tags/failover/orders/9.lock", "")
			s.append(".git/refs/heads/main.lock", "")
			s.append(".git/refs/tags/failover/.DS_Store", "\x00\x01")
			s.append(".git/refs/tags/failover/empty", "")
			s.append(".git/refs/tags/failover/rubbish", "rubbish\n")
			s.append(".git/HEAD.lock", "")
			s.append(".git/packed-refs.lock", "x")
		}),
		in("a ref with blanks behind it", func(s *shell) {
			at := s.git("rev-parse", "main")
			s.remove(".git/refs/heads/main")
			s.append(".git/refs/heads/main", at+" \t\r\n")
		}),
		runs("a detached HEAD", "checkout -q -f --detach"),
		in("HEAD as a symbolic link", func(s *shell) {
			s.remove(".git/HEAD")
			if err := os.Symlink("refs/heads/main", filepath.Join(s.dir, ".git/HEAD")); err != nil {
				s.t.Fatal(err)
			}
			s.commands("pack-refs --all")
		}),
		runs("HEAD by a symbolic ref of a symbolic ref", "symbolic-ref refs/heads/one refs/heads/main", "symbolic-ref refs/heads/two refs/heads/one", "symbolic-ref HEAD refs/heads/two"),
		{name: "HEAD at a branch without a commit", make: func(s *shell) string {
			s.commands("symbolic-ref HEAD refs/heads/unborn")
			return s.dir
		}, problem: "no commit on it yet"},
		{name: "a tip whose file is empty", make: func(s *shell) string {
			s.commands("pack-refs --all")
			s.append(".git/refs/heads/main", "")
			return s.dir
		}, problem: "refs/heads/main"},
	}
}

func (s *shell) read(path string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, path))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

func layoutWays() []way {
	return []way{
		elsewhere("a bare clone", "c", "clone -q --bare . c"),
		elsewhere("a mirror", "c", "clone -q --mirror . c"),
		elsewhere("a clone by a file URL", "c", "clone -q --mirror --no-local . c"),
		elsewhere("a work tree of its own", "w", "worktree add -q -f --no-checkout w main"),
		elsewhere("a detached work tree of its own", "w", "worktree add -q -f --no-checkout --detach w main"),
		elsewhere("a work tree of a bare clone", "w", "clone -q --mirror . c", "-C c worktree add -q -f --no-checkout ../w main"),
		elsewhere("a work tree with a config of its own", "w", "worktree add -q -f --no-checkout w main", "config extensions.worktreeConfig true", "-C w config --worktree core.sparseCheckout true"),
		{name: "a work tree by relative paths", make: func(s *shell) string {
			s.commands("worktree add -q -f --no-checkout w main")
			s.remove("w/.git")
			s.append("w/.git", "gitdir: ../.git/worktrees/w\n")
			s.remove(".git/worktrees/w/gitdir")
			s.append(".git/worktrees/w/gitdir", "../../../w/.git\n")
			return filepath.Join(s.dir, "w")
		}},
		elsewhere("a folder of its own for .git", "w", "clone -q --no-checkout --mirror . m", "clone -q --no-checkout --separate-git-dir=sep m w", "-C w fetch -q origin refs/tags/*:refs/tags/*"),
		{name: "a submodule", make: func(s *shell) string {
			s.commands("init -q --template= super", "-C super -c protocol.file.allow=always submodule --quiet add --force "+s.dir+" sub", "-C super/sub fetch -q origin refs/tags/*:refs/tags/*")
			return filepath.Join(s.dir, "super", "sub")
		}, problem: ""},
		{name: "a folder in the work tree", make: func(s *shell) string {
			s.append("some/folder/x", "x")
			return filepath.Join(s.dir, "some", "folder")
		}},
		{name: "the .git folder itself", make: func(s *shell) string { return filepath.Join(s.dir, ".git") }},
		{name: "a file URL", make: func(s *shell) string { return "file://" + s.dir }},
		{name: "a symbolic link to it", make: func(s *shell) string {
			if err := os.Symlink(s.dir, filepath.Join(s.dir, "link")); err != nil {
				s.t.Fatal(err)
			}
			return filepath.Join(s.dir, "link")
		}},
		{name: "a symbolic link for .git", make: func(s *shell) string {
			s.rename(filepath.Join(s.dir, ".git"), filepath.Join(s.dir, "real"))
			if err := os.Symlink("real", filepath.Join(s.dir, ".git")); err != nil {
				s.t.Fatal(err)
			}
			return s.dir
		}},
		{name: "a partial clone that fetched the rest", make: func(s *shell) string {
			s.commands("config uploadpack.allowFilter true", "clone -q --no-checkout --filter=blob:none file://"+s.dir+" c", "-C c fetch -q origin refs/tags/*:refs/tags/*", "-C c fetch -q --refetch --no-filter")
			return filepath.Join(s.dir, "c")
		}},
		{name: "a folder that is none", make: func(s *shell) string { return filepath.Dir(s.dir) }, problem: "not a Git repository"},
		{name: "a .git file that points nowhere", make: func(s *shell) string {
			s.append("x/.git", "gitdir: ../nowhere\n")
			s.rename(filepath.Join(s.dir, ".git"), filepath.Join(s.dir, "moved"))
			return filepath.Join(s.dir, "x")
		}, problem: "not a Git repository"},
	}
}

// cloneWays are clones that leave something out, or that did.
func cloneWays() []way {
	const tags = "-C c fetch -q --update-head-ok origin +refs/tags/*:refs/tags/*"
	left := func(name, problem string, commands ...string) way {
		w := elsewhere(name, "c", commands...)
		w.problem, w.or = problem, true
		return w
	}
	return []way{
		left("a shallow clone", "git fetch --unshallow", "clone -q --no-checkout --depth=1 --branch=main file://. c"),
		elsewhere("a shallow clone that fetched the rest", "c", "clone -q --no-checkout --depth=1 --branch=main file://. c", "-C c fetch -q --unshallow --update-shallow", tags),
		left("a partial clone without files", "git fetch --refetch", "config uploadpack.allowFilter true", "clone -q --no-checkout --filter=blob:none file://. c", tags),
		left("a partial clone without folders", "git fetch --refetch", "config uploadpack.allowFilter true", "clone -q --no-checkout --filter=tree:0 file://. c", tags),
		elsewhere("a partial clone without what is large", "c", "config uploadpack.allowFilter true", "clone -q --no-checkout --filter=blob:limit=2m file://. c", tags),
		elsewhere("a sparse partial clone that fetched the rest", "c", "config uploadpack.allowFilter true", "clone -q --no-checkout --sparse --filter=blob:none file://. c", "-C c fetch -q --refetch --no-filter", tags),
		elsewhere("a clone that was cut off from its reference", "c", "clone -q --mirror . m", "clone -q --mirror --no-local --reference m --dissociate . c"),
	}
}

func alternateWays() []way {
	// borrow moves the objects into folders, and each names the next one.
	borrow := func(name string, folders []string, lines []string) way {
		return way{name: name, make: func(s *shell) string {
			objects, last := filepath.Join(s.dir, ".git/objects"), filepath.Join(s.dir, ".git", folders[len(folders)-1])
			if err := os.MkdirAll(filepath.Dir(last), 0o755); err != nil {
				s.t.Fatal(err)
			}
			s.rename(objects, last)
			for i, line := range lines {
				at := ".git/objects"
				if i > 0 {
					at = ".git/" + folders[i-1]
				}
				s.append(at+"/info/alternates", strings.ReplaceAll(line, "$DIR", s.dir)+"\n")
			}
			return s.dir
		}}
	}
	return []way{
		elsewhere("a shared clone", "c", "clone -q --shared --mirror . c"),
		elsewhere("a clone with a reference", "c", "clone -q --mirror . m", "clone -q --mirror --no-local --reference m . c"),
		borrow("an absolute path", []string{"a/objects"}, []string{"$DIR/.git/a/objects"}),
		borrow("a relative path", []string{"a/objects"}, []string{"../a/objects"}),
		borrow("a path that is not called objects", []string{"store"}, []string{"../store/"}),
		borrow("a path in quotes", []string{"a \"b\"\tc/objects"}, []string{`"../a \"b\"\tc/objects"`}),
		borrow("a path in quotes with bytes", []string{"ü\n/objects"}, []string{`"../\303\274\n/objects"`}),
		borrow("a comment, a path that is gone, and one twice", []string{"a"}, []string{"# why\n\n/nowhere/objects\n../a\n../a"}),
		borrow("alternates of alternates", []string{"a/objects", "b/objects", "c/objects"}, []string{"../a/objects", "$DIR/.git/b/objects", "../../c/objects"}),
		borrow("alternates that name each other", []string{"a", "b"}, []string{"../a", "../b\n../objects"}),
	}
}

func configWays() []way {
	return []way{
		runs("sparse", "sparse-checkout init --cone", "sparse-checkout set topologies"),
		runs("a sparse index", "sparse-checkout init --cone --sparse-index", "sparse-checkout set topologies"),
		file("extensions that change nothing", ".git/config", "[core]\n\trepositoryFormatVersion = 1\n[extensions]\n\tnoop = true\n\tpreciousObjects\n\tpartialClone = origin\n\tworktreeConfig = true\n\tobjectFormat = SHA1\n\trefStorage = files\n"),
		file("extensions in version 0", ".git/config", "[core]\n\trepositoryFormatVersion = 0\n[extensions]\n\tworktreeConfig = true\n\tunknown = x\n"),
		file("remotes, branches and includes that go-git refuses", ".git/config", "[remote \"x\"]\n\tprune = true\n[branch \"y\"]\n\tmerge = nonsense\n\trebase = x\n[include]\n\tpath = nowhere\n[includeIf \"gitdir:/x]/\"]\n\tpath=y\n[pack]\n\twindow = 10k\n[a.b]\n\tc = d\n[core] logAllRefUpdates ; one line\n"),
		file("a config with ends of lines of Windows", ".git/config", "\r\n[user]\r\n\tname = \"A ; B\" # c\r\n\temail = a\\\r\nb\r\n"),
		{name: "another format of objects", make: func(s *shell) string {
			s.append(".git/config", "[core]\n\trepositoryFormatVersion = 1\n[extensions]\n\tobjectFormat = sha256\n")
			return s.dir
		}, problem: "only SHA-1"},
		{name: "a later version", make: func(s *shell) string {
			s.append(".git/config", "[core]\n\trepositoryFormatVersion = 2\n")
			return s.dir
		}, problem: "repositoryFormatVersion"},
		{name: "an extension that is not known", make: func(s *shell) string {
			s.append(".git/config", "[core]\n\trepositoryFormatVersion = 1\n[extensions]\n\tfromTheFuture = yes\n")
			return s.dir
		}, problem: "extensions.fromthefuture"},
		{name: "another storage of refs", make: func(s *shell) string {
			s.append(".git/config", "[core]\n\trepositoryFormatVersion = 1\n[extensions]\n\trefStorage = fromTheFuture\n")
			return s.dir
		}, problem: "git refs migrate"},
	}
}

func tableWays() []way {
	return []way{
		runs("tables of refs", "refs migrate --ref-format=reftable"),
		runs("joined tables of refs", "refs migrate --ref-format=reftable", "update-ref refs/heads/x main", "update-ref -d refs/heads/x", "pack-refs --all"),
		runs("tables of refs in small blocks", "-c reftable.blockSize=512 refs migrate --ref-format=reftable"),
		elsewhere("tables of refs and a work tree", "w", "refs migrate --ref-format=reftable", "worktree add -q -f --no-checkout w main"),
	}
}

func sha1Of(data []byte) []byte {
	sum := sha1.Sum(data) //nolint:gosec // the checksum of git's own files
	return sum[:]
}
