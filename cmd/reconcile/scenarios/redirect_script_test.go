package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/milvus-io/milvus/client/v2/column"
	"github.com/milvus-io/milvus/client/v2/milvusclient"
	"github.com/rogpeppe/go-internal/testscript"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// conditions of scripts: [needs:PROGRAM] is a program, or the path of a file,
// that a story needs. A
// story is skipped without it, and fails where everything must be tested. [mounts]
// is that a disk may be mounted in a namespace of its own, which not every kernel lets
// an ordinary user do.
func conditions(cond string) (bool, error) {
	if cond == "mounts" {
		return exec.Command("unshare", "-Urm", "mount", "-t", "tmpfs", "tmpfs", os.TempDir()).Run() == nil, nil
	}
	program, ok := strings.CutPrefix(cond, "needs:")
	if !ok {
		return false, fmt.Errorf("there is no condition %q", cond)
	}
	if _, err := exec.LookPath(program); err == nil {
		return true, nil
	}
	if _, err := os.Stat(program); err == nil && filepath.IsAbs(program) {
		return true, nil
	}
	if os.Getenv("CI") == "true" {
		return false, errors.New("this story needs " + program + ", and CI must run it")
	}
	return false, nil
}

// operator FILE…: adds to the operator's configuration of the playground,
// with $A and the other variables replaced.
func operator(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: operator FILE…")
	}
	path := ts.Getenv("RECONCILE_CONFIG")
	for _, name := range args {
		text := ts.ReadFile(path) + os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(path, []byte(text), 0o644))
	}
}

// writes CLUSTER LOG: waits until the writer that keeps LOG got 10 more rows
// in, and demands that they went to CLUSTER and to no other.
func writes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: writes CLUSTER LOG")
	}
	before := accepted(ts)
	grow(ts, args[1], 10)
	for id, n := range accepted(ts) {
		switch more := n - before[id]; {
		case id == args[0] && more < 9: // one may have been counted before
			ts.Fatalf("%s took %d of 10 rows", id, more)
		case id != args[0] && more > 0:
			ts.Fatalf("%s took %d rows of a client that belongs to %s", id, more, args[0])
		}
	}
}

// arrives CLUSTER: waits until CLUSTER takes rows from clients.
func arrives(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: arrives CLUSTER")
	}
	before := accepted(ts)[args[0]]
	for deadline := time.Now().Add(testkit.Patience); accepted(ts)[args[0]] == before; {
		if time.Now().After(deadline) {
			ts.Fatalf("no client writes to %s", args[0])
		}
		<-time.After(5 * time.Millisecond)
	}
}

// becomes FILE WANT: waits until FILE holds what WANT holds.
func becomes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: becomes FILE WANT")
	}
	want := ts.ReadFile(args[1])
	for deadline := time.Now().Add(testkit.Patience); ; {
		got, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && string(got) == want {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s holds %q (%v), want %q", args[0], got, err, want)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// grow waits until a log has n more bytes.
func grow(ts *testscript.TestScript, log string, n int64) {
	size := func() int64 {
		info, err := os.Stat(ts.MkAbs(log))
		if err != nil {
			return 0
		}
		return info.Size()
	}
	want := size() + n
	for deadline := time.Now().Add(testkit.Patience); size() < want; {
		if time.Now().After(deadline) {
			ts.Fatalf("the client got %d of %d rows in", size()-want+n, n)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// accepted are the rows that each cluster took from clients.
func accepted(ts *testscript.TestScript) map[string]int {
	data, err := testkit.Request("GET", "http://"+ts.Getenv("CONTROL")+"/world", "")
	ts.Check(err)
	var world struct {
		Clusters []struct {
			ID             string `json:"id"`
			WritesAccepted int    `json:"writesAccepted"`
		}
	}
	ts.Check(json.Unmarshal(data, &world))
	out := map[string]int{}
	for _, c := range world.Clusters {
		out[c.ID] = c.WritesAccepted
	}
	return out
}

// writer ADDRESS LOG writes one row after the other, as an application does,
// and adds a byte to LOG for each that was accepted.
func writer(address, log string) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		if err := writeRows(address, out); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// writeRows connects again, as a client does that lost its connection.
func writeRows(address string, log io.Writer) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c, err := milvusclient.New(ctx, &milvusclient.ClientConfig{Address: address, Username: "root", Password: "Milvus"})
	if err != nil {
		return err
	}
	defer c.Close(context.Background()) //nolint:errcheck // the process may end at any time
	has, err := c.HasCollection(ctx, milvusclient.NewHasCollectionOption("books"))
	if err != nil {
		return err
	}
	if !has {
		if err := c.CreateCollection(ctx, milvusclient.SimpleCreateCollectionOptions("books", 4)); err != nil {
			return err
		}
	}
	for id := time.Now().UnixNano(); ; id++ {
		if err := writeRow(c, id); err != nil {
			return err
		}
		if _, err := log.Write([]byte("+")); err != nil {
			return err
		}
		<-time.After(20 * time.Millisecond)
	}
}

func writeRow(c *milvusclient.Client, id int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := c.Insert(ctx, milvusclient.NewColumnBasedInsertOption("books",
		column.NewColumnInt64("id", []int64{id}), column.NewColumnFloatVector("vector", 4, [][]float32{{1, 2, 3, 4}})))
	return err
}

// receiver ADDRESS FILE is a webhook's receiver that writes what it gets,
// headers and bodies, to FILE, and says where it was last told to send traffic.
func receiver(address, file string) {
	out, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var last struct {
		Data struct {
			Primary struct {
				Cluster string `json:"cluster"`
			} `json:"primary"`
		} `json:"data"`
	}
	err = http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(out, "%s %v\n%s\n", r.Method, r.Header, body)
		if r.Method == http.MethodPost {
			_ = json.Unmarshal(body, &last)
		}
		fmt.Fprintf(w, `{"primary":%q}`, last.Data.Primary.Cluster)
	}))
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
