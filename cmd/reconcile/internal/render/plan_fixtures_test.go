package render

import (
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// The fixtures tell one story: orders, with cluster-a as its primary and
// cluster-b as its standby, in the night of 2026-11-22.
var night = time.Date(2026, 11, 22, 21, 59, 34, 0, time.UTC)

const (
	fixtureCommit = "4f1c2e9d0a1b5c6d7e8f90112233445566778899"
	fixtureDigest = "sha256:3f9c1d2e4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
)

func ptr[T any](v T) *T { return &v }

func document(topologies ...plan.TopologyPlan) Document {
	d := Document{
		Plan: plan.Plan{
			Commit: fixtureCommit, At: night, Ledger: plan.LedgerEmbedded, Topologies: topologies,
		},
		Approvals: map[string]Approval{}, GeneratedAt: night,
	}
	for _, t := range topologies {
		if t.Transition != plan.TransitionNone {
			d.Plan.Digest = "sha256:" + strings.Repeat("ab", 32)
			d.Approvals[t.Name] = missing()
		}
	}
	return d
}

func (d Document) approve(name string, a Approval) Document {
	d.Approvals[name] = a
	return d
}

func missing() Approval {
	return Approval{
		Verdict: approval.VerdictDenied, Code: "APPROVAL_MISSING", Commit: fixtureCommit,
		Detail: "commit 4f1c2e9d0a1b, which governs orders, carries no approval of this change. " +
			"To approve, run `reconcile approve orders/cluster-b --reason TEXT`, or sign a tag below failover/ on it whose message ends in the paragraph\n" +
			"  Failover-Approved: orders/cluster-b\n  Failover-Approved-By: NAME <E-MAIL>\n  Failover-Reason: TEXT",
	}
}

func approved(codes ...plan.Code) Approval {
	return Approval{
		Verdict: approval.VerdictApproved, By: []string{"Alice Smith <alice@example.com>"},
		Commit: fixtureCommit, Accepted: codes, Detail: "approved by Alice Smith <alice@example.com> until 2026-11-22T23:40:00Z",
	}
}

func members(channels int, ids ...string) []plan.Member {
	var out []plan.Member
	for _, id := range ids {
		m := plan.Member{ID: id, URI: "http://" + id + ".example:19530"}
		for i := range channels {
			m.PChannels = append(m.PChannels, id+"-rootcoord-dml_"+number(i))
		}
		out = append(out, m)
	}
	return out
}

// star is the configuration in which source replicates to all targets.
func star(source string, targets ...string) plan.Configuration {
	c := plan.Configuration{Clusters: members(2, append([]string{source}, targets...)...)}
	for _, to := range targets {
		c.Edges = append(c.Edges, plan.Edge{From: source, To: to})
	}
	return c
}

func up(id string, role plan.Role, stored plan.Configuration) plan.ClusterPlan {
	return plan.ClusterPlan{ID: id, DesiredRole: role, View: plan.View{
		Cluster: id, At: night, Reach: plan.ReachUp, Version: "2.6.19", Belief: plan.ClassifyBelief(id, stored),
	}}
}

func down(id string, role plan.Role) plan.ClusterPlan {
	return plan.ClusterPlan{ID: id, DesiredRole: role, View: plan.View{
		Cluster: id, At: night, Reach: plan.ReachUnreachable, Class: plan.ClassRefused,
		Error: "dial tcp 10.1.0.7:19530: connect: connection refused",
	}}
}

func finding(code plan.Code, severity plan.Severity, cluster, message, remedy string) plan.Finding {
	return plan.Finding{
		Code: code, Severity: severity, Cluster: cluster, Message: message, Remedy: remedy,
		At: plan.Position{File: "topologies/orders.yaml", Line: 9, Column: 7},
	}
}

func window(upper time.Duration) *plan.Window {
	through := night.Add(-upper)
	w := &plan.Window{
		ReplicatedUpTo: through, Lower: ptr(time.Duration(0)), Upper: &upper,
		Method: plan.MethodRecorded, Age: ptr(31 * time.Second),
	}
	for i, d := range []time.Duration{upper, upper / 8} {
		w.PerChannel = append(w.PerChannel, plan.ChannelWindow{
			Channel: "cluster-b-rootcoord-dml_" + number(i), ReplicatedUpTo: night.Add(-d), Started: true, Known: true, Upper: ptr(d),
		})
	}
	return w
}
