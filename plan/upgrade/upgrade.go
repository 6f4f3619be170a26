// Package upgrade advises in which order to upgrade the clusters of a topology, so that
// replication goes on ('reconcile doctor --upgrade-to'). Start with [Advise]. Like package
// plan it is pure.
package upgrade

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/release"
)

// Stream is what was found out about the replication streams into one cluster,
// in addition to its view. The zero value knows nothing.
type Stream struct {
	Cluster string
	// Open: it asks for no token, so that it checks no stream either.
	Open plan.Support
	// Checks: it asks for a token over streams.
	Checks plan.Support
	// TokenBlank: the operator's configuration has no connection_param.token for it.
	TokenBlank bool
	// TokenMay: the user of that token may open a replicate stream there.
	TokenMay    plan.Support
	TokenDetail string // what TokenMay rests on; never holds a token
	// Dumps: our own user may read its log.
	Dumps plan.Support
}

// Advice says how to bring a topology to a version without stopping its
// replication.
type Advice struct {
	Topology string
	To       release.Version
	Order    []Step   // empty: every cluster is there
	Beware   []Note   // what stops, or can no longer be observed, and what to do before
	Mends    []string // what the version does that some cluster does not yet
}

// Step is one cluster's turn.
type Step struct {
	Cluster string
	From    release.Version
	Why     string
	// Stops names the standbys that nothing reaches from this step to the next.
	Stops []string
}

// Note is one thing to mind.
type Note struct {
	Cluster string // empty: all
	Message string
	Remedy  string
}

// Advise says in which order to upgrade the members of a topology, what that
// breaks and what it mends. streams has the facts about each; a fact that is not known
// counts as an obstacle. Nothing is sent: people upgrade.
func Advise(t plan.Topology, o plan.Observed, streams []Stream, to release.Version) Advice {
	u := upgrading{t: t, o: o, streams: streams, to: to}
	out := Advice{Topology: t.Name, To: to}
	out.Order = u.order()
	if len(out.Order) == 0 {
		return out
	}
	out.Beware = u.notes(out.Order)
	out.Mends = u.mended(out.Order)
	return out
}

// upgrading is a topology on its way to a version.
type upgrading struct {
	t       plan.Topology
	o       plan.Observed
	streams []Stream
	to      release.Version
}

// stream is what was found out about the streams into a cluster.
func (u upgrading) stream(id string) Stream {
	i := slices.IndexFunc(u.streams, func(s Stream) bool { return s.Cluster == id })
	if i < 0 {
		return Stream{Cluster: id}
	}
	return u.streams[i]
}

// from is the version of a cluster today.
func (u upgrading) from(id string) release.Version { return release.Parse(u.o.View(id).Version) }

// order puts standbys before their primary, or after it where only that keeps
// replication going. Clusters that have the version already are left out.
func (u upgrading) order() []Step {
	primary, _ := u.t.Primary()
	var standbys []string
	for _, c := range u.t.Clusters {
		if c.Role == plan.RoleStandby {
			standbys = append(standbys, c.ID)
		}
	}
	behind := func(ids []string) []string {
		return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return u.from(id).SameRelease(u.to) })
	}
	last := u.steps(primary.ID, standbys, behind(append(slices.Clone(standbys), primary.ID)))
	first := u.steps(primary.ID, standbys, behind(append([]string{primary.ID}, standbys...)))
	if stopsReplication(first) < stopsReplication(last) {
		return first
	}
	return last
}

// stopsReplication counts the steps after which some standby gets nothing.
func stopsReplication(steps []Step) int {
	n := 0
	for _, s := range steps {
		if len(s.Stops) > 0 {
			n++
		}
	}
	return n
}

// steps are the turns of an order, each with its reason and the standbys that get
// nothing until the next turn.
func (u upgrading) steps(primary string, standbys, order []string) []Step {
	var out []Step
	for i, id := range order {
		done := order[:i+1]
		s := Step{Cluster: id, From: u.from(id), Why: "a standby reads what an older primary writes"}
		switch {
		case id == primary && i == 0 && len(order) > 1:
			s.Why = "its CDC then sends the token over streams that an upgraded standby asks for"
		case id == primary:
			s.Why = "last, after all standbys"
		case slices.Contains(order[:i], primary):
			s.Why = "once its primary sends a token over streams"
		}
		for _, standby := range standbys {
			if u.refuses(primary, standby, done) {
				s.Stops = append(s.Stops, standby)
			}
		}
		out = append(out, s)
	}
	return out
}

// refuses says whether a standby lets nothing in from its primary once the clusters in
// done are upgraded: it asks for a token over streams, and the CDC of the primary sends
// none (#52387).
func (u upgrading) refuses(primary, standby string, done []string) bool {
	if u.stream(standby).Open == plan.SupportYes {
		return false
	}
	asks := u.checks(standby)
	if slices.Contains(done, standby) {
		asks = supportOf(u.to, release.FeatureStreamRights)
	}
	sends := u.checks(primary)
	if slices.Contains(done, primary) {
		sends = supportOf(u.to, release.FeatureStreamRights)
	}
	return asks != plan.SupportNo && sends != plan.SupportYes
}

// checks says whether a cluster asks for a token over streams now: by asking it, else
// by its version. A source that asks for one also sends one.
func (u upgrading) checks(id string) plan.Support {
	if s := u.stream(id).Checks; s != plan.SupportUnknown {
		return s
	}
	return supportOf(u.from(id), release.FeatureStreamRights)
}

// supportOf says what the table of releases knows.
func supportOf(v release.Version, f release.Feature) plan.Support {
	switch {
	case v.Provides(f):
		return plan.SupportYes
	case v.Lacks(f):
		return plan.SupportNo
	default:
		return plan.SupportUnknown
	}
}

// notes are what to do, or to know, before the first step.
func (u upgrading) notes(order []Step) []Note {
	var out []Note
	if caveat := u.to.Caveat(); caveat != "" {
		out = append(out, Note{Message: u.to.Label + " is " + caveat, Remedy: "rehearse this on a pair for tests"})
	}
	crosses := false
	for _, s := range order {
		if lost := u.lostFeatures(s.From); lost != "" {
			out = append(out, Note{s.Cluster, u.to.Label + " lacks what " + s.From.Label + " has: " + lost, "take a release that has it"})
		}
		if len(s.Stops) > 0 {
			out = append(out, Note{
				s.Cluster, "from its upgrade on nothing is replicated to " + strings.Join(s.Stops, ", ") + ", until the next step is done",
				"do both in one window, shorter than the log is kept (72 h by default); a failover between them loses what was written since",
			})
		}
		crosses = crosses || u.checks(s.Cluster) != plan.SupportYes && !u.to.Lacks(release.FeatureStreamRights)
	}
	if !crosses {
		return out
	}
	if len(order) > 1 {
		out = append(out, Note{
			Message: "until all clusters are upgraded, an upgraded cluster refuses an old primary, which sends no token over streams (#52387)",
			Remedy:  "do no switchover between the steps; after a failover between them upgrade the promoted cluster next",
		})
	}
	for _, c := range u.t.Clusters {
		if c.Role == plan.RolePrimary || c.Role == plan.RoleStandby {
			out = append(out, u.rights(c.ID)...)
		}
	}
	return out
}

// rights say what the tokens of a cluster lack once it checks streams.
func (u upgrading) rights(id string) []Note {
	s := u.stream(id)
	var out []Note
	switch {
	case s.TokenBlank && s.Open == plan.SupportYes:
		out = append(out, Note{
			id, "it asks for no token, and was linked without one: if authorization is turned on there, replication to it stops for good, since a stored token cannot be filled in later (#52734)",
			"leave authorization off, or detach it and add it again with a token",
		})
	case s.Open == plan.SupportYes:
		return nil
	case s.TokenBlank:
		out = append(out, Note{
			id, "it was linked without a token (connection_param.token): its streams are refused for good, since a stored token cannot be filled in later (#52734)",
			"before the upgrade detach it and add it again with a replicationTokenFrom, docs/tokens.md",
		})
	case s.TokenMay == plan.SupportNo:
		out = append(out, Note{
			id, "the user of its replication token lacks " + release.PrivilegeUpdate + " (" + s.TokenDetail + "): its stream is refused",
			"before the upgrade, on the primary: " + release.GrantOf(release.PrivilegeUpdate),
		})
	case s.TokenMay == plan.SupportUnknown:
		out = append(out, Note{
			id, "it is not known whether the user of its replication token holds " + release.PrivilegeUpdate + ": " + cmp.Or(s.TokenDetail, "it was not asked"),
			"grant it before the upgrade: " + release.GrantOf(release.PrivilegeUpdate),
		})
	}
	if s.Open != plan.SupportYes && s.Dumps != plan.SupportYes {
		word := "lacks "
		if s.Dumps == plan.SupportUnknown {
			word = "is not known to hold "
		}
		out = append(out, Note{
			id, "our user " + word + release.PrivilegeDump + " there: the lag, the exact loss and salvage will be unknown",
			release.GrantOf(release.PrivilegeDump),
		})
	}
	return out
}

// lostFeatures names the features that a version has and the wanted one is known to
// lack.
func (u upgrading) lostFeatures(from release.Version) string {
	var out []string
	for _, r := range release.Table() {
		if from.Provides(r.Feature) && u.to.Lacks(r.Feature) {
			out = append(out, r.Says)
		}
	}
	return strings.Join(out, "; ")
}

// mended are the features that the wanted version has and some cluster lacks, or is not
// known to have.
func (u upgrading) mended(order []Step) []string {
	var out []string
	for _, r := range release.Table() {
		lack := slices.ContainsFunc(order, func(s Step) bool { return !s.From.Provides(r.Feature) })
		if lack && u.to.Provides(r.Feature) {
			out = append(out, fmt.Sprintf("%s (%s)", r.Says, r.Sources))
		}
	}
	return out
}
