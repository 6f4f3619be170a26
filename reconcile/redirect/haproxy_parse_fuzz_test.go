package redirect

import (
	"strings"
	"testing"
)

// FuzzParseServers: whatever HAProxy says, a server counts as in use only if
// its line says so in numbers.
func FuzzParseServers(f *testing.F) {
	f.Add("1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight\n3 milvus 1 a1 127.0.0.1 2 0 1\n")
	f.Add("1\n#\n")
	f.Add("1\n# srv_name srv_op_state srv_admin_state srv_uweight\na 2 -1 1\nb 99999999999999999999 0 1\n")
	f.Add("Can't find backend.\n")
	f.Fuzz(func(t *testing.T, answer string) {
		servers, err := parseServers(answer)
		if err != nil {
			if len(servers) != 0 {
				t.Errorf("%v next to %v", servers, err)
			}
			return
		}
		for name, s := range servers {
			if !strings.Contains(answer, name) {
				t.Errorf("server %q was made up", name)
			}
			if s.outOfUse() == "" && (s.admin < 0 || s.weight <= 0 || s.op != opStarting && s.op != opRunning || s.maintenance()) {
				t.Errorf("%q is in use as %+v", name, s)
			}
		}
	})
}
