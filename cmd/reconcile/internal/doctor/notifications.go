package doctor

import (
	"slices"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
	"milvus-reconcile/schema"
)

// forPeople are the formats that somebody reads.
var forPeople = []schema.NotifyFormat{schema.NotifySlack, schema.NotifyTeams, schema.NotifyPagerDuty, schema.NotifyEmail}

// checkNotify says who is told, and of what. Nothing is sent: 'reconcile notify test' does
// that.
func (x *examination) checkNotify() {
	const area = "notify"
	people := false
	for _, n := range x.e.Config.Notify {
		c := render.Check{Area: area, Subject: n.Name, Verdict: render.CheckOK, Message: notifySummary(n)}
		if err := unreadable(n); err != nil {
			c.Verdict, c.Message, c.Remedy = render.CheckFailed, c.Message+"; nothing is delivered: "+err.Error(), "put the secret where the configuration says"
		}
		if slices.Contains(forPeople, n.Format) {
			people = true
			if x.e.Config.Serve.PublicURL == "" && c.Verdict == render.CheckOK {
				c.Verdict, c.Message, c.Remedy = render.CheckWarning, c.Message+"; its messages link to no page", "set serve.publicUrl to where people reach the status page"
			}
		}
		x.check(c)
	}
	if !people {
		x.check(render.Check{
			Area: area, Verdict: render.CheckUnknown, Message: "no target of notify is for people: nobody gets a message when an approval is wanted",
			Remedy: "add a target with format slack, teams, pagerduty or email, or let the receiver of the events tell people",
		})
	}
}

// unreadable says why a secret of the target cannot be read.
func unreadable(n schema.NotifyTarget) error {
	_, err := wire.ReadSecret(n.Secret)
	if n.Email != nil && err == nil {
		_, err = wire.ReadSecret(n.Email.Username)
	}
	return err
}

// notifySummary names the format, the host and the least severity. The rest of a URL may be secret.
func notifySummary(n schema.NotifyTarget) string {
	out := wire.NotifyWhere(n)
	if n.Format.Forge() {
		return out + ": the state of each commit"
	}
	if n.MinSeverity == plan.SeverityInfo {
		return out + ": everything"
	}
	return out + ": from " + string(n.MinSeverity) + " on"
}
