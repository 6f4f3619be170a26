package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// BuiltBinary is the program, built once as `make build` does.
func BuiltBinary(b testing.TB) string {
	b.Helper()
	path, err := buildOnce()
	if err != nil {
		b.Fatal(err)
	}
	return path
}

var buildOnce = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "reconcile-built") // the system clears it
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "reconcile")
	return path, GoBuild(path, "milvus-reconcile/cmd/reconcile")
})

// GoBuild builds a program as `make build` does.
func GoBuild(path, folder string, flags ...string) error {
	args := append([]string{"build", "-trimpath", "-ldflags", "-s -w", "-o", path}, flags...)
	cmd := exec.Command("go", append(args, folder)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
