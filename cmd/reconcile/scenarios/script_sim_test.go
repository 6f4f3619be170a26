package scenarios

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// control METHOD PATH [BODY]: calls the control API of the simulator.
func control(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: control METHOD PATH [BODY]")
	}
	body := strings.Join(args[2:], " ")
	_, err := testkit.Request(args[0], "http://"+ts.Getenv("CONTROL")+args[1], body)
	ts.Check(err)
}

// eventually ready | http NAME/PATH CODE | served NAME/PATH TEXT | log NAME TEXT | file NAME TEXT | CLUSTER FIELD VALUE | called CLUSTER/METHOD | calls METHOD|forcePromote N: waits
// until the simulator is as told. `calls` does not wait: what was sent was sent.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: eventually ready | CLUSTER FIELD VALUE | file NAME TEXT | calls CLUSTER/METHOD|forcePromote N")
	}
	var last string
	for deadline := time.Now().Add(testkit.Patience); ; {
		got, ok := asTold(ts, args)
		if ok {
			return
		}
		last = got
		if args[0] == "calls" || time.Now().After(deadline) {
			ts.Fatalf("%s: got %s", strings.Join(args, " "), last)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func asTold(ts *testscript.TestScript, args []string) (string, bool) {
	if args[0] == "file" {
		data, err := os.ReadFile(ts.MkAbs(args[1]))
		return fmt.Sprint(err, string(data)), err == nil && strings.Contains(string(data), args[2])
	}
	base := "http://" + ts.Getenv("CONTROL")
	if args[0] == "log" {
		return runLog(ts, args[1:])
	}
	if args[0] == "http" {
		got := httpStatus(ts, args[1])
		return got, got == args[2]
	}
	if args[0] == "served" {
		got := httpBody(ts, args[1])
		return got, strings.Contains(got, args[2])
	}
	if args[0] == "calls" {
		return countCalls(ts, base, args)
	}
	if args[0] == "called" {
		got, _ := countCalls(ts, base, append(args, "some"))
		return got, got != "0"
	}
	data, err := testkit.Request("GET", base+"/world", "")
	if err != nil || args[0] == "ready" {
		return fmt.Sprint(err), err == nil
	}
	var world struct{ Clusters []map[string]any }
	ts.Check(json.Unmarshal(data, &world))
	for _, c := range world.Clusters {
		if c["id"] == args[0] {
			got := fmt.Sprint(c[args[1]])
			return got, got == args[2]
		}
	}
	return "no such cluster", false
}

func countCalls(ts *testscript.TestScript, base string, args []string) (string, bool) {
	data, err := testkit.Request("GET", base+"/calls", "")
	ts.Check(err)
	var calls []struct {
		Cluster, Method string
		ForcePromote    bool
	}
	ts.Check(json.Unmarshal(data, &calls))
	n := 0
	for _, c := range calls {
		if args[1] == "forcePromote" && c.ForcePromote || c.Cluster+"/"+c.Method == args[1] {
			n++
		}
	}
	return strconv.Itoa(n), strconv.Itoa(n) == args[2]
}

// trickle CONTROL CLUSTER writes one row after the other until it is ended.
func trickle(address, cluster string) {
	for range time.Tick(50 * time.Millisecond) {
		if _, err := testkit.Request("POST", "http://"+address+"/clusters/"+cluster+"/write", `{"rows":16}`); err != nil {
			return
		}
	}
}

// relay passes connections on, as the name of a load balancer does: to the
// address that stands in a file when they are made.
func relay(address, targetFile string) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		go pass(in, targetFile)
	}
}

func pass(in net.Conn, targetFile string) {
	defer in.Close() //nolint:errcheck // the other side sees the end
	target, err := os.ReadFile(targetFile)
	if err != nil {
		return
	}
	out, err := net.Dial("tcp", strings.TrimSpace(string(target)))
	if err != nil {
		return
	}
	defer out.Close()   //nolint:errcheck // the other side sees the end
	go io.Copy(out, in) //nolint:errcheck // the end of either is the end of both
	io.Copy(in, out)    //nolint:errcheck // the end of either is the end of both
}
