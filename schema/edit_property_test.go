package schema

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"milvus-reconcile/plan"
)

// TestEditKeepsComments: whatever a valid file looks like, an edit that is not
// refused parses to exactly what was asked for, the other documents stay, and
// every comment survives in its place.
func TestEditKeepsComments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &fileWriter{t: t, newline: rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "line ending")}
		names := []string{"orders", "carts", "catalog"}[:rapid.IntRange(1, 3).Draw(t, "documents")]
		for i, name := range names {
			w.document(name, i)
		}
		before := w.text()
		if _, problems := Parse("t.yaml", before); len(problems) > 0 {
			t.Fatalf("the generator wrote a bad file: %v\n%s", problems, before)
		}
		name := rapid.SampledFrom(names).Draw(t, "name")
		change := drawChange(t, name)
		after, err := Edit("t.yaml", before, name, change)
		if err != nil {
			t.Fatalf("refused: %v\n%s", err, before)
		}
		compareTopologies(t, before, after, name, change)
		rest := string(after)
		for _, comment := range w.comments {
			_, tail, ok := strings.Cut(rest, comment)
			if !ok {
				t.Fatalf("the comment %q is gone or moved:\n%s", comment, after)
			}
			rest = tail
		}
	})
}

func drawChange(t *rapid.T, name string) Change {
	c := Change{Roles: map[string]plan.Role{}, Provisioned: map[string]plan.Provisioned{}}
	if rapid.Bool().Draw(t, "raise") {
		c.Generation = rapid.Int64Range(1, 1<<40).Draw(t, "generation")
	}
	primary := rapid.IntRange(0, 2).Draw(t, "primary")
	for i := range 3 {
		c.Roles[memberOf(name, i)] = rapid.SampledFrom([]plan.Role{plan.RoleStandby, plan.RoleStale, plan.RoleDetached}).Draw(t, "role")
	}
	c.Roles[memberOf(name, primary)] = plan.RolePrimary
	if rapid.Bool().Draw(t, "provision") {
		c.Provisioned[memberOf(name, rapid.IntRange(0, 2).Draw(t, "cluster"))] = plan.Provisioned{
			From:     rapid.SampledFrom([]plan.ProvisionedFrom{plan.ProvisionedEmpty, plan.ProvisionedRestored}).Draw(t, "from"),
			At:       time.Unix(rapid.Int64Range(1e9, 2e9).Draw(t, "at"), 0),
			Evidence: rapid.StringMatching(`[a-zA-Z0-9 "'#:{},\\é-]{0,12}`).Draw(t, "evidence"),
		}
	}
	return c
}

func compareTopologies(t *rapid.T, before, after []byte, name string, change Change) {
	old, _ := Parse("t.yaml", before)
	got, problems := Parse("t.yaml", after)
	if len(problems) > 0 || len(got) != len(old) {
		t.Fatalf("%v\n%s", problems, after)
	}
	for i, x := range old {
		want := x
		if x.Name == name {
			if change.Generation > 0 {
				want.Generation = change.Generation
			}
			for j, c := range want.Clusters {
				want.Clusters[j].Role = change.Roles[c.ID]
				if p, ok := change.Provisioned[c.ID]; ok {
					want.Clusters[j].Provisioned = p
				}
			}
		}
		if Hash(want) != Hash(got[i]) {
			t.Fatalf("%s is\n%+v\nwant\n%+v\n%s", x.Name, got[i], want, after)
		}
	}
}

func memberOf(name string, i int) string { return fmt.Sprintf("%s-%c", name, 'a'+i) }

// fileWriter writes valid files in many forms, and remembers every comment.
type fileWriter struct {
	t        *rapid.T
	newline  string
	b        strings.Builder
	comments []string
}

func (w *fileWriter) text() []byte {
	return []byte(strings.ReplaceAll(w.b.String(), "\n", w.newline))
}

// line writes one line, perhaps with a comment on it or above it.
func (w *fileWriter) line(indent int, text string) {
	if w.chance("above") {
		w.b.WriteString(strings.Repeat(" ", rapid.IntRange(0, 6).Draw(w.t, "indent")) + w.comment() + "\n")
	}
	w.b.WriteString(strings.Repeat(" ", indent) + text)
	if w.chance("next to it") {
		w.b.WriteString(" " + w.comment())
	}
	w.b.WriteString("\n")
}

func (w *fileWriter) comment() string {
	c := fmt.Sprintf("# %d %s", len(w.comments), rapid.StringMatching(`[a-z:{}"'é \-]{0,10}[a-z]`).Draw(w.t, "comment"))
	w.comments = append(w.comments, c)
	return c
}

func (w *fileWriter) chance(of string) bool { return rapid.IntRange(0, 3).Draw(w.t, of) == 0 }

func (w *fileWriter) scalar(s string) string {
	return rapid.SampledFrom([]string{s, "'" + s + "'", `"` + s + `"`}).Draw(w.t, "quotes")
}

func (w *fileWriter) document(name string, i int) {
	if i > 0 || w.chance("marker") {
		w.line(0, "---")
	}
	spec := func() {
		w.line(0, "spec:")
		w.line(2, fmt.Sprintf("generation: %d", rapid.IntRange(1, 99).Draw(w.t, "old generation")))
		w.line(2, "clusters:")
		for j := range 3 {
			w.cluster(name, j)
		}
	}
	if w.chance("spec first") {
		spec()
		spec = func() {}
	}
	w.line(0, "apiVersion: reconcile/v1alpha1")
	w.line(0, "kind: ReplicationTopology")
	w.line(0, "metadata: {name: "+w.scalar(name)+"}")
	spec()
	if w.chance("end") {
		w.b.WriteString("...\n")
	}
}

func (w *fileWriter) cluster(name string, j int) {
	role := "standby"
	if j == 0 {
		role = "primary"
	}
	fields := []string{
		"id: " + w.scalar(memberOf(name, j)), "role: " + w.scalar(role),
		fmt.Sprintf("uri: \"http://%s.example:19530\"", memberOf(name, j)),
	}
	if w.chance("provisioned") {
		fields = append(fields, "provisioned: {from: empty, at: "+w.scalar("2026-01-01T00:00:00Z")+", evidence: 'é # no comment'}")
	}
	fields = rapid.Permutation(fields).Draw(w.t, "order")
	switch rapid.IntRange(0, 2).Draw(w.t, "form") {
	case 0:
		w.line(4, "- {"+strings.Join(fields, ", ")+"}")
	case 1:
		w.line(4, "- {"+fields[0]+",")
		for _, f := range fields[1:] {
			w.line(8, f+",")
		}
		w.line(6, "}")
	default:
		w.line(4, "- "+fields[0])
		for _, f := range fields[1:] {
			w.line(6, f)
		}
	}
}
