package plan

import (
	"strings"
	"testing"
	"time"
)

// TestStaleLogIsTold: what a stale primary holds alone stands beside it, and
// whether it goes on taking writes.
func TestStaleLogIsTold(t *testing.T) {
	for _, c := range []struct {
		name string
		log  []StaleLog
		want string
		not  string
	}{
		{"nothing was read", nil, "takes writes; it is never", "messages"},
		{"it could not be read", []StaleLog{{Cluster: "a"}}, "what it took could not be read", ""},
		{"nothing is there", []StaleLog{{Cluster: "a", Known: true}}, "nothing so far that b never got", ""},
		{"from before", []StaleLog{{Cluster: "a", Known: true, Messages: 3, Newest: now.Add(-2 * time.Hour)}}, "holds 3 messages that b never got", "since it became stale"},
		{"from now", []StaleLog{{Cluster: "a", Known: true, Messages: 3, Newest: now}}, "applications have written to it since it became stale", ""},
		{"more than were counted", []StaleLog{{Cluster: "a", Known: true, More: true, Messages: 1000, Newest: now}}, "at least 1000 messages", ""},
		{"a channel could not be read", []StaleLog{{Cluster: "a", Messages: 7, Newest: now}}, "at least 7 messages", ""},
		{"of another cluster", []StaleLog{{Cluster: "c", Known: true, Messages: 7, Newest: now}}, "takes writes; it is never", "messages"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := hadFailedOver("a", "b")
			m.Stale[0].Since, m.Stale[0].SeenBy = now.Add(-time.Hour), "process 7 on ops-1"
			d, o, m := world{t: failingOver("b", "a"), views: []View{primaryOf("a", "b"), primaryOf("b")}, memory: m}.inputs()
			o.Logs = c.log
			var got Finding
			for _, f := range Compute(d, o, m).Topologies[0].Findings {
				if f.Code == CodeStalePrimary {
					got = f
				}
			}
			if !strings.Contains(got.Message, c.want) || c.not != "" && strings.Contains(got.Message, c.not) {
				t.Error(got.Message)
			}
			if !strings.Contains(got.Message, "(recorded by process 7 on ops-1)") {
				t.Error(got.Message)
			}
		})
	}
}
