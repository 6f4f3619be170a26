package daemon

import (
	"strings"
	"testing"
)

// TestUnready: ready means that an approved failover would be acted on now, by this
// process or by the one that leads.
func TestUnready(t *testing.T) {
	seen := Snapshot{Swept: true, Leader: true, Topologies: []TopologyStatus{{Name: "orders"}, {Name: "users", Error: "the ledger does not answer"}}}
	for name, c := range map[string]struct {
		change func(*Snapshot)
		want   string // part of the reason; empty: ready
	}{
		"leads":                             {func(*Snapshot) {}, ""},
		"another leads":                     {func(s *Snapshot) { s.Leader, s.Leading = false, "process 7 leads" }, ""},
		"no topology":                       {func(s *Snapshot) { s.Topologies = nil }, ""},
		"one topology of two fails":         {func(s *Snapshot) { s.Topologies[0].Failures = 3 }, ""},
		"nothing known yet":                 {func(s *Snapshot) { *s = Snapshot{} }, "observed yet"},
		"the end was asked for":             {func(s *Snapshot) { s.Stopping = true }, "stopping"},
		"Git fails":                         {func(s *Snapshot) { s.GitError = "authentication required" }, "no new approval is seen: authentication required"},
		"the ledger fails under a fetch":    {func(s *Snapshot) { s.GitError, s.GitAsked = "it is damaged", "the ledger" }, "the ledger cannot be read, so no new approval is seen: it is damaged"},
		"the election fails":                {func(s *Snapshot) { s.ElectionError = "etcd: authentication failed" }, "cannot lead: etcd: authentication failed"},
		"the ledger cannot be written":      {func(s *Snapshot) { s.RecordError = "no space left on device" }, "no space left"},
		"no topology at all can be seen to": {func(s *Snapshot) { s.Topologies[0].Error = "the ledger is damaged" }, "none of 2 topologies can be observed: the ledger is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			s := seen
			s.Topologies = append([]TopologyStatus(nil), seen.Topologies...)
			c.change(&s)
			if got := s.Unready(); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
