package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/needs"
)

// TestDNSExample runs the two programs that docs/redirect.md shows for moving a
// name, with the variables that a target gets. Only the clients of DNS are not
// the real ones: nsupdate keeps what it is told, and dig answers from that.
func TestDNSExample(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(testkit.Repository(), "docs", "redirect.md"))
	if err != nil {
		t.Fatal(err)
	}
	scripts := regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllStringSubmatch(string(text), -1)
	if len(scripts) != 2 {
		t.Fatalf("%d scripts", len(scripts))
	}
	dir := t.TempDir()
	for name, program := range map[string]string{
		"move-dns": scripts[0][1], "check-dns": scripts[1][1],
		"nsupdate": "#!/bin/sh\n[ \"$1 $2\" = '-k /etc/reconcile/ddns.key' ] || exit 1\ncat >\"$ZONE\"\n",
		"dig":      "#!/bin/sh\nwhile [ $# -gt 2 ]; do shift; done\n[ \"$2\" = CNAME ] || exit 1\nsed -n \"s/^update add $1\\. 30 CNAME //p\" \"$ZONE\"\n",
	} {
		needs.Script(t, filepath.Join(dir, name), program)
	}
	run := func(name, primary string) (string, error) {
		cmd := exec.Command(filepath.Join(dir, name))
		cmd.Env = []string{
			"PATH=" + dir + ":" + os.Getenv("PATH"), "ZONE=" + filepath.Join(dir, "zone"), "RECONCILE_TOPOLOGY=orders",
			"RECONCILE_PRIMARY=" + primary, "RECONCILE_PRIMARY_ADDRESS=" + primary + ".example:19530",
		}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("check-dns", "cluster-b"); err == nil || !strings.Contains(out, "it points at nothing") {
		t.Errorf("with no record the check says %q, %v", out, err)
	}
	if out, err := run("move-dns", "cluster-b"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := run("check-dns", "cluster-b"); err != nil {
		t.Errorf("after the move the check says %q, %v", out, err)
	}
	if out, err := run("check-dns", "cluster-a"); err == nil || !strings.Contains(out, "cluster-b.example.") {
		t.Errorf("for another primary the check says %q, %v", out, err)
	}
	zone, err := os.ReadFile(filepath.Join(dir, "zone"))
	if want := "update delete milvus-orders.example. CNAME\nupdate add milvus-orders.example. 30 CNAME cluster-b.example.\nsend\n"; err != nil || string(zone) != want {
		t.Errorf("the server is told %q, want %q", zone, want)
	}
}
