package approval

import (
	"fmt"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// Trailers renders the claim as the last paragraph of a message. The caller parses the
// result again, since a value that a person typed may be invalid.
func (c Claim) Trailers() string {
	var b strings.Builder
	line := func(key, value string) { fmt.Fprintf(&b, "%s: %s\n", key, value) }
	if c.Site.Name != "" {
		line(KeyApproved, "site/"+c.Site.Name+" "+c.Site.Digest)
	} else {
		for _, t := range c.Approved {
			line(KeyApproved, t.String())
		}
	}
	line(KeyBy, c.By.String())
	line(KeyReason, c.Reason)
	if c.Repository != "" {
		line(KeyRepository, c.Repository)
	}
	if !c.Expires.IsZero() {
		line(KeyExpires, c.Expires.UTC().Format(time.RFC3339Nano))
	}
	for _, p := range c.Plans {
		line(KeyPlan, p)
	}
	for _, code := range c.Accept {
		line(KeyAccept, string(code))
	}
	if c.Replay != "" {
		line(KeyReplay, c.Replay)
	}
	if c.MaxDataLoss != nil {
		line(KeyMaxDataLoss, c.MaxDataLoss.String())
	}
	for _, m := range c.Site.Moves {
		line(KeyCovers, m.String())
	}
	return b.String()
}

func (e *evaluation) target() Target {
	return Target{Topology: e.Plan.Name, Cluster: e.Plan.Primary}
}

// missingText says that the change has no approval, and how to give one.
func (e *evaluation) missingText() string {
	return fmt.Sprintf("commit %s, which governs %s, carries no approval of this %s. %s",
		short(e.Change.Commit), e.Plan.Name, e.Plan.Transition, e.howTo())
}

// howTo returns the command and the trailers of a sufficient approval.
func (e *evaluation) howTo() string {
	c := Claim{Approved: []Target{e.target()}, By: Person{Name: "NAME", Email: "E-MAIL"}, Reason: "WHY", Repository: e.Policy.Repository, Replay: e.Replay}
	if e.Replay == "" {
		c.Accept = e.Plan.ToAccept()
	}
	return fmt.Sprintf("To approve, run `%s`, or sign a tag below failover/ on it whose message ends in the paragraph\n%s", e.command(), indent(c.Trailers()))
}

func (e *evaluation) approveAgain() string {
	return fmt.Sprintf("Approve again with `%s`", e.command())
}

// command returns the command that writes an approval for this change.
func (e *evaluation) command() string {
	if e.Replay != "" {
		return ReplayCommand(e.target(), e.Replay, e.Policy.Repository)
	}
	return Command(e.target(), e.Policy.Repository, e.Plan.ToAccept()...)
}

// ReplayCommand is what a person types to approve the replay of lost rows with that digest.
func ReplayCommand(t Target, digest, repository string) string {
	out := fmt.Sprintf(`reconcile approve %s --replay %s --reason "WHY"`, t, digest)
	if repository != "" {
		out += " --repository " + repository
	}
	return out + " --push"
}

// Command is what a person types to approve a change of a target. The repository is the
// one that approvals must name; empty: none. accept are the codes that the plan needs to
// have accepted.
func Command(t Target, repository string, accept ...plan.Code) string {
	out := "reconcile approve " + t.String()
	for _, code := range accept {
		out += " --accept " + string(code)
	}
	out += ` --reason "WHY"`
	if repository != "" {
		out += " --repository " + repository
	}
	return out + " --push"
}

// Withdrawal is what a person types to take an approval back.
func Withdrawal(t Target, repository string) string {
	out := fmt.Sprintf("reconcile approve %s --withdraw", t)
	if repository != "" {
		out += " --repository " + repository
	}
	return out + " --push"
}

// quorumDetail lists the approvals that count, and those that do not with the reason.
func (e *evaluation) quorumDetail(votes []vote, denials []rankedDenial) string {
	var b strings.Builder
	fmt.Fprintf(&b, "a %s needs %d distinct people, and %d approved:", e.Plan.Transition, e.need, people(votes, e.need))
	for _, v := range votes {
		fmt.Fprintf(&b, " %s;", v.describe())
	}
	for _, d := range denials {
		if d.Code != CodeMissing {
			fmt.Fprintf(&b, " %s does not count, %s;", d.Carrier, d.Code)
		}
	}
	fmt.Fprintf(&b, " signatures by one key, of one allowed-signers line or one e-mail are one person. To approve, others run `%s`", e.command())
	return b.String()
}

// describe names the voter and the carrier, and says why it does not count.
func (v vote) describe() string {
	why := ""
	if !v.counts {
		why = ", does not count: the allowed-signers line of its key has wildcards and names nobody"
	}
	return fmt.Sprintf("%s (%s%s)", v.claim.By, v.carrier.label(), why)
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n  ")
}
