package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/redirect"
)

// redirects asks each target with a check where it sends traffic, and tries without a
// change whether it could be redirected to each standby. It returns the obstacles by
// topology/standby.
func (x *examination) redirects(ctx context.Context, topologies []plan.Topology) (map[string][]render.Obstacle, error) {
	const area = "redirect"
	defer x.e.Doing("asking the redirect targets")()
	r, err := x.e.Redirector()
	if err != nil {
		return nil, err
	}
	out := map[string][]render.Obstacle{}
	if r == nil {
		x.check(render.Check{Area: area, Verdict: render.CheckUnknown, Message: "no target is configured: after a failover somebody must move the applications by hand", Remedy: "add targets to redirect, or decide who does it"})
		return out, nil
	}
	for _, t := range topologies {
		primary, _ := t.Primary()
		states := r.Check(ctx, t.Name, primary.ID, staleOf(t))
		asked := 0
		for _, s := range states {
			if !s.Unasked {
				asked++
				x.check(trafficCheck(s, primary.ID))
			}
			x.staying(s, primary.ID)
		}
		served := x.rehearseRedirects(ctx, r, t, out)
		switch {
		case asked > 0:
		case served:
			x.check(render.Check{Area: area, Subject: t.Name, Message: "none of its targets can say where the traffic goes", Remedy: "give the target a check, or checkUrl"})
		default:
			x.check(render.Check{Area: area, Subject: t.Name, Message: "no target serves it: after a failover somebody must move its applications by hand", Remedy: "name it under the topologies of a target, or decide who does it"})
		}
	}
	return out, nil
}

// trafficCheck says whether a target sends traffic to the primary.
func trafficCheck(s plan.TrafficState, primary string) render.Check {
	c := render.Check{Area: "redirect", Subject: s.Target + " of " + s.Topology, Verdict: render.CheckOK, Message: "sends traffic to " + primary}
	if !s.OK {
		c.Verdict, c.Message, c.Remedy = render.CheckFailed, s.Detail, "repair it: a failover would succeed, and applications would not follow"
	}
	return c
}

// staying says for how long clients would still be sent to the primary of now, if that is
// not over at once.
func (x *examination) staying(s plan.TrafficState, primary string) {
	if s.Stay.New == 0 {
		return
	}
	c := render.Check{
		Area: "redirect", Subject: s.Target + " of " + s.Topology, Verdict: render.CheckOK,
		Message: "after a change of the primary, " + s.Stay.Text(primary), Remedy: s.Stay.Shorter,
	}
	if c.Remedy != "" {
		c.Verdict = render.CheckWarning
	}
	x.check(c)
}

// rehearseRedirects adds the obstacles to redirecting each target of a topology to its
// standbys, and reports whether there is a target.
func (x *examination) rehearseRedirects(ctx context.Context, r *redirect.Redirector, t plan.Topology, obstacles map[string][]render.Obstacle) (served bool) {
	primary, _ := t.Primary()
	gone := append(staleOf(t), primary.ID)
	could := map[string][]string{} // standbys by target
	var targets []string
	standbys := slices.DeleteFunc(slices.Clone(t.Clusters), func(c plan.Cluster) bool { return c.Role != plan.RoleStandby || !c.Promotable })
	states := make([][]plan.TrafficState, len(standbys))
	var wg sync.WaitGroup
	for i, c := range standbys {
		wg.Go(func() { states[i] = r.Rehearse(ctx, t.Name, c.ID, gone) })
	}
	wg.Wait()
	for i, c := range standbys {
		for _, s := range states[i] {
			served = true
			if s.OK {
				could[s.Target] = append(could[s.Target], c.ID)
				if !slices.Contains(targets, s.Target) {
					targets = append(targets, s.Target)
				}
				continue
			}
			o := render.Obstacle{
				Message: fmt.Sprintf("traffic could not be pointed at %s by %s: %s", c.ID, s.Target, s.Detail),
				Remedy:  "correct the target; " + trafficRemedy, After: true,
			}
			x.check(render.Check{Area: "redirect", Subject: s.Target + " of " + t.Name, Verdict: render.CheckFailed, Message: o.Message, Remedy: o.Remedy})
			obstacles[t.Name+"/"+c.ID] = append(obstacles[t.Name+"/"+c.ID], o)
		}
	}
	for _, name := range targets {
		x.check(render.Check{
			Area: "redirect", Subject: name + " of " + t.Name, Verdict: render.CheckOK,
			Message: "as far as a test without a change shows, it could be pointed at " + strings.Join(could[name], ", "),
		})
	}
	return served
}

const trafficRemedy = "until then a failover promotes and ends with 5, and applications do not follow"

// staleOf returns the stale clusters of a topology. No traffic may go to them.
func staleOf(t plan.Topology) []string {
	var out []string
	for _, c := range t.Clusters {
		if c.Role == plan.RoleStale {
			out = append(out, c.ID)
		}
	}
	return out
}
