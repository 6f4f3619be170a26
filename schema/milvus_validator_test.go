package schema_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus/pkg/v2/util/replicateutil"
	"pgregory.net/rapid"

	"milvus-reconcile/plan"
	"milvus-reconcile/schema"
)

// refusedDocuments are the rules of Milvus (milvus.md §2.2) that
// validate holds a document to. Each stands with the document that breaks it
// and the configuration that it would become, so that both must be refused:
// the first by us, the second by Milvus' own code.
var refusedDocuments = []struct {
	rule     string
	clusters string // the list of clusters of the document
	problem  string // a part of what validate says
	incoming *commonpb.ReplicateConfiguration
	upstream string // a part of what Milvus says
}{
	{"V2", `[]`, "clusters", configuration(), "clusters list cannot be empty"},
	{"V3", `[null]`, "it must be a mapping", configuration(nil), "is nil"},
	{"V4", `[{id: "", role: primary, uri: "http://a:1"}]`, "id", configuration(entry("", "http://a:1")), "empty clusterID"},
	{"V5", `[{id: "a b", role: primary, uri: "http://a:1"}]`, "id", configuration(entry("a b", "http://a:1")), "whitespace"},
	{"V6", `[{id: a, role: primary}]`, "uri", configuration(&commonpb.MilvusCluster{ClusterId: "a"}), "nil connection_param"},
	{"V7", `[{id: a, role: primary, uri: ""}]`, "uri", configuration(entry("a", "")), "empty URI"},
	{"V8", `[{id: a, role: primary, uri: "10.0.0.1:19530"}]`, "uri", configuration(entry("a", "10.0.0.1:19530")), "invalid URI format"},
	{
		"V9", `[{id: a, role: primary, uri: "http://h:1"}, {id: b, role: standby, uri: "http://h:1", clientAddress: "b:1"}]`, "uri",
		configuration(entry("a", "http://h:1"), entry("b", "http://h:1")), "duplicate URI",
	},
	{
		"V10", `[{id: a, role: primary, uri: "http://a:1", pchannels: []}]`, "pchannels",
		configuration(with(entry("a", "http://a:1"))), "empty pchannels",
	},
	{
		"V10", `[{id: a, role: primary, uri: "http://a:1", pchannels: [""]}]`, "pchannels",
		configuration(with(entry("a", "http://a:1"), "")), "empty pchannel",
	},
	{
		"V10", `[{id: a, role: primary, uri: "http://a:1", pchannels: [x_0, x_0]}]`, "appears twice",
		configuration(with(entry("a", "http://a:1"), "x_0", "x_0")), "duplicate pchannel",
	},
	{
		"V11", `[{id: a, role: primary, uri: "http://a:1"}, {id: b, role: standby, uri: "http://b:1", pchannels: {count: 4}}]`, "channels",
		configuration(entry("a", "http://a:1"), with(entry("b", "http://b:1"), "b_0", "b_1")), "pchannels, but expected",
	},
	{
		"V12", `[{id: a, role: primary, uri: "http://a:1"}, {id: a, role: standby, uri: "http://b:1"}]`, "a",
		configuration(entry("a", "http://a:1"), entry("a", "http://b:1")), "duplicate clusterID",
	},
	{
		"V16", `[{id: a, role: primary, uri: "http://a:1"}, {id: b, role: primary, uri: "http://b:1"}, {id: c, role: standby, uri: "http://c:1"}]`, "second primary",
		edges(configuration(entry("a", "http://a:1"), entry("b", "http://b:1"), entry("c", "http://c:1")), "a", "c", "b", "c"), "center node",
	},
	{
		"H1", `[{id: a, role: standby, uri: "http://a:1"}, {id: b, role: standby, uri: "http://b:1"}]`, "no cluster is primary",
		configuration(entry("a", "http://a:1"), entry("b", "http://b:1")), "primary count is not 1",
	},
}

// neverSent are the rules that no plan can break, since the planner builds every
// configuration as a star of listed members, with the receiver among them:
// TestWhatIsPlannedIsAccepted holds it to that.
var neverSent = []string{"V1", "V13", "V15", "V17", "H2"}

// predicted are the rules against what is stored and live: see
// TestPlanPredictsRefusals.
var predicted = []string{"V14", "V18", "V19", "V20", "V21"}

// TestEveryRuleIsPredicted: none of Milvus' rules is left to the server alone.
func TestEveryRuleIsPredicted(t *testing.T) {
	var have []string
	for _, r := range refusedDocuments {
		have = append(have, r.rule)
	}
	have = append(append(have, neverSent...), predicted...)
	for i := range 21 {
		if rule := fmt.Sprintf("V%d", i+1); !slices.Contains(have, rule) {
			t.Errorf("%s is predicted nowhere", rule)
		}
	}
	for _, rule := range []string{"H1", "H2"} {
		if !slices.Contains(have, rule) {
			t.Errorf("%s is predicted nowhere", rule)
		}
	}
}

func TestValidateRefusesWhatMilvusRefuses(t *testing.T) {
	for _, r := range refusedDocuments {
		t.Run(r.rule, func(t *testing.T) {
			file := "apiVersion: reconcile/v1alpha1\nkind: ReplicationTopology\nmetadata: {name: orders}\nspec:\n  generation: 1\n  clusters: " + r.clusters + "\n"
			_, problems := schema.Parse("orders.yaml", []byte(file))
			if len(problems) == 0 || !strings.Contains(problems.Error(), r.problem) {
				t.Errorf("validate says %q, want something about %q", problems.Error(), r.problem)
			}
			if err := upstream(r.incoming, nil, "a", []string{"a_0"}); err == nil || !strings.Contains(err.Error(), r.upstream) {
				t.Errorf("Milvus says %v, want %q", err, r.upstream)
			}
		})
	}
}

// TestPlanPredictsRefusals: the rules against an earlier state. Each stands with
// the finding of the plan, live and offline, and with the verdict of Milvus.
func TestPlanPredictsRefusals(t *testing.T) {
	stored := proto(star(pair(1, 2)), "t")
	base := pair(1, 2)
	other, fewer, moved, longer := pair(2, 2), pair(2, 1), pair(2, 2), pair(2, 3)
	other.Clusters[1].URI = "http://elsewhere:1"
	moved.Clusters[1].PChannels = []string{"b_1", "b_0"}
	removed := pair(2, 3)
	removed.Clusters[1].Role = plan.RoleDetached
	served := func(v plan.View, more bool) plan.View {
		for i, name := range []string{v.Cluster + "_0", v.Cluster + "_1", v.Cluster + "_2"} {
			v.Progress = append(v.Progress, plan.ChannelProgress{Channel: name, Known: i < 2 || more})
		}
		return v
	}
	for _, c := range []struct {
		rule, name string
		doc        plan.Topology
		change     func(plan.View) plan.View
		code       plan.Code
		words      string
		offline    bool // the documents alone show it
	}{
		{"V14", "the clusters were not restarted with more channels", longer, func(v plan.View) plan.View { return served(v, false) }, plan.CodeServerWouldReject, "not the one it runs with", false},
		{"V18", "fewer channels", fewer, nil, plan.CodeServerWouldReject, "lets channels only grow", true},
		{"V18", "channels at other positions", moved, nil, plan.CodeServerWouldReject, "lets channels only grow", true},
		{"V19", "another uri", other, nil, plan.CodeServerWouldReject, "refuses to change it", true},
		{"V20", "a token is never read back, so the plan says what cannot be seen", flipped(2), nil, plan.CodeKnownIssue, "#52734", false},
		{"V21", "growth and a removal", removed, nil, plan.CodeMixedChange, "#50041", true},
	} {
		t.Run(c.rule+" "+c.name, func(t *testing.T) {
			doc := c.doc
			doc.Previous = &base
			views := live(base)
			for i := range views {
				if c.change != nil {
					views[i] = c.change(views[i])
				}
			}
			d := plan.Desired{Topologies: []plan.Topology{doc}}
			m := plan.Memory{Now: at}
			if p := plan.Compute(d, plan.Observed{Views: views}, m).Topologies[0]; !says(p, c.code, c.words) {
				t.Errorf("plan does not predict it: %+v", p.Findings)
			}
			if p := plan.Offline(d, m).Topologies[0]; says(p, c.code, c.words) != c.offline {
				t.Errorf("plan --offline says %+v", p.Findings)
			}
			incoming := proto(star(doc), "t")
			if c.rule == "V20" {
				incoming = proto(star(doc), "rotated")
			}
			if upstream(incoming, stored, "a", []string{"a_0", "a_1"}) == nil {
				t.Error("Milvus accepts it")
			}
		})
	}
}

// TestWhatIsPlannedIsAccepted: a plan that nothing blocks sends no configuration
// that Milvus refuses.
func TestWhatIsPlannedIsAccepted(t *testing.T) {
	judged := map[plan.Transition]int{}
	drawn := func(t *rapid.T) {
		before := draw(t, 1)
		doc := change(t, before)
		views := live(before)
		p := plan.Compute(plan.Desired{Topologies: []plan.Topology{doc}}, plan.Observed{Views: views}, plan.Memory{Now: at}).Topologies[0]
		if p.Blocked(nil) {
			return
		}
		for _, s := range p.Steps {
			if !s.Action.Sends() {
				continue
			}
			i := slices.IndexFunc(views, func(v plan.View) bool { return v.Cluster == s.Cluster })
			c, _ := doc.Cluster(s.Cluster)
			stored := proto(views[i].Belief.Configuration, "t")
			if err := upstream(proto(*s.After, "t"), stored, s.Cluster, c.PChannels); err != nil {
				t.Fatalf("Milvus would refuse the %s on %s: %v", s.Action, s.Cluster, err)
			}
			judged[p.Transition]++
		}
	}
	for range 20 { // by chance, all drawn changes of one round may be blocked
		if rapid.Check(t, drawn); len(judged) > 0 || t.Failed() {
			return
		}
	}
	t.Error("nothing was judged")
}

var at = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// upstream is the verdict of Milvus' own code.
func upstream(incoming, stored *commonpb.ReplicateConfiguration, self string, channels []string) error {
	if err := replicateutil.NewReplicateConfigValidator(incoming, stored, self, channels).Validate(); err != nil {
		return err
	}
	_, err := replicateutil.NewConfigHelper(self, incoming)
	return err
}

func says(p plan.TopologyPlan, code plan.Code, words string) bool {
	return slices.ContainsFunc(p.Findings, func(f plan.Finding) bool { return f.Code == code && strings.Contains(f.Message, words) })
}

func entry(id, uri string) *commonpb.MilvusCluster {
	return with(&commonpb.MilvusCluster{ClusterId: id, ConnectionParam: &commonpb.ConnectionParam{Uri: uri, Token: "t"}}, id+"_0")
}

func with(c *commonpb.MilvusCluster, channels ...string) *commonpb.MilvusCluster {
	c.Pchannels = channels
	return c
}

func configuration(clusters ...*commonpb.MilvusCluster) *commonpb.ReplicateConfiguration {
	return &commonpb.ReplicateConfiguration{Clusters: clusters}
}

// edges adds an edge for each two ids.
func edges(c *commonpb.ReplicateConfiguration, ids ...string) *commonpb.ReplicateConfiguration {
	for i := 0; i < len(ids); i += 2 {
		c.CrossClusterTopology = append(c.CrossClusterTopology, &commonpb.CrossClusterTopology{SourceClusterId: ids[i], TargetClusterId: ids[i+1]})
	}
	return c
}

func proto(c plan.Configuration, token string) *commonpb.ReplicateConfiguration {
	if len(c.Clusters) == 0 {
		return nil
	}
	out := &commonpb.ReplicateConfiguration{}
	for _, m := range c.Clusters {
		out.Clusters = append(out.Clusters, &commonpb.MilvusCluster{
			ClusterId: m.ID, Pchannels: m.PChannels,
			ConnectionParam: &commonpb.ConnectionParam{Uri: m.URI, Token: token},
		})
	}
	for _, e := range c.Edges {
		edges(out, e.From, e.To)
	}
	return out
}

func member(id string, role plan.Role, channels int) plan.Cluster {
	c := plan.Cluster{ID: id, Role: role, URI: "http://" + id + ":1", ClientAddress: id + ":1", Promotable: true}
	for i := range channels {
		c.PChannels = append(c.PChannels, fmt.Sprintf("%s_%d", id, i))
	}
	return c
}

// pair has a replicate to b.
func pair(generation int64, channels int) plan.Topology {
	return plan.Topology{
		Name: "orders", Generation: generation,
		Clusters: []plan.Cluster{member("a", plan.RolePrimary, channels), member("b", plan.RoleStandby, channels)},
	}
}

// flipped has b replicate to a.
func flipped(channels int) plan.Topology {
	t := pair(2, channels)
	t.Clusters[0].Role, t.Clusters[1].Role = plan.RoleStandby, plan.RolePrimary
	return t
}

// star is what the members of a document store once it is applied.
func star(t plan.Topology) plan.Configuration {
	primary, _ := t.Primary()
	var out plan.Configuration
	for _, c := range t.Clusters {
		switch c.Role {
		case plan.RoleStandby:
			out.Edges = append(out.Edges, plan.Edge{From: primary.ID, To: c.ID})
			fallthrough
		case plan.RolePrimary:
			out.Clusters = append(out.Clusters, plan.Member{ID: c.ID, URI: c.URI, PChannels: c.PChannels})
		default: // in no configuration
		}
	}
	return out
}

// live are the clusters as a document that was applied leaves them.
func live(t plan.Topology) []plan.View {
	var out []plan.View
	for _, c := range t.Clusters {
		v := plan.View{
			Cluster: c.ID, At: at, Reach: plan.ReachUp, Credential: plan.CredentialBound, ReadsConfiguration: plan.SupportYes,
			ForcePromotes: plan.SupportYes, IdentityProven: true, Contents: plan.Contents{Known: true},
		}
		switch c.Role {
		case plan.RolePrimary, plan.RoleStandby:
			v.Belief = plan.ClassifyBelief(c.ID, star(t))
		case plan.RoleDetached:
			v.Belief = plan.ClassifyBelief(c.ID, plan.Configuration{Clusters: []plan.Member{{ID: c.ID, URI: c.URI, PChannels: c.PChannels}}})
		default:
			v.Belief = plan.Belief{Kind: plan.BeliefUnconfigured}
		}
		out = append(out, v)
	}
	return out
}

// draw is a document of up to five clusters.
func draw(t *rapid.T, generation int64) plan.Topology {
	const most, channels = 5, 2
	n := rapid.IntRange(2, most).Draw(t, "clusters")
	primary := rapid.IntRange(0, n-1).Draw(t, "primary")
	doc := plan.Topology{Name: "orders", Generation: generation}
	for i := range n {
		role := rapid.SampledFrom([]plan.Role{plan.RoleStandby, plan.RoleStandby, plan.RoleStandby, plan.RoleStale, plan.RoleDetached}).Draw(t, "role")
		if i == primary {
			role = plan.RolePrimary
		}
		doc.Clusters = append(doc.Clusters, member(string(rune('a'+i)), role, channels))
	}
	return doc
}

// change is another document of the same clusters, or one in which two of them
// trade places or one is let go.
func change(t *rapid.T, before plan.Topology) plan.Topology {
	doc := before
	doc.Generation, doc.Previous = before.Generation+1, &before
	doc.Clusters = append([]plan.Cluster(nil), before.Clusters...)
	i, j := rapid.IntRange(0, len(doc.Clusters)-1).Draw(t, "one"), rapid.IntRange(0, len(doc.Clusters)-1).Draw(t, "other")
	switch rapid.IntRange(0, 2).Draw(t, "change") {
	case 0:
		doc.Clusters[i].Role, doc.Clusters[j].Role = doc.Clusters[j].Role, doc.Clusters[i].Role
	case 1:
		if doc.Clusters[i].Role == plan.RoleStandby {
			doc.Clusters[i].Role = plan.RoleDetached
		}
	default:
		other := draw(t, doc.Generation)
		other.Previous = &before
		return other
	}
	return doc
}
