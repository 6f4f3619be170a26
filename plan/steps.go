package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// steps are the steps of a decided transition in their order, numbered from 1. Steps of
// one wave run at the same time, waves one after the other. nil: the clusters store
// nothing from which the steps could be formed, or the transition has rules of its own
// (fence).
func (s situation) steps(d decision) []Step {
	var out []Step
	switch d.transition {
	case TransitionFailover:
		out = s.failoverSteps(d)
	case TransitionSwitchover:
		out = s.switchoverSteps(d)
	case TransitionBootstrap, TransitionAddStandby:
		out = s.joinSteps(d)
	case TransitionRebuild:
		out = s.rebuildSteps(d)
	case TransitionDetach:
		out = s.detachSteps(d)
	case TransitionGrowChannels:
		out = s.growSteps(d)
	default: // nothing to do; a fence is planned by its own rules
	}
	for i := range out {
		out[i].ID = i + 1
	}
	return out
}

// storedConfiguration is a copy of what a cluster stores; nil: nothing, or not known.
// It becomes Step.Before, which apply compares with the live configuration before it
// sends.
func (s situation) storedConfiguration(id string) *Configuration {
	c := s.view(id).Belief.Configuration
	if len(c.Clusters) == 0 {
		return nil
	}
	out := c.Clone()
	return &out
}

// failoverSteps record the stale clusters, promote, verify and redirect. The force
// promote carries the cluster's own entry and no edges: the server rebuilds the
// configuration from what it stores (milvus.md §2.9). A primary that writes already,
// because the cluster that replaced it is lost, gets an ordinary update.
func (s situation) failoverSteps(d decision) []Step {
	v := s.view(d.primary.ID)
	var out []Step
	for _, c := range s.topology.withRole(RoleStale) {
		if _, marked := s.memory.staleMark(c.ID); !marked || c.ID == d.lost {
			out = append(out, Step{Wave: 1, Action: ActionRecordStale, Cluster: c.ID, Reason: ReasonRemember})
		}
	}
	switch v.Belief.Kind {
	case BeliefStandby:
		out = append(out, s.forcePromoteStep(d.primary))
	case BeliefPrimary:
		out = append(out, s.dropLostSteps(d)...)
	default:
		return nil
	}
	out = append(out,
		Step{Wave: 3, Action: ActionVerify, Cluster: d.primary.ID, Reason: ReasonProveRole, Verify: s.rules.Verify},
		Step{Wave: 4, Action: ActionRedirect, Cluster: d.primary.ID, Reason: ReasonMoveTraffic},
	)
	if v.Belief.Kind == BeliefStandby {
		out = append(out, s.loadSteps(5, d.primary.ID)...)
	}
	return out
}

// loadSteps load and index on a new primary what the old one had loaded and indexed, if the
// operator wants that. What that is, the ledger says when the step is carried out.
func (s situation) loadSteps(wave int, primary string) []Step {
	if !s.loads {
		return nil
	}
	return []Step{{Wave: wave, Action: ActionLoad, Cluster: primary, Reason: ReasonServeAsBefore}}
}

// forcePromoteStep sends a standby the list of itself alone, with its stored channels.
func (s situation) forcePromoteStep(c Cluster) Step {
	own, ok := s.view(c.ID).Belief.Configuration.Member(c.ID)
	if !ok {
		own = memberOf(c)
	}
	after := Configuration{Clusters: []Member{own}}.Clone()
	return Step{Wave: 2, Action: ActionForcePromote, Cluster: c.ID, Reason: ReasonPrimaryLost, Before: s.storedConfiguration(c.ID), After: &after}
}

// dropLostSteps tell a primary that still takes writes, and its standbys, to go on
// without the cluster that was promoted instead of it and is lost.
func (s situation) dropLostSteps(d decision) []Step {
	after := s.keepOrder(star(d.primary, s.topology.withRole(RoleStandby)), d.primary.ID)
	out := []Step{s.updateStep(2, d.primary.ID, ReasonPrimaryLost, after)}
	for _, c := range s.topology.withRole(RoleStandby) {
		out = append(out, s.updateStep(2, c.ID, ReasonKeepsStandby, after))
	}
	return out
}

// switchoverSteps send one configuration to all members at once: the call on
// a standby waits until replication brings it (milvus.md §2.5, §4.2).
func (s situation) switchoverSteps(d decision) []Step {
	after := s.keepOrder(star(d.primary, s.topology.withRole(RoleStandby)), d.source)
	var out []Step
	for _, c := range s.primaryAndStandbys() {
		reason := ReasonKeepsStandby
		switch c.ID {
		case d.primary.ID:
			reason = ReasonBecomesPrimary
		case d.source:
			reason = ReasonBecomesStandby
		}
		out = append(out, s.updateStep(1, c.ID, reason, after))
	}
	return append(out, s.closingSteps(2, d.primary.ID, true)...)
}

// joinSteps tell the primary and its standbys of today first, and the new standbys in
// the next wave, once the primary was read back (milvus.md §4.1, §4.5).
func (s situation) joinSteps(d decision) []Step {
	after := s.keepOrder(star(d.primary, s.topology.withRole(RoleStandby)), s.orderedBy(d))
	reason := ReasonJoins
	if d.transition == TransitionBootstrap {
		reason = ReasonNewTopology
	}
	out := []Step{s.updateStep(1, d.primary.ID, reason, after)}
	var joining []Step
	for _, c := range s.topology.withRole(RoleStandby) {
		if s.keepsStandby(d, c) {
			out = append(out, s.updateStep(1, c.ID, ReasonKeepsStandby, after))
			continue
		}
		joining = append(joining, s.updateStep(2, c.ID, ReasonJoins, after))
	}
	return append(append(out, joining...), s.closingSteps(3, d.primary.ID, false)...)
}

// orderedBy is the cluster whose live order a join keeps: a joining one that
// stores the wanted list already, since it would wait for ever for another
// order of it; else the primary.
func (s situation) orderedBy(d decision) string {
	for _, p := range d.pairs {
		if p.cell.join && p.other == stateForward && p.primary == stateSelf {
			return p.member.ID
		}
	}
	return d.primary.ID
}

// keepsStandby says whether a standby replicates from the primary already: the
// primary stores the edge, and the standby says so itself or does not answer.
func (s situation) keepsStandby(d decision, c Cluster) bool {
	v := s.view(c.ID)
	if !s.view(d.primary.ID).Belief.Configuration.HasEdge(d.primary.ID, c.ID) {
		return false
	}
	if asked, ok := s.topology.Rebuilds(); ok && asked.ID == c.ID {
		return false
	}
	adds := d.transition == TransitionAddStandby || d.transition == TransitionRebuild
	return v.Belief.Kind == BeliefUnknown || adds && v.Belief.Source == d.primary.ID
}

// detachSteps let the detached standbys go: the primary and the rest drop
// them, each of them is the barrier of its own removal (milvus.md §4.4).
func (s situation) detachSteps(d decision) []Step {
	after := s.keepOrder(star(d.primary, s.topology.withRole(RoleStandby)), d.primary.ID)
	var out []Step
	if stored := s.storedConfiguration(d.primary.ID); stored == nil || !stored.Equal(after) {
		out = append(out, s.updateStep(1, d.primary.ID, ReasonLeaves, after))
	}
	for _, c := range s.topology.withRole(RoleStandby) {
		out = append(out, s.updateStep(1, c.ID, ReasonKeepsStandby, after))
	}
	for _, c := range s.topology.withRole(RoleDetached) {
		if s.view(c.ID).Belief.Kind == BeliefStandby {
			out = append(out, s.updateStep(1, c.ID, ReasonLeaves, Configuration{Clusters: []Member{memberOf(c)}}))
		}
	}
	return append(out, s.closingSteps(2, d.primary.ID, false)...)
}

// updateStep sends a cluster a whole configuration, in the given wave.
func (s situation) updateStep(wave int, id string, reason Reason, after Configuration) Step {
	a := after.Clone()
	return Step{Wave: wave, Action: ActionUpdate, Cluster: id, Reason: reason, Before: s.storedConfiguration(id), After: &a}
}

// closingSteps wait until all members store what was sent, verify the primary and, when
// the primary moved, redirect traffic and load: one wave each, from the given one on.
func (s situation) closingSteps(wave int, primary string, moves bool) []Step {
	out := []Step{
		{Wave: wave, Action: ActionWait, Cluster: primary, Reason: ReasonProveReplication},
		{Wave: wave + 1, Action: ActionVerify, Cluster: primary, Reason: ReasonProveRole, Verify: s.rules.Verify},
	}
	if moves {
		out = append(out, Step{Wave: wave + 2, Action: ActionRedirect, Cluster: primary, Reason: ReasonMoveTraffic})
		out = append(out, s.loadSteps(wave+3, primary)...)
	}
	return out
}

// primaryAndStandbys are the members that get the configuration of the topology, sorted
// by id.
func (s situation) primaryAndStandbys() []Cluster {
	var out []Cluster
	for _, c := range s.topology.Clusters {
		if c.Role == RolePrimary || c.Role == RoleStandby {
			out = append(out, c)
		}
	}
	return out
}

// keepOrder puts the wanted configuration into the order in which the cluster live
// stores it, if both have the same members. The order of both lists is part of equality
// on the server (milvus.md §2.3), so another order would be a needless change.
func (s situation) keepOrder(want Configuration, live string) Configuration {
	stored := s.view(live).Belief.Configuration
	if len(stored.Clusters) != len(want.Clusters) {
		return want
	}
	var members []Member
	for _, m := range stored.Clusters {
		w, ok := want.Member(m.ID)
		if !ok {
			return want
		}
		members = append(members, w)
	}
	out := want.Clone()
	out.Clusters = members
	if sorted := (Configuration{Edges: stored.Edges}).canonical(); slices.Equal(sorted.Edges, want.Edges) {
		out.Edges = slices.Clone(stored.Edges)
	}
	if !out.SameSet(want) {
		return want
	}
	return out
}

// growSteps send the longer lists of channels to the primary and its standbys at the
// same time, in the live order: a call on a standby waits until replication brings the
// change (milvus.md §2.5). Nothing but the channels changes, as versions up to 2.6.15
// demand (milvus.md V21).
func (s situation) growSteps(d decision) []Step {
	after := s.keepOrder(star(d.primary, s.topology.withRole(RoleStandby)), d.primary.ID)
	var out []Step
	for _, c := range s.primaryAndStandbys() {
		out = append(out, s.updateStep(1, c.ID, ReasonChannelsGrow, after))
	}
	return append(out, s.closingSteps(2, d.primary.ID, false)...)
}

// digestEncoding names what a digest covers. It changes whenever that changes, so that
// an approval of one encoding never counts for another.
const digestEncoding = "reconcile-plan-digest/1"

// digestStep is what a digest covers of one step: what is sent to which cluster, and
// what is stored there before; or that collections are loaded there.
type digestStep struct {
	Cluster string         `json:"cluster"`
	Before  *Configuration `json:"before"`
	After   *Configuration `json:"after"`
	Force   bool           `json:"force"`
	Loads   bool           `json:"loads,omitempty"`
}

// topologyDigest is the hash that an approval pins, "sha256:" and 64 hexadecimal
// digits: the transition, and the steps that send a configuration or load collections
// (contract.md §4).
// Verification, traffic, reach, findings, lag, memory and commit are left out, so that
// a plan that was approved does not change by them. Empty without a transition.
func topologyDigest(name string, transition Transition, steps []Step) string {
	if transition == TransitionNone {
		return ""
	}
	content := struct {
		Encoding   string       `json:"encoding"`
		Topology   string       `json:"topology"`
		Transition Transition   `json:"transition"`
		Steps      []digestStep `json:"steps"`
	}{Encoding: digestEncoding, Topology: name, Transition: transition, Steps: []digestStep{}}
	for _, s := range steps {
		if s.Action.Sends() || s.Action == ActionLoad {
			content.Steps = append(content.Steps, digestStep{s.Cluster, withLists(s.Before), withLists(s.After), s.ForcePromote(), s.Action == ActionLoad})
		}
	}
	return hashJSON(content)
}

// planDigest hashes the lines "name digest" of the topologies with a transition,
// sorted.
func planDigest(topologies []TopologyPlan) string {
	var lines []string
	for _, t := range topologies {
		if t.Digest != "" {
			lines = append(lines, t.Name+" "+t.Digest)
		}
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// DocumentHash identifies what a document says: every field that Git decides, without
// the places in the file and without the version before it. It is "sha256:" and 64
// hexadecimal digits. The ledger keeps it with the generation, so it must stay the same
// from build to build; TestDocumentHash holds one value. schema.Hash is another hash of the
// same document: it compares commits of Git, also files that are not valid, and only
// this build keeps it.
func DocumentHash(t Topology) string {
	c := Topology{
		Name: t.Name, Generation: t.Generation, MaxLag: t.MaxLag,
		Switchover: t.Switchover, Failover: t.Failover, Rehearse: t.Rehearse,
	}
	for _, m := range t.Clusters {
		m.At = Position{}
		m.Provisioned.At = m.Provisioned.At.UTC().Truncate(time.Nanosecond)
		c.Clusters = append(c.Clusters, m)
	}
	slices.SortFunc(c.Clusters, func(a, b Cluster) int { return compareStrings(a.ID, b.ID) })
	return hashJSON(c)
}

// hashJSON hashes the JSON of plain values. Structs of strings, numbers, booleans,
// times, lists and maps of strings always have one; if not, their Go form is hashed, so
// that two values that differ never hash alike.
func hashJSON(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		data = fmt.Appendf(nil, "%#v", v)
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// withLists copies a configuration and writes absent lists as empty ones, so that both
// hash alike.
func withLists(c *Configuration) *Configuration {
	if c == nil {
		return nil
	}
	out := c.Clone()
	if out.Clusters == nil {
		out.Clusters = []Member{}
	}
	if out.Edges == nil {
		out.Edges = []Edge{}
	}
	return &out
}

// star is the configuration in which the primary replicates to each standby, in
// canonical order. It is what the document wants the members to store.
func star(primary Cluster, standbys []Cluster) Configuration {
	out := Configuration{Clusters: []Member{memberOf(primary)}}
	for _, s := range standbys {
		out.Clusters = append(out.Clusters, memberOf(s))
		out.Edges = append(out.Edges, Edge{From: primary.ID, To: s.ID})
	}
	return out.canonical()
}

// memberOf is the entry of a cluster as the document gives it.
func memberOf(c Cluster) Member {
	return Member{ID: c.ID, URI: c.URI, PChannels: slices.Clone(c.PChannels)}
}
