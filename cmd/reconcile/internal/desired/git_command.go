package desired

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// outputWait is how long the output of a git that has ended is waited for: a
// child that it left behind, such as a credential daemon, may hold it open.
const outputWait = 250 * time.Millisecond

// keptVariables are the environment variables of git that stay: where the user's own
// configuration lies, how a remote is reached, and tracing. All others tell git which
// repository, index, configuration, identity or date to use. Git sets many of them
// for its hooks and aliases, which a command of ours may run in.
var keptVariables = []string{
	"GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM",
	"GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_ASKPASS", "GIT_TERMINAL_PROMPT", "GIT_PROXY_COMMAND",
	"GIT_ALLOW_PROTOCOL", "GIT_PROTOCOL_FROM_USER", "GIT_CURL_VERBOSE",
	"GIT_EXEC_PATH", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM",
}

// keptFamilies are the beginnings of more names of that kind.
var keptFamilies = []string{"GIT_SSL_", "GIT_HTTP_", "GIT_TRACE"}

// DropCallersGit removes from this process, before anything runs, all variables of
// git that are not kept: what a command works on is what --repo and the
// configuration name, and what is signed is as the user's own configuration of git
// says, also in a hook, and also where a git of go-git's is started (a file:// remote
// runs git-upload-pack).
func DropCallersGit() {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "GIT_") && !kept(name) {
			_ = os.Unsetenv(name) // it fails for malformed names only
		}
	}
}

func kept(name string) bool {
	return slices.Contains(keptVariables, name) ||
		slices.ContainsFunc(keptFamilies, func(family string) bool { return strings.HasPrefix(name, family) })
}

// Git runs the user's git in a folder: what is signed and how is their own
// configuration's affair.
func Git(ctx context.Context, dir, stdin string, args ...string) (string, error) {
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
