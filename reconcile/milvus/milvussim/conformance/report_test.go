package conformance

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func everyOutcome() *Report {
	r := &Report{On: "cluster-a v2.6.22, cluster-b v2.6.22", Began: time.Date(2026, 11, 29, 20, 0, 0, 0, time.UTC)}
	r.add(Result{Case: Case{ID: "S02", Title: "passes", Seen: seenMaster}, Outcome: Passed, Took: 1500 * time.Millisecond, Said: "b was restarted"})
	r.add(Result{Case: Case{ID: "S01", Title: "fails <here>"}, Outcome: Failed, Said: "got \x1b[31mred\x00, want green\nand more"})
	r.add(Result{Case: Case{ID: "S03", Title: "is skipped"}, Outcome: Skipped, Said: "needs a third cluster: MILVUS_C"})
	r.add(Result{Case: Case{ID: "S04", Title: "was not run"}, Outcome: NotRun})
	return r
}

func TestTable(t *testing.T) {
	var b strings.Builder
	if err := everyOutcome().WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"on cluster-a v2.6.22, cluster-b v2.6.22, from 2026-11-29T20:00:00Z\n",
		"S01   FAILED     0.0s  fails <here> · never\n",
		"S02   passed     1.5s  passes · master 954c4e7, 2026-11-29\n                       b was restarted\n",
		"1 passed, 1 failed, 1 skipped, 1 not run\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table does not hold %q:\n%s", want, b.String())
		}
	}
}

// TestJUnit holds the report to the schema that Jenkins published and to ours.
func TestJUnit(t *testing.T) {
	var b bytes.Buffer
	if err := everyOutcome().WriteJUnit(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`tests="4" failures="1" errors="1"`, "<skipped>needs a third cluster: MILVUS_C</skipped>", `time="1.500"`, "seen on a real server: never"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report does not hold %q:\n%s", want, b.String())
		}
	}
	program, err := exec.LookPath("xmllint")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("xmllint is not installed")
		}
		t.Skip("xmllint is not installed")
	}
	for _, schema := range []string{"junit.xsd", "jenkins-junit.xsd"} {
		cmd := exec.CommandContext(t.Context(), program, "--noout", "--nonet", "--schema",
			filepath.Join("../../../../cmd/reconcile/internal/render/testdata", schema), "-")
		cmd.Stdin = bytes.NewReader(b.Bytes())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", schema, err, out)
		}
	}
}
