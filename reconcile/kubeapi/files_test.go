package kubeapi

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const calls = "exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, "

// TestFilesOfAKubeconfig: every file that its context names, as what uses it reads it. A path
// without a folder in front begins where the kubeconfig is; a program without one is looked for
// in PATH.
func TestFilesOfAKubeconfig(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	program := filepath.Join(second, "get-token")
	writeFile(t, program, "#!/bin/sh\n")
	if err := os.Chmod(program, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", first+":.:"+second)
	before := []string{filepath.Join(first, "get-token")}
	for name, c := range map[string]struct {
		user          string
		plain, secret []string // a path that is not absolute is that of the kubeconfig's folder
		before        []string
	}{
		"files":                  {"client-certificate: /c.pem, client-key: k.pem, tokenFile: sub/t", []string{"/c.pem"}, []string{"k.pem", "sub/t"}, nil},
		"a program by its path":  {calls + "command: /bin/get-token, args: [--config, /etc/token.conf, 'https://x.example/y']}", []string{"", "/bin/get-token", "/etc/token.conf"}, []string{"", ""}, nil},
		"a program next to it":   {calls + "command: ./get-token}", []string{"", "get-token"}, []string{"", ""}, nil},
		"a program by its name":  {calls + "command: get-token}", []string{"", program}, []string{"", ""}, before},
		"a name that is nowhere": {calls + "command: no-such-program}", []string{""}, []string{"", ""}, []string{filepath.Join(first, "no-such-program"), filepath.Join(second, "no-such-program")}},
		"a token":                {"token: x", []string{""}, []string{"", ""}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			config := kubeconfig(t, "server: https://api.example, certificate-authority: ca.pem", c.user)
			absolute := func(paths []string) (out []string) {
				for _, p := range paths {
					if p != "" && !filepath.IsAbs(p) {
						p = filepath.Join(filepath.Dir(config.Kubeconfig), p)
					}
					out = append(out, p)
				}
				return out
			}
			got, err := config.Files()
			want := Files{absolute(append([]string{"ca.pem"}, c.plain...)), append([]string{config.Kubeconfig}, absolute(c.secret)...), c.before}
			if fmt.Sprint(got, err) != fmt.Sprint(want, nil) {
				t.Errorf("got  %q %v\nwant %q", got, err, want)
			}
		})
	}
}

// TestTheProgramThatWasCheckedRuns: a name is looked for as Files does, and not where a command
// is run; what cannot be found, or is not supported, says what to do.
func TestTheProgramThatWasCheckedRuns(t *testing.T) {
	here, second := t.TempDir(), t.TempDir()
	for _, dir := range []string{here, second} {
		writeFile(t, filepath.Join(dir, "get-token"), "#!/bin/sh\n")
		if err := os.Chmod(filepath.Join(dir, "get-token"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(here)
	t.Setenv("PATH", ".::"+second)
	const server = "server: https://api.example"
	config := kubeconfig(t, server, calls+"command: get-token, env: [{name: PROFILE, value: eu}]}")
	config.Hidden = []string{"CLUSTER_A_TOKEN"}
	got, err := config.rest()
	if err != nil || got.ExecProvider.Command != filepath.Join(second, "get-token") || fmt.Sprint(got.ExecProvider.Env) != "[{CLUSTER_A_TOKEN } {PROFILE eu}]" {
		t.Errorf("%v, it runs %v", err, got)
	}
	for user, say := range map[string]string{
		calls + "command: no-such-program}": "write its full path as command",
		"auth-provider: {name: gcp}":        "auth-provider gcp is not supported",
	} {
		if _, err := kubeconfig(t, server, user).rest(); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v", user, err)
		}
	}
}
