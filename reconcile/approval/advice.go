package approval

import (
	"fmt"
	"strings"
)

// Trailers renders the trailers that approve one topology, as a person would
// type them.
func Trailers(t Target, by Person, reason string) string {
	return fmt.Sprintf("%s: %s\n%s: %s\n%s: %s\n", KeyApproved, t, KeyBy, by, KeyReason, reason)
}

func (e *evaluation) target() Target {
	return Target{Topology: e.Plan.Name, Cluster: e.Plan.Primary}
}

// missing says that nothing speaks for the change, and what would.
func (e *evaluation) missing() string {
	return fmt.Sprintf("commit %s, which governs %s, carries no approval of this %s. %s",
		short(e.Change.Commit), e.Plan.Name, e.Plan.Transition, e.howTo())
}

// howTo gives the command and the trailers that would satisfy.
func (e *evaluation) howTo() string {
	t := e.target()
	return fmt.Sprintf("To approve, run `reconcile approve %s --reason TEXT`, or sign a tag below failover/ on it whose message ends in the paragraph\n%s",
		t, indent(Trailers(t, Person{Name: "NAME", Email: "E-MAIL"}, "TEXT")))
}

func (e *evaluation) again() string {
	return fmt.Sprintf("Approve anew with `reconcile approve %s --reason TEXT`", e.target())
}

// quorumDetail says who counted, who did not and why.
func (e *evaluation) quorumDetail(votes []vote, denials []ranked) string {
	var b strings.Builder
	fmt.Fprintf(&b, "a %s needs %d distinct people, and %d approved:", e.Plan.Transition, e.need, people(votes))
	for _, v := range votes {
		fmt.Fprintf(&b, " %s (%s%s);", v.claim.By, v.carrier.label(), e.whyUncounted(v))
	}
	for _, d := range denials {
		if d.Code != CodeMissing {
			fmt.Fprintf(&b, " %s does not count, %s;", d.Carrier, d.Code)
		}
	}
	fmt.Fprintf(&b, " signatures by one key, of one allowed-signers line or one e-mail are one person. Have others run `reconcile approve %s --reason TEXT`", e.target())
	return b.String()
}

func (e *evaluation) whyUncounted(v vote) string {
	if v.counts {
		return ""
	}
	return ", does not count: the allowed-signers line of its key has wildcards and names nobody"
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n  ")
}
