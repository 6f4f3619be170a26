package gitsource

import (
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"milvus-reconcile/reconcile/approval"
)

// oddHistory is a history that git makes or takes.
type oddHistory struct {
	name string
	make func(s *shell)
}

// stream is the input of git fast-import.
type stream struct {
	strings.Builder
	marks int
}

// commit adds a commit on the parents, with files by path; empty: removed.
func (f *stream) commit(by approval.Person, message, files string, parents ...string) string {
	f.marks++
	if len(parents) == 0 {
		fmt.Fprintf(f, "reset refs/heads/main\n\n")
	}
	fmt.Fprintf(f, "commit refs/heads/main\nmark :%d\nauthor %s %d +0000\ncommitter %s %d +0000\ndata %d\n%s\n", f.marks, by, 1700000000+f.marks, by, 1700000000+f.marks, len(message), message)
	for i, p := range parents {
		fmt.Fprintf(f, "%s %s\n", map[bool]string{true: "from", false: "merge"}[i == 0], p)
	}
	for part := range strings.SplitSeq(files, "\n\n") {
		name, content, _ := strings.Cut(part, "\n")
		switch {
		case name == "":
		case content == "":
			fmt.Fprintf(f, "D %s\n", name)
		default:
			fmt.Fprintf(f, "M 100644 inline %s\ndata %d\n%s\n", name, len(content)+1, content+"\n")
		}
	}
	f.WriteString("\n")
	return fmt.Sprint(":", f.marks)
}

// orders is a file with a topology; others are named by its name.
func orders(generation int) string { return topologyNamed("orders", generation) }

func topologyNamed(name string, generation int) string {
	return "topologies/" + name + ".yaml\n" + strings.TrimSpace(doc(name, generation, "cluster a", "cluster b"))
}

// load runs git fast-import.
func (s *shell) load(f *stream) {
	s.t.Helper()
	cmd := exec.Command("git", "-c", "fastimport.unpackLimit=1000000", "fast-import", "--quiet", "--force")
	cmd.Dir, cmd.Env, cmd.Stdin = s.dir, s.env(), strings.NewReader(f.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("fast-import: %v\n%s", err, out)
	}
}

// imported is a history made by git fast-import.
func imported(name string, fill func(f *stream)) oddHistory {
	return oddHistory{name, func(s *shell) {
		var f stream
		fill(&f)
		s.load(&f)
	}}
}

// byHand is a history of three commits, the middle one made of bytes.
func byHand(name string, mangle func(payload string) string) oddHistory {
	return oddHistory{name, func(s *shell) {
		var f stream
		first := f.commit(carol, "Begin", orders(1))
		f.commit(bob, approve(alice), orders(2), first)
		s.load(&f)
		payload := s.git("cat-file", "commit", "main") + "\n"
		odd := s.object("commit", mangle(payload))
		tree := s.object("tree", entry("40000", "topologies", unhex(s.object("tree", entry("100644", "orders.yaml", unhex(s.git("rev-parse", "main:topologies/orders.yaml")))+entry("100644", "other.yaml", ordersNamed(s, "other"))))))
		s.tip(s.as(carol, "commit-tree", "-m", "Later", "-p", odd, tree))
	}}
}

func ordersNamed(s *shell, name string) []byte { return unhex(s.object("blob", doc(name, 3))) }

// withTree is a history whose last commit has a folder made of bytes.
func withTree(name string, folder func(s *shell) string) oddHistory {
	return oddHistory{name, func(s *shell) {
		var f stream
		f.commit(carol, "Begin", orders(1))
		s.load(&f)
		root := s.object("tree", entry("40000", "topologies", unhex(s.object("tree", folder(s)))))
		s.tip(s.as(bob, "commit-tree", "-m", "x", "-p", "main", root))
	}}
}

// withRefs is a plain history with refs of all kinds.
func withRefs(name string, refs func(s *shell, at string)) oddHistory {
	return oddHistory{name, func(s *shell) {
		var f stream
		first := f.commit(carol, "Begin", orders(1))
		f.commit(bob, "More", orders(2), first)
		s.load(&f)
		refs(s, s.git("rev-parse", "main"))
	}}
}

func oddHistories() []oddHistory {
	return slices.Concat(graphHistories(), commitHistories(), []oddHistory{
		withTree("odd modes", func(s *shell) string {
			return entry("100664", "a.yaml", ordersBlob(s)) + entry("0100644", "b.yaml", ordersNamed(s, "b")) + entry("100755", "c.yaml", ordersNamed(s, "c")) +
				entry("040000", "d", unhex(s.object("tree", entry("100600", "e.yaml", ordersNamed(s, "e")))))
		}),
		withTree("entries out of order", func(s *shell) string {
			sub := s.object("tree", entry("100644", "y.yaml", ordersNamed(s, "y"))+entry("100644", "b.yaml", ordersNamed(s, "b"))+entry("40000", "a", unhex(s.object("tree", entry("100644", "x.yaml", ordersNamed(s, "x"))))))
			return entry("100644", "z.yaml", ordersNamed(s, "z")) + entry("40000", "sub", unhex(sub)) + entry("100644", "orders.yaml", ordersBlob(s)) + entry("100644", "a.yaml", ordersNamed(s, "a"))
		}),
		withTree("links, submodules and what is no file", func(s *shell) string {
			return entry("120000", "a.yaml", ordersBlob(s)) + entry("160000", "b.yaml", unhex(s.git("rev-parse", "main"))) + entry("100644", "c.yaml", ordersBlob(s))
		}),
		withTree("names of all kinds", func(s *shell) string {
			var out string
			for i, name := range []string{" .yaml", "\"q\".yaml", "#.yml", "-x.yaml", ".hidden.yaml", "a b.yaml", "a\tb.yaml", "a\\b.yaml", "über.yaml"} {
				out += entry("100644", name, ordersNamed(s, fmt.Sprint("n", i)))
			}
			return out
		}),
		withTree("a large file, an empty one and one of zeros", func(s *shell) string {
			return entry("100644", "empty.yaml", unhex(s.object("blob", ""))) + entry("100644", "large.yaml", unhex(s.object("blob", doc("large", 1)+strings.Repeat("x\n", MaxBlob)))) +
				entry("100644", "orders.yaml", ordersBlob(s)) + entry("100644", "zeros.yaml", unhex(s.object("blob", strings.Repeat("\x00", 70000))))
		}),
		withRefs("tags of all kinds", func(s *shell, at string) {
			s.git("tag", "failover/orders/2/light", at)
			s.as(alice, "tag", "-a", "-m", approve(alice), "failover/orders/2/a", at)
			s.as(alice, "tag", "-a", "-m", "nested", "failover/orders/2/nested", "failover/orders/2/a")
			s.as(alice, "tag", "-a", "-m", "of a tree", "failover/orders/2/tree", at+"^{tree}")
			s.git("update-ref", "refs/tags/failover/old", s.object("tag", "object "+at+"\ntype commit\ntag failover/old\n\nno tagger\n"))
			s.git("update-ref", "refs/tags/failover/large", s.object("tag", "object "+at+"\ntype commit\ntag failover/large\ntagger "+someone+"\n"+strings.Repeat("x\n", 1<<20)))
		}),
		withRefs("names of refs of all kinds", func(s *shell, at string) {
			for _, name := range []string{"@", "-x", "a-b", "ü", "a.b", "%41", "x#y", "\"q\"", "a'b", "$HOME", "a;b", "a&b", "{}", "lock", "a.lockx", strings.Repeat("long", 50), "\xff\xfe"} {
				if name == "\xff\xfe" && runtime.GOOS == "darwin" {
					continue // its file systems want UTF-8
				}
				s.git("update-ref", "refs/tags/failover/"+name, at)
				s.git("update-ref", "refs/heads/"+name, at)
			}
		}),
		withRefs("replacements", func(s *shell, at string) {
			s.git("replace", at, at+"^")
			other := s.as(bob, "commit-tree", "-m", "Grafted on", at+"^{tree}")
			s.write(".git/info/grafts", at+" "+s.plainly("rev-parse", at+"^")+" "+other+"\n")
		}),
		withRefs("notes, a stash and a symbolic tag", func(s *shell, at string) {
			s.git("notes", "add", "-m", "x", at)
			s.git("update-ref", "refs/stash", at)
			s.git("symbolic-ref", "refs/heads/alias", "refs/heads/main")
		}),
	})
}

// graphHistories differ in how commits follow each other.
func graphHistories() []oddHistory {
	return []oddHistory{
		imported("one commit", func(f *stream) { f.commit(bob, "Begin", orders(1)) }),
		imported("no message and no topology", func(f *stream) {
			first := f.commit(bob, "", "README\nx")
			f.commit(bob, "", "", first)
		}),
		imported("a merge", func(f *stream) {
			first := f.commit(carol, "Begin", orders(1)+"\n\n"+topologyNamed("other", 1))
			side := f.commit(bob, "Side", topologyNamed("merged", 1), first)
			main := f.commit(alice, "Main", orders(2), first)
			merge := f.commit(carol, "Merge", topologyNamed("merged", 1), main, side)
			f.commit(carol, "After", "README\nx", merge)
		}),
		imported("merges that cross", func(f *stream) {
			first := f.commit(carol, "Begin", orders(1))
			a := f.commit(bob, "A", orders(2), first)
			b := f.commit(alice, "B", topologyNamed("merged", 1), first)
			ab := f.commit(carol, "AB", topologyNamed("merged", 1), a, b)
			ba := f.commit(carol, "BA", orders(2), b, a)
			f.commit(carol, "Both", "README\nx", ba, ab)
		}),
		imported("a merge of many", func(f *stream) {
			first := f.commit(carol, "Begin", orders(1))
			all := []string{first}
			for i := range 40 {
				all = append(all, f.commit(bob, "Side", fmt.Sprintf("side%d\nx", i), first))
			}
			f.commit(carol, "Merge", orders(2), all...)
		}),
		imported("several roots", func(f *stream) {
			one := f.commit(carol, "Begin", orders(1))
			two := f.commit(bob, "Begin too", topologyNamed("merged", 1))
			f.commit(carol, "Merge", topologyNamed("merged", 1), one, two)
		}),
		imported("files that move, part and come back", func(f *stream) {
			at := f.commit(carol, "Begin", orders(1)+"\n\n"+topologyNamed("other", 1))
			at = f.commit(bob, "Move", "topologies/orders.yaml\n\n\ntopologies/x/y/z.yml\n"+strings.TrimSpace(doc("orders", 1, "cluster a", "cluster b")), at)
			at = f.commit(bob, "Remove", "topologies/other.yaml", at)
			at = f.commit(bob, "A folder in its place", "topologies/other.yaml/x.yaml\n"+strings.TrimSpace(doc("third", 1)), at)
			at = f.commit(bob, "Back", "topologies/other.yaml/x.yaml\n\n\n"+topologyNamed("other", 2), at)
			f.commit(bob, "Twice", "topologies/again.yaml\n"+strings.TrimSpace(doc("other", 2)), at)
		}),
		imported("many versions of a large file", func(f *stream) {
			long := strings.Repeat("a line of a comment that stays\n", 400)
			at := f.commit(carol, "Begin", orders(1))
			for i := range 60 {
				at = f.commit(bob, "Next", orders(i+2)+"\n"+long, at)
			}
		}),
		imported("a folder of many files", func(f *stream) {
			var files []string
			for i := range 60 {
				files = append(files, topologyNamed(fmt.Sprint("t", i), 1))
			}
			at := f.commit(carol, "Begin", strings.Join(files, "\n\n"))
			f.commit(bob, "One", topologyNamed("t7", 2), at)
		}),
		imported("a deep folder", func(f *stream) {
			f.commit(carol, "Begin", "topologies/"+strings.Repeat("d/", 50)+"x.yaml\n"+strings.TrimSpace(doc("deep", 1)))
		}),
	}
}

// commitHistories have a commit that plain git would not make.
func commitHistories() []oddHistory {
	return []oddHistory{
		byHand("a second author", func(p string) string {
			return strings.Replace(p, "\ncommitter", "\nauthor "+mallory.String()+" 1 +0000\ncommitter", 1)
		}),
		byHand("no author at all", func(p string) string { return strings.Replace(p, "\nauthor", "\nx-author", 1) }),
		byHand("dates out of range", func(p string) string { return strings.ReplaceAll(p, " 17000", " 9999999999999999917000") }),
		byHand("an encoding and NUL", func(p string) string {
			return strings.Replace(p, "\n\n", "\nencoding ISO-8859-1\n\nF\xfcr\x00", 1)
		}),
		byHand("unknown headers", func(p string) string {
			return strings.Replace(p, "\n\n", "\nHG:extra x\nmergetag object x\n y\n z\ngpgsig-sha256 x\n\n", 1)
		}),
		byHand("an author's line of 2 MiB", func(p string) string {
			return authored(p, strings.Repeat("Bob ", 1<<19)+"<bob@example.com> 1700000000 +0000")
		}),
		byHand("a parent 25,000 times", func(p string) string {
			at := strings.Index(p, "parent")
			return p[:at] + strings.Repeat(p[at:at+48], 25_000) + p[at+48:]
		}),
		byHand("a message of 2 MiB", func(p string) string { return p + strings.Repeat("x\n", 1<<20) }),
	}
}
