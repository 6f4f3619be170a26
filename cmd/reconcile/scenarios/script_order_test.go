package scenarios

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// changing are the calls that change a cluster.
var changing = []string{"UpdateReplicateConfiguration", "CreateCollection", "DropCollection", "Insert"}

// order ITEM…: demands that the calls that changed a cluster since the
// simulator began were these, in this order. An ITEM is CLUSTER/METHOD; those
// that may come in any order are joined by "+", and one that need not come ends with
// "?": a standby may have got the same by replication before it was told.
// "~CLUSTER/METHOD" demands such
// a read before the next change. CLUSTER/throwaways are throwaway collections
// that are created and dropped there, one or more.
func order(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: order ITEM…")
	}
	data, err := testkit.Request("GET", "http://"+ts.Getenv("CONTROL")+"/calls", "")
	ts.Check(err)
	var calls []testkit.Call
	ts.Check(json.Unmarshal(data, &calls))
	if wrong := outOfOrder(calls, args); wrong != "" {
		ts.Fatalf("%s", wrong)
	}
}

// outOfOrder says what is wrong with the order of calls, "" if nothing is.
func outOfOrder(calls []testkit.Call, items []string) string {
	var changes []string
	read := map[string]bool{} // since the first change of the last item
	next := 0                 // item
	var group []string        // of the item, what has not come yet
	made := false             // a throwaway collection of the item
	for _, c := range calls {
		name := c.Cluster + "/" + c.Method
		if !slices.Contains(changing, c.Method) {
			read[name] = true
			continue
		}
		changes = append(changes, name)
		throwaway := strings.HasSuffix(c.Method, "Collection")
		if made && !(throwaway && group[0] == c.Cluster+"/throwaways") {
			made, group = false, nil
		}
		if !slices.Contains(group, name) && !slices.Contains(group, name+"?") && allOptional(group) {
			group = nil
		}
		for len(group) == 0 && next < len(items) {
			if wanted, ok := strings.CutPrefix(items[next], "~"); !ok {
				group = strings.Split(items[next], "+")
			} else if !read[wanted] {
				return "no " + wanted + " before " + name + "; changed: " + strings.Join(changes, " ")
			}
			next++
			if len(group) > 0 {
				clear(read)
			}
		}
		if throwaway && slices.Equal(group, []string{c.Cluster + "/throwaways"}) {
			made = true
			continue
		}
		i := slices.IndexFunc(group, func(g string) bool { return strings.TrimSuffix(g, "?") == name })
		if i < 0 {
			return name + " where " + strings.Join(group, "+") + " was due; changed: " + strings.Join(changes, " ")
		}
		group = slices.Delete(group, i, i+1)
	}
	if made || allOptional(group) {
		group = nil
	}
	for ; next < len(items) && strings.HasPrefix(items[next], "~"); next++ {
		if !read[items[next][1:]] {
			return "no " + items[next][1:] + " at the end"
		}
	}
	if len(group) > 0 || next < len(items) {
		return "not all came; changed: " + strings.Join(changes, " ")
	}
	return ""
}

// TestOutOfOrder: the check itself can fail.
func TestOutOfOrder(t *testing.T) {
	for name, c := range map[string]struct{ calls, items, wrong string }{
		"as told":                 {"a/Get a/CreateCollection b/DropCollection", "a/CreateCollection b/DropCollection", ""},
		"at once":                 {"b/Insert a/Insert", "a/Insert+b/Insert", ""},
		"throwaways":              {"a/CreateCollection a/DropCollection a/CreateCollection a/Insert", "a/throwaways a/Insert", ""},
		"throwaways at the end":   {"a/Insert a/CreateCollection a/DropCollection", "a/Insert a/throwaways", ""},
		"throwaways after reads":  {"a/Insert a/Get a/CreateCollection", "a/Insert ~a/Get a/throwaways", ""},
		"no throwaways":           {"a/Insert", "a/throwaways a/Insert", "where a/throwaways was due"},
		"the other way round":     {"b/Insert a/Insert", "a/Insert b/Insert", "where a/Insert was due"},
		"one too few":             {"a/Insert", "a/Insert b/Insert", "not all came"},
		"one of two at once":      {"a/Insert", "a/Insert+b/Insert", "not all came"},
		"one that need not come":  {"a/Insert b/CreateCollection", "a/Insert+b/Insert? b/CreateCollection", ""},
		"it came":                 {"b/Insert a/Insert b/CreateCollection", "a/Insert+b/Insert? b/CreateCollection", ""},
		"it came too late":        {"a/Insert b/CreateCollection b/Insert", "a/Insert+b/Insert? b/CreateCollection", "b/Insert where"},
		"it need not end":         {"a/Insert", "a/Insert+b/Insert?", ""},
		"one too many":            {"a/Insert a/Insert", "a/Insert", "a/Insert where"},
		"read back":               {"a/Insert a/Get b/Insert", "a/Insert ~a/Get b/Insert", ""},
		"read back at the end":    {"a/Insert a/Get", "a/Insert ~a/Get", ""},
		"read too soon":           {"a/Get a/Insert b/Insert", "a/Insert ~a/Get b/Insert", "no a/Get before b/Insert"},
		"not read at the end":     {"a/Get a/Insert", "a/Insert ~a/Get", "no a/Get at the end"},
		"read next to the second": {"a/Insert a/Get b/Insert b/Get a/Insert", "a/Insert+b/Insert ~a/Get ~b/Get a/Insert", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var calls []testkit.Call
			for _, f := range strings.Fields(c.calls) {
				cluster, method, _ := strings.Cut(f, "/")
				calls = append(calls, testkit.Call{Cluster: cluster, Method: method})
			}
			if got := outOfOrder(calls, strings.Fields(c.items)); got != c.wrong && (c.wrong == "" || !strings.Contains(got, c.wrong)) {
				t.Errorf("got %q, want %q", got, c.wrong)
			}
		})
	}
}

// allOptional says whether nothing in a group has to come.
func allOptional(group []string) bool {
	return !slices.ContainsFunc(group, func(g string) bool { return !strings.HasSuffix(g, "?") })
}
