package milvus

import (
	"context"
	"errors"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/tokens"
)

// core reads reach, version and belief. A cluster that does not answer costs one deadline,
// which ends at until: while the configuration does not come, core asks the coordinator in
// parallel. With secondDeadline the coordinator of a cluster that speaks gets another
// deadline.
func (r *viewReader) core(ctx context.Context, until time.Time) {
	whole, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	meanwhile, enough := context.WithCancel(whole)
	defer enough()
	var stored *commonpb.ReplicateConfiguration
	var configuration, coordinator outcome
	came := make(chan struct{})
	var told bool
	runAll(
		func() { r.view.Version, told = r.version(whole) },
		func() {
			defer close(came)
			if stored, configuration = r.configuration(whole); configuration.reach != plan.ReachDegraded {
				enough()
			}
		},
		func() {
			if !arrivesWithin(came, r.fleet.awaitSoon) {
				coordinator = r.coordinator(meanwhile)
			}
		},
	)
	if configuration.reach == plan.ReachDegraded && !coordinator.answered() && whole.Err() == nil { // not asked yet, or over a connection that broke
		coordinator = r.coordinator(whole)
	}
	if r.options.secondDeadline && coordinator.reach != plan.ReachUp && r.lateAnswer(configuration) {
		configuration.reach, coordinator = plan.ReachDegraded, r.coordinatorAgain(ctx, until)
	}
	var h hangCheck
	if r.options.askTwice && told && configuration.timedOut() && coordinator.answered() && hangsUnconfigured(r.view.Version) {
		h = hangCheck{version: r.view.Version, configuration: configuration, coordinator: coordinator}
		stored = r.askAgain(ctx, &h)
		configuration, coordinator = h.second, h.secondCoordinator
	}
	if ctx.Err() != nil && !configuration.answered() {
		configuration = outcome{class: plan.ClassOther, err: errCutShort}
	}
	r.setView(stored, configuration, coordinator, h.unconfigured())
}

// askAgain asks for configuration and coordinator a second time. That tells a cluster
// without a configuration from one that is stuck.
func (r *viewReader) askAgain(ctx context.Context, h *hangCheck) (stored *commonpb.ReplicateConfiguration) {
	runAll(
		func() { stored, h.second = r.configuration(ctx) },
		func() { h.secondCoordinator = r.coordinator(ctx) },
	)
	return stored
}

// lateAnswer says whether a cluster that is there did not give its configuration. It may
// have begun to speak just when the deadline of the call passed.
func (r *viewReader) lateAnswer(configuration outcome) bool {
	return configuration.reach == plan.ReachDegraded ||
		configuration.class == plan.ClassTimeout && r.trace.seen(nil).stage == stageSpoke
}

// coordinatorAgain gives the coordinator a deadline of its own: before, it was asked while
// the connection was made, and in parallel to the configuration. The deadline ends a
// little before two read timeouts are over, so that the round still counts.
func (r *viewReader) coordinatorAgain(ctx context.Context, until time.Time) outcome {
	ctx, cancel := context.WithDeadline(ctx, until.Add(r.fleet.readTimeout-r.fleet.awaitSoon))
	defer cancel()
	return r.coordinator(ctx)
}

// arrivesWithin says whether a channel is closed within a time.
func arrivesWithin(came <-chan struct{}, within time.Duration) bool {
	soon := time.NewTimer(within)
	defer soon.Stop()
	select {
	case <-came:
		return true
	case <-soon.C:
		return false
	}
}

// errCutShort is why a view is unknown although the cluster was called: ctx ended before
// the deadline of the call. That the cluster did not answer until then shows nothing.
var errCutShort = errors.New("the observation was cut short")

// setView derives reach, class and belief from the answers. inferred says that the cluster
// is believed to have no configuration because it never answers for one.
func (r *viewReader) setView(stored *commonpb.ReplicateConfiguration, configuration, coordinator outcome, inferred bool) {
	v := &r.view
	v.Reach, v.Class = combine(configuration, coordinator)
	if configuration.err != nil {
		v.Error = r.fleet.secrets.Scrub(tokens.Text(configuration.err))
	}
	if configuration.class == plan.ClassUnauthenticated {
		v.Credential = plan.CredentialRefused
	}
	switch {
	case configuration.answered():
		v.ReadsConfiguration = plan.SupportYes
		v.Belief, v.IdentityConflict = r.believeStored(stored)
	case configuration.class == plan.ClassUnimplemented:
		v.ReadsConfiguration = plan.SupportNo
	case inferred:
		// A server that lacks the call says so at once; one that waits has it.
		v.ReadsConfiguration = plan.SupportYes
		v.Belief = plan.Belief{Kind: plan.BeliefUnconfigured, Inferred: true}
	}
}

// version returns the build tag, which may be empty, and whether the cluster gave one.
func (r *viewReader) version(ctx context.Context) (tag string, told bool) {
	ctx, cancel := r.withReadTimeout(ctx)
	defer cancel()
	resp, err := r.api.Connect(ctx, &milvuspb.ConnectRequest{
		ClientInfo: &commonpb.ClientInfo{SdkType: "milvus-reconcile", LocalTime: r.fleet.clock.Now().String()},
	})
	if err != nil || resp.GetStatus().GetCode() != 0 {
		return "", false
	}
	return r.fleet.secrets.Scrub(resp.GetServerInfo().GetBuildTags()), true
}

// configuration reads the stored configuration.
func (l *link) configuration(ctx context.Context) (*commonpb.ReplicateConfiguration, outcome) {
	ctx, cancel := l.withReadTimeout(ctx)
	defer cancel()
	resp, err := l.api.GetReplicateConfiguration(ctx, &milvuspb.GetReplicateConfigurationRequest{})
	if err != nil {
		return nil, classify(err, l.trace.seen(err))
	}
	return resp.GetConfiguration(), classifyStatus(resp.GetStatus())
}

// coordinator reads something that every cluster has and that its proxy must ask the
// coordinator for.
func (l *link) coordinator(ctx context.Context) outcome {
	ctx, cancel := l.withReadTimeout(ctx)
	defer cancel()
	resp, err := l.api.ListDatabases(ctx, &milvuspb.ListDatabasesRequest{})
	if err != nil {
		return classify(err, l.trace.seen(err))
	}
	return classifyStatus(resp.GetStatus())
}
