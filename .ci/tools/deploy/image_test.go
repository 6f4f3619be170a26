package deploy

import (
	"bytes"
	"crypto/x509"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

const dockerfile = "../../../docs/deploy/Dockerfile"

// stages reads the Dockerfile with the parser and the linter of BuildKit.
func stages(t *testing.T) []instructions.Stage {
	t.Helper()
	raw, err := os.ReadFile(dockerfile)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, text string, at []parser.Range) {
		t.Errorf("Dockerfile, %v: %s: %s", at, rule, text)
	}})
	all, _, err := instructions.Parse(parsed.AST, lint)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d stages: %v", len(all), err)
	}
	return all
}

// TestImageHasNoRights holds the Dockerfile to what it promises.
func TestImageHasNoRights(t *testing.T) {
	all := stages(t)
	build, final := all[0], all[1]
	if !regexp.MustCompile(`^golang:\d+\.\d+\.\d+-[a-z]+@sha256:[0-9a-f]{64}$`).MatchString(build.BaseName) {
		t.Errorf("it builds on %s, which may be another one tomorrow", build.BaseName)
	}
	if final.BaseName != "scratch" {
		t.Errorf("the image is from %s", final.BaseName)
	}
	user, entry, volume := "", []string(nil), []string(nil)
	for _, c := range final.Commands {
		switch c := c.(type) {
		case *instructions.UserCommand:
			user = c.User
		case *instructions.EntrypointCommand:
			entry = c.CmdLine
			if c.PrependShell {
				t.Error("the entry point needs a shell, and there is none")
			}
		case *instructions.VolumeCommand:
			volume = c.Volumes
		case *instructions.AddCommand, *instructions.RunCommand:
			t.Errorf("%s: the image takes files of the build stage and nothing else", c.Name())
		}
	}
	if !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user) {
		t.Errorf("it runs as %q; Kubernetes proves runAsNonRoot by a number alone", user)
	}
	if !slices.Equal(entry, []string{"/reconcile"}) || !slices.Equal(volume, []string{"/var/lib/reconcile"}) {
		t.Errorf("entry point %q, volumes %q", entry, volume)
	}
}

// TestImageHoldsWhatItNeeds carries out the Dockerfile without an engine and
// looks at what came of it.
func TestImageHoldsWhatItNeeds(t *testing.T) {
	root := makeImage(t)
	var got []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		entries, _ := os.ReadDir(path) // a file has none
		if len(entries) == 0 {
			got = append(got, strings.TrimPrefix(path, root))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"/etc/ssl/certs/ca-certificates.crt", "/reconcile", "/tmp", "/var/lib/reconcile"}; !slices.Equal(got, want) {
		t.Errorf("it holds %q, want %q", got, want)
	}
	roots, err := os.ReadFile(filepath.Join(root, "etc/ssl/certs/ca-certificates.crt"))
	if err != nil || !x509.NewCertPool().AppendCertsFromPEM(roots) {
		t.Errorf("the roots of TLS cannot be read: %v", err)
	}
	runsReadOnly(t, root)
}
