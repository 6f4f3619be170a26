package schema

import (
	"strings"
	"testing"

	"milvus-reconcile/plan"
)

// TestARehearsalNamesAStandbyThatMayBePromoted: a request of this generation is checked, and one
// of an earlier generation asks for nothing and keeps no document from being read.
func TestARehearsalNamesAStandbyThatMayBePromoted(t *testing.T) {
	for name, c := range map[string]struct {
		rehearse string
		standby  string // what its line says more
		says     string // part of the problem; empty: there is none
	}{
		"a standby":                           {rehearse: "{to: b, generation: 7}"},
		"a later generation":                  {rehearse: "{to: b, generation: 8}", says: "generation 8 is greater than that of the document, 7"},
		"a cluster that is not there":         {rehearse: "{to: c, generation: 7}", says: `there is no cluster "c" in this topology`},
		"the primary":                         {rehearse: "{to: a, generation: 7}", says: `"a" is primary, not a standby`},
		"one that is never promoted":          {rehearse: "{to: b, generation: 7}", standby: ", promotable: false", says: `"b" is marked 'promotable: false'`},
		"nonsense of an earlier generation":   {rehearse: "{to: nowhere, generation: 6}"},
		"a request without a cluster":         {rehearse: "{generation: 7}", says: "to"},
		"a request without a generation":      {rehearse: "{to: b}", says: "generation"},
		"a request that says something else":  {rehearse: "{to: b, generation: 7, at: noon}", says: "at"},
		"a request that is no mapping at all": {rehearse: "b", says: "must be a mapping"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(minimal, "  clusters:", "  rehearse: "+c.rehearse+"\n  clusters:", 1)
			text = strings.Replace(text, `"http://b.example:19530"`, `"http://b.example:19530"`+c.standby, 1)
			read, problems := Parse("orders.yaml", []byte(text))
			switch {
			case c.says == "" && len(problems) > 0:
				t.Error(problems)
			case c.says != "" && (len(problems) == 0 || !strings.Contains(problems.Error(), c.says)):
				t.Errorf("%v, want %q", problems, c.says)
			case c.says == "" && (len(read) != 1 || read[0].Rehearse == nil):
				t.Errorf("the request is lost: %+v", read)
			case name == "a standby" && *read[0].Rehearse != plan.RehearsalRequest{To: "b", Generation: 7}:
				t.Errorf("%+v", read[0].Rehearse)
			}
		})
	}
}
