package render

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/safetext"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// TestThePageOfOneTopologyFitsAScreen: 24 lines of 80 columns, the prompt among them,
// for each transition, each finding, and each end of an apply.
func TestThePageOfOneTopologyFitsAScreen(t *testing.T) {
	for name, d := range everyDocument(t) {
		for _, topology := range d.Plan.Topologies {
			single := d
			single.Plan.Topologies = []plan.TopologyPlan{topology}
			fitsAScreen(t, name+" "+topology.Name, func(w io.Writer) error { return Table(w, single, TableOptions{}) })
		}
	}
	for name, c := range applyGoldens() {
		for _, r := range c.results {
			topology, _ := c.document.Plan.Topology(r.Topology)
			single := c.document
			single.Plan.Topologies = []plan.TopologyPlan{topology}
			fitsAScreen(t, name+" "+r.Topology, func(w io.Writer) error {
				return Apply(w, FormTable, single, []Result{r}, TableOptions{})
			})
		}
	}
}

// TestTheWorstMixtureFitsAScreen: all findings at once, about many clusters with long
// names, in every state of the approval.
func TestTheWorstMixtureFitsAScreen(t *testing.T) {
	findings := everyFinding(t)
	for _, kind := range []Kind{KindPlan, KindDrift, KindStatus} {
		for _, transition := range []plan.Transition{
			plan.TransitionNone, plan.TransitionBootstrap, plan.TransitionAddStandby, plan.TransitionDetach,
			plan.TransitionGrowChannels, plan.TransitionSwitchover, plan.TransitionFailover, plan.TransitionFence,
		} {
			for name, a := range map[string]Approval{
				"missing": missing(), "approved": approved(plan.CodeNotMostCaughtUp, plan.CodeRecoveryBlock),
				"denied": {Verdict: approval.VerdictDenied, Code: approval.CodeSelfApproved, Detail: strings.Repeat("alice wrote the change herself, and so did others; ", 8)},
			} {
				for _, size := range []int{2, 12} {
					topology := worstMixture(findings, transition, size)
					d := document(topology).approve(topology.Name, a)
					d.Kind = kind
					what := fmt.Sprintf("%s %s, approval %s, %d clusters", kind, transition, name, size)
					out := fitsAScreen(t, what, func(w io.Writer) error { return Table(w, d, TableOptions{}) })
					if !strings.Contains(out, " NOT SHOWN") {
						t.Errorf("%s: nothing says that findings are left out:\n%s", what, out)
					}
				}
			}
		}
	}
}

// worstMixture is a transition of many clusters with every finding that is kept.
func worstMixture(findings []plan.Finding, transition plan.Transition, size int) plan.TopologyPlan {
	w := failover()
	w.Name, w.Transition = "orders-and-invoices-eu-central", transition
	w.Clusters = append(w.Clusters[:2:2], extraMembers(size-2)...)
	w.Findings = append(slices.Clone(w.Findings), findings...)
	return w
}

// everyFinding are the findings of all situations that are kept, each longer than it was.
func everyFinding(t *testing.T) []plan.Finding {
	t.Helper()
	var out []plan.Finding
	for _, code := range plan.AllCodes() {
		if _, ok := unsaid[code]; ok {
			continue
		}
		for _, f := range documentWith(t, code).Plan.Topologies[0].Findings {
			f.Message += ", and more is to be said of it, which takes another line of the page at least"
			out = append(out, f)
		}
	}
	return out
}

func extraMembers(n int) []plan.ClusterPlan {
	var out []plan.ClusterPlan
	for i := range n {
		out = append(out, down("standby-of-a-region-"+number(i), plan.RoleStale))
	}
	return out
}

// fitsAScreen checks a page of 80 columns, and leaves one line of 24 to the prompt.
func fitsAScreen(t *testing.T, what string, draw func(io.Writer) error) string {
	t.Helper()
	out := string(rendered(t, draw))
	lines := 0
	for l := range strings.Lines(out) {
		l = strings.TrimRight(l, "\n")
		if columns(l) > defaultWidth && !alone(l) {
			t.Errorf("%s: %d columns: %s", what, columns(l), l)
		}
		lines += max(1, (columns(l)+defaultWidth-1)/defaultWidth)
	}
	if lines >= 24 {
		t.Errorf("%s: %d lines:\n%s", what, lines, out)
	}
	return out
}

// TestMarkdownKeepsTheOrderOfThePage: the rows and the commands of the comment on a pull
// request come in the order of the page, with its words.
func TestMarkdownKeepsTheOrderOfThePage(t *testing.T) {
	for name, d := range everyDocument(t) {
		for _, topology := range d.topologies() {
			if d.oneLineOnly(topology) {
				continue
			}
			comment, b := d.markdownTopology(topology), d.brief(topology, detail{notes: true})
			parts := []string{safetext.Markdown(b.headline)}
			for _, r := range b.rows {
				parts = append(parts, safetext.MarkdownProse(r.text))
			}
			for _, a := range b.actions {
				parts = append(parts, "**"+a.label+"** "+safetext.MarkdownProse(a.words))
				if a.command != "" {
					parts = append(parts, "\n"+a.command+"\n")
				}
			}
			rest := comment
			for _, part := range parts {
				_, after, found := strings.Cut(rest, part)
				if !found {
					t.Errorf("%s: %q is missing, or not in the order of the page:\n%s", name, part, comment)
					break
				}
				rest = after
			}
		}
	}
}

// TestEveryCommandStandsAlone: what is to be typed is a line of its own, which a triple
// click copies, and holds no placeholder but the reason.
func TestEveryCommandStandsAlone(t *testing.T) {
	for name, d := range everyDocument(t) {
		for _, topology := range d.topologies() {
			for _, a := range d.actions(topology) {
				if rest := strings.ReplaceAll(a.command, `"WHY"`, ""); placeholder().MatchString(strings.ReplaceAll(rest, "--accept ", "")) && !strings.Contains(rest, "--accept") {
					t.Errorf("%s: a placeholder: %s", name, a.command)
				}
				if strings.Contains(a.words, "Failover-Accept") || a.words == "" && a.command == "" {
					t.Errorf("%s: %+v", name, a)
				}
			}
		}
	}
}

// TestGoldenParts keeps what each option adds below the brief.
func TestGoldenParts(t *testing.T) {
	for name, parts := range map[string]Parts{
		"parts_findings": {Findings: true}, "parts_steps": {Steps: true}, "parts_trailers": {Trailers: true}, "parts_all": {All: true},
	} {
		t.Run(name, func(t *testing.T) {
			compare(t, name+".table", func(w io.Writer) error {
				return Table(w, goldens()["failover_behind"], TableOptions{Parts: parts})
			})
		})
	}
}
