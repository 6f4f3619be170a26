package reconcile

import (
	"context"
	"fmt"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// restartAfter is for how long a promotion must stand half done before its
// cluster is restarted: one that is slow ends by itself.
const restartAfter = 10 * time.Second

// halfDone is what becomes of one step while its promotion stands half done
// (docs/design/real-milvus.md): it is said at once, and the coordinator of the
// cluster restarted where the operator's configuration tells how. That happens
// under the lock and an open intent only, since nothing else executes a step.
type halfDone struct {
	run  run
	step plan.Step
	told bool
	made int    // restarts
	last string // why the newest one failed or was refused
}

// stands hears for how long the promotion has stood half done.
func (h *halfDone) stands(ctx context.Context, lasted time.Duration) {
	known := h.run.apply.Restart != nil && h.run.apply.Restart.Knows(h.step.Cluster)
	if !h.told {
		h.told = true
		h.tell(h.finding(known))
	}
	if !known || lasted < restartAfter || ctx.Err() != nil {
		return
	}
	made, err := h.run.apply.Restart.Restart(ctx, h.run.name, h.step.Cluster)
	if made {
		h.made++
	}
	switch {
	case err != nil && err.Error() != h.last:
		h.last = err.Error()
		h.tell(fmt.Sprintf("the restart of the coordinator of %s: %s", h.step.Cluster, err))
	case err == nil && made:
		h.last = ""
		h.tell("the coordinator of " + h.step.Cluster + " was restarted; the promotion ends within about a minute")
	}
}

// finding says what is wrong and what ends it.
func (h *halfDone) finding(known bool) string {
	source := "its source"
	if h.step.Before != nil {
		if s, ok := h.step.Before.SourceOf(h.step.Cluster); ok {
			source = s
		}
	}
	f := plan.HalfPromotion(h.run.name, h.step.Cluster, source)
	if known {
		return fmt.Sprintf("%s: %s; its coordinator is restarted if that lasts for %s", f.Code, f.Message, plan.About(restartAfter))
	}
	return fmt.Sprintf("%s: %s (hint: %s)", f.Code, f.Message, f.Remedy)
}

func (h *halfDone) tell(text string) { h.run.apply.tell(h.run.name, text) }

// meanwhile is what was done to the cluster, for the record; empty: nothing.
func (h *halfDone) meanwhile() string {
	var words []string
	if h.made > 0 {
		often := "once"
		if h.made > 1 {
			often = fmt.Sprintf("%d times", h.made)
		}
		words = append(words, fmt.Sprintf("restarted the coordinator of %s %s, since its promotion stood half done", h.step.Cluster, often))
	}
	if h.last != "" {
		words = append(words, "the restart of its coordinator: "+h.last)
	}
	return strings.Join(words, "; ")
}

// withMeanwhile adds to a detail what else was done.
func withMeanwhile(detail string, results []StepResult) string {
	var words []string
	if detail != "" {
		words = append(words, detail)
	}
	for _, x := range results {
		if x.Meanwhile != "" {
			words = append(words, x.Meanwhile)
		}
	}
	return strings.Join(words, "; ")
}
