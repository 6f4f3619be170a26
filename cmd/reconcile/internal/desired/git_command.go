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

// outputTimeout is how long to wait for the output of git after it ended. A child that it
// left behind, such as a credential daemon, may hold the output open.
const outputTimeout = 250 * time.Millisecond

// keptVariables lists the environment variables of git that stay: the path of the user's
// configuration, how to reach a remote, and tracing. The others choose a repository, an
// index, a configuration, an identity or a date. Git sets many of them for its hooks and
// aliases, in which a command of ours may run.
var keptVariables = []string{
	"GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM",
	"GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_ASKPASS", "GIT_TERMINAL_PROMPT", "GIT_PROXY_COMMAND",
	"GIT_ALLOW_PROTOCOL", "GIT_PROTOCOL_FROM_USER", "GIT_CURL_VERBOSE",
	"GIT_EXEC_PATH", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM",
}

// keptFamilies lists prefixes of more such names.
var keptFamilies = []string{"GIT_SSL_", "GIT_HTTP_", "GIT_TRACE"}

// DropCallersGit removes all variables of git that are not kept from this process. So
// --repo and the configuration choose the repository, and the user's git configuration
// chooses the signature, also inside a hook, and also when go-git starts a git (a file://
// remote runs git-upload-pack).
func DropCallersGit() {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "GIT_") && !isKept(name) {
			_ = os.Unsetenv(name) // it fails for malformed names only
		}
	}
}

func isKept(name string) bool {
	return slices.Contains(keptVariables, name) ||
		slices.ContainsFunc(keptFamilies, func(family string) bool { return strings.HasPrefix(name, family) })
}

// Git runs git in a folder with the user's configuration, which decides what is signed and
// how. It returns stdout without surrounding space.
func Git(ctx context.Context, dir, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, bad bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &bad
	cmd.WaitDelay = outputTimeout
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(bad.String()))
	}
	return strings.TrimSpace(out.String()), nil
}
