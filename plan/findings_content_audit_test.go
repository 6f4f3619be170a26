package plan

import (
	"slices"
	"testing"
	"time"
)

// TestContentFindings: an audit speaks of the standby that it compared, at rest and where
// that standby is promoted, and no longer once it was rebuilt.
func TestContentFindings(t *testing.T) {
	at := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	topology := Topology{Name: "orders", Clusters: []Cluster{{ID: "a", Role: RolePrimary}, {ID: "b", Role: RoleStandby}}}
	promoted := Topology{Name: "orders", Clusters: []Cluster{{ID: "a", Role: RoleStale}, {ID: "b", Role: RolePrimary}}}
	diverged := AuditMark{Topology: "orders", Primary: "a", Standby: "b", At: at, Verdict: ContentDiverged}
	with := func(change func(*AuditMark)) AuditMark {
		m := diverged
		change(&m)
		return m
	}
	for _, c := range []struct {
		name     string
		topology Topology
		decision decision
		mark     AuditMark
		rebuilt  time.Time
		want     []Code
	}{
		{name: "at rest", topology: topology, mark: diverged, want: []Code{CodeContentDiverged}},
		{name: "not proven", topology: topology, mark: with(func(m *AuditMark) { m.Verdict = ContentUnproven }), want: []Code{CodeContentUnproven}},
		{name: "equal", topology: topology, mark: with(func(m *AuditMark) { m.Verdict = ContentEqual })},
		{name: "with another primary", topology: topology, mark: with(func(m *AuditMark) { m.Primary = "c" })},
		{name: "of another topology", topology: topology, mark: with(func(m *AuditMark) { m.Topology = "users" })},
		{name: "of a cluster that is gone", topology: topology, mark: with(func(m *AuditMark) { m.Standby = "c" })},
		{name: "rebuilt since", topology: topology, mark: diverged, rebuilt: at.Add(time.Hour)},
		{name: "rebuilt before", topology: topology, mark: diverged, rebuilt: at.Add(-time.Hour), want: []Code{CodeContentDiverged}},
		{name: "promoted", topology: promoted, decision: decision{transition: TransitionFailover}, mark: diverged, want: []Code{CodeContentDiverged}},
		{name: "promoted already", topology: promoted, mark: diverged},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.decision.primary, _ = c.topology.Primary()
			s := situation{topology: c.topology, memory: Memory{Audits: []AuditMark{c.mark}}}
			if !c.rebuilt.IsZero() {
				s.memory.Provisions = []UsedProvision{{Cluster: "b", At: c.rebuilt}}
			}
			var got []Code
			for _, f := range s.contentFindings(c.decision) {
				got = append(got, f.Code)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestProvenEqual: a plan says of the cluster that it promotes when it was last proven equal to
// the primary that it replaces, and at rest of each standby.
func TestProvenEqual(t *testing.T) {
	at := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	mark := func(standby string, equal time.Time) AuditMark {
		return AuditMark{Topology: "orders", Primary: "a", Standby: standby, At: at, Verdict: ContentUnproven, EqualAt: equal, EqualRows: 7, EqualSampled: 3}
	}
	rest := Topology{Name: "orders", Clusters: []Cluster{{ID: "a", Role: RolePrimary}, {ID: "b", Role: RoleStandby}, {ID: "c", Role: RoleStandby}}}
	over := Topology{Name: "orders", Clusters: []Cluster{{ID: "a", Role: RoleStale}, {ID: "b", Role: RolePrimary}, {ID: "c", Role: RoleStale}}}
	failover := decision{transition: TransitionFailover, primary: Cluster{ID: "b"}, lost: "a"}
	proof := func(standby string) EqualProof { return EqualProof{standby, "a", at, 7, 3} }
	for name, c := range map[string]struct {
		topology Topology
		decision decision
		audits   []AuditMark
		rebuilt  string
		want     []EqualProof
	}{
		"at rest":              {rest, decision{primary: Cluster{ID: "a"}}, []AuditMark{mark("b", at), mark("c", at)}, "", []EqualProof{proof("b"), proof("c")}},
		"one never was":        {rest, decision{primary: Cluster{ID: "a"}}, []AuditMark{mark("b", time.Time{}), mark("c", at)}, "", []EqualProof{proof("c")}},
		"one was rebuilt":      {rest, decision{primary: Cluster{ID: "a"}}, []AuditMark{mark("b", at), mark("c", at)}, "b", []EqualProof{proof("c")}},
		"with another primary": {rest, decision{primary: Cluster{ID: "c"}}, []AuditMark{mark("b", at)}, "", nil},
		"a failover":           {over, failover, []AuditMark{mark("b", at), mark("c", at)}, "", []EqualProof{proof("b")}},
		"nobody audited":       {over, failover, nil, "", nil},
	} {
		s := situation{topology: c.topology, memory: Memory{Now: at.Add(time.Hour), Audits: c.audits}}
		if c.rebuilt != "" {
			s.memory.Provisions = []UsedProvision{{Cluster: c.rebuilt, At: at.Add(time.Minute)}}
		}
		if got := s.provenEqual(c.decision); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// TestAuditMarkThen: what was proven stays known until it is proven again, of the same pair.
func TestAuditMarkThen(t *testing.T) {
	at := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	equal := AuditMark{Primary: "a", At: at, Verdict: ContentEqual, EqualAt: at, EqualRows: 7}
	later := AuditMark{Primary: "a", At: at.Add(time.Hour)}
	if got := equal.Then(later); got.EqualRows != 7 || !got.EqualAt.Equal(at) || got.Verdict != ContentUnproven {
		t.Errorf("%+v", got)
	}
	if later.Primary = "c"; equal.Then(later).EqualRows != 0 {
		t.Error("what was proven of another primary is kept")
	}
	diverged := AuditMark{Primary: "a", At: at, Verdict: ContentDiverged}
	if got := diverged.Then(AuditMark{Primary: "a", At: at.Add(time.Hour)}); got.Verdict != ContentDiverged {
		t.Error("an audit that proves nothing takes a difference back")
	}
	if got := later.Then(equal); got.Primary != "c" {
		t.Error("an older audit replaces a newer one")
	}
}

// TestUnaudited: where audits are wanted, a standby that none has compared is told after one
// period, and not before. The period begins with the change that made it a standby.
func TestUnaudited(t *testing.T) {
	const every = 6 * time.Hour
	base := world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), idle(standbyOf("a", "b"))}}
	settled := func(ago time.Duration) []SettledMark {
		return []SettledMark{{Topology: "orders", At: now.Add(-ago)}, {Topology: "users", At: now}}
	}
	for _, c := range []struct {
		name   string
		change func(*Desired, *Memory)
		told   bool
	}{
		{"long ago", func(_ *Desired, m *Memory) { m.Settled = settled(2 * every) }, true},
		{"within the period", func(_ *Desired, m *Memory) { m.Settled = settled(every / 2) }, false},
		{"nobody knows since when", func(*Desired, *Memory) {}, false},
		{"no audits are wanted", func(d *Desired, m *Memory) { m.Settled, d.AuditEvery = settled(2*every), 0 }, false},
		{"the daemon has just begun", func(d *Desired, m *Memory) { m.Settled, d.AuditsSince = settled(2*every), now.Add(-time.Minute) }, false},
		{"it was rebuilt", func(_ *Desired, m *Memory) {
			m.Settled, m.Provisions = settled(2*every), []UsedProvision{{Cluster: "b", At: now.Add(-time.Hour)}}
		}, false},
		{"it was audited", func(_ *Desired, m *Memory) {
			m.Settled, m.Audits = settled(2*every), []AuditMark{{Topology: "orders", Primary: "a", Standby: "b", At: now, Verdict: ContentEqual, EqualAt: now}}
		}, false},
		{"it was audited with another primary", func(_ *Desired, m *Memory) {
			m.Settled, m.Audits = settled(2*every), []AuditMark{{Topology: "orders", Primary: "c", Standby: "b", At: now, Verdict: ContentEqual, EqualAt: now}}
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, o, m := base.inputs()
			d.AuditEvery = every
			c.change(&d, &m)
			p, _ := Compute(d, o, m).Topology("orders")
			if f := find(p, CodeContentUnproven, "b"); (f != nil) != c.told {
				t.Errorf("%+v", f)
			}
			proven := len(m.Audits) > 0 && m.Audits[0].Primary == "a"
			if got := !p.Clusters[1].ProvenEqual.IsZero(); got != proven {
				t.Errorf("proven equal: %t", got)
			}
		})
	}
}
