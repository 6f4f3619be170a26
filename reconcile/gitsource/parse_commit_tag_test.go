package gitsource

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	gogitobject "github.com/go-git/go-git/v5/plumbing/object"
)

const (
	someTree = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"
	someone  = "Alice Smith <alice@example.com> 1700000000 +0100\n"
)

func TestMalformedObjects(t *testing.T) {
	commit := someTree + "author " + someone + "committer " + someone + "\nm\n"
	for name, raw := range map[string]string{
		"empty":                      "",
		"no end of a header":         "tree",
		"a continuation first":       " x\n" + commit,
		"no tree":                    strings.TrimPrefix(commit, someTree),
		"two trees":                  someTree + commit,
		"a tree after the author":    "author " + someone + someTree + "committer " + someone + "\n",
		"no author":                  someTree + "committer " + someone + "\nm\n",
		"two authors":                someTree + "author " + someone + "author " + someone + "committer " + someone + "\n",
		"two committers":             someTree + "author " + someone + "committer " + someone + "committer " + someone + "\n",
		"a parent after the authors": someTree + "author " + someone + "committer " + someone + "parent " + strings.Repeat("1", 40) + "\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			if o := parseCommit([]byte(raw)); o.problem == "" {
				t.Errorf("%+v", o)
			}
		})
	}
	if o := parseCommit([]byte(commit)); o.problem != "" || o.body != "m\n" || o.signature != "" {
		t.Errorf("a good one: %+v", o)
	}
}

func TestParseIdent(t *testing.T) {
	for raw, want := range map[string]string{
		"Alice <alice@example.com> 1700000000 +0100":  "Alice <alice@example.com> 2023-11-14T22:13:20Z",
		"<alice@example.com> 0 -0000":                 "<alice@example.com> 1970-01-01T00:00:00Z",
		"A  B < alice@example.com > 1700000000 +0000": "A  B <alice@example.com> 2023-11-14T22:13:20Z",
	} {
		p, at, err := parseIdent(raw)
		if got := p.String() + " " + at.Format("2006-01-02T15:04:05Z"); err != nil || got != want {
			t.Errorf("%q: %s, %v", raw, got, err)
		}
	}
	for name, raw := range map[string]string{
		"nothing":           "",
		"no e-mail":         "Alice 1700000000 +0100",
		"two e-mails":       "Alice <a@b> <c@d> 1700000000 +0100",
		"the wrong way":     "Alice >a@b< 1700000000 +0100",
		"no date":           "Alice <a@b>",
		"no zone":           "Alice <a@b> 1700000000",
		"a negative date":   "Alice <a@b> -1 +0100",
		"a date too large":  "Alice <a@b> 99999999999999999999 +0100",
		"the year 10000":    "Alice <a@b> 253402300800 +0100",
		"a zone in letters": "Alice <a@b> 1700000000 UTC",
	} {
		t.Run(name, func(t *testing.T) {
			if p, at, err := parseIdent(raw); err == nil {
				t.Errorf("%v %v", p, at)
			}
		})
	}
}

// FuzzParseCommit compares with go-git, and holds that the payload is the
// object without its signature.
func FuzzParseCommit(f *testing.F) {
	commit := someTree + "parent " + strings.Repeat("1", 40) + "\nauthor " + someone + "committer " + someone
	f.Add([]byte(commit + "\nm\n"))
	f.Add([]byte(commit + "gpgsig " + armorSSH + "\n x\n -----END SSH SIGNATURE-----\n\nm\n"))
	f.Add([]byte(commit + "mergetag object x\n y\nencoding x\nfoo bar\n\nm\n\x00"))
	f.Add([]byte(commit))
	f.Fuzz(func(t *testing.T, raw []byte) {
		o := parseCommit(raw)
		if o.problem != "" {
			return
		}
		if o.signature == "" != bytes.Equal(o.payload, raw) && len(o.headerValues("gpgsig")) < 2 {
			t.Fatalf("payload %q of %q, signature %q", o.payload, raw, o.signature)
		}
		if strings.Contains(o.headerValue("tree"), "\n") {
			return
		}
		var theirs gogit
		if !theirs.decode(plumbing.CommitObject, raw) || len(o.headerValues("gpgsig")) > 1 {
			return
		}
		if o.problem == "" && len(o.unknownHeaders("tree", "parent", "author", "committer", "encoding", "mergetag", "gpgsig")) == 0 && theirs.commit.Message != o.body {
			t.Fatalf("message %q, go-git reads %q", o.body, theirs.commit.Message)
		}
	})
}

// gogit is an object as go-git reads it.
type gogit struct {
	commit gogitobject.Commit
	tag    gogitobject.Tag
}

func (o *gogit) decode(kind plumbing.ObjectType, raw []byte) bool {
	m := &plumbing.MemoryObject{}
	m.SetType(kind)
	if _, err := m.Write(raw); err != nil {
		return false
	}
	if kind == plumbing.TagObject {
		return o.tag.Decode(m) == nil
	}
	return o.commit.Decode(m) == nil
}

// FuzzParseTag holds that payload, signature and body make up the object.
func FuzzParseTag(f *testing.F) {
	tag := "object " + strings.Repeat("1", 40) + "\ntype commit\ntag x\ntagger " + someone
	f.Add([]byte(tag + "\nm\n"))
	f.Add([]byte(tag + "\nm\n" + armorSSH + "\nx\n-----END SSH SIGNATURE-----\n"))
	f.Add([]byte(tag + "\n" + armorPGP + "\n" + armorSSH + "\n"))
	f.Add([]byte(tag))
	f.Fuzz(func(t *testing.T, raw []byte) {
		o, err := parseTag(raw)
		if err != nil {
			return
		}
		if string(o.payload)+o.signature != string(raw) || !strings.HasSuffix(string(o.payload), o.body) {
			t.Fatalf("%q + %q is not %q", o.payload, o.signature, raw)
		}
		if o.signature == "" && len(signatureStarts(o.body)) > 0 {
			t.Fatalf("a signature was passed over: %q", o.body)
		}
		if o.problem == "" && len(signatureStarts(o.body)) > 0 {
			t.Fatalf("a second signature was passed over: %q", o.body)
		}
	})
}

// FuzzParseTree holds that no name leads out of its folder or stands twice.
func FuzzParseTree(f *testing.F) {
	id := strings.Repeat("\x01", 20)
	f.Add([]byte("100644 a.yaml\x00" + id + "40000 b\x00" + id))
	f.Add([]byte("100644 ..\x00" + id))
	f.Add([]byte("120000 a\x00" + id + "160000 a\x00" + id))
	f.Fuzz(func(t *testing.T, raw []byte) {
		folder, err := parseTree(raw)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, e := range folder.entries(0) {
			if badName([]byte(e.name)) || seen[e.name] || strings.ContainsAny(e.name, "/\x00") {
				t.Fatalf("%q", e.name)
			}
			seen[e.name] = true
			if e.regular() && (e.dir() || e.symlink()) {
				t.Fatalf("mode %o is several", e.mode)
			}
		}
	})
}

// FuzzParseSSHTime holds that what is read is written with digits alone.
func FuzzParseSSHTime(f *testing.F) {
	f.Add("20260101")
	f.Add("202601011230Z")
	f.Fuzz(func(t *testing.T, raw string) {
		at, err := parseSSHTime(raw)
		if err == nil && (strings.Trim(raw, "0123456789Z") != "" || at.IsZero() && !strings.HasPrefix(raw, "0001")) {
			t.Fatalf("%q is %s", raw, at)
		}
	})
}
