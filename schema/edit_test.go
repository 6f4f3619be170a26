package schema

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/plan"
)

var rebuilt = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

const handWritten = `# who to call: the storage team
apiVersion: reconcile/v1alpha1
kind: ReplicationTopology
metadata:
  name: orders # do not rename
spec:
  generation: 7   # raised with every change
  clusters:
    # Frankfurt
    - id: a
      role: primary     # since March
      uri: http://a.example:19530

    - {id: b, role: "standby", uri: "http://b.example:19530"} # Dublin
`

func TestEditTouchesNothingElse(t *testing.T) {
	swap := Change{Generation: 8, Roles: map[string]plan.Role{"a": plan.RoleStale, "b": plan.RolePrimary}}
	tests := []struct {
		name   string
		text   string
		change Change
		edits  []string // pairs of old and new text
	}{
		{"roles and generation", handWritten, swap, []string{"generation: 7 ", "generation: 8 ", "role: primary ", "role: stale ", `"standby"`, `"primary"`}},
		{"no change", handWritten, Change{}, nil},
		{"byte order mark", "\ufeff" + handWritten, swap, []string{"generation: 7 ", "generation: 8 ", "role: primary ", "role: stale ", `"standby"`, `"primary"`}},
		{
			"second document", minimal + "---\n" + strings.ReplaceAll(strings.ReplaceAll(minimal, "orders", "carts"), "7", "40") + "...\n# end\n",
			Change{Generation: 8},
			[]string{"generation: 7", "generation: 8"},
		},
		{
			"a broken document next to it", minimal + "---\nkind: [\n", Change{Generation: 8}, []string{"generation: 7", "generation: 8"},
		},
		{
			"a rehearsal", handWritten,
			Change{Generation: 8, Rehearse: &plan.RehearsalRequest{To: "b", Generation: 8}},
			[]string{"generation: 7   # raised with every change", "generation: 8   # raised with every change\n  rehearse: {to: b, generation: 8}"},
		},
		{
			"a rehearsal after an earlier one", strings.Replace(handWritten, "  clusters:", "  rehearse: {to: b, generation: 3}\n  clusters:", 1),
			Change{Generation: 8, Rehearse: &plan.RehearsalRequest{To: "b", Generation: 8}},
			[]string{"generation: 7 ", "generation: 8 ", "{to: b, generation: 3}", "{to: b, generation: 8}"},
		},
		{
			"provisioned in a block", handWritten,
			Change{Provisioned: map[string]plan.Provisioned{"a": {From: plan.ProvisionedRestored, At: rebuilt, Evidence: "INFRA-9"}}},
			[]string{"role: primary     # since March", "role: primary     # since March\n      provisioned: {from: restored, at: 2026-11-20T08:00:00Z, evidence: INFRA-9}"},
		},
		{
			"provisioned in braces", handWritten,
			Change{Provisioned: map[string]plan.Provisioned{"b": {From: plan.ProvisionedEmpty, At: rebuilt, Evidence: `say "yes": 1`}}},
			[]string{`"standby"`, `"standby", provisioned: {from: empty, at: 2026-11-20T08:00:00Z, evidence: "say \"yes\": 1"}`},
		},
		{
			"provisioned again", strings.Replace(minimal, "role: standby,", `provisioned: { at: "2026-01-01T00:00:00Z", from: empty }, role: standby,`, 1),
			Change{Provisioned: map[string]plan.Provisioned{"b": {From: plan.ProvisionedRestored, At: rebuilt}}},
			[]string{`{ at: "2026-01-01T00:00:00Z", from: empty }`, "{from: restored, at: 2026-11-20T08:00:00Z}"},
		},
		{
			"wide characters before the value", strings.Replace(minimal, "role: standby,", `provisioned: {from: empty, at: 2026-01-01T00:00:00Z, evidence: "π𝄞"}, role: standby,`, 1),
			Change{Roles: map[string]plan.Role{"b": plan.RoleDetached}},
			[]string{"role: standby", "role: detached"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := strings.NewReplacer(tt.edits...).Replace(tt.text)
			for _, ending := range []string{"\n", "\r\n"} {
				text := strings.ReplaceAll(tt.text, "\n", ending)
				got, err := Edit("t.yaml", []byte(text), "orders", tt.change)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(strings.ReplaceAll(want, "\n", ending), string(got)); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			}
		})
	}
}

func TestEditRefuses(t *testing.T) {
	stale := Change{Roles: map[string]plan.Role{"b": plan.RoleStale}}
	again := Change{Provisioned: map[string]plan.Provisioned{"b": {From: plan.ProvisionedEmpty, At: rebuilt}}}
	tests := []struct {
		name, text string
		change     Change
		want       string
	}{
		{"another name", strings.ReplaceAll(minimal, "orders", "carts"), stale, `no topology "orders"`},
		{"twice", minimal + "---\n" + minimal, stale, "appears in it twice"},
		{"not valid", strings.Replace(minimal, "role: primary", "role: king", 1), stale, "king"},
		{"not valid afterwards", minimal, Change{Roles: map[string]plan.Role{"b": plan.RolePrimary}}, "second primary"},
		{"unknown cluster", minimal, Change{Roles: map[string]plan.Role{"z": plan.RoleStale}}, `no cluster "z"`},
		{"unknown role", minimal, Change{Roles: map[string]plan.Role{"b": "king"}}, "king"},
		{"role that would be YAML", minimal, Change{Roles: map[string]plan.Role{"b": "stale, promotable: false"}}, "edit would change more"},
		{"escapes", strings.Replace(minimal, "role: standby", `role: "st\x61ndby"`, 1), stale, "with escapes"},
		{"folded", strings.Replace(minimal, "{id: b, role: standby, uri: \"http://b.example:19530\"}", "id: b\n      uri: http://b.example:19530\n      role: >-\n        standby", 1), stale, "several lines"},
		{"generation below 1", minimal, Change{Generation: -1}, "-1 is less than 1"},
		{"provisioned unsaid", minimal, Change{Provisioned: map[string]plan.Provisioned{"b": {}}}, "give from and at"},
		{
			"provisioned over several lines", strings.Replace(minimal, "role: standby,", "role: standby, provisioned: {from: empty, # a note\n      at: 2026-01-01T00:00:00Z},", 1),
			again, "in braces on one line",
		},
		{
			"provisioned as a block", strings.Replace(minimal, "{id: b, role: standby, uri: \"http://b.example:19530\"}", "id: b\n      uri: http://b.example:19530\n      role: standby\n      provisioned:\n        from: empty\n        at: 2026-01-01T00:00:00Z", 1),
			again, "in braces on one line",
		},
		{"bytes", "\xff", stale, "UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Edit("t.yaml", []byte(tt.text), "orders", tt.change)
			if got != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %q, %v; want %q", got, err, tt.want)
			}
			var problems Problems
			var refused *EditError
			if !errors.As(err, &problems) && !errors.As(err, &refused) {
				t.Errorf("an error of neither kind: %T", err)
			}
		})
	}
}
