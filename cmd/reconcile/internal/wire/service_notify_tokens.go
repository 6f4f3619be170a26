package wire

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/notify"
)

// refusedTokens are the tokens that clusters refuse, by where they come from. One wrong token
// of many clusters is one cause, and one message to people.
type refusedTokens map[string]*refusedToken

// refusedToken is one of them.
type refusedToken struct {
	clusters  map[string][]string // that refuse it, by topology
	confirmed map[string]bool     // topologies in which that was seen twice
	told      bool                // as one cause of several topologies
}

// shared reports whether people are told of the token once for all of its topologies.
func (r *refusedToken) shared() bool {
	return r != nil && (r.told || len(r.clusters) > 1)
}

// note notes which clusters of a topology refuse their tokens in a pass. stand are the findings
// that people are told of.
func (r refusedTokens) note(s daemon.TopologyStatus, stand []plan.Finding, source func(cluster string) string) {
	for _, t := range r {
		delete(t.clusters, s.Name)
		delete(t.confirmed, s.Name)
	}
	for _, c := range s.Plan.Clusters {
		from := source(c.ID)
		if from == "" || !refusesToken(c) {
			continue
		}
		t := r[from]
		if t == nil {
			t = &refusedToken{clusters: map[string][]string{}, confirmed: map[string]bool{}}
			r[from] = t
		}
		t.clusters[s.Name] = append(t.clusters[s.Name], c.ID)
		if holds(stand, plan.Finding{Code: plan.CodeClusterUnreadable, Cluster: c.ID}) {
			t.confirmed[s.Name] = true
		}
	}
	maps.DeleteFunc(r, func(_ string, t *refusedToken) bool { return len(t.clusters) == 0 })
}

// words are what is said of the findings of a topology: that a cluster refuses our token, and
// whether people are told so in the message about that token.
func (r refusedTokens) words(s daemon.TopologyStatus) func(plan.Code, string) (string, bool) {
	return func(code plan.Code, cluster string) (title string, elsewhere bool) {
		i := slices.IndexFunc(s.Plan.Clusters, func(c plan.ClusterPlan) bool { return c.ID == cluster })
		if code != plan.CodeClusterUnreadable || i < 0 || !refusesToken(s.Plan.Clusters[i]) {
			return "", false
		}
		for _, t := range r {
			elsewhere = elsewhere || t.shared() && slices.Contains(t.clusters[s.Name], cluster)
		}
		return cluster + " refuses our token", elsewhere
	}
}

// pass are the tokens that several topologies share, as what people are told next to the
// topologies.
func (r refusedTokens) pass(link string) notify.Pass {
	out := notify.Pass{PeopleOnly: true, Link: link}
	titles := map[string]string{}
	for _, from := range slices.Sorted(maps.Keys(r)) {
		t := r[from]
		if t.told = t.shared() && (t.told || len(t.confirmed) > 0); !t.told {
			continue
		}
		f := plan.NewFinding(plan.CodeClusterUnreadable, from, t.text(from),
			"correct that token in the operator's configuration, and check it: 'reconcile doctor'; until then nothing is known of these topologies, and no failover of them is possible")
		out.Findings, titles[from] = append(out.Findings, f), t.title()
	}
	out.Words = func(_ plan.Code, from string) (string, bool) { return titles[from], false }
	return out
}

func (r *refusedToken) title() string {
	return "a token is refused by " + r.count()
}

func (r *refusedToken) text(from string) string {
	return r.count() + " refuse the token of the " + from + ": " + namesUpTo(mostRefusing, r.all())
}

// count is how many clusters refuse the token.
func (r *refusedToken) count() string {
	if n := len(r.all()); n != 1 {
		return fmt.Sprintf("%d clusters", n)
	}
	return "1 cluster"
}

// all are the clusters that refuse the token, sorted.
func (r *refusedToken) all() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for _, clusters := range r.clusters {
			for _, c := range clusters {
				if !yield(c) {
					return
				}
			}
		}
	})
}

// mostRefusing is how many clusters a message names that refuse one token.
const mostRefusing = 5

// namesUpTo are the first names, and how many more there are.
func namesUpTo(most int, names []string) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// refusesToken reports whether a cluster lives, and did not take our token.
func refusesToken(c plan.ClusterPlan) bool {
	v := c.View
	return v.Reach == plan.ReachUp && (v.Credential == plan.CredentialRefused || v.Class == plan.ClassUnauthenticated)
}

// tokenSource names where the token of a cluster comes from, never the token; empty: it has
// none.
func (e *Environment) tokenSource(cluster string) string {
	for _, c := range e.Config.Credentials {
		if c.ClusterID == cluster && !c.Token.IsZero() {
			return c.Token.String()
		}
	}
	return ""
}
