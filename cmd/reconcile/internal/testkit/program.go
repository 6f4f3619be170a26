package testkit

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/hiddeco/sshsig"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"

	"milvus-reconcile/cmd/reconcile/internal/cli"
)

// sshsign is `ssh-keygen -Y sign -n git -f KEY FILE`, which git calls.
func sshsign(args []string) error {
	key, file := "", args[len(args)-1]
	for i, a := range args {
		if a == "-f" {
			key = args[i+1]
		}
	}
	pem, err := os.ReadFile(key)
	if err != nil {
		return err
	}
	signer, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		return err
	}
	payload, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	sig, err := sshsig.Sign(bytes.NewReader(payload), signer, sshsig.HashSHA512, "git")
	if err != nil {
		return err
	}
	return os.WriteFile(file+".sig", sshsig.Armor(sig), 0o644)
}

// Patience bounds every wait for a condition of the simulator.
const Patience = 5 * time.Minute

// Main runs the tests of a package, which find these programs in their
// PATH: reconcile, sshsign, promote-by-hand, pymilvus and the given ones. Each is the test binary itself under
// another name, so that the race detector and the drills work in it too.
func Main(m *testing.M, others map[string]func()) {
	ended := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	programs := map[string]func(){
		"reconcile": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) // as main does
			defer stop()
			os.Exit(cli.Main(ctx, os.Args[1:], cli.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, TestHooks: hooksFromEnvironment()}))
		},
		"sshsign":         func() { ended(sshsign(os.Args[1:])) },
		"promote-by-hand": func() { ended(PromoteByHand(os.Args[1], os.Args[2])) },
		"pymilvus":        func() { ended(runPymilvus(os.Args[1:], os.Stdin)) },
	}
	maps.Copy(programs, others)
	testscript.Main(m, programs)
}

// CommitApproved commits all of the playground's repository in bob's name, signed
// by alice.
func CommitApproved(ctx context.Context, play, message string, env ...string) error {
	git := []string{
		"-C", filepath.Join(play, "repo"), "-c", "user.name=alice", "-c", "user.email=alice@example.com",
		"-c", "gpg.format=ssh", "-c", "gpg.ssh.program=sshsign", "-c", "user.signingKey=" + filepath.Join(play, "alice"),
	}
	for _, args := range [][]string{{"add", "-A"}, {"commit", "--quiet", "--cleanup=verbatim", "--author", "bob <bob@example.com>", "-S", "-m", message}} {
		cmd := exec.CommandContext(ctx, "git", slices.Concat(git, args)...)
		cmd.Env = append(append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null"), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("git %s: %w\n%s", args[0], err, out)
		}
	}
	return nil
}
