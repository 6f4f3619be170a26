package milvus

import (
	"errors"
	"fmt"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/release"
)

// checkShape refuses a step that no plan of ours contains, before anybody is
// called. A force promote names exactly the cluster itself and no edges
// (milvus.md §2.9); anything else that carries the flag could, on a
// server that ignores it, remove every standby (S06).
func checkShape(t plan.Topology, s plan.Step) error {
	if _, ok := t.Cluster(s.Cluster); !ok {
		return fmt.Errorf("%s is not in topology %s", s.Cluster, t.Name)
	}
	if s.After == nil {
		return errors.New("the step carries no configuration")
	}
	if _, ok := s.After.Member(s.Cluster); !ok {
		return errors.New("the configuration does not name the cluster that gets it")
	}
	switch s.Action {
	case plan.ActionForcePromote:
		if len(s.After.Clusters) != 1 || len(s.After.Edges) != 0 {
			return errors.New("a force promote names exactly one cluster and no edges")
		}
		return nil
	case plan.ActionFence:
		if _, ok := s.After.SourceOf(s.Cluster); !ok {
			return errors.New("a fence makes the cluster a target")
		}
		return nil
	case plan.ActionUpdate:
		return nil
	default:
		return fmt.Errorf("a step %q sends nothing", s.Action)
	}
}

// oldSource returns the cluster that a force promote takes the standby from. A stored
// configuration names it. Servers whose configuration cannot be read have none; then it is
// the one cluster that the file calls stale or had as its primary before.
func oldSource(t plan.Topology, s plan.Step) (string, error) {
	if s.Before != nil {
		if source, ok := s.Before.SourceOf(s.Cluster); ok {
			return source, nil
		}
		return "", fmt.Errorf("%s was not a standby when the plan was made", s.Cluster)
	}
	if t.Previous != nil {
		if p, ok := t.Previous.Primary(); ok && p.ID != s.Cluster {
			return p.ID, nil
		}
	}
	return "", fmt.Errorf("the plan does not say which cluster %s replicated from", s.Cluster)
}

// checkReady refuses a step that the cluster, as it answers now, must not get.
func checkReady(s plan.Step, v plan.View) error {
	switch {
	case v.Reach != plan.ReachUp:
		return fmt.Errorf("%s is %s: %s", s.Cluster, v.Reach, v.Error)
	case v.IdentityConflict != "":
		return fmt.Errorf("%s answers at the address of %s", v.IdentityConflict, s.Cluster)
	case s.ForcePromote() && v.ForcePromotes != plan.SupportYes:
		return fmt.Errorf("%s is not proven to honour force_promote (Milvus %s does)", s.Cluster, release.Parse(v.Version).Since(release.FeatureForcePromote))
	case s.ForcePromote():
		return nil
	case !v.IdentityProven:
		return fmt.Errorf("nothing proves that %s is what answers at its address", s.Cluster)
	case v.ReadsConfiguration != plan.SupportYes:
		return fmt.Errorf("what %s stores cannot be read, so an update could not be judged (Milvus %s can)", s.Cluster, release.Parse(v.Version).Since(release.FeatureReadConfiguration))
	default:
		return nil
	}
}

// toProto returns the configuration without tokens.
func toProto(c plan.Configuration) *commonpb.ReplicateConfiguration {
	out := &commonpb.ReplicateConfiguration{}
	for _, m := range c.Clusters {
		out.Clusters = append(out.Clusters, &commonpb.MilvusCluster{
			ClusterId: m.ID, Pchannels: m.PChannels, ConnectionParam: &commonpb.ConnectionParam{Uri: m.URI},
		})
	}
	for _, e := range c.Edges {
		out.CrossClusterTopology = append(out.CrossClusterTopology, &commonpb.CrossClusterTopology{
			SourceClusterId: e.From, TargetClusterId: e.To,
		})
	}
	return out
}

// request returns what the step sends. A force promote has no tokens: the server takes its
// own stored entry (milvus.md §2.9). Every other configuration carries the token of each
// member, which must be a credentialed member of this topology with exactly the bound uri
// (contract.md §3).
func (f *Fleet) request(t plan.Topology, s plan.Step) (*commonpb.ReplicateConfiguration, error) {
	out := toProto(*s.After)
	if s.ForcePromote() {
		return out, nil
	}
	for _, m := range out.GetClusters() {
		if _, listed := t.Cluster(m.GetClusterId()); !listed {
			return nil, fmt.Errorf("%s is not in topology %s, so its token stays here", m.GetClusterId(), t.Name)
		}
		cred, ok := f.credentials[m.GetClusterId()]
		if !ok {
			return nil, fmt.Errorf("the operator's configuration has no credential for %s", m.GetClusterId())
		}
		token, err := f.replicationToken(cred, m.GetConnectionParam().GetUri())
		if err != nil {
			return nil, f.secrets.Err(err)
		}
		m.ConnectionParam.Token = token
	}
	return out, nil
}
