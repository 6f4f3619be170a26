package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// outputWait is how long the output of a git that has ended is waited for: a
// child that it left behind, such as a credential daemon, may hold it open.
const outputWait = 250 * time.Millisecond

// repositoryVariables name the environment variables by which git is told which
// repository it works on (git rev-parse --local-env-vars, and GIT_NAMESPACE). Git
// exports them to its hooks. GIT_CONFIG_PARAMETERS and GIT_CONFIG_COUNT are not
// among them: git itself hands them on to the git of a submodule.
var repositoryVariables = []string{
	"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CONFIG", "GIT_OBJECT_DIRECTORY", "GIT_DIR", "GIT_WORK_TREE",
	"GIT_IMPLICIT_WORK_TREE", "GIT_GRAFT_FILE", "GIT_INDEX_FILE", "GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE",
	"GIT_PREFIX", "GIT_INTERNAL_SUPER_PREFIX", "GIT_SHALLOW_FILE", "GIT_COMMON_DIR", "GIT_NAMESPACE",
}

// leaveCallersRepository removes the caller's repositoryVariables from this
// process, before anything runs: what a command works on is what --repo and the
// configuration name, also in a hook, and also where a git of ours or of go-git is
// started (a file:// remote runs git-upload-pack).
func leaveCallersRepository() {
	for _, name := range repositoryVariables {
		_ = os.Unsetenv(name) // it fails for malformed names only
	}
}

// gitIn runs the user's git in a folder: what is signed and how is their own
// configuration's affair.
func gitIn(ctx context.Context, dir, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, bad bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &bad
	cmd.WaitDelay = outputWait
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(bad.String()))
	}
	return strings.TrimSpace(out.String()), nil
}
