package schema_test

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/plan"
)

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
