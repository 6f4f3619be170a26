package gitsource

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/reconciletest/needs"
)

// gnupg is a real GnuPG with a home and a clock of its own.
type gnupg struct {
	t    testing.TB
	home string
}

func newGnupg(t testing.TB) *gnupg {
	t.Helper()
	needs.Program(t, "gpg")
	home, err := os.MkdirTemp("", "gpg") // the agent's socket needs a short path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		run(t, []string{"PATH=" + os.Getenv("PATH"), "GNUPGHOME=" + home}, "gpgconf", "--kill", "all")
		os.RemoveAll(home)
	})
	return &gnupg{t: t, home: home}
}

func (g *gnupg) args(now time.Time, args ...string) []string {
	stamp := now.UTC().Format("20060102T150405") + "!"
	return append([]string{
		"--homedir", g.home, "--faked-system-time", stamp, "--batch", "--yes", "--no-tty", "--quiet",
		"--pinentry-mode", "loopback", "--passphrase", "", "--allow-freeform-uid", "--trust-model", "always",
	}, args...)
}

func (g *gnupg) run(now time.Time, args ...string) string {
	g.t.Helper()
	cmd := exec.Command("gpg", g.args(now, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + g.home}
	var problems strings.Builder
	cmd.Stderr = &problems // it warns of the clock
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("gpg %q: %v\n%s", args, err, problems.String())
	}
	return strings.TrimSpace(string(out))
}

// program is a gpg for git, with this clock.
func (g *gnupg) program(now time.Time, how ...string) string {
	g.t.Helper()
	file := filepath.Join(g.home, "gpg.sh")
	quoted := make([]string, 0, 16)
	for _, a := range g.args(now, how...) {
		quoted = append(quoted, "'"+a+"'")
	}
	script := "#!/bin/sh\nexec gpg " + strings.Join(quoted, " ") + " \"$@\"\n"
	needs.Script(g.t, file, script)
	return file
}

// key makes a signing key and returns its fingerprint.
func (g *gnupg) key(now time.Time, uid, kind, usage, expire string) string {
	g.t.Helper()
	g.run(now, "--quick-gen-key", uid, kind, usage, expire)
	return g.fingerprint(uid)
}

func (g *gnupg) fingerprint(uid string) string {
	g.t.Helper()
	for line := range strings.Lines(g.run(noon, "--with-colons", "--list-keys", uid)) {
		if f := strings.Split(line, ":"); f[0] == "fpr" {
			return f[9]
		}
	}
	g.t.Fatal("no fingerprint")
	return ""
}

func (g *gnupg) export() []byte { return []byte(g.run(noon, "--armor", "--export") + "\n") }

// tag has git sign a tag by a key.
func (g *gnupg) tag(s *shell, key, name string, by approval.Person, how ...string) {
	g.t.Helper()
	s.as(by, "-c", "gpg.program="+g.program(s.now, how...), "-c", "user.signingKey="+key,
		"tag", "-s", "--cleanup=verbatim", "-m", approve(by), name, "HEAD")
}
