package render

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// refused says why a command would be refused in a state of the world, as far as that can be
// told from the state alone; nil: nothing is known for which it would be.
func refused(w world, t plan.TopologyPlan, command string) error {
	words := strings.Fields(command)
	topology, cluster, _ := strings.Cut(words[min(2, len(words)-1)], "/")
	document := w.desired.Topologies[0]
	has := func(option string) bool { return slices.Contains(words, option) }
	switch {
	case words[0] != "reconcile" || topology != document.Name:
		return nil
	case cluster != "":
		if _, listed := document.Cluster(cluster); !listed {
			return fmt.Errorf("there is no cluster %s", cluster)
		}
	}
	switch words[1] {
	case "fence":
		return fenceRefused(w, cluster)
	case "approve":
		return approvalRefused(t, cluster, words)
	case "salvage":
		return salvageRefused(w, t, valueOf(words, "--from"))
	case "adopt":
		_, err := plan.ProposeAdoption(document, w.observed, valueOf(words, "--primary"))
		return err
	case "propose":
		switch {
		case has("--cancel"):
			_, err := plan.ProposeCancel(document, w.observed, w.memory)
			return err
		case cluster != "" && has("--failover"):
			_, err := plan.ProposeFailover(document, cluster)
			return err
		case has("--failover"):
			_, _, _, err := plan.ProposeBestFailover(document, w.observed, w.memory)
			return err
		}
	}
	return nil
}

// valueOf is the value of an option of a command; empty: it is not given.
func valueOf(words []string, option string) string {
	if i := slices.Index(words, option); i >= 0 {
		return words[i+1]
	}
	return ""
}

// salvageRefused says why a cluster cannot be salvaged: it is not stale and was not before, or
// one of the two does not answer.
func salvageRefused(w world, t plan.TopologyPlan, from string) error {
	var stale []string
	for _, c := range w.desired.Topologies[0].Clusters {
		if _, marked := w.memory.StaleSince(c.ID); c.Role == plan.RoleStale || marked {
			stale = append(stale, c.ID)
		}
	}
	switch {
	case from == "" && len(stale) == 1:
		from = stale[0]
	case !slices.Contains(stale, from):
		return fmt.Errorf("of %v none is salvaged by %q", stale, from)
	}
	if !answers(w, from) || !answers(w, t.Primary) {
		return fmt.Errorf("%s or %s does not answer", from, t.Primary)
	}
	return nil
}

func answers(w world, cluster string) bool { return w.observed.View(cluster).Reach == plan.ReachUp }

// fenceRefused plans the fence. Without a record it rests on reads that only a fence makes.
func fenceRefused(w world, cluster string) error {
	w.desired.Fence = []plan.FenceRequest{{Topology: w.desired.Topologies[0].Name, Cluster: cluster}}
	p := w.planned()
	unread := len(w.memory.Failovers) == 0
	for _, f := range p.Blocking(nil) {
		if !unread || f.Code != plan.CodeRoleUnknown {
			return fmt.Errorf("%s: %s", f.Code, f.Message)
		}
	}
	if p.Transition != plan.TransitionFence {
		return fmt.Errorf("there is nothing to fence: %s", p.Transition)
	}
	return nil
}

// approvalRefused says why an approval would not help.
func approvalRefused(t plan.TopologyPlan, cluster string, words []string) error {
	var accepted []plan.Code
	for i, word := range words {
		if word == "--accept" {
			accepted = append(accepted, plan.Code(words[i+1]))
		}
	}
	for _, f := range t.Blocking(nil) {
		switch {
		case plan.NeedsCommit(f.Code), f.Code != plan.CodePrimaryNotProbed && !f.Acceptable:
			return fmt.Errorf("no approval makes up for %s", f.Code)
		case f.Acceptable && !slices.Contains(accepted, f.Code):
			return fmt.Errorf("it does not accept %s", f.Code)
		}
	}
	if t.Transition == plan.TransitionNone || cluster != t.Primary {
		return fmt.Errorf("it approves %s, and the change is %s to %s", cluster, t.Transition, t.Primary)
	}
	return nil
}

// applyRefused says why an apply would be refused after the approvals that a page asks for
// before it.
func applyRefused(t plan.TopologyPlan, accepted []plan.Code) error {
	if t.Transition == plan.TransitionNone && !t.Has(plan.CodeTrafficNotRedirected) {
		return errors.New("there is nothing to apply")
	}
	for _, f := range t.Blocking(accepted) {
		if f.Code != plan.CodePrimaryNotProbed {
			return fmt.Errorf("%s blocks it", f.Code)
		}
	}
	return nil
}

// everyWorld are the states of two clusters: every answer of each, every role of the second,
// and what the ledger holds of failovers before.
func everyWorld() map[string]world {
	views := func(id, other string) map[string]plan.View {
		named := gone(id)
		named.Reach, named.Class = plan.ReachUnknown, plan.ClassDNS
		wiped, unread := storing(id, plan.Configuration{}), storing(id, plan.Configuration{})
		wiped.Contents.Known = true
		unread.Belief, unread.ReadsConfiguration = plan.Belief{}, plan.SupportNo
		return map[string]plan.View{
			"empty": wiped, "alone": storing(id, star(id)), "primary": storing(id, star(id, other)), "standby": storing(id, star(other, id)),
			"unread": unread, "down": gone(id), "unnamed": named,
		}
	}
	at := night.Add(-2 * time.Hour)
	mark := func(stale, promoted string, since time.Time) plan.StaleMark {
		return plan.StaleMark{Cluster: stale, Topology: "orders", Since: since, Promoted: promoted, Effected: true}
	}
	memories := map[string]plan.Memory{
		"": {},
		"after a failover": {
			Stale: []plan.StaleMark{mark("cluster-b", "cluster-a", at)}, Failovers: []plan.LastFailover{{Topology: "orders", Promoted: "cluster-a", At: at}},
		},
		"after a second failover": {
			Stale:     []plan.StaleMark{mark("cluster-a", "cluster-b", at.Add(-time.Hour)), mark("cluster-b", "cluster-a", at)},
			Failovers: []plan.LastFailover{{Topology: "orders", Promoted: "cluster-b", At: at.Add(-time.Hour)}, {Topology: "orders", Promoted: "cluster-a", At: at}},
		},
	}
	out := map[string]world{}
	for _, role := range []plan.Role{plan.RoleStandby, plan.RoleStale, plan.RoleDetached} {
		for before, m := range memories {
			for a, va := range views("cluster-a", "cluster-b") {
				for b, vb := range views("cluster-b", "cluster-a") {
					w := roles("orders", plan.RolePrimary, role).seen(va, vb)
					w.memory.Stale, w.memory.Failovers = m.Stale, m.Failovers
					out[fmt.Sprintf("primary is %s, %s is %s %s", a, role, b, before)] = w
				}
			}
		}
	}
	return out
}

// TestNoPageTellsWhatIsRefused: in every state of two clusters the page says what to type
// whenever something is wrong or to be done, and none of its commands would be refused in that
// state, as far as it shows that. What is to be done only under a condition, or after another
// step, is not refused by the state of now.
func TestNoPageTellsWhatIsRefused(t *testing.T) {
	for name, w := range everyWorld() {
		p := w.planned()
		for _, a := range []Approval{missing(), approved()} {
			for _, kind := range []Kind{KindPlan, KindStatus} {
				d := document(p)
				d.Kind = kind
				if p.Transition != plan.TransitionNone {
					d.Approvals["orders"] = a
				}
				what := fmt.Sprintf("%s, %s, %s", name, kind, a.Verdict)
				checkActions(t, what, w, d)
				page := fitsAScreen(t, what, func(out io.Writer) error { return Table(out, d, TableOptions{}) })
				for _, line := range inProse.FindAllString(page, -1) {
					t.Errorf("%s: a command stands between words: %s", what, line)
				}
			}
		}
	}
}

func checkActions(t *testing.T, what string, w world, d Document) {
	t.Helper()
	p := d.topologies()[0]
	actions := d.actions(p)
	if len(actions) == 0 && (hasTrouble(p) || p.Transition != plan.TransitionNone) {
		t.Errorf("%s: nothing is to be done about %s, %+v", what, p.Transition, codesOf(p.Findings))
	}
	var accepted []plan.Code
	if d.approval(p).Verdict == approval.VerdictApproved {
		accepted = d.accepted(p)
	}
	edited := false
	for i, a := range actions {
		if a.command == "" || strings.HasPrefix(a.command, "reconcile ") == strings.HasPrefix(a.command, "git ") {
			t.Errorf("%s: %s has no command: %q", what, a.label, a.words)
		}
		conditional := a.label == labelOr && (strings.HasPrefix(a.words, "if ") || strings.HasPrefix(a.words, "after "))
		if a.command == "" {
			continue
		}
		err := refused(w, p, a.command)
		if strings.HasPrefix(a.command, "reconcile apply ") {
			for _, f := range p.Blocking(nil) {
				if i > 0 && strings.Contains(actions[i-1].command, "--accept "+string(f.Code)) {
					accepted = append(accepted, f.Code)
				}
			}
			err = applyRefused(p, accepted)
		}
		if err != nil && !conditional && !edited {
			t.Errorf("%s: %s %s is refused: %v", what, a.label, a.command, err)
		}
		edited = edited || a.edits()
	}
}
