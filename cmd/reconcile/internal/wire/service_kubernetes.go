package wire

import (
	"os"

	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/kubeapi"
	"milvus-reconcile/reconcile/kubeview"
)

// newView returns what shows the topologies of a board in Kubernetes; nil: the configuration
// wants none.
func (d *service) newView(e *Environment, board *daemon.Board) *kubeview.Writer {
	c := e.Config.KubernetesStatus
	if c == nil {
		return nil
	}
	d.metrics.ShowView()
	process, err := os.Hostname()
	if err != nil {
		process = "a host without a name"
	}
	return kubeview.New(kubeview.Options{
		API:       kubeapi.New(e.kubernetesAPI(c.Access)),
		Namespace: c.Namespace, Shard: d.options.Shard, Process: process, Source: board,
		Now: d.options.Clock, After: d.run.After, Log: d.log, Metrics: d.metrics,
	})
}

// onEvent hands an event on to those who tell events.
func (d *service) onEvent(e daemon.Event) {
	d.notifier.onEvent(e)
	if d.view != nil {
		d.view.OnEvent(e)
	}
}
