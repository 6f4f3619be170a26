package plan

import (
	"slices"
	"time"

	"pgregory.net/rapid"
)

var ids = []string{"a", "b", "c", "d", "e"}

// drawDocument is any document that schema lets pass: one primary, the rest
// as they come.
func drawDocument(t *rapid.T, label string, n int) Topology {
	var clusters []Cluster
	primary := rapid.IntRange(0, n-1).Draw(t, label+" primary")
	for i, id := range ids[:n] {
		role := rapid.SampledFrom([]Role{RoleStandby, RoleStandby, RoleStale, RoleDetached}).Draw(t, label+" role")
		if i == primary {
			role = RolePrimary
		}
		c := cluster(id, role)
		c.Promotable = rapid.IntRange(0, 9).Draw(t, label+" promotable") > 0
		c.Provisioned = rapid.SampledFrom([]Provisioned{
			{},
			{},
			{From: ProvisionedRestored, At: now.Add(-time.Hour)},
			{From: ProvisionedEmpty, At: now.Add(-3 * time.Hour)},
			{From: ProvisionedRestored, At: now.Add(time.Hour)},
		}).Draw(t, label+" provisioned")
		clusters = append(clusters, c)
	}
	return document(8, clusters...)
}

// drawConfiguration is what a cluster may store: nothing, itself, or a star
// with it, even with a stranger.
func drawConfiguration(t *rapid.T, id string, n int) Configuration {
	switch rapid.IntRange(0, 5).Draw(t, "stored") {
	case 0:
		return Configuration{}
	case 1:
		return storing(id)
	}
	centre := rapid.SampledFrom(ids[:n]).Draw(t, "centre")
	var others []string
	for _, o := range ids[:n] {
		if o != centre && (o == id || rapid.Bool().Draw(t, "member")) {
			others = append(others, o)
		}
	}
	if rapid.IntRange(0, 15).Draw(t, "stranger") == 0 {
		others = append(others, "x")
	}
	c := storing(centre, others...)
	if rapid.IntRange(0, 7).Draw(t, "order") == 0 {
		slices.Reverse(c.Clusters)
	}
	return c
}

func drawView(t *rapid.T, id string, n int) View {
	v := rapid.SampledFrom([]View{up(id), up(id), up(id), up(id), down(id), down(id), degraded(id), unknown(id)}).Draw(t, "view "+id)
	if v.Reach != ReachUp {
		return v
	}
	rare := func(label string) bool { return rapid.IntRange(0, 11).Draw(t, label) == 0 }
	if !rare("unread") {
		v.Belief = ClassifyBelief(id, drawConfiguration(t, id, n))
		v.Belief.Inferred = rare("inferred")
	}
	if v.Belief.Kind == BeliefStandby {
		v.Progress = progress(id, drawAge(t), drawAge(t))
		v.Progress[0].Known = !rare("progress unknown")
		if rare("unsent") {
			v.Progress[0].Unsent = ptr(now.Add(-drawAge(t)))
		}
	}
	v.Contents = rapid.SampledFrom([]Contents{{Known: true}, {Known: true, Collections: []string{"c"}}, {}}).Draw(t, "contents")
	v.IdentityProven = !rare("identity")
	v.Version = rapid.SampledFrom([]string{"2.6.19", "v2.6.17", "2.6.13", "", "master-20260807-954c4e7"}).Draw(t, "version")
	if rare("conflict") {
		v.IdentityConflict = "the channels of another cluster"
	}
	v.Credential = rapid.SampledFrom([]Credential{CredentialBound, CredentialBound, CredentialBound, CredentialMissing, CredentialRefused, CredentialMismatch}).Draw(t, "credential")
	v.ForcePromotes = rapid.SampledFrom([]Support{SupportYes, SupportYes, SupportNo, SupportUnknown}).Draw(t, "force")
	v.ReadsConfiguration = rapid.SampledFrom([]Support{SupportYes, SupportYes, SupportNo}).Draw(t, "reads")
	return v
}

func drawAge(t *rapid.T) time.Duration {
	return time.Duration(rapid.IntRange(0, 90).Draw(t, "age")) * time.Second
}

func drawEvidence(t *rapid.T, n int) []Evidence {
	var out []Evidence
	for _, primary := range ids[:n] {
		for _, candidate := range ids[:n] {
			if primary == candidate {
				continue
			}
			e := lost(primary, candidate, func(_ int, r *Round) { r.Progress = progress(candidate, time.Minute, time.Minute) })
			switch rapid.IntRange(0, 4).Draw(t, "evidence") {
			case 0:
				continue
			case 1:
				e.Rounds[rapid.IntRange(0, 4).Draw(t, "round")].Reach = drawReach(t)
			case 2:
				e.Rounds = e.Rounds[:rapid.IntRange(0, 4).Draw(t, "rounds")]
			}
			out = append(out, e)
		}
	}
	return out
}

func drawReach(t *rapid.T) Reach {
	return rapid.SampledFrom([]Reach{ReachUp, ReachDegraded, ReachUnknown, ReachUnreachable}).Draw(t, "reach")
}

func drawMemory(t *rapid.T, n int) Memory {
	m := Memory{Now: now, Ledger: rapid.SampledFrom([]LedgerKind{LedgerNone, LedgerEmbedded}).Draw(t, "ledger")}
	ago := func(label string) time.Time {
		return now.Add(-time.Duration(rapid.IntRange(0, 240).Draw(t, label)) * time.Minute)
	}
	for i, id := range ids[:n] {
		if rapid.IntRange(0, 4).Draw(t, "marked") == 0 {
			m.Stale = append(m.Stale, StaleMark{Cluster: id, Topology: "orders", Since: ago("since"), Promoted: ids[(i+1)%n]})
		}
		if rapid.IntRange(0, 6).Draw(t, "used") == 0 {
			m.Provisions = append(m.Provisions, UsedProvision{Cluster: id, At: ago("used at")})
		}
	}
	for _, id := range ids[:n] {
		if rapid.IntRange(0, 5).Draw(t, "freed") == 0 {
			m.Freed = append(m.Freed, FreedMark{Cluster: id, At: ago("freed at")})
		}
	}
	if rapid.IntRange(0, 4).Draw(t, "failed over") == 0 {
		m.Failovers = []LastFailover{{Topology: "orders", Promoted: rapid.SampledFrom(ids[:n]).Draw(t, "promoted"), At: ago("failover")}}
	}
	if rapid.IntRange(0, 9).Draw(t, "generation") == 0 {
		m.Generations = []GenerationMark{{Topology: "orders", Generation: int64(rapid.IntRange(6, 9).Draw(t, "seen"))}}
	}
	return m
}

// drawWorld is any state of the world that can be written down: half of them
// anything at all, which should never be, and half a star that a change or an
// accident has just met.
func drawWorld(t *rapid.T) (Desired, Observed, Memory) {
	n := rapid.IntRange(2, 5).Draw(t, "clusters")
	if rapid.Bool().Draw(t, "likely") {
		return drawLikely(t, n)
	}
	doc := drawDocument(t, "document", n)
	switch rapid.IntRange(0, 3).Draw(t, "previous") {
	case 0:
		doc = doc.after(drawDocument(t, "before", n))
	case 1:
		doc = failoverDocument(t, n)
	}
	o := Observed{Evidence: drawEvidence(t, n)}
	for _, id := range ids[:n] {
		o.Views = append(o.Views, drawView(t, id, n))
	}
	m := drawMemory(t, n)
	if rapid.IntRange(0, 9).Draw(t, "grown") == 0 {
		doc = grown(doc)
	}
	d := Desired{Commit: "c0ffee", Topologies: []Topology{doc}}
	if rapid.IntRange(0, 3).Draw(t, "fence") == 0 {
		d.Fence = []FenceRequest{{Topology: "orders", Cluster: rapid.SampledFrom(ids[:n]).Draw(t, "fenced")}}
	}
	if rapid.IntRange(0, 2).Draw(t, "intent") == 0 {
		m.Intents = drawIntent(t, d, n)
	}
	return d, o, m
}

// drawLikely is a star around a, some of whose members never joined or were
// let go, a document that asks for one change of it, and at most two accidents.
func drawLikely(t *rapid.T, n int) (Desired, Observed, Memory) {
	var joined []string
	for _, id := range ids[1:n] {
		if id == "b" || rapid.IntRange(0, 2).Draw(t, "joined") > 0 {
			joined = append(joined, id)
		}
	}
	doc := rapid.SampledFrom([]Topology{pairOf("a", ids[1:n]...), pairOf("b", append([]string{"a"}, ids[2:n]...)...), failoverDocument(t, n)}).Draw(t, "change")
	if doc.Previous == nil {
		doc = doc.after(pairOf("a", ids[1:n]...))
	}
	for i, c := range doc.Clusters {
		if c.Role == RoleStandby && rapid.IntRange(0, 5).Draw(t, "let go") == 0 {
			doc.Clusters[i].Role = RoleDetached
		}
	}
	o := Observed{}
	for _, id := range ids[:n] {
		stored := rapid.SampledFrom([]View{empty(id), primaryOf(id)}).Draw(t, "outside")
		if id == "a" || slices.Contains(joined, id) {
			stored = believing(id, storing("a", joined...))
		}
		o.Views = append(o.Views, stored)
		if id != "a" {
			o.Evidence = append(o.Evidence, lost("a", id, func(_ int, r *Round) { r.Progress = progress(id, time.Minute, time.Minute) }))
		}
	}
	if rapid.Bool().Draw(t, "a is gone") {
		o.Views[0] = down("a")
	}
	d, m := Desired{Commit: "c0ffee", Topologies: []Topology{doc}}, Memory{Now: now, Ledger: LedgerEmbedded}
	if rapid.IntRange(0, 3).Draw(t, "begun") == 0 {
		m.Intents, o = drawBegun(t, d, o, m)
	}
	for range rapid.IntRange(0, 2).Draw(t, "accidents") {
		i := rapid.IntRange(0, n-1).Draw(t, "met")
		o.Views[i] = drawView(t, ids[i], n)
	}
	return d, o, m
}

// failoverDocument makes b primary in place of a and everything else stale.
func failoverDocument(t *rapid.T, n int) Topology {
	doc := failingOver("b", "a")
	for _, id := range ids[2:n] {
		role := rapid.SampledFrom([]Role{RoleStale, RoleStale, RoleDetached, RoleStandby}).Draw(t, "role")
		doc.Clusters = append(doc.Clusters, cluster(id, role))
		doc.Previous.Clusters = append(doc.Previous.Clusters, cluster(id, RoleStandby))
	}
	return doc
}

// drawBegun carries out some of the steps of what is planned, and remembers
// that it was begun.
func drawBegun(t *rapid.T, d Desired, o Observed, m Memory) ([]Intent, Observed) {
	p := Compute(d, o, m).Topologies[0]
	if !p.Changes() || p.Blocked(nil) {
		return nil, o
	}
	whole := p.Steps
	p.Steps = slices.DeleteFunc(slices.Clone(whole), func(s Step) bool { return rapid.Bool().Draw(t, "undone") })
	after, _ := applied(p, o, m)
	return []Intent{{
		Topology: p.Name, Transition: p.Transition, Generation: p.Generation, Digest: p.Digest,
		Steps: whole, At: now.Add(-time.Minute), MayHaveSent: true,
	}}, after
}

// drawIntent is an intent that some other state of the world gave rise to.
func drawIntent(t *rapid.T, d Desired, n int) []Intent {
	var o Observed
	for _, id := range ids[:n] {
		o.Views = append(o.Views, drawView(t, id, n))
	}
	p := Compute(d, o, Memory{Now: now}).Topologies[0]
	if p.Transition == TransitionNone {
		return nil
	}
	sent := rapid.Bool().Draw(t, "sent")
	return []Intent{{
		Topology: p.Name, Transition: p.Transition, Generation: p.Generation - int64(rapid.IntRange(0, 1).Draw(t, "older")),
		Digest: p.Digest, Steps: p.Steps, At: now.Add(-time.Minute), MayHaveSent: sent,
		Effected: sent && rapid.IntRange(0, 3).Draw(t, "effected") == 0,
	}}
}
