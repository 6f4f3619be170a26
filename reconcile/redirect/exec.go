package redirect

import (
	"context"
	"strings"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/program"
)

// command is an exec target.
type command struct{ conf Exec }

func (command) concerns(desiredTraffic) bool { return true }

func (c command) set(ctx context.Context, w desiredTraffic) error {
	return program.Run(ctx, c.conf.Command, variables("set", w))
}

func (c command) check(ctx context.Context, w desiredTraffic) (plan.Stay, error) {
	if len(c.conf.Check) == 0 {
		return plan.Stay{}, errCannotAsk
	}
	return plan.Stay{}, program.Run(ctx, c.conf.Check, variables("check", w))
}

// variables returns the environment variables of a program (docs/redirect.md).
func variables(action string, w desiredTraffic) []string {
	var ids, addresses []string
	for _, s := range w.stale {
		ids, addresses = append(ids, s.Cluster), append(addresses, s.Address)
	}
	return []string{
		"RECONCILE_ACTION=" + action,
		"RECONCILE_TARGET=" + w.target,
		"RECONCILE_TOPOLOGY=" + w.topology,
		"RECONCILE_PRIMARY=" + w.primary.Cluster,
		"RECONCILE_PRIMARY_ADDRESS=" + w.primary.Address,
		"RECONCILE_STALE=" + strings.Join(ids, " "),
		"RECONCILE_STALE_ADDRESSES=" + strings.Join(addresses, " "),
	}
}
