package scenarios

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// topology FILE GENERATION ROLE…: writes the topology "orders" with a role for
// each of cluster-a, cluster-b and cluster-c, at $A, $B and $C.
func topology(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 5 {
		ts.Fatalf("usage: topology FILE GENERATION ROLE…")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: reconcile/v1alpha1\nkind: ReplicationTopology\nmetadata: {name: orders}\nspec:\n  generation: %s\n  clusters:\n", args[1])
	for i, role := range args[2:] {
		letter := string(rune('a' + i))
		fmt.Fprintf(&b, "    - {id: cluster-%s, role: %s, uri: \"http://%s\"}\n", letter, role, ts.Getenv(strings.ToUpper(letter)))
	}
	b.WriteString("  switchover: {catchUpWithin: 5s}\n  failover: {unavailableFor: 1s, probes: 3}\n")
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[0])), 0o755))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o644))
}

// approval FILE TARGET PERSON [TRAILER…]: writes a commit message that
// approves TARGET in that person's name.
func approvalMessage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: approval FILE TARGET PERSON [TRAILER…]")
	}
	names := map[string]string{"alice": "Alice Smith", "bob": "Bob Jones"}
	text := fmt.Sprintf("Change the roles\n\nFailover-Approved: %s\nFailover-Approved-By: %s <%s@example.com>\nFailover-Reason: a drill\n",
		args[1], names[args[2]], args[2])
	for _, t := range args[3:] {
		text += t + "\n"
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}

// commit FILE AUTHOR [SIGNER]: commits everything in the playground's
// repository with the message in FILE. alice and bob are the people; a signer
// is also the committer.
func commit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: commit MESSAGE-FILE AUTHOR [SIGNER]")
	}
	repo := filepath.Join(ts.Getenv("PLAY"), "repo")
	who := args[1]
	if len(args) > 2 {
		who = args[2]
	}
	git := []string{
		"-C", repo, "-c", "user.name=" + who, "-c", "user.email=" + who + "@example.com",
		"-c", "gpg.format=ssh", "-c", "gpg.ssh.program=sshsign", "-c", "user.signingKey=" + filepath.Join(ts.Getenv("PLAY"), who),
	}
	ts.Check(ts.Exec("git", append(git, "add", "-A")...))
	do := append(git, "commit", "--quiet", "--cleanup=verbatim", "--author", args[1]+" <"+args[1]+"@example.com>", "-F", ts.MkAbs(args[0]))
	if len(args) > 2 {
		do = append(do, "-S")
	}
	ts.Check(ts.Exec("git", do...))
}

// person NAME: makes the playground's repository that person's own, as `git
// config` would, with their signing key.
func person(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: person NAME")
	}
	repo := filepath.Join(ts.Getenv("PLAY"), "repo")
	for _, kv := range [][2]string{
		{"user.name", args[0]},
		{"user.email", args[0] + "@example.com"},
		{"gpg.format", "ssh"},
		{"gpg.ssh.program", "sshsign"},
		{"user.signingKey", filepath.Join(ts.Getenv("PLAY"), args[0])},
	} {
		ts.Check(ts.Exec("git", "-C", repo, "config", kv[0], kv[1]))
	}
}
