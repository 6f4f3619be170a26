package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/milvus/milvussim/leastrights"
)

// least-rights FILE: makes the user of docs/setup.md on every cluster, and writes
// its token.
func grantLeastRights(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: least-rights FILE")
	}
	doc, err := os.ReadFile(filepath.Join(documents, "setup.md"))
	ts.Check(err)
	data, err := request("GET", "http://"+ts.Getenv("CONTROL")+"/world", "")
	ts.Check(err)
	var world struct{ Clusters []struct{ Address string } }
	ts.Check(json.Unmarshal(data, &world))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	token := ""
	for _, c := range world.Clusters {
		token, err = leastrights.Grant(ctx, c.Address, milvussim.RootToken, string(doc))
		ts.Check(err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(token+"\n"), 0o600))
}

// documents is where the guides are, as an absolute path: a script has a folder
// of its own.
var documents = func() string {
	path, err := filepath.Abs(filepath.Join(repository, "docs"))
	if err != nil {
		panic(err)
	}
	return path
}()
