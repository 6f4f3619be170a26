package scenarios

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/milvus/milvussim/leastrights"
)

// usualProfile is the profile that the script of the least rights runs with among
// the others.
const usualProfile = "3.0.2"

// TestLeastRightsOfEveryVersion runs that script once for every way in which
// versions on which a pair can be linked differ in what they ask for and answer to
// reads. (TestLeastRights of the adapter makes the calls at every version.)
func TestLeastRightsOfEveryVersion(t *testing.T) {
	if underRace {
		t.Skip("make test runs it, for every version")
	}
	t.Parallel()
	waysOf := func(profile string) (does map[string]bool, way [2]bool) {
		p, err := milvussim.ParseProfile(profile)
		if err != nil {
			t.Fatal(err)
		}
		does = p.Does()
		return does, [2]bool{does["stream_rights"], does["unconfigured_read"]}
	}
	_, usual := waysOf(usualProfile) // TestScripts runs it
	had := map[[2]bool]bool{usual: true}
	for _, profile := range milvussim.Profiles() {
		does, way := waysOf(profile)
		if had[way] || !does["read_configuration"] || !does["info_on_primary"] {
			continue
		}
		had[way] = true
		story := scripts()
		story.Files = []string{filepath.Join(testkit.Repository(), "testdata", "script", "least-rights.txtar")}
		story.Setup = func(env *testscript.Env) error {
			err := setup(env)
			env.Setenv("PROFILE", profile)
			return err
		}
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			testscript.Run(t, story)
		})
	}
}

// least-rights FILE: makes the user of docs/setup.md on every cluster, and writes
// its token to the file and to $TOKEN.
func grantLeastRights(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: least-rights FILE")
	}
	doc, err := os.ReadFile(filepath.Join(testkit.Repository(), "docs", "setup.md"))
	ts.Check(err)
	data, err := testkit.Request("GET", "http://"+ts.Getenv("CONTROL")+"/world", "")
	ts.Check(err)
	var world struct{ Clusters []struct{ Address string } }
	ts.Check(json.Unmarshal(data, &world))
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	token := ""
	for _, c := range world.Clusters {
		token, err = leastrights.Grant(ctx, c.Address, milvussim.RootToken, string(doc))
		ts.Check(err)
	}
	ts.Setenv("TOKEN", token)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(token+"\n"), 0o600))
}
