package schema

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/plan"
)

const minimal = `apiVersion: reconcile/v1alpha1
kind: ReplicationTopology
metadata: {name: orders}
spec:
  generation: 7
  clusters:
    - {id: b, role: standby, uri: "http://b.example:19530"}
    - {id: a, role: primary, uri: "http://a.example:19530"}
`

const writtenOut = `# the same, said in full and in another order
spec:
  failover: {verify: ddl, blockPeriod: 60m, probes: 3, unavailableFor: 30000ms}
  switchover:
    timeout: 600s
    catchUpWithin: 0.5m
  objectives: {maxLag: "10s"}
  clusters:
    - id: "a"
      role: primary
      uri: 'http://a.example:19530'
      clientAddress: a.example:19530
      promotable: true
      pchannels: {prefix: a-rootcoord-dml_, count: 16}
    - id: b
      role: standby
      uri: http://b.example:19530
      pchannels: {count: 16}
  generation: 7
metadata:
  name: orders
kind: ReplicationTopology
apiVersion: reconcile/v1alpha1
`

func mustParse(t *testing.T, text string) []plan.Topology {
	t.Helper()
	got, problems := Parse("t.yaml", []byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return got
}

func TestParseFillsInDefaults(t *testing.T) {
	got := mustParse(t, minimal)
	a, b := got[0].Clusters[0], got[0].Clusters[1]
	if len(a.PChannels) != 16 || a.PChannels[10] != "a-rootcoord-dml_10" || len(b.PChannels) != 16 {
		t.Errorf("channels: %q, %q", a.PChannels, b.PChannels)
	}
	a.PChannels, b.PChannels = nil, nil
	want := plan.Topology{
		Name: "orders", Generation: 7, MaxLag: 10 * time.Second,
		Switchover: plan.Switchover{CatchUpWithin: 30 * time.Second, Timeout: 10 * time.Minute},
		Failover:   plan.Failover{UnavailableFor: 30 * time.Second, Probes: 3, BlockPeriod: time.Hour, Verify: plan.VerifyDDL},
		At:         plan.Position{File: "t.yaml", Line: 1, Column: 1},
		Clusters: []plan.Cluster{
			{
				ID: "a", Role: plan.RolePrimary, URI: "http://a.example:19530", ClientAddress: "a.example:19530",
				Promotable: true, At: plan.Position{File: "t.yaml", Line: 8, Column: 7},
			},
			{
				ID: "b", Role: plan.RoleStandby, URI: "http://b.example:19530", ClientAddress: "b.example:19530",
				Promotable: true, At: plan.Position{File: "t.yaml", Line: 7, Column: 7},
			},
		},
	}
	got[0].Clusters = []plan.Cluster{a, b}
	if diff := cmp.Diff([]plan.Topology{want}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestParseAccepts(t *testing.T) {
	tests := []struct {
		name, entry string
		want        func(plan.Cluster) any
		value       any
	}{
		{"another port", `{uri: "https://a.example:443"}`, func(c plan.Cluster) any { return c.ClientAddress }, "a.example:443"},
		{"IPv6", `{uri: "http://[::1]:19530"}`, func(c plan.Cluster) any { return c.ClientAddress }, "[::1]:19530"},
		{"an address without a name", `{uri: "http://10.0.0.1:19530"}`, func(c plan.Cluster) any { return c.ClientAddress }, "10.0.0.1:19530"},
		{"no port but an address", `{uri: "https://a.example", clientAddress: "10.0.0.1:19530"}`, func(c plan.Cluster) any { return c.ClientAddress }, "10.0.0.1:19530"},
		{"not promotable", `{uri: "http://a:1", promotable: false}`, func(c plan.Cluster) any { return c.Promotable }, false},
		{"prefix", `{uri: "http://a:1", pchannels: {prefix: by-dev-dml_, count: 1}}`, func(c plan.Cluster) any { return c.PChannels[0] }, "by-dev-dml_0"},
		{"list past 9", `{uri: "http://a:1", pchannels: [c_8, c_9, c_10, c_11]}`, func(c plan.Cluster) any { return c.PChannels[3] }, "c_11"},
		{"list without numbers", `{uri: "http://a:1", pchannels: [north, east]}`, func(c plan.Cluster) any { return c.PChannels[0] }, "north"},
		{"time zone", `{uri: "http://a:1", provisioned: {from: restored, at: 2026-11-01T10:00:00+01:00}}`, func(c plan.Cluster) any { return c.Provisioned.At }, time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)},
		{"time in lower case", `{uri: "http://a:1", provisioned: {from: restored, at: 2026-11-01t09:00:00z}}`, func(c plan.Cluster) any { return c.Provisioned.At }, time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)},
		{"byte order mark", "{uri: 'http://a:1'}", func(c plan.Cluster) any { return c.ID }, "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := "apiVersion: reconcile/v1alpha1\r\nkind: ReplicationTopology\r\nmetadata: {name: x}\r\nspec:\r\n  generation: 1\r\n  clusters: [{id: a, role: primary, " + tt.entry[1:] + "]\r\n"
			if tt.name == "byte order mark" {
				text = "\ufeff---\n" + text
			}
			got := mustParse(t, text)
			if diff := cmp.Diff(tt.value, tt.want(got[0].Clusters[0])); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"secondary", "role: standby", "role: secondary", "did you mean standby?"},
		{"master", "role: standby", "role: Master", "did you mean primary?"},
		{"case of a key", "generation: 7", "Generation: 7", "did you mean generation?"},
		{"missing generation", "  generation: 7\n", "", `"generation" is missing`},
		{"fraction", "generation: 7", "generation: 7.5", "read as the number 7.5"},
		{"not a number", "generation: 7", "generation: .nan", "no JSON form"},
		{"great generation", "generation: 7", "generation: 9007199254740992", "more than 9007199254740991"},
		{"name with a dot", "name: orders", "name: orders.eu", "right form"},
		{"long name", "name: orders", "name: " + strings.Repeat("o", 64), "longer than 63"},
		{"long id", "id: b", "id: " + strings.Repeat("b", 64), "right form"},
		{"blank id", "id: b", "id: 'b '", "right form"},
		{"password in a uri without scheme", "http://b.example", "root:Milvus@b.example", "user or password"},
		{"query", "b.example:19530", "b.example:19530/?x", "query or fragment"},
		{"same uri", "http://b.example", "http://a.example", "also that of cluster"},
		{"same address", "http://b.example", "https://a.example", "the address"},
		{"id in id", "id: b", "id: xa", "contains the id"},
		{"no primary", "role: primary", "role: stale", "no cluster is primary"},
		{"token", "role: standby", "role: standby, rootToken: x", "secrets and credentials never"},
		{"command", "role: standby", "role: standby, postCommand: x", "commands and hooks"},
		{"tag", "name: orders", "name: !!str orders", "explicit tags"},
		{"bare tag", "generation: 7", "generation: ! 7", "explicit tags"},
		{"second document on the end marker", "metadata: {name: orders}", "metadata: {name: orders}\n... x: y", "not valid YAML"},
		{"bidirectional mark", "metadata:", "# \u202e\nmetadata:", "U+202E"},
		{"zero-width space", "id: b", "id: \"b\u200b\"", "U+200B"},
		{"next line mark", "id: b", "id: \"b\u0085\"", "U+0085"},
		{"escaped control", "id: b", `id: "b\x07"`, "U+0007"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(minimal, tt.old, tt.new, 1)
			got, problems := Parse("t.yaml", []byte(text))
			if len(got) != 0 {
				t.Errorf("a bad document was let through: %v", got)
			}
			if !strings.Contains(problems.Error(), tt.want) {
				t.Errorf("%q is missing in:\n%v", tt.want, problems)
			}
			if strings.Contains(problems.Error(), "Milvus@") {
				t.Errorf("a secret is shown: %v", problems)
			}
		})
	}
}

func TestParseBounds(t *testing.T) {
	many := strings.Repeat("---\n{}\n", maxDocuments+1)
	large := minimal + "#" + strings.Repeat(" ", maxFileSize)
	for name, text := range map[string]string{"more than 100 documents": many, "bytes, more than the": large} {
		got, problems := Parse("t.yaml", []byte(text))
		if len(got) != 0 || len(problems) != 1 || !strings.Contains(problems.Error(), name) {
			t.Errorf("%s: %d topologies, %v", name, len(got), problems)
		}
	}
}

// TestHostileFiles: what is large and senseless is refused in time near to
// its size; a quadratic step would show here.
func TestHostileFiles(t *testing.T) {
	head := strings.Split(minimal, "    - ")[0]
	repeat := func(s string) string { return strings.Repeat(s, maxFileSize/8/len(s)) }
	tests := map[string]string{
		"many values on one line": head + "    [" + repeat("a,") + "]",
		"many tags on one line":   head + "    [" + repeat("! a,") + "]",
		"many clusters":           head + repeat("    - {id: a, role: standby, uri: \"http://a.example\"}\n"),
		"one key many times":      repeat("a: 1\n"),
		"deep lists":              repeat("["),
		"deep block lists":        repeat("- "),
		"a long scalar":           "a: " + repeat("x"),
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			got, problems := Parse("t.yaml", []byte(text))
			if len(got) != 0 || len(problems) == 0 || len(problems) > maxProblems {
				t.Errorf("%d topologies, %d problems", len(got), len(problems))
			}
		})
	}
}

// TestNullIsNotATopology: an explicit null is something, not nothing.
func TestNullIsNotATopology(t *testing.T) {
	for _, text := range []string{"~", "null", "--- ~\n"} {
		got, problems := Parse("t.yaml", []byte(text))
		if len(got) != 0 || len(problems) != 1 {
			t.Errorf("%q: %v, %v", text, got, problems)
		}
	}
}

func TestGoodDocumentsGoOn(t *testing.T) {
	bad := "---\n{unclosed\n---\n# a comment\n---\n" + strings.Replace(minimal, "primary", "primry", 1)
	other := "---\n" + strings.NewReplacer("orders", "accounts", "id: a", "id: c", "id: b", "id: d").Replace(minimal)
	got, problems := Parse("t.yaml", []byte(other+bad+"...\n"+minimal))
	if len(got) != 2 || got[0].Name != "accounts" || got[1].Name != "orders" {
		t.Errorf("got %v", got)
	}
	if len(problems) != 2 || problems[0].Line != 10 || problems[1].Line != 22 {
		t.Errorf("problems: %v", problems)
	}
}

func TestEmptyFilesHaveNoProblems(t *testing.T) {
	for _, text := range []string{"", "# comment\n", "---\n", "---\n...\n---\n# x\n", "\ufeff"} {
		if got, problems := Parse("t.yaml", []byte(text)); len(got) != 0 || len(problems) != 0 {
			t.Errorf("%q: %v, %v", text, got, problems)
		}
	}
}
