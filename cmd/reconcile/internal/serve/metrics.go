package serve

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

// Metrics are the series of contract.md §9. What a snapshot says is read
// when Prometheus asks; what happened is counted when it happens. No label
// holds an address, a token or a message. The registry is our own: the Milvus
// client registers foreign series in the default one.
type Metrics struct {
	registry *prometheus.Registry
	plans    *prometheus.CounterVec
	applies  *prometheus.CounterVec
	steps    *prometheus.HistogramVec
	sweeps   prometheus.Histogram
	dropped  prometheus.Counter
	unusable *prometheus.GaugeVec
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
			Name: "reconcile_log_lines_dropped_total", Help: "Lines of the log that were left out since nobody read it.",
		}),
		unusable: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "reconcile_file_unusable", Help: "1 for a secret, certificate or list of the configuration that cannot be used now, by what it is for.",
		}, []string{"use"}),
	}
	m.registry.MustRegister(m.plans, m.applies, m.steps, m.sweeps, m.dropped, m.unusable, live{source},
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

// LineDropped counts a line of the log that was left out.
func (m *Metrics) LineDropped() { m.dropped.Inc() }

// Unusable tells which secrets, certificates and lists of the configuration cannot be
// used now, by what they are for.
func (m *Metrics) Unusable(what []string) {
	m.unusable.Reset()
	for _, one := range what {
		m.unusable.WithLabelValues(one).Set(1)
	}
}
