package gitsource

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/reconciletest/needs"
)

// shell is a repository driven by the real git.
type shell struct {
	t    testing.TB
	dir  string
	now  time.Time
	key  map[string]string // private key files by e-mail
	line map[string]string // public keys by e-mail
}

func newShell(t testing.TB) *shell {
	t.Helper()
	needs.Program(t, "git")
	s := &shell{t: t, dir: t.TempDir(), now: noon, key: map[string]string{}, line: map[string]string{}}
	s.git("init", "-q", "--template=", "-b", "main", ".")
	return s
}

// copy gives another repository that begins as this one stands.
func (s *shell) copy(t testing.TB) *shell {
	t.Helper()
	out := &shell{t: t, dir: t.TempDir(), now: s.now, key: maps.Clone(s.key), line: maps.Clone(s.line)}
	if err := os.CopyFS(out.dir, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	return out
}

// env keeps the user's configuration, agent and keys out.
func (s *shell) env(extra ...string) []string {
	stamp := strconv.FormatInt(s.now.Unix(), 10) + " +0000"
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_DATE=" + stamp, "GIT_COMMITTER_DATE=" + stamp, "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
	}, extra...)
}

func (s *shell) git(args ...string) string {
	s.t.Helper()
	out, err := s.tryGit(alice, args...)
	if err != nil {
		s.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return out
}

func (s *shell) tryGit(as approval.Person, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = s.dir
	cmd.Env = s.env("GIT_AUTHOR_NAME="+as.Name, "GIT_AUTHOR_EMAIL="+as.Email, "GIT_COMMITTER_NAME="+as.Name, "GIT_COMMITTER_EMAIL="+as.Email)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (s *shell) as(p approval.Person, args ...string) string {
	s.t.Helper()
	out, err := s.tryGit(p, args...)
	if err != nil {
		s.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return out
}

func (s *shell) write(file, content string) {
	s.t.Helper()
	full := filepath.Join(s.dir, file)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// commit writes a file and commits everything as a person, unsigned.
func (s *shell) commit(by approval.Person, message, file, content string) string {
	s.t.Helper()
	s.write(file, content)
	s.now = s.now.Add(time.Minute)
	s.git("add", "-A")
	s.as(by, "commit", "-q", "--allow-empty", "-m", message)
	return s.head()
}

func (s *shell) head() string { return s.git("rev-parse", "HEAD") }

// sshKey makes a key by the real ssh-keygen.
func (s *shell) sshKey(p approval.Person, kind ...string) string {
	s.t.Helper()
	if s.key[p.Email] != "" {
		return s.key[p.Email]
	}
	if len(kind) == 0 {
		kind = []string{"-t", "ed25519"}
	}
	file := filepath.Join(s.t.TempDir(), "key")
	run(s.t, nil, needs.Program(s.t, "ssh-keygen"), append(kind, "-q", "-N", "", "-C", "", "-f", file)...)
	public, err := os.ReadFile(file + ".pub")
	if err != nil {
		s.t.Fatal(err)
	}
	s.key[p.Email], s.line[p.Email] = file, strings.TrimSpace(string(public))
	return file
}

// signedBy gives the options by which git signs with a person's SSH key.
func (s *shell) signedBy(p approval.Person) []string {
	return []string{"-c", "gpg.format=ssh", "-c", "user.signingKey=" + s.sshKey(p)}
}

// signedCommit is commit, signed.
func (s *shell) signedCommit(by approval.Person, message, file, content string) string {
	s.t.Helper()
	s.write(file, content)
	s.now = s.now.Add(time.Minute)
	s.git("add", "-A")
	s.as(by, append(s.signedBy(by), "commit", "-q", "-S", "--allow-empty", "--cleanup=verbatim", "-m", message)...)
	return s.head()
}

// tag puts a signed tag on a commit.
func (s *shell) tag(by approval.Person, name, commit, message string) {
	s.t.Helper()
	s.now = s.now.Add(time.Minute)
	s.as(by, append(s.signedBy(by), "tag", "-s", "--cleanup=verbatim", "-m", message, name, commit)...)
}

// allowed is the allowed-signers file of everybody who has a key.
func (s *shell) allowed() []byte {
	var b bytes.Buffer
	for _, p := range []approval.Person{alice, bob, carol} {
		if s.line[p.Email] != "" {
			b.WriteString(AllowedSignersLine(p.Email, s.line[p.Email]))
		}
	}
	return b.Bytes()
}

func (s *shell) open() *Repo {
	s.t.Helper()
	return s.openWith(Config{})
}

func (s *shell) openWith(c Config) *Repo {
	s.t.Helper()
	if c.URL == "" {
		c.URL = s.dir
	}
	if c.Path == "" {
		c.Path = "topologies"
	}
	if c.AllowedSigners == nil {
		c.AllowedSigners = s.allowed()
	}
	r, err := Open(s.t.Context(), c)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// change returns the newest change of a topology at the tip.
func (s *shell) change(name string) Change {
	s.t.Helper()
	return changeOf(s.t, s.open(), name)
}

func changeOf(t testing.TB, r *Repo, name string) Change {
	t.Helper()
	tip, err := r.Resolve("")
	if err != nil {
		t.Fatal(err)
	}
	all, err := r.Changes(t.Context(), tip, keysOf)
	if err != nil {
		t.Fatal(err)
	}
	c, ok := all[name]
	if !ok {
		t.Fatalf("topology %s is not known", name)
	}
	return c
}

// previousOf is the file with the document before the governing commit; empty:
// there was none.
func previousOf(t testing.TB, r *Repo, c Change) string {
	t.Helper()
	for v := range c.Earlier() {
		data, err := r.Blob(v.Blob)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	return ""
}

// versionsOf lists the earlier versions, oldest first.
func versionsOf(c Change) []Version {
	out := slices.Collect(c.Earlier())
	slices.Reverse(out)
	return out
}

// inside lets changes be compared with all that they hold.
var inside = cmp.AllowUnexported(Change{}, earlierVersion{})

func run(t testing.TB, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	if env != nil {
		cmd.Env = env
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// approve is a message with the trailers that approve orders/cluster-b.
func approve(by approval.Person, extra ...string) string {
	t := approval.Claim{Approved: []approval.Target{{Topology: "orders", Cluster: "cluster-b"}}, By: by, Reason: "eu-1 lost power"}.Trailers()
	return "Fail over orders\n\n" + t + strings.Join(append(extra, ""), "\n")
}

func newSigner(t testing.TB) (ssh.Signer, string) {
	t.Helper()
	signer, _, line, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return signer, line
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
