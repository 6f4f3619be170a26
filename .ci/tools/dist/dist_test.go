package dist

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

// TestDist builds everything twice and looks at what came of it.
func TestDist(t *testing.T) {
	first, second, commit := buildTwice(t)
	var names []string
	for _, platform := range asked() {
		name := "reconcile_" + version + "_" + strings.ReplaceAll(platform, "/", "_")
		names = append(names, name+".cdx.json", name+".tar.gz")
	}
	t.Run("the same bytes", func(t *testing.T) { sameBytes(t, first, second, append(names, "SHA256SUMS")) })
	t.Run("checksums", func(t *testing.T) { sums(t, first, names) })
	for _, platform := range asked() {
		name := "reconcile_" + version + "_" + strings.ReplaceAll(platform, "/", "_")
		t.Run(platform, func(t *testing.T) {
			dir := t.TempDir()
			run(t, first, nil, "tar", "-C", dir, "-xzf", name+".tar.gz")
			for _, file := range []string{"LICENSE", "README.md", "docs/README.md", "docs/man/reconcile.1"} {
				if _, err := os.Stat(filepath.Join(dir, name, file)); err != nil {
					t.Error(err)
				}
			}
			binary := filepath.Join(dir, name, "reconcile")
			built := look(t, binary, platform, filepath.Dir(first), filepath.Dir(second))
			stamp(t, binary, platform, commit)
			bill(t, filepath.Join(first, name+".cdx.json"), built)
		})
	}
}

// sameBytes holds that both folders have these files alone, and equal ones.
func sameBytes(t *testing.T, first, second string, want []string) {
	for _, dir := range []string{first, second} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			got = append(got, e.Name())
		}
		if slices.Sort(want); !slices.Equal(got, want) {
			t.Fatalf("%s holds %q, want %q", dir, got, want)
		}
	}
	for _, name := range want {
		if a, b := read(t, first, name), read(t, second, name); !bytes.Equal(a, b) {
			t.Errorf("%s has %d bytes and %d, or others, from two folders", name, len(a), len(b))
		}
	}
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sums holds SHA256SUMS to the files.
func sums(t *testing.T, dir string, names []string) {
	var want []string
	for _, name := range names {
		sum := sha256.Sum256(read(t, dir, name))
		want = append(want, hex.EncodeToString(sum[:])+"  "+name)
	}
	got := strings.Split(strings.TrimSpace(string(read(t, dir, "SHA256SUMS"))), "\n")
	slices.Sort(got)
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("SHA256SUMS says %q, want %q", got, want)
	}
}

// look holds a binary to its platform, to be static, and to name no place of
// the machine that built it.
func look(t *testing.T, binary, platform string, places ...string) *debug.BuildInfo {
	built, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for _, s := range built.Settings {
		settings[s.Key] = s.Value
	}
	if got := settings["GOOS"] + "/" + settings["GOARCH"]; got != platform || settings["CGO_ENABLED"] != "0" || settings["-trimpath"] != "true" {
		t.Errorf("it was built with %v", settings)
	}
	if strings.HasPrefix(platform, "linux/") {
		f, err := elf.Open(binary)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close() //nolint:errcheck // only read
		for _, p := range f.Progs {
			if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
				t.Errorf("it is not static: it has a segment %v", p.Type)
			}
		}
	}
	for _, place := range append(places, run(t, ".", nil, "go", "env", "GOMODCACHE"), run(t, ".", nil, "go", "env", "GOROOT")+"/src/") {
		if bytes.Contains(read(t, binary), []byte(place)) {
			t.Errorf("it names %s", place)
		}
	}
	return built
}

// stamp holds what the binary says of itself; only this machine's can be asked.
func stamp(t *testing.T, binary, platform, commit string) {
	const date = "2026-11-01T10:00:00+01:00"
	if platform != runtime.GOOS+"/"+runtime.GOARCH {
		for _, text := range []string{version, commit, date} {
			if !bytes.Contains(read(t, binary), []byte(text)) {
				t.Errorf("%s is not in it", text)
			}
		}
		return
	}
	want := fmt.Sprintf("reconcile %s (commit %s of %s, %s, %s)", version, commit, date, runtime.Version(), platform)
	if got := run(t, ".", nil, binary, "version"); got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
}
