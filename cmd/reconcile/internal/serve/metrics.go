package serve

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/daemon"
)

// Metrics holds the series of contract.md §9. Gauges are read from a snapshot at each
// scrape; counters count as things happen. No label holds an address, a token or a
// message. It has its own registry, since the Milvus client registers its series in the
// default one.
type Metrics struct {
	registry *prometheus.Registry
	plans    *prometheus.CounterVec
	applies  *prometheus.CounterVec
	steps    *prometheus.HistogramVec
	sweeps   prometheus.Histogram
	dropped  prometheus.Counter
	unusable *prometheus.GaugeVec
	viewed   prometheus.Gauge
	unviewed prometheus.Counter
}

// NewMetrics makes the series of a source.
func NewMetrics(source Source) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		plans: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reconcile_plans_total", Help: "Plans made, by the transition that they hold.",
		}, []string{"transition"}),
		applies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reconcile_applies_total", Help: "Applies that ended, by transition and result.",
		}, []string{"transition", "result"}),
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "reconcile_apply_step_duration_seconds", Help: "How long a step of an apply took, by action.",
			Buckets: []float64{.01, .05, .1, .5, 1, 2, 5, 10, 30, 60, 120, 300},
		}, []string{"action"}),
		sweeps: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "reconcile_sweep_duration_seconds", Help: "How long a drift sweep of one topology took.",
			Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "reconcile_log_lines_dropped_total", Help: "Lines of the log that were dropped since its reader was too slow.",
		}),
		unusable: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "reconcile_file_unusable", Help: "1 for a secret, certificate or list of the configuration that cannot be used now, by what it is for.",
		}, []string{"use"}),
		viewed: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "reconcile_kubernetes_status_written_timestamp_seconds", Help: "When the objects ReplicationTopologyStatus were last as the daemon knows it; 0: never.",
		}),
		unviewed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "reconcile_kubernetes_status_failures_total", Help: "Rounds in which the objects ReplicationTopologyStatus or their Events could not be written.",
		}),
	}
	m.registry.MustRegister(m.plans, m.applies, m.steps, m.sweeps, m.dropped, m.unusable, snapshotCollector{source},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler answers GET /metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Planned counts a plan.
func (m *Metrics) Planned(t plan.Transition) { m.plans.WithLabelValues(t.String()).Inc() }

// Applied counts the end of an apply.
func (m *Metrics) Applied(t plan.Transition, o reconcile.Outcome) {
	m.applies.WithLabelValues(t.String(), o.String()).Inc()
}

// Stepped measures a step of an apply.
func (m *Metrics) Stepped(a plan.Action, took time.Duration) {
	m.steps.WithLabelValues(string(a)).Observe(took.Seconds())
}

// Swept measures a sweep of one topology.
func (m *Metrics) Swept(took time.Duration) { m.sweeps.Observe(took.Seconds()) }

// LineDropped counts a dropped line of the log.
func (m *Metrics) LineDropped() { m.dropped.Inc() }

// ShowView adds the series of the view in Kubernetes, which only a process with a view has.
func (m *Metrics) ShowView() { m.registry.MustRegister(m.viewed, m.unviewed) }

// ViewWritten marks that the view in Kubernetes is as the daemon knows it.
func (m *Metrics) ViewWritten(at time.Time) { m.viewed.Set(float64(at.UnixMilli()) / 1000) }

// ViewFailed counts that the view in Kubernetes could not be written.
func (m *Metrics) ViewFailed() { m.unviewed.Inc() }

// Unusable sets which secrets, certificates and lists of the configuration cannot be used
// now, by the setting that uses them.
func (m *Metrics) Unusable(what []string) {
	m.unusable.Reset()
	for _, one := range what {
		m.unusable.WithLabelValues(one).Set(1)
	}
}

// snapshotCollector turns a snapshot into series. A series whose value is not known is
// absent; the number of writable primaries is always present.
type snapshotCollector struct{ source Source }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("reconcile_"+name, help, labels, nil)
}

var (
	descState     = desc("topology_state", "1 for the state that a topology is in, 0 for the others.", "topology", "state")
	descWritable  = desc("writable_primaries", "Reachable members that can take writes; detached ones are not counted.", "topology")
	descUp        = desc("cluster_up", "1 if the cluster's control plane answers, 0 if it is degraded or unreachable.", "topology", "cluster")
	descRole      = desc("cluster_role", "1 for the role that the cluster's own stored configuration gives it.", "topology", "cluster", "role")
	descStale     = desc("stale_primary", "1 for a former primary that is not seen to be fenced, 0 for one that is.", "topology", "cluster")
	descLag       = desc("replication_lag_seconds", "Bounds of the lag of a standby behind its source.", "topology", "cluster", "bound")
	descProven    = desc("proven_equal_timestamp_seconds", "When an audit last proved that a standby holds what its primary holds.", "topology", "cluster")
	descFindings  = desc("findings", "Findings that there are now, by code and severity.", "topology", "code", "severity")
	descFrozen    = desc("change_frozen_until_timestamp_seconds", "When no freeze holds the planned change back any more; absent if none does or no end is known.", "topology")
	descRebuild   = desc("rebuild_begun_timestamp_seconds", "When the rebuild of a cluster began that is open, and what it waits for.", "topology", "cluster", "phase")
	descWave      = desc("site_wave_waits", "1 for a topology whose move an approval of a site covers and that waits for the waves before its own.", "topology", "site")
	descRehearsal = desc("rehearsal_last_timestamp_seconds", "When the newest rehearsal of a switchover ended.", "topology")
	descPassed    = desc("rehearsal_passed", "1 if the newest rehearsal passed, 0 if it did not.", "topology")
	descWay       = desc("rehearsal_duration_seconds", "How long each way of the newest rehearsal took.", "topology", "way")
	descGap       = desc("rehearsal_write_gap_seconds", "The longest time without a write in the newest rehearsal: measured by a probe client, or a bound by the steps.", "topology", "measured")
	descLost      = desc("rehearsal_lost_rows", "Rows of the probe client that were missing after the newest rehearsal; absent without a probe client.", "topology")
	descAttempt   = desc("last_attempt_timestamp_seconds", "Start of the newest pass over a topology.", "topology")
	descSuccess   = desc("last_success_timestamp_seconds", "End of the newest pass that could judge a topology.", "topology")
	descFetch     = desc("git_last_fetch_timestamp_seconds", "The newest fetch from Git that succeeded.")
	descCopy      = desc("git_copy_in_memory", "1 if the copy of Git is held in memory since git.cacheDir takes none; /readyz says why.")
	descReady     = desc("ready", "1 if an approved failover would be acted on now, by this process or the one that leads; what /readyz says.")
	descLeader    = desc("leader", "1 if this process may act, 0 if another one leads; the shard is empty without shards.", "shard")
)

// Describe implements prometheus.Collector.
func (snapshotCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descState, descWritable, descUp, descRole, descStale, descLag, descProven, descFindings, descFrozen,
		descRebuild, descWave, descRehearsal, descPassed, descWay, descGap, descLost,
		descAttempt, descSuccess, descFetch, descCopy, descLeader, descReady,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (l snapshotCollector) Collect(out chan<- prometheus.Metric) {
	s := l.source.Snapshot()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(descLeader, boolValue(s.Leader), s.Shard)
	gauge(descReady, boolValue(s.Unready() == ""))
	timestamp(gauge, descFetch, s.GitFetch)
	gauge(descCopy, boolValue(s.GitCopy != ""))
	for _, t := range s.Topologies {
		for _, state := range daemon.States() {
			gauge(descState, boolValue(t.State == state), t.Name, state.String())
		}
		gauge(descWritable, float64(writablePrimaries(t.Plan)), t.Name)
		timestamp(gauge, descAttempt, t.LastAttempt, t.Name)
		timestamp(gauge, descSuccess, t.LastSuccess, t.Name)
		if t.Plan.Frozen != nil {
			timestamp(gauge, descFrozen, t.Plan.Frozen.Until, t.Name)
		}
		if r := t.Plan.Rebuild; r != nil {
			timestamp(gauge, descRebuild, r.Since, t.Name, r.Cluster, r.Phase.String())
		}
		if t.Waits != "" {
			gauge(descWave, 1, t.Name, t.Decision.Site.Name)
		}
		for _, c := range t.Plan.Clusters {
			collectCluster(gauge, t.Name, c)
		}
		collectFindings(gauge, t)
		collectRehearsal(gauge, t.Plan)
	}
}

// collectRehearsal collects what came of the newest rehearsal.
func collectRehearsal(gauge gaugeFunc, t plan.TopologyPlan) {
	if len(t.Rehearsals) == 0 {
		return
	}
	last := t.Rehearsals[len(t.Rehearsals)-1]
	timestamp(gauge, descRehearsal, last.Ended, t.Name)
	gauge(descPassed, boolValue(last.Passed()), t.Name)
	for way, w := range map[string]plan.RehearsalWay{"there": last.There, "back": last.Back} {
		if w.Took > 0 {
			gauge(descWay, w.Took.Seconds(), t.Name, way)
		}
	}
	if gap, measured := last.Gap(); gap != nil {
		gauge(descGap, gap.Seconds(), t.Name, strconv.FormatBool(measured))
	}
	if last.Lost != nil {
		gauge(descLost, float64(*last.Lost), t.Name)
	}
}

type gaugeFunc func(d *prometheus.Desc, value float64, labels ...string)

func timestamp(gauge gaugeFunc, d *prometheus.Desc, at time.Time, labels ...string) {
	if !at.IsZero() {
		gauge(d, float64(at.UnixMilli())/1000, labels...)
	}
}

func collectCluster(gauge gaugeFunc, topology string, c plan.ClusterPlan) {
	switch c.View.Reach {
	case plan.ReachUp:
		gauge(descUp, 1, topology, c.ID)
	case plan.ReachDegraded, plan.ReachUnreachable:
		gauge(descUp, 0, topology, c.ID)
	case plan.ReachUnknown:
	}
	if k := c.View.Belief.Kind; k != plan.BeliefUnknown {
		gauge(descRole, 1, topology, c.ID, k.String())
	}
	timestamp(gauge, descProven, c.ProvenEqual, topology, c.ID)
	if c.Lag == nil {
		return
	}
	if c.Lag.Lower != nil {
		gauge(descLag, c.Lag.Lower.Seconds(), topology, c.ID, "lower")
	}
	if c.Lag.Upper != nil {
		gauge(descLag, c.Lag.Upper.Seconds(), topology, c.ID, "upper")
	}
}

func collectFindings(gauge gaugeFunc, t daemon.TopologyStatus) {
	type key struct{ code, severity string }
	counts, stale := map[key]int{}, map[string]bool{}
	for _, f := range t.Plan.Findings {
		counts[key{string(f.Code), string(f.Severity)}]++
		if f.Code == plan.CodeStalePrimary && f.Cluster != "" {
			stale[f.Cluster] = true
		}
	}
	for k, n := range counts {
		gauge(descFindings, float64(n), t.Name, k.code, k.severity)
	}
	for cluster := range stale {
		// Before the failover it is the lost primary, not yet a stale one.
		if cluster != pendingOld(t.Plan) {
			gauge(descStale, boolValue(!fenced(t.Plan, cluster)), t.Name, cluster)
		}
	}
}

// fenced reports whether a cluster stores a configuration that makes it a standby.
func fenced(t plan.TopologyPlan, cluster string) bool {
	return slices.ContainsFunc(t.Clusters, func(c plan.ClusterPlan) bool {
		return c.ID == cluster && c.View.Belief.Kind == plan.BeliefStandby
	})
}

// pendingOld returns the old primary of a planned failover; else "".
func pendingOld(t plan.TopologyPlan) string {
	if t.Transition == plan.TransitionFailover {
		return t.OldPrimary
	}
	return ""
}

// writablePrimaries counts the reachable members that can take writes: their stored
// configuration does not make them a standby. A member that could not be read does not
// count, so that an alert on "not 1" fires.
func writablePrimaries(t plan.TopologyPlan) int { return len(writers(t)) }

func takesWrites(k plan.BeliefKind) bool {
	return k == plan.BeliefPrimary || k == plan.BeliefStandalone || k == plan.BeliefUnconfigured
}

func boolValue(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
