package plan

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// typed is what a remedy gives to be typed: a command, a trailer, or what to
// write into a file, between quotes.
var typed = regexp.MustCompile(`'(reconcile (status|plan|apply|fence|propose|adopt|doctor|history|salvage|explain|validate)\b[^']*|Failover-[A-Z][A-Za-z-]+: [^']+|git [^']+|curl [^']+|[A-Za-z.]+(: [^']+)?)'`)

// command is what a page gives a line of its own.
var command = regexp.MustCompile(`'(reconcile|git|curl) [^']+'`)

// commandClause is a clause of a remedy with a command: it stands alone behind a colon, so
// that a page can give it a line of its own.
var commandClause = regexp.MustCompile(`: 'reconcile [^']+'(, or accept with 'Failover-Accept: [A-Z_]+')?$`)

// TestRemediesSayWhatToType: whatever the state of the world, each finding says
// what was seen, and the next thing to type; no blank is left in it.
func TestRemediesSayWhatToType(t *testing.T) {
	placeholder := regexp.MustCompile(`'reconcile [^']*\b[A-Z]{3,}\b[^']*'`)
	blank := regexp.MustCompile(`\{[POTS]\}|%!|\bof  |''`)
	rapid.Check(t, func(t *rapid.T) {
		d, o, m := drawWorld(t)
		for _, p := range append(Compute(d, o, m).Topologies, Offline(d, m).Topologies...) {
			for _, f := range p.Findings {
				if f.Code != CodeConfigOrder && !typed.MatchString(f.Remedy) {
					t.Errorf("%s: nothing to type in %q", f.Code, f.Remedy)
				}
				if accepts := strings.Contains(f.Remedy, "'Failover-"); !command.MatchString(f.Remedy) && !accepts && f.Code != CodeConfigOrder {
					t.Errorf("%s: no command in %q", f.Code, f.Remedy)
				}
				if placeholder.MatchString(f.Remedy) {
					t.Errorf("%s: a name is left to be filled in: %q", f.Code, f.Remedy)
				}
				for _, clause := range strings.Split(f.Remedy, "; ") {
					if n := strings.Count(clause, "'reconcile "); n > 1 || n == 1 && !commandClause.MatchString(clause) {
						t.Errorf("%s: the command does not end its clause %q", f.Code, clause)
					}
				}
				if f.Code == CodeForcePromote && !p.Resumed && !strings.Contains(f.Remedy, "'Failover-Plan: "+p.Digest+"'") {
					t.Errorf("%s: the digest %s is not there to be copied: %q", f.Code, p.Digest, f.Remedy)
				}
				if f.Message == "" || blank.MatchString(f.Message+f.Remedy) {
					t.Errorf("%s: %q, %q", f.Code, f.Message, f.Remedy)
				}
			}
		}
	})
}

// TestTheBetterChoiceIsNamed: who cannot be promoted has others next to it, and
// those that can are named.
func TestTheBetterChoiceIsNamed(t *testing.T) {
	unmeant := func(doc Topology, ids ...string) Topology {
		for i, c := range doc.Clusters {
			doc.Clusters[i].Promotable = !slices.Contains(ids, c.ID)
		}
		return doc
	}
	doc := func() Topology { return failingOver("b", "a", "c", "d") }
	siblings := []View{moving(standbyOf("a", "c", "b", "d")), moving(standbyOf("a", "d", "b", "c"))}
	able := moving(standbyOf("a", "b", "c", "d"))
	old := able
	old.ForcePromotes = SupportNo
	for _, c := range []struct {
		name  string
		doc   Topology
		views []View
		code  Code
		named string
	}{
		{"not promotable", unmeant(doc(), "b"), append([]View{down("a"), able}, siblings...), CodeNotPromotable, "promote c or d in its place"},
		{"not promotable, nor is another", unmeant(doc(), "b", "c"), append([]View{down("a"), able}, siblings...), CodeNotPromotable, "promote d in its place"},
		{"not promotable, and the others are away", unmeant(doc(), "b"), []View{down("a"), able, down("c"), down("d")}, CodeNotPromotable, "promote another standby, once one answers"},
		{"it is away", doc(), append([]View{down("a"), down("b")}, siblings...), CodeCandidateUnreachable, "promote c or d in its place"},
		{"its version ignores the call", doc(), append([]View{down("a"), old}, siblings...), CodeUnsupportedServer, "promote c or d in its place"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := world{t: c.doc, views: c.views, evidence: []Evidence{lost("a", "b")}}.plan(t)
			i := slices.IndexFunc(p.Findings, func(f Finding) bool { return f.Code == c.code })
			if i < 0 || !strings.Contains(p.Findings[i].Remedy, c.named) {
				t.Errorf("want %s to say %q: %+v", c.code, c.named, p.Findings)
			}
		})
	}
}
