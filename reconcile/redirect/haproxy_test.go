package redirect_test

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/reconcile/redirect"
)

// runtimeAPI is a socket that answers as told, for what a real HAProxy does
// not do on demand. states is what it says of the servers.
type runtimeAPI struct {
	address  string
	mu       sync.Mutex
	commands []string
	states   string
	answer   func(command string) string
}

const statesHeader = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight\n"

// servers makes an answer of "name op admin weight" lines.
func servers(lines ...string) string {
	out := statesHeader
	for i, l := range lines {
		var name string
		var op, admin, weight int
		if _, err := fmt.Sscan(l, &name, &op, &admin, &weight); err != nil {
			panic(err)
		}
		out += fmt.Sprintf("3 milvus %d %s 127.0.0.1 %d %d %d 1\n", i+1, name, op, admin, weight)
	}
	return out + "\n"
}

func newRuntimeAPI(t *testing.T, states string) *runtimeAPI {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() }) //nolint:errcheck // the test is over
	a := &runtimeAPI{address: "unix:" + path, states: states}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go a.serve(conn)
		}
	}()
	return a
}

func (a *runtimeAPI) serve(conn net.Conn) {
	defer conn.Close() //nolint:errcheck // the peer reads to the end
	line, _ := bufio.NewReader(conn).ReadString('\n')
	line = strings.TrimSpace(line)
	a.mu.Lock()
	a.commands = append(a.commands, line)
	answer := "\n"
	if strings.HasPrefix(line, "show servers state") {
		answer = a.states
	}
	if a.answer != nil {
		if said := a.answer(line); said != "" {
			answer = said
		}
	}
	a.mu.Unlock()
	_, _ = conn.Write([]byte(answer))
}

func lb(address string) redirect.Target {
	return redirect.Target{Name: "lb", Timeout: time.Second, HAProxy: &redirect.HAProxy{
		Address: address, Backend: "milvus", Servers: map[string]string{"cluster-a": "a1", "cluster-b": "b1"},
	}}
}

func TestHAProxyCheck(t *testing.T) {
	for _, c := range []struct{ name, states, say string }{
		{"as wanted", servers("a1 0 1 1", "b1 2 0 1"), ""},
		{"the old one was disabled from the start", servers("a1 0 5 1", "b1 2 0 1"), ""},
		{"the new one was disabled at the start, and is not any more", servers("a1 0 1 1", "b1 2 4 1"), ""},
		{"the old one was disabled at the start, and is not any more", servers("a1 2 4 1", "b1 2 0 1"), "server a1 of cluster-a is not disabled"},
		{"both", servers("a1 2 0 1", "b1 2 0 1"), "server a1 of cluster-a is not disabled"},
		{"the old one is only down, and comes back", servers("a1 0 0 1", "b1 2 0 1"), "server a1 of cluster-a is not disabled"},
		{"the old one is only drained", servers("a1 2 8 1", "b1 2 0 1"), "server a1 of cluster-a is not disabled"},
		{"the new one is disabled", servers("a1 0 1 1", "b1 0 1 1"), "server b1 of cluster-b is disabled"},
		{"the new one is drained", servers("a1 0 1 1", "b1 2 8 1"), "server b1 of cluster-b is drained"},
		{"the new one is down", servers("a1 0 1 1", "b1 0 0 1"), "server b1 of cluster-b is down"},
		{"the new one has no address", servers("a1 0 1 1", "b1 0 64 1"), "server b1 of cluster-b is disabled"},
		{"the new one has no weight", servers("a1 0 1 1", "b1 2 0 0"), "server b1 of cluster-b has the weight 0"},
		{"the new one is missing", servers("a1 0 1 1"), "backend milvus has no server b1"},
		{"the old one was removed", servers("b1 2 0 1"), ""},
		{"a stranger takes traffic", servers("a1 0 1 1", "b1 2 0 1", "spare 2 0 1"), "server spare, which no cluster is mapped to, is in use"},
		{"a stranger is disabled", servers("a1 0 1 1", "b1 2 0 1", "spare 0 1 1"), ""},
		{"no such backend", "Can't find backend.\n", `HAProxy answers "Can't find backend."`},
		{"silence", "\n", `HAProxy answers ""`},
		{"a later format", "2\n# x\n", "HAProxy answers"},
		{"other columns", "1\n# srv_name\na1\n", "a server has no srv_op_state"},
		{"no numbers", strings.Replace(servers("a1 0 1 1"), " 0 1 1", " up 1 1", 1), "srv_op_state of a server is no number"},
		{"without an end", strings.Repeat("x", 2<<20), "longer than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newRuntimeAPI(t, c.states)
			r, _ := made(t, lb(a.address))
			s := only(t, r.Check(t.Context(), "orders", "cluster-b", []string{"cluster-a"}))
			if s.OK != (c.say == "") || !strings.Contains(s.Detail, c.say) || len(s.Detail) > 300 {
				t.Errorf("got %+v", s)
			}
		})
	}
}

// TestHAProxyCommands: the old server is out before the new one is in, and
// what is as wanted is not touched.
func TestHAProxyCommands(t *testing.T) {
	for _, c := range []struct {
		name, states string
		want         []string
	}{
		{"a failover", servers("a1 2 0 1", "b1 0 1 1"), []string{
			"set server milvus/a1 state drain", "set server milvus/a1 state maint", "shutdown sessions server milvus/a1", "set server milvus/b1 state ready", sessionsAsked,
		}},
		{"done before", servers("a1 0 1 1", "b1 2 0 1"), []string{"shutdown sessions server milvus/a1", sessionsAsked}},
		{"the old one was removed", servers("b1 0 1 1"), []string{"set server milvus/b1 state ready"}},
	} {
		a := newRuntimeAPI(t, c.states)
		r, _ := made(t, lb(a.address))
		r.Set(t.Context(), "orders", "cluster-b", []string{"cluster-a"})
		first := slices.Index(a.commands[1:], "show servers state milvus") + 1
		if d := cmp.Diff(c.want, a.commands[1:first]); d != "" || a.commands[0] != "show servers state milvus" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

func TestHAProxyThatRefusesOrHangs(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() //nolint:errcheck // the test is over
	denied := newRuntimeAPI(t, servers("a1 2 0 1", "b1 0 1 1"))
	denied.answer = func(c string) string {
		if strings.HasPrefix(c, "set") {
			return "Permission denied\n"
		}
		return ""
	}
	for _, c := range []struct{ name, address, say string }{
		{"it is not there", "unix:" + filepath.Join(t.TempDir(), "no"), "reach the runtime API of HAProxy"},
		{"nobody listens", "127.0.0.1:1", "connection refused"},
		{"it never answers", silent.Addr().String(), "did not end within 1 s"},
		{"the socket lets nobody set", denied.address, `HAProxy refuses "set server milvus/a1 state drain": Permission denied`},
	} {
		r, _ := made(t, lb(c.address))
		if s := only(t, r.Set(t.Context(), "orders", "cluster-b", []string{"cluster-a"})); s.OK || !strings.Contains(s.Detail, c.say) {
			t.Errorf("%s: got %+v", c.name, s)
		}
	}
}

// TestHAProxyConcerns: a target for all topologies leaves those alone whose
// clusters it has no server of; one that is named for a topology does not.
func TestHAProxyConcerns(t *testing.T) {
	a := newRuntimeAPI(t, servers("a1 0 1 1", "b1 2 0 1"))
	all, named := lb(a.address), lb(a.address)
	all.Name, named.Name, named.Topologies = "all", "named", []string{"catalog", "orders"}
	r, _ := made(t, all, named)
	s := only(t, r.Check(t.Context(), "catalog", "cluster-c", nil))
	if s.Target != "named" || !strings.Contains(s.Detail, "no server of backend milvus is configured for cluster-c") {
		t.Errorf("got %+v", s)
	}
	if got := r.Check(t.Context(), "orders", "cluster-c", []string{"cluster-a"}); len(got) != 2 || got[0].OK {
		t.Errorf("got %+v", got)
	}
}
