package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// safety is the second pass over a decided topology: findings that stand against the
// transition, or that describe a topology at rest. Each group looks at one danger and
// knows nothing of the others; sortFindings puts them in order.
func (s situation) safety(d decision) []Finding {
	var out []Finding
	out = append(out, s.generationFindings()...)
	out = append(out, s.membershipFindings()...)
	out = append(out, s.credentialFindings(d)...)
	out = append(out, s.identityFindings(d)...)
	out = append(out, s.writerFindings(d)...)
	out = append(out, s.doubtFindings(d)...)
	out = append(out, s.channelFindings(d)...)
	out = append(out, s.revivalFindings(d)...)
	out = append(out, s.trafficFindings(d)...)
	out = append(out, s.knownIssueFindings(d)...)
	out = append(out, s.rejoinedFindings(d)...)
	out = append(out, s.fenceInLogFindings(d)...)
	out = append(out, s.contentFindings(d)...)
	out = append(out, s.inFlightFindings(d)...)
	switch d.transition {
	case TransitionNone:
		out = append(out, s.restFindings(d)...)
	case TransitionFailover:
		out = append(out, s.promotionFindings(d)...)
	default:
		out = append(out, s.updateFindings(d)...)
	}
	return out
}

// generationFindings demand that every change raises the generation, above the document
// before, all earlier ones in the history, and what the ledger has seen. So a revert,
// or a merge of two branches, is refused instead of undoing a failover (contract.md
// §2).
func (s situation) generationFindings() []Finding {
	t, highest, refused := s.document, int64(0), false
	demand := func(above int64, enough bool) {
		highest, refused = max(highest, above), refused || !enough
	}
	if p := t.Previous; p != nil && DocumentHash(*p) != DocumentHash(t) {
		demand(p.Generation, t.Generation > p.Generation)
	}
	demand(t.GreatestEarlier, t.Generation > t.GreatestEarlier)
	if g, ok := s.memory.generation(t.Name); ok {
		demand(g.Generation, t.Generation > g.Generation || t.Generation == g.Generation && g.Document == DocumentHash(t))
	}
	if !refused {
		return nil
	}
	return []Finding{NewFinding(CodeGenerationNotRaised, "",
		fmt.Sprintf("generation %d is not greater than %d, which was in force before this change", t.Generation, highest),
		fmt.Sprintf("set 'generation: %d' or more in the file, in a clone, and check it: 'reconcile validate'; else, if the change is a revert, write what takes it back, in a clone: 'reconcile propose %s --cancel'", highest+1, t.Name))}
}

// membershipFindings look for clusters that a change would forget: a stored
// configuration names them, or the previous document did. Absence is never an intent.
func (s situation) membershipFindings() []Finding {
	var out []Finding
	unlisted := map[string]string{}
	for _, c := range s.topology.Clusters {
		if c.Role == RoleStale {
			continue
		}
		for _, id := range s.foreign(c.ID) {
			unlisted[id] = "the stored list of " + c.ID + " names it"
		}
	}
	if s.topology.Previous != nil {
		for _, c := range s.topology.Previous.Clusters {
			_, listed := s.topology.Cluster(c.ID)
			_, stale := s.memory.staleMark(c.ID)
			if !listed && !stale && (c.Role == RolePrimary || c.Role == RoleStandby) {
				unlisted[c.ID] = "the previous document listed it as " + c.Role.String()
			}
		}
	}
	for _, id := range sortedKeys(unlisted) {
		out = append(out, NewFinding(CodeClusterUnlisted, id,
			fmt.Sprintf("%s is not in the document: %s", id, unlisted[id]),
			"list it as 'role: standby', or as 'role: detached' or 'role: stale' if it should go, raise 'generation', and check the file: 'reconcile validate'; a missing cluster is never a request to detach it"))
	}
	out = append(out, s.forgottenStale()...)
	return append(out, s.homeFindings()...)
}

// homeFindings: a cluster stays with its topology, by the ledger and by the history of
// the documents.
func (s situation) homeFindings() []Finding {
	var out []Finding
	for _, c := range s.topology.Clusters {
		other := s.topology.Moved[c.ID]
		for _, h := range s.memory.Homes {
			if h.Cluster == c.ID && h.Topology != s.topology.Name && h.Topology > other {
				other = h.Topology
			}
		}
		if other != "" {
			out = append(out, NewFinding(CodeClusterMoved, c.ID,
				fmt.Sprintf("%s belonged to topology %s", c.ID, other),
				"keep "+c.ID+" in the document of "+other+", take it out of this one, raise 'generation', and check the files: 'reconcile validate'; an approver may accept it with 'Failover-Accept: CLUSTER_MOVED'"))
		}
	}
	return out
}

// credentialFindings: an address that the credential is not bound to blocks the whole
// topology, and no cluster of it was called. A missing credential blocks where the
// cluster must be called.
func (s situation) credentialFindings(d decision) []Finding {
	var out []Finding
	for _, c := range s.topology.Clusters {
		switch s.view(c.ID).Credential {
		case CredentialMismatch:
			out = append(out, NewFinding(CodeCredentialMismatch, c.ID,
				fmt.Sprintf("the file gives %s the address %s and uri %s, which its credential is not bound to; no cluster of this topology was called", c.ID, c.ClientAddress, c.URI),
				"correct the file, or, if the cluster really moved, 'address' and 'uri' of its credential, and check it: 'reconcile doctor "+s.topology.Name+"'"))
		case CredentialMissing:
			if s.mustCall(d, c) {
				out = append(out, s.missingCredential(c.ID))
			}
		default: // bound, or refused by the server, which other findings tell
		}
	}
	return out
}

// noCredential begins the error of a cluster that the operator's configuration does not know.
const noCredential = "the operator's configuration has no credential for "

// TokenUnread reports whether the cluster has a credential whose token cannot be read now.
func (v View) TokenUnread() bool {
	return v.Credential == CredentialMissing && v.Error != "" && !strings.HasPrefix(v.Error, noCredential)
}

// missingCredential: there is none, or a file that it names cannot be used, as the
// adapter says.
func (s situation) missingCredential(id string) Finding {
	if v := s.view(id); v.TokenUnread() {
		return NewFinding(CodeCredentialMissing, id, v.Error,
			"restore the file or variable that the operator's configuration names for it, and check it: 'reconcile doctor "+s.topology.Name+"'")
	}
	return NewFinding(CodeCredentialMissing, id, noCredential+id,
		"add it to 'credentials' in the operator's configuration, with clusterId, address and tokenFrom, and check it: 'reconcile doctor "+s.topology.Name+"'")
}

// mustCall says whether the change needs the cluster: every member but the stale ones
// and the lost primary of a failover.
func (s situation) mustCall(d decision, c Cluster) bool {
	return c.Role != RoleStale && !(d.transition == TransitionFailover && c.ID != d.primary.ID)
}

// identityFindings: what answers at an address must be the cluster of the file, with
// the channels of the file, and no two members may be the same cluster.
func (s situation) identityFindings(d decision) []Finding {
	out := s.sharedIdentities()
	for _, c := range s.topology.Clusters {
		v := s.view(c.ID)
		if v.IdentityConflict != "" {
			out = append(out, NewFinding(CodeClusterIDMismatch, c.ID,
				"another cluster answers at the address of "+c.ID+": "+v.IdentityConflict,
				"correct 'clientAddress' in the file and 'address' in its credential; see what answers: 'reconcile doctor "+s.topology.Name+"'"))
		}
		stored, ok := v.Belief.Configuration.Member(c.ID)
		if ok && v.Reach == ReachUp && !slices.Equal(stored.PChannels, c.PChannels) && !extends(c.PChannels, stored.PChannels) && s.mustCall(d, c) {
			out = append(out, NewFinding(CodePChannelMismatch, c.ID,
				fmt.Sprintf("%s stores %d channels that are not the %d of the file", c.ID, len(stored.PChannels), len(c.PChannels)),
				"correct 'pchannels' in the file; see the live ones: 'reconcile status "+s.topology.Name+" -o json'; growing them is a change of its own"))
		} else if len(v.Unlisted) > 0 && v.Reach == ReachUp && s.mustCall(d, c) {
			out = append(out, s.raisedUnlisted(c, v))
		}
	}
	return out
}

// sharedIdentities finds addresses that lead to one and the same cluster. What one
// member is sent, the other would get.
func (s situation) sharedIdentities() []Finding {
	answers := map[string][]string{}
	for _, c := range s.topology.Clusters {
		v := s.view(c.ID)
		switch {
		case v.IdentityConflict != "":
			answers[v.IdentityConflict] = append(answers[v.IdentityConflict], c.ID)
		case v.IdentityProven && v.Reach == ReachUp:
			answers[c.ID] = append(answers[c.ID], c.ID)
		}
	}
	var out []Finding
	for _, id := range slices.Sorted(maps.Keys(answers)) {
		if members := answers[id]; len(members) > 1 {
			for _, c := range members {
				out = append(out, NewFinding(CodeClusterIDMismatch, c,
					fmt.Sprintf("the addresses of %s lead to one and the same cluster, %s", strings.Join(members, " and "), id),
					"give each member a 'clientAddress' that always leads to it and to no other, and see what answers: 'reconcile doctor "+s.topology.Name+"'; a name that moves with the primary does not do that"))
			}
		}
	}
	return out
}

// hasBlocking says whether one of the findings blocks.
func hasBlocking(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Severity == SeverityBlocking })
}

// sortedKeys are the keys of a map in order, since a plan must not depend on the order
// of a map.
func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// forgottenStale flags clusters that the ledger holds as stale and the document no
// longer lists. Leaving one out does not make it harmless (milvus.md S21).
func (s situation) forgottenStale() []Finding {
	var out []Finding
	for _, m := range s.memory.Stale {
		if _, listed := s.topology.Cluster(m.Cluster); listed || m.Topology != s.topology.Name || m.Fenced {
			continue
		}
		out = append(out, NewFinding(CodeStalePrimary, m.Cluster,
			m.Cluster+" was recorded as stale and is no longer in the document, so reconcile does not observe it: it may take writes",
			"list it again with 'role: stale' and a higher 'generation', until it is decommissioned or rebuilt, and check the file: 'reconcile validate'"))
	}
	return out
}

// doubtFindings: while an intent is open that may have sent a request, every other
// transition waits until the clusters show what came of it. The transition of the
// intent itself is carried on, unless something blocks it.
func (s situation) doubtFindings(d decision) []Finding {
	i := s.intent
	if i == nil || !i.MayHaveSent || i.Effected || s.settledByReading(*i) {
		return nil
	}
	target := d.primary.ID
	if c, ok := i.PromotionTarget(); ok {
		target = c
	}
	same := s.begunBy(*i) && (i.Transition == d.transition || i.Transition == TransitionRehearsal && d.transition == TransitionSwitchover)
	if same && !hasBlocking(withoutCodes(d.findings, CodePrimaryNotProbed)) && s.intentState(*i) != intentForeign {
		return nil // it is carried on, once its rounds are made
	}
	if w := s.underWay(); w != nil {
		return []Finding{s.underWayFinding(*w, target)}
	}
	return []Finding{NewFinding(CodePromotionInDoubt, target,
		fmt.Sprintf("the %s of generation %d was begun at %s and its outcome is not known: %s may still change its role",
			i.Transition, i.Generation, i.At.UTC().Format(time.RFC3339), target),
		"wait until it is decided what "+target+" is: 'reconcile status "+s.topology.Name+" --watch'; an approver may accept with 'Failover-Accept: PROMOTION_IN_DOUBT'")}
}

// AwaitsOnlyProbes says whether an open intent can continue once rounds of evidence
// are made: nothing else blocks it. Apply makes them itself.
func (t TopologyPlan) AwaitsOnlyProbes() bool {
	blocking := t.Blocking(nil)
	return t.Resumed && len(blocking) > 0 && len(withoutCodes(blocking, CodePrimaryNotProbed)) == 0
}

// AwaitingProbes is the plan for a reader that makes no rounds of evidence. Where an
// open intent waits for nothing else, PRIMARY_NOT_PROBED becomes a warning that names
// the apply which makes them; any other plan is returned as it is.
func (t TopologyPlan) AwaitingProbes() TopologyPlan {
	if !t.AwaitsOnlyProbes() {
		return t
	}
	t.Findings = slices.Clone(t.Findings)
	for i, f := range t.Findings {
		if f.Code == CodePrimaryNotProbed {
			t.Findings[i].Severity, t.Findings[i].Acceptable = SeverityWarning, false
			t.Findings[i].Remedy = "make the probes and continue the " + t.Transition.String() + ": 'reconcile apply " + t.Name + "'; no new approval is needed"
		}
	}
	return t
}

// The findings below come from the history of Git, from the ledger or from an apply, and
// not from Compute. They are here so that this package words every message about a
// topology.

// SupersededBy is the finding for a commit that no longer governs a topology; newer is
// the commit that does.
func SupersededBy(topology, newer string) Finding {
	return NewFinding(CodeSuperseded, "",
		"commit "+newer+" governs "+topology+" at the tip of the tracked ref, not the commit given",
		"read what is in force instead: 'reconcile plan "+topology+"'; then apply it, unless a running daemon does: 'reconcile apply "+topology+"'")
}

// HistoryRewritten is the finding for a tracked ref that was moved to a commit which
// does not descend from the one seen before.
func HistoryRewritten(commit string) Finding {
	return NewFinding(CodeHistoryRewritten, "",
		"the tracked ref was moved to commit "+commit+", which does not descend from the one that was seen before",
		"check who moved the tracked ref and why, then accept with 'Failover-Accept: HISTORY_REWRITTEN'")
}

// LedgerNew is the finding for a ledger without earlier records.
func LedgerNew() Finding {
	return NewFinding(CodeLedgerNew, "", "the ledger is new: it cannot say which approvals were used before",
		"check that this approval was not carried out already, and see the commits in a clone: 'git log -10'")
}

// VerificationFailed is the finding for a primary that does not work as one. err says
// which check failed.
func VerificationFailed(topology, cluster string, level VerifyLevel, err error) Finding {
	return NewFinding(CodeVerificationFailed, cluster,
		fmt.Sprintf("%s does not work as the primary (%s): %s", cluster, level, err),
		"see whether "+cluster+" answers and what its token may do: 'reconcile doctor "+topology+"'; then check its proxies and coordinator, and verify again: 'reconcile status "+topology+" --verify'")
}

// ShardUndecided is the finding for a topology that the operator's rules give to no shard,
// or to several. file is its document, takers the shards that take it.
func ShardUndecided(topology, file string, takers []string) Finding {
	message := "no shard of the operator's configuration takes " + file + ": no daemon watches " + topology + " or carries out a change of it"
	remedy := "add its folder or a label of it to one of 'shards' in the operator's configuration, or move the file to a folder that a shard takes"
	if len(takers) > 0 {
		message = "the shards " + strings.Join(takers, " and ") + " of the operator's configuration take " + file + ": no daemon watches " + topology + " or carries out a change of it"
		remedy = "change 'shards' in the operator's configuration so that one of " + strings.Join(takers, ", ") + " takes it and the others do not"
	}
	return NewFinding(CodeShardUndecided, "", message,
		remedy+"; then send SIGHUP to the daemons; until then, apply by hand: 'reconcile apply "+topology+"'")
}
