package redirect_test

import (
	"testing"

	"milvus-reconcile/plan"
)

// sessionsAsked is the command that counts the sessions of a backend's servers.
const sessionsAsked = "show stat -1 4 -1"

const statHeader = "# pxname,svname,qcur,qmax,scur,smax,slim\n"

// TestHAProxySessionsThatAreLeftAreCounted: a set counts until none is left on the server that
// was taken out, for a short while. What cannot be counted is said to be not known, and never
// fails a set.
func TestHAProxySessionsThatAreLeftAreCounted(t *testing.T) {
	const none, unknown = "within 0 s, no session was left on a1", "within 0 s, how many sessions were left on a1 is not known: "
	for _, c := range []struct {
		name, first, then, want string
	}{
		{"none", "milvus,a1,0,0,0,9,\nmilvus,b1,0,0,4,4,\n", "", none},
		{"they end", "milvus,a1,0,0,2,9,\nmilvus,b1,0,0,4,4,\n", "milvus,a1,0,0,0,9,\n", none},
		{"they stay", "milvus,a1,0,0,2,9,\n", "milvus,a1,0,0,2,9,\n", "within 0 s, 2 sessions were left on a1"},
		{"a later HAProxy has more columns", "milvus,a1,0,0,0,9,,\"a, b\"\n", "", none},
		{"no number", "milvus,a1,0,0,,9,\n", "", unknown + "scur of server a1 is no number"},
		{"another server, and another backend", "milvus,b1,0,0,4,4,\nother,a1,0,0,4,4,\n", "", unknown + "HAProxy lists 0 of 1 servers"},
		{"a short line", "milvus,a1\n", "", unknown + "HAProxy lists 0 of 1 servers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newRuntimeAPI(t, servers("a1 2 0 1", "b1 0 1 1"))
			asked := 0
			a.answer = func(command string) string {
				switch command {
				case "set server milvus/b1 state ready":
					a.states = servers("a1 0 1 1", "b1 2 0 1")
				case sessionsAsked:
					if asked++; asked > 1 && c.then != "" {
						return statHeader + c.then
					}
					return statHeader + c.first
				}
				return ""
			}
			r, _ := made(t, lb(a.address))
			s := only(t, r.Set(t.Context(), "orders", "cluster-b", []string{"cluster-a"}))
			if want := (plan.TrafficState{Topology: "orders", Target: "lb", OK: true, Seen: c.want}); s != want {
				t.Errorf("got %+v", s)
			}
		})
	}
}
