package plan

import (
	"regexp"
	"testing"

	"pgregory.net/rapid"
)

// typed is what a remedy gives to be typed: a command, a trailer, or what to
// write into a file, between quotes.
var typed = regexp.MustCompile(`'(reconcile (status|plan|apply|fence|propose|adopt|doctor|history|salvage|explain|validate)\b[^']*|Failover-[A-Z][A-Za-z-]+: [^']+|git [^']+|curl [^']+|[A-Za-z.]+(: [^']+)?)'`)

// TestRemediesSayWhatToType: whatever the state of the world, each finding says
// what was seen, and the next thing to type; no blank is left in it.
func TestRemediesSayWhatToType(t *testing.T) {
	blank := regexp.MustCompile(`\{[POT]\}|%!|\bof  |''`)
	rapid.Check(t, func(t *rapid.T) {
		d, o, m := drawWorld(t)
		for _, p := range append(Compute(d, o, m).Topologies, Offline(d, m).Topologies...) {
			for _, f := range p.Findings {
				if f.Code != CodeConfigOrder && !typed.MatchString(f.Remedy) {
					t.Errorf("%s: nothing to type in %q", f.Code, f.Remedy)
				}
				if f.Message == "" || blank.MatchString(f.Message+f.Remedy) {
					t.Errorf("%s: %q, %q", f.Code, f.Message, f.Remedy)
				}
			}
		}
	})
}
