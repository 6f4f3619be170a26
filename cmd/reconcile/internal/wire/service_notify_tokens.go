package wire

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/notify"
)

// badTokens are the tokens that clusters refuse, or that cannot be read. One of many clusters
// is one cause, and one message to people.
type badTokens map[tokenFault]*badToken

// tokenFault is what is wrong with a token, as the code of its finding, and where the token
// comes from.
type tokenFault struct {
	code plan.Code
	from string
}

// badToken is one of them.
type badToken struct {
	clusters  map[string][]string // that it is of, by topology
	confirmed map[string]bool     // topologies in which that was seen twice
	told      bool                // as one cause of several topologies
}

// shared reports whether people are told of the token once for all of its topologies.
func (r *badToken) shared() bool {
	return r != nil && (r.told || len(r.clusters) > 1)
}

// note notes the clusters of a topology whose token is bad in a pass. stand are the findings
// that people are told of.
func (r badTokens) note(s daemon.TopologyStatus, stand []plan.Finding, source func(cluster string) string) {
	for _, t := range r {
		delete(t.clusters, s.Name)
		delete(t.confirmed, s.Name)
	}
	for _, c := range s.Plan.Clusters {
		fault := tokenFault{tokenFaultOf(c), source(c.ID)}
		if fault.code == "" || fault.from == "" {
			continue
		}
		t := r[fault]
		if t == nil {
			t = &badToken{clusters: map[string][]string{}, confirmed: map[string]bool{}}
			r[fault] = t
		}
		t.clusters[s.Name] = append(t.clusters[s.Name], c.ID)
		if holds(stand, plan.Finding{Code: fault.code, Cluster: c.ID}) {
			t.confirmed[s.Name] = true
		}
	}
	maps.DeleteFunc(r, func(_ tokenFault, t *badToken) bool { return len(t.clusters) == 0 })
}

// words are what is said of the findings of a topology: what is wrong with the token of a
// cluster, and whether people are told so in the message about that token.
func (r badTokens) words(s daemon.TopologyStatus) func(plan.Code, string) (string, bool) {
	return func(code plan.Code, cluster string) (title string, elsewhere bool) {
		i := slices.IndexFunc(s.Plan.Clusters, func(c plan.ClusterPlan) bool { return c.ID == cluster })
		if i < 0 || code == "" || tokenFaultOf(s.Plan.Clusters[i]) != code {
			return "", false
		}
		for fault, t := range r {
			elsewhere = elsewhere || fault.code == code && t.shared() && slices.Contains(t.clusters[s.Name], cluster)
		}
		if code == plan.CodeCredentialMissing {
			return "the token of " + cluster + " cannot be read", elsewhere
		}
		return cluster + " refuses our token", elsewhere
	}
}

// pass are the tokens that several topologies share, as what people are told next to the
// topologies.
func (r badTokens) pass(link string) notify.Pass {
	out := notify.Pass{PeopleOnly: true, Link: link}
	titles := map[tokenFault]string{}
	for _, fault := range slices.SortedFunc(maps.Keys(r), func(a, b tokenFault) int {
		return cmp.Or(cmp.Compare(a.code, b.code), cmp.Compare(a.from, b.from))
	}) {
		t := r[fault]
		if t.told = t.shared() && (t.told || len(t.confirmed) > 0); t.told {
			out.Findings, titles[fault] = append(out.Findings, t.finding(fault)), t.title(fault)
		}
	}
	out.Words = func(code plan.Code, from string) (string, bool) { return titles[tokenFault{code, from}], false }
	return out
}

// finding is what people are told of a token that several topologies share.
func (r *badToken) finding(f tokenFault) plan.Finding {
	names := namesUpTo(mostNamed, r.all())
	const until = "; until then nothing is known of these topologies, and no failover of them is possible"
	if f.code == plan.CodeCredentialMissing {
		return plan.NewFinding(f.code, f.from, "the token in the "+f.from+" cannot be read, and "+r.count()+" need it: "+names,
			"put it back, and check it: 'reconcile doctor'"+until)
	}
	return plan.NewFinding(f.code, f.from, r.count()+" refuse the token of the "+f.from+": "+names,
		"correct that token in the operator's configuration, and check it: 'reconcile doctor'"+until)
}

func (r *badToken) title(f tokenFault) string {
	if f.code == plan.CodeCredentialMissing {
		return "a token of " + r.count() + " cannot be read"
	}
	return "a token is refused by " + r.count()
}

// count is how many clusters have the token.
func (r *badToken) count() string {
	if n := len(r.all()); n != 1 {
		return fmt.Sprintf("%d clusters", n)
	}
	return "1 cluster"
}

// all are the clusters that have the token, sorted.
func (r *badToken) all() []string {
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

// mostNamed is how many clusters a message about one token names.
const mostNamed = 5

// namesUpTo are the first names, and how many more there are.
func namesUpTo(most int, names []string) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// tokenFaultOf is the code of the finding that says what is wrong with the token of a cluster;
// empty: nothing is seen to be.
func tokenFaultOf(c plan.ClusterPlan) plan.Code {
	switch v := c.View; {
	case v.TokenUnread():
		return plan.CodeCredentialMissing
	case v.Reach == plan.ReachUp && (v.Credential == plan.CredentialRefused || v.Class == plan.ClassUnauthenticated):
		return plan.CodeClusterUnreadable
	default:
		return ""
	}
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
