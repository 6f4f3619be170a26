package milvus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/release"
	"milvus-reconcile/reconcile/milvus/parallel"
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
		return fmt.Errorf("the stored configuration of %s cannot be read, so the outcome of an update would not be known (Milvus %s can)", s.Cluster, release.Parse(v.Version).Since(release.FeatureReadConfiguration))
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

// stepState is what a read says about a step. The zero value is undecided.
type stepState int

const (
	undecided stepState = iota
	unchanged           // the state from before the step
	halfway             // the same, and the force promote is half done: no request ends that
	effected            // the state that the step wants
	elsewhere           // neither: somebody else changed it
)

// judgeStep says what a view means for a step.
func judgeStep(s plan.Step, source string, v plan.View) stepState {
	if v.Reach != plan.ReachUp || v.IdentityConflict != "" {
		return undecided
	}
	if s.ForcePromote() {
		said := judgePromotion(s.Cluster, source, v.Belief)
		if said == unchanged && v.HalfPromoted() {
			return halfway
		}
		return said
	}
	return judgeUpdate(s.Before, *s.After, v.Belief)
}

// judgePromotion judges a force promote: a promoted cluster stores itself alone, and only
// a standby of the same source may get the request again (contract.md §8.5).
func judgePromotion(self, source string, b plan.Belief) stepState {
	switch b.Kind {
	case plan.BeliefStandalone:
		if _, ok := b.Configuration.Member(self); ok {
			return effected
		}
		return elsewhere
	case plan.BeliefStandby:
		if b.Source == source {
			return unchanged
		}
		return elsewhere
	case plan.BeliefPrimary, plan.BeliefUnconfigured:
		return elsewhere
	default:
		return undecided
	}
}

// judgeUpdate compares the lists in any order: the set gives the roles. The planner
// resumes an intent by the same comparison.
func judgeUpdate(before *plan.Configuration, after plan.Configuration, b plan.Belief) stepState {
	switch {
	case b.Kind == plan.BeliefUnknown:
		return undecided
	case b.Configuration.SameSet(after):
		return effected
	case before == nil && b.Kind == plan.BeliefUnconfigured:
		return unchanged
	case before != nil && b.Configuration.SameSet(*before):
		return unchanged
	default:
		return elsewhere
	}
}

// answer is how the server answered a request that changes it. The zero value is doubtful:
// the request may or may not have taken effect.
type answer int

const (
	doubtful answer = iota
	accepted
	refused // definitely, and nothing will come of it
	unsent  // no transport, so no request left
)

// refusals are the words with which Milvus refuses a configuration before it does anything
// (milvus.md §2.2, §2.9). Other words under the same code may hide a deadline between its
// own parts.
var refusals = []string{
	"config cannot be nil", "clusters list cannot be empty", "is nil", "has empty clusterID", "containing whitespace",
	"has nil connection_param", "has empty URI", "has invalid URI format", "duplicate URI found", "has empty pchannel",
	"has duplicate pchannel", "but expected", "duplicate clusterID found", "must be included in the clusters list",
	"current pchannels do not match", "references non-existent", "duplicate topology relationship", "star topology",
	"pchannels cannot decrease", "existing pchannels must be preserved", "cannot be changed", "when pchannels are increasing",
	"primary count is not 1", "wrong replicate configuration", "pchannel count is not equal",
	"can only be used on secondary clusters", "current cluster not found", "force promote requires",
}

// classifyAnswer classifies the end of a request. "Can only be used on secondary clusters"
// is a refusal; whether an earlier request of ours caused it, the read-back decides.
func classifyAnswer(s *commonpb.Status, err error, left bool) answer {
	if err != nil {
		switch code := status.Code(err); {
		case !left:
			return unsent
		case code == codes.Unauthenticated, code == codes.PermissionDenied, code == codes.Unimplemented:
			return refused
		default:
			return doubtful
		}
	}
	o := classifyStatus(s)
	switch {
	case o.err == nil:
		return accepted
	case o.class == plan.ClassUnauthenticated, o.class == plan.ClassPermissionDenied:
		return refused
	case o.reach == plan.ReachDegraded:
		return doubtful
	}
	for _, words := range refusals {
		if strings.Contains(s.GetReason(), words) {
			return refused
		}
	}
	return doubtful
}

// longestDelay is the longest pause between two tries.
const longestDelay = 8 * time.Second

// nextDelay returns the pause before a try: 1, 2, 4, then 8 seconds (contract.md §8.5).
func nextDelay(try int) time.Duration {
	const doublings = 3
	if try > doublings {
		return longestDelay
	}
	return min(time.Second<<max(try-1, 0), longestDelay)
}

// holdEvery is how often the receivers of a change are read back.
const holdEvery = time.Second

// HoldsConfiguration reads the receivers of steps back for the duration within. It fails
// at the first receiver that no longer stores the configuration of its step: an older
// change that arrives by replication can undo a step seconds after it was read back
// (Milvus #52727). A receiver that does not answer counts only at the end.
func (f *Fleet) HoldsConfiguration(ctx context.Context, t plan.Topology, steps []plan.Step, within time.Duration) error {
	bound := f.bind(t)
	until := f.clock.Now().Add(within)
	views := make([]plan.View, len(steps))
	for {
		parallel.Each(len(steps), f.concurrency, func(i int) { views[i] = f.view(ctx, t, bound[steps[i].Cluster], probeOptions{}) })
		var silent []string
		for i, v := range views {
			switch {
			case v.Belief.Kind == plan.BeliefUnknown:
				silent = append(silent, steps[i].Cluster)
			case !holdsStep(v.Belief, steps[i]):
				return plan.FellBackError{Topology: t.Name, Cluster: steps[i].Cluster, Wanted: *steps[i].After, Belief: v.Belief}
			}
		}
		switch over := !f.clock.Now().Before(until); {
		case over && len(silent) > 0:
			return fmt.Errorf("%s could not be read back", strings.Join(silent, ", "))
		case over:
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(errors.New("the members were not read back long enough"), context.Cause(ctx))
		case <-f.clock.After(holdEvery):
		}
	}
}

// holdsStep says whether a cluster believes what a step wanted. For a server that cannot
// give its configuration, its source counts.
func holdsStep(b plan.Belief, s plan.Step) bool {
	if len(b.Configuration.Clusters) == 0 && b.Source != "" {
		source, follows := s.After.SourceOf(s.Cluster)
		return follows && source == b.Source
	}
	return b.Configuration.SameSet(*s.After)
}
