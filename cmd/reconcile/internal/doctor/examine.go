// Package doctor checks whether a failover would work right now. It asks the planner
// about each standby, and tries what an apply would need without changing anything.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
	"milvus-reconcile/plan/release"
	"milvus-reconcile/plan/upgrade"
	"milvus-reconcile/reconcile/ledger"
	"milvus-reconcile/reconcile/milvus"
	"milvus-reconcile/schema"
)

// Examine checks whether a failover of each named topology, or of all, would work now. If
// to is an exact version, it also says how to upgrade the clusters to it. It changes
// nothing, and returns the revision that it read.
func Examine(ctx context.Context, e *wire.Environment, names []string, to release.Version) (render.Diagnosis, desired.Revision, error) {
	x := examination{e: e}
	if err := x.git(ctx); err != nil {
		return render.Diagnosis{}, desired.Revision{}, err
	}
	rev, err := e.Revision(ctx, "", "", names)
	if err != nil {
		return render.Diagnosis{}, desired.Revision{}, err
	}
	d, err := x.examine(ctx, rev, to)
	return d, rev, err
}

// examination collects the checks.
type examination struct {
	e         *wire.Environment
	checks    []render.Check
	undecided map[string]plan.Finding // topologies that no one shard takes
}

func (x *examination) check(c render.Check) { x.checks = append(x.checks, c) }

// git fetches the repository. If the remote cannot be read, every apply would stop; the
// other checks then use the copy of the last fetch.
func (x *examination) git(ctx context.Context) error {
	down := x.e.Fetch(ctx)
	if down == nil {
		x.check(render.Check{Area: "git", Subject: x.e.Git.URL, Verdict: render.CheckOK, Message: "the tracked ref was fetched"})
		return nil
	}
	if _, err := x.e.Repo.UseCopy(); err != nil {
		return fmt.Errorf("%w (hint: %s)", down, breakGlass[0])
	}
	x.check(render.Check{
		Area: "git", Subject: x.e.Git.URL, Verdict: render.CheckFailed, Blocks: true,
		Message: "it cannot be read, and apply does not use a copy: " + down.Error(), Remedy: breakGlass[0],
	})
	return nil
}

// breakGlass says what a person can do if reconcile cannot act. The first is about Git.
var breakGlass = []string{
	"If Git is lost, act from a clone that has the commit and its tags: 'reconcile apply TOPOLOGY --repo CLONE'.",
	"If the ledger or this machine is lost, promote by hand: send the standby UpdateReplicateConfiguration with itself as the only cluster, no topology and force_promote, as Milvus' failover guide says. Then 'reconcile adopt TOPOLOGY'.",
	"Keep a clone, the operator's configuration and its secrets outside the primary's region.",
}

// examine makes all checks for the revision.
func (x *examination) examine(ctx context.Context, rev desired.Revision, to release.Version) (render.Diagnosis, error) {
	topologies := rev.Desired.Topologies
	if len(topologies) == 0 && len(rev.Problems) == 0 {
		return render.Diagnosis{}, fmt.Errorf("there is no topology at commit %.12s (hint: git.path in the configuration names their folder)", rev.Commit)
	}
	for _, p := range rev.Problems {
		x.check(render.Check{Area: "documents", Subject: fmt.Sprintf("%s:%d", p.File, p.Line), Verdict: render.CheckFailed, Message: p.Message, Remedy: p.Hint})
	}
	asked := rev.Desired
	asked.Topologies = slices.Clone(topologies) // observe replaces their roles
	snapshot := x.ledger(ctx, rev.Desired)
	views, rights, err := x.observe(ctx, topologies)
	if err != nil {
		return render.Diagnosis{}, err
	}
	memory := x.e.MemoryOf(ctx, snapshot)
	memory.Now = x.e.Now()
	rev.Desired.Freezes = x.e.Config.Freeze.At(memory.Now)
	asked.Freezes = rev.Desired.Freezes
	x.checkFreeze(memory.Now)
	live := plan.Compute(asked, plan.Observed{Views: views}, memory)
	x.e.RecordLossBounds(ctx, live, memory)
	rehearsals := plan.Rehearse(rev.Desired, plan.Observed{Views: views}, withSeen(memory, live))
	for _, r := range rehearsals {
		if now, ok := live.Topology(r.Topology); !ok || now.UnderWay == nil {
			x.reportOpenIntent(r)
		}
	}
	x.clusters(topologies, views, rights)
	x.contents(topologies, memory)
	x.cdc(ctx, topologies)
	x.rehearsed(topologies, memory)
	traffic, rewritten, err := x.surroundings(ctx, rev, memory.Now)
	if err != nil {
		return render.Diagnosis{}, err
	}
	d := render.Diagnosis{Commit: rev.Commit, At: memory.Now, Checks: x.checks, BreakGlass: breakGlass}
	splits := twoWriters(live)
	for _, t := range topologies {
		now, _ := live.Topology(t.Name)
		diagnosed := x.diagnosed(t, now, rehearsals, observedFacts{rights, traffic, rewritten[t.Name], views})
		diagnosed.TwoWriters = splits[t.Name]
		d.Topologies = append(d.Topologies, diagnosed)
	}
	if to.Exact() {
		d.Upgrades = x.upgrades(ctx, topologies, views, to)
	}
	return d, nil
}

// surroundings checks what a failover needs apart from the clusters. It returns what redirect
// targets would do, by topology/standby, and which topologies the commit governs only because
// the history was rewritten.
func (x *examination) surroundings(ctx context.Context, rev desired.Revision, now time.Time) (traffic map[string][]render.Obstacle, rewritten map[string]string, err error) {
	topologies := rev.Desired.Topologies
	if err := x.approvers(now, topologies); err != nil {
		return nil, nil, err
	}
	x.gitClock(ctx, rev)
	x.checkFiles(ctx, now)
	if traffic, err = x.redirects(ctx, topologies); err != nil {
		return nil, nil, err
	}
	x.checkNotify()
	x.checkLocations(ctx, topologies)
	rewritten, err = x.rewritten(ctx, rev)
	return traffic, rewritten, err
}

// withSeen returns the memory with the outages that this observation shows, so that a
// failover is judged by the same first failed probe as by a status.
func withSeen(m plan.Memory, live plan.Plan) plan.Memory {
	for _, t := range live.Topologies {
		m = m.WithOutages(plan.Outages(t, nil, m))
	}
	return m
}

// twoWriters returns the topologies in which more than one cluster takes writes.
func twoWriters(p plan.Plan) map[string]*render.Obstacle {
	out := map[string]*render.Obstacle{}
	for _, t := range p.Topologies {
		for _, f := range t.Findings {
			if f.Code == plan.CodeSplitBrain {
				out[t.Name] = &render.Obstacle{Code: f.Code, Message: f.Message, Remedy: f.Remedy}
			}
		}
	}
	return out
}

// observe reads the clusters, and replaces the roles in topologies by those that the
// clusters store.
func (x *examination) observe(ctx context.Context, topologies []plan.Topology) ([]plan.View, []milvus.Rights, error) {
	defer x.e.Doing("observing the clusters")()
	reader := x.e.Fleet.Reader()
	views := reader.Observe(ctx, topologies, plan.Depth{Progress: true, Unlisted: true})
	for i, t := range topologies {
		topologies[i] = t.AsLive(plan.Observed{Views: views})
	}
	var more []release.Privilege
	if x.e.Config.Load == schema.LoadAuto {
		more = release.LoadPrivileges()
	}
	rights := reader.Rights(ctx, topologies, views, more...)
	if err := ctx.Err(); err != nil {
		return nil, nil, fmt.Errorf("observe the clusters: %w", err)
	}
	return views, rights, nil
}

// upgrades returns how to upgrade each topology to a version.
func (x *examination) upgrades(ctx context.Context, topologies []plan.Topology, views []plan.View, to release.Version) []upgrade.Advice {
	streams := x.e.Fleet.Reader().Streams(ctx, topologies, views)
	var out []upgrade.Advice
	for _, t := range topologies {
		out = append(out, upgrade.Advise(t, plan.Observed{Views: views}, streams, to))
	}
	return out
}

// rewritten returns the topologies whose history was rewritten. It ignores a ledger that
// cannot be read, which has its own check.
func (x *examination) rewritten(ctx context.Context, rev desired.Revision) (map[string]string, error) {
	if x.e.Config.Ledger.IsZero() || x.e.OverridesTip("") {
		return map[string]string{}, nil
	}
	l, err := x.e.Ledger()
	if err != nil {
		return map[string]string{}, nil //nolint:nilerr // see above
	}
	if _, err := x.e.Recall(ctx, l); err != nil {
		return map[string]string{}, nil //nolint:nilerr // see above
	}
	return x.e.Rewritten(ctx, l, rev)
}

// observedFacts is what the planner does not know.
type observedFacts struct {
	rights    []milvus.Rights
	traffic   map[string][]render.Obstacle // by topology/standby
	rewritten string                       // the commit that governs, if the history was rewritten
	views     []plan.View
}

// diagnosed returns the obstacles of each standby of one topology.
func (x *examination) diagnosed(t plan.Topology, now plan.TopologyPlan, rehearsals []plan.Rehearsal, f observedFacts) render.DiagnosedTopology {
	primary, _ := t.Primary()
	out := render.DiagnosedTopology{Name: t.Name, Primary: primary.ID, UnderWay: now.UnderWay, Outage: now.Outage}
	if now.UnderWay != nil {
		return out // what a failover would come to shows when that has ended
	}
	reach := plan.Observed{Views: f.views}.View(primary.ID).Reach
	out.PrimaryDown = reach == plan.ReachUnreachable || reach == plan.ReachDegraded
	for _, r := range rehearsals {
		if r.Topology != t.Name {
			continue
		}
		s := render.DiagnosedStandby{Cluster: r.Standby, Excluded: r.Excluded, Objective: t.MaxLag}
		if !r.Excluded {
			s.Loss = r.Plan.DataLoss
			s.Waiting, s.Channels, s.Waited = waitingFor(now, r.Standby)
			s.Obstacles = x.obstacles(r, f)
			s.Obstacles = append(s.Obstacles, lossNotVisible(plan.Observed{Views: f.views}.View(primary.ID))...)
			s.Obstacles = append(s.Obstacles, f.traffic[t.Name+"/"+r.Standby]...)
			if t.VerifyLevel(x.e.Config.Limits) != plan.VerifyRole {
				s.Obstacles = append(s.Obstacles, missingVerifyRights(r.Standby, f.rights)...)
			}
		}
		out.Standbys = append(out.Standbys, s)
	}
	return out
}

// waitingFor says on how many channels messages of the primary wait for a standby, and how
// long the oldest at most.
func waitingFor(now plan.TopologyPlan, standby string) (waiting, channels int, oldest *time.Duration) {
	i := slices.IndexFunc(now.Clusters, func(c plan.ClusterPlan) bool { return c.ID == standby })
	if i < 0 {
		return 0, 0, nil
	}
	c := now.Clusters[i]
	for _, p := range c.View.Progress {
		if p.Lacks() {
			waiting++
		}
	}
	if c.Lag != nil {
		oldest = c.Lag.Upper
	}
	return waiting, len(c.View.Progress), oldest
}

// reportOpenIntent adds a warning if an intent is open, which the next apply resumes.
func (x *examination) reportOpenIntent(r plan.Rehearsal) {
	for _, f := range r.Plan.Findings {
		if f.Code == plan.CodePromotionInDoubt && f.Severity == plan.SeverityWarning {
			x.check(render.Check{Area: "ledger", Subject: r.Topology, Verdict: render.CheckWarning, Message: f.Message, Remedy: f.Remedy})
		}
	}
}

// obstacles returns the planner's findings, and what the planner does not know.
func (x *examination) obstacles(r plan.Rehearsal, known observedFacts) []render.Obstacle {
	var out []render.Obstacle
	unread := x.secrets(r.Standby)
	if unread != nil {
		out = append(out, render.Obstacle{Message: unread.Error(), Remedy: "put the secret where the configuration says"})
	}
	standby := plan.Observed{Views: known.views}.View(r.Standby)
	refused := unread == nil && refusesToken(standby)
	if refused {
		message, remedy := refusedToken(x.refusalsOf(r.Standby, known.views), x.tokenOf(r.Standby))
		out = append(out, render.Obstacle{Message: message, Remedy: remedy})
	}
	for _, f := range r.Blocking() {
		if unread != nil && f.Code == plan.CodeCredentialMissing && f.Cluster == r.Standby || refused && followsFromToken(f) {
			continue // that is why
		}
		out = append(out, render.Obstacle{Code: f.Code, Message: f.Message, Remedy: f.Remedy, Acceptable: f.Acceptable})
	}
	for _, f := range r.Plan.Findings {
		if f.Cluster == r.Standby && f.Severity != plan.SeverityBlocking && (f.Code == plan.CodeChannelNotAttached || f.Code == plan.CodePromotionHalfDone) {
			out = append(out, render.Obstacle{Code: f.Code, Message: f.Message, Remedy: f.Remedy})
		}
	}
	if known.rewritten != "" {
		f := plan.HistoryRewritten(known.rewritten)
		out = append(out, render.Obstacle{Code: f.Code, Message: f.Message, Remedy: f.Remedy, Acceptable: f.Acceptable})
	}
	if f, ok := x.undecided[r.Topology]; ok {
		out = append(out, render.Obstacle{Code: f.Code, Message: f.Message, Remedy: f.Remedy})
	}
	if slices.Contains(x.e.Config.Suspend, r.Topology) {
		out = append(out, render.Obstacle{Message: r.Topology + " is suspended by the operator's configuration", Remedy: "take it out of 'suspend' when the work on it is done"})
	}
	for _, may := range known.rights {
		for _, h := range may.Held {
			if may.Cluster == r.Standby && h.Privilege.Stops && h.Held == plan.SupportNo {
				out = append(out, render.Obstacle{Message: r.Standby + " would refuse us: " + h.Detail, Remedy: grantRemedy(h.Privilege.Grant("ROLE"))})
			}
		}
	}
	return out
}

// lossNotVisible returns an obstacle if this machine could not notice the loss of a
// primary, since its name does not resolve or TLS fails already today.
func lossNotVisible(primary plan.View) []render.Obstacle {
	if primary.Reach != plan.ReachUnknown || primary.Credential != plan.CredentialBound {
		return nil
	}
	code := plan.CodePrimaryStateUnknown
	return []render.Obstacle{{
		Code: code, Acceptable: plan.Acceptable(code),
		Message: "this machine could not tell whether " + primary.Cluster + " is lost: its name does not resolve, or TLS fails",
		Remedy:  "repair the name or the certificates by which this machine reaches " + primary.Cluster,
	}}
}

// missingVerifyRights returns the missing rights without which a promotion could not be
// verified.
func missingVerifyRights(standby string, rights []milvus.Rights) []render.Obstacle {
	var out []render.Obstacle
	for _, may := range rights {
		for _, h := range may.Held {
			if may.Cluster == standby && h.Privilege.Verifies && h.Held == plan.SupportNo {
				out = append(out, render.Obstacle{
					Message: fmt.Sprintf("our user lacks %s on %s: %s", h.Privilege.Name, standby, h.Privilege.Cost),
					Remedy:  grantRemedy(h.Privilege.Grant("ROLE")), After: true,
				})
			}
		}
	}
	return out
}

// ledgerClock compares our clock with the newest record. The time of an apply is never
// earlier than that record: a record far ahead would expire approvals before they are
// given.
func (x *examination) ledgerClock(ahead time.Duration) {
	if ahead <= MaxClockDifference {
		return
	}
	c := render.Check{
		Area: "clocks", Subject: "this machine", Verdict: render.CheckWarning,
		Message: fmt.Sprintf("the newest record of the ledger is %s ahead of our clock", plan.DurationText(ahead)), Remedy: "set this machine's clock by NTP",
	}
	if age := x.e.Policy.MaxAgeFor(plan.TransitionFailover); ahead >= age {
		c.Verdict, c.Blocks = render.CheckFailed, true
		c.Message += fmt.Sprintf(", and the time of a check is never earlier than a record: an approval of a failover, which is valid for %s, would end before it is given", plan.DurationText(age))
		c.Remedy += "; if our clock is right, the clock that made the record was wrong; accept the ledger with our time: 'reconcile ledger accept'"
	}
	x.check(c)
}

// ledger reads and verifies the ledger. It returns an empty snapshot if there is none or
// it is damaged.
func (x *examination) ledger(ctx context.Context, d plan.Desired) ledger.Snapshot {
	const area = "ledger"
	if x.e.Config.Ledger.IsZero() {
		x.check(render.Check{Area: area, Verdict: render.CheckFailed, Blocks: true, Message: "there is none, and apply needs one", Remedy: "set ledger.path, or ledger.etcd for several replicas"})
		return ledger.Snapshot{}
	}
	var snapshot ledger.Snapshot
	l, err := x.e.Ledger()
	if err == nil {
		snapshot, err = x.e.Recall(ctx, l)
	}
	if err != nil {
		message := err.Error()
		if corrupt := new(ledger.CorruptError); errors.As(err, &corrupt) {
			message, _, _ = strings.Cut(message, " (hint:") // the remedy is that
		}
		x.check(render.Check{Area: area, Verdict: render.CheckFailed, Blocks: true, Message: message, Remedy: "restore its newest backup; if there is none, go on without the lost records: 'reconcile ledger accept'; 'reconcile history' shows what can be read"})
		return ledger.Snapshot{}
	}
	x.check(x.ledgerCheck(snapshot))
	x.checkLedgerWrites(ctx, l, d.Topologies, snapshot.Memory().Intents)
	x.checkShards(ctx, l, d)
	x.ledgerClock(snapshot.Newest().Sub(x.e.Now()))
	return snapshot
}
