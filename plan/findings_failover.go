package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan/release"
)

// lossFindings judge whether the old primary of a failover is lost, with the rounds
// that this rests on.
func (s situation) lossFindings(d decision, p pair) []Finding {
	j := s.judge(p.member.ID, d.primary.ID)
	f, ok := s.lossFinding(d, p, j)
	if !ok {
		return nil
	}
	f.Evidence = j.evidence()
	return []Finding{f}
}

// evidence is what a judgement rests on: every round that counts, and which channels
// moved.
func (j Judgement) evidence() *FindingEvidence {
	return &FindingEvidence{Rounds: j.Run, Counted: len(j.Run), Restarts: j.Restarts, Moved: j.Moved}
}

// probesSeen says in one sentence what the rounds of a run saw.
func (s situation) probesSeen(o string, j Judgement) string {
	if len(j.Run) == 0 {
		return fmt.Sprintf("no probe of %s counts yet (%s %s)", o, o, s.describe(o))
	}
	return fmt.Sprintf("%d probes of %s failed over %s (%s %s)", len(j.Run), o, DurationText(runSpan(j.Run)), o, s.describe(o))
}

// lossFinding words a judgement. ok is false when the old primary is judged
// unavailable: then nothing stands against the failover.
func (s situation) lossFinding(d decision, p pair, j Judgement) (Finding, bool) {
	o, candidate := p.member.ID, d.primary.ID
	seen := s.probesSeen(o, j)
	switch j.State {
	case LossUnavailable:
		return Finding{}, false
	case LossReachable:
		f := s.tableFinding(d, pair{member: p.member, cell: cell{code: CodePrimaryReachable}})
		if s.view(o).Reach != ReachUp {
			f.Message = fmt.Sprintf("%s answered one probe and not others (%s %s): it lives, and the network to it fails now and then, so it is not lost", o, o, s.describe(o))
		}
		return f, true
	case LossStillReplicating:
		return NewFinding(CodePrimaryStillReplicating, o,
			fmt.Sprintf("%s does not answer us, but the checkpoint of %s moved %d times while we probed: it lives and replicates", o, candidate, j.Restarts),
			"repair the network between reconcile and "+o+", and watch its checkpoint: 'reconcile status "+s.topology.Name+" --watch'; then, if the primary is to change, use a switchover: set "+o+" to 'role: standby' and raise 'generation', in one commit"), true
	case LossNotServing:
		return NewFinding(CodePrimaryNotServing, o, seen+": at least once its transport answered and its coordinator did not; no checkpoint moved",
			"bring its coordinator back, and watch it: 'reconcile status "+s.topology.Name+" --watch'; else cut "+o+" off from its clients and its CDC, then accept with 'Failover-Accept: PRIMARY_NOT_SERVING'"), true
	case LossStateUnknown:
		return NewFinding(CodePrimaryStateUnknown, o, seen+": at least one could not find out whether it is there (name resolution, TLS), so it may still take writes",
			"find out whether "+o+" lives, and why it cannot be asked: 'reconcile doctor "+s.topology.Name+"'; else isolate "+o+", then accept with 'Failover-Accept: PRIMARY_STATE_UNKNOWN'"), true
	default:
		return NewFinding(CodePrimaryNotProbed, o,
			fmt.Sprintf("%s; the rules ask for at least %d over %s, so %s", seen, max(s.rules.Probes, 1), DurationText(s.rules.UnavailableFor), missingRounds(j)),
			"make the probes that are missing: 'reconcile apply "+s.topology.Name+"'; a probe counts only if "+candidate+" answers at the same time"), true
	}
}

// missingRounds says what a run lacks until it can be judged.
func missingRounds(j Judgement) string {
	return fmt.Sprintf("at least %d more must count, over %s more", max(j.Probes, 1), UpperBoundText(j.Missing))
}

// judge reads the evidence about one old primary and candidate.
func (s situation) judge(old, candidate string) Judgement {
	return JudgeLoss(s.evidence(old, candidate), s.rules, s.memory.Now)
}

// wants asks for the rounds that a judgement lacks. States that more rounds cannot change
// ask for none. If several clusters must be judged, rounds are made about all of them, so
// that none is judged by older ones than another.
func (s situation) wants(d decision) []Want {
	var out []Want
	lacking := false
	for _, p := range d.pairs {
		if !p.cell.probe {
			continue
		}
		lacking = lacking || s.judge(p.member.ID, d.primary.ID).State == LossNotProbed
		out = append(out, Want{
			Topology: s.topology.Name, Primary: p.member.ID, Candidate: d.primary.ID,
			Span: s.rules.UnavailableFor, Probes: max(s.rules.Probes, 1), Interval: probeCadence(s.rules),
		})
	}
	if !lacking || d.refusedAnyway() {
		return nil
	}
	return out
}

// recentMovement is how long before the first failed probe replication must have moved
// to tell a lost primary from one that only we cannot reach.
const recentMovement = time.Minute

// failoverFindings are the flags that every failover carries: what may be lost, the
// force promote, the old primary that becomes stale, and whether anything proves that
// the primary was reachable before.
func (s situation) failoverFindings(d decision, t TopologyPlan) []Finding {
	c := d.primary.ID
	out := []Finding{s.dataLossFinding(d, t.DataLoss)}
	if slices.ContainsFunc(t.Steps, Step.ForcePromote) {
		out = append(out, s.promoteFinding(d, t))
	}
	if old, ok := s.topology.Cluster(d.lost); ok {
		out = append(out, s.staleFinding(d, old))
	}
	began := t.FailedAt
	newest := newestTick(s.candidateProgress(c))
	old := s.view(d.lost)
	answers := old.Reach == ReachUp && old.Belief.Kind != BeliefUnconfigured // what was rebuilt proves nothing of the old one
	if !answers && !s.provenReadOnly(d.lost) && (newest.IsZero() || began.Sub(newest) > recentMovement) {
		out = append(out, NewFinding(CodePrimaryLivenessUnproven, d.lost,
			"no replication was seen shortly before the probes began: an idle "+d.lost+" behind our own network failure looks the same",
			"ask the owners of the applications whether "+d.lost+" still answers them, or check from one of their hosts: 'curl -sS http://"+s.hostOf(d.lost)+":9091/healthz'"))
	}
	return out
}

// hostOf returns the host at which a cluster is called, as it stands in a URL.
func (s situation) hostOf(id string) string {
	c, _ := s.topology.Cluster(id)
	_, host, _ := strings.Cut(c.URI, "://")
	host, _, _ = strings.Cut(host, "/")
	if port := strings.LastIndex(host, ":"); port > strings.LastIndex(host, "]") {
		host = host[:port]
	}
	return cmp.Or(host, id)
}

// noStandbyLeft says that a failover or a detach leaves the primary without a standby.
func (s situation) noStandbyLeft(d decision) []Finding {
	if d.transition != TransitionFailover && d.transition != TransitionDetach || len(s.topology.withRole(RoleStandby)) > 0 {
		return nil
	}
	return []Finding{NewFinding(CodeNoStandbyLeft, d.primary.ID,
		d.primary.ID+" will have no standby: if it is lost then, nothing can be promoted",
		"rebuild the stale clusters (docs/rebuild.md) or add another one as soon as this is done, and check it: 'reconcile doctor "+s.topology.Name+"'")}
}

// promoteFinding says what a force promote rests on: what was seen of the old primary,
// never that it is gone.
func (s situation) promoteFinding(d decision, t TopologyPlan) Finding {
	j := s.judge(d.lost, d.primary.ID)
	message := fmt.Sprintf("%s will be promoted by force in place of %s; this cannot be undone", d.primary.ID, s.primaryInForce(d))
	if len(j.Run) > 0 && !s.provenReadOnly(d.lost) {
		message += "; " + s.probesSeen(d.lost, j) + ", but others may still reach it"
	}
	f := NewFinding(CodeForcePromote, d.primary.ID, message,
		"cut "+s.primaryInForce(d)+" off from its applications before this goes on; the approver pins what was read with 'Failover-Plan: "+t.Digest+"'")
	f.Evidence = j.evidence()
	return f
}

// provenReadOnly says whether a cluster is proven to refuse writes: it is the cluster
// that we mean, and its own stored configuration makes it a standby.
func (s situation) provenReadOnly(id string) bool {
	v := s.view(id)
	return v.Belief.Kind == BeliefStandby && !v.Belief.Inferred && v.IdentityProven
}

// revivalFindings: a cluster that is stale is to be the primary again. What was written
// elsewhere since is not in it.
func (s situation) revivalFindings(d decision) []Finding {
	switch d.transition {
	case TransitionFailover, TransitionBootstrap, TransitionAddStandby, TransitionRebuild:
	default:
		return nil
	}
	mark, marked := s.memory.staleMark(d.primary.ID)
	if !marked && !(s.memory.Ledger == LedgerNone && s.staleBefore(d.primary.ID)) {
		return nil
	}
	newer := wordOr(mark.Promoted, "the cluster that was promoted instead")
	return []Finding{NewFinding(CodeStalePromotion, d.primary.ID,
		fmt.Sprintf("%s is stale: it lacks every write that %s took since, and these would be lost", d.primary.ID, newer),
		"bring back "+newer+", and watch it: 'reconcile status "+s.topology.Name+" --watch'; only when it is lost for good may an approver accept with 'Failover-Accept: STALE_PROMOTION'")}
}

// candidateProgress is how far a standby has replicated: its salvage checkpoints if a
// force promote of it is half done, else its live channels, else the newest record
// in the ledger.
func (s situation) candidateProgress(candidate string) []ChannelProgress {
	v := s.view(candidate)
	if v.HalfPromoted() {
		return salvagedProgress(v.Progress, v.Belief.Source)
	}
	if len(v.Progress) > 0 {
		return v.Progress
	}
	r, _ := s.memory.progress(candidate)
	return r.Channels
}

// dataLossFinding says which writes a failover may lose, as a bound in time where one
// is known.
func (s situation) dataLossFinding(d decision, w *Window) Finding {
	text := "how much is not known"
	if w != nil && w.Upper != nil {
		text = fmt.Sprintf("up to %s; %s has every write up to %s (by %s)%s",
			UpperBoundText(*w.Upper), d.primary.ID, w.ReplicatedUpTo.UTC().Format(time.RFC3339Nano), w.Method, w.seenText(d.lost))
	}
	if n, until := w.Untouched(); n > 0 {
		text += fmt.Sprintf("; nothing was ever written to %d of %d channels, by %s", n, len(w.PerChannel), until.UTC().Format(time.RFC3339))
	}
	if s.provenReadOnly(d.lost) {
		text = "only what " + d.lost + " took before it became a standby and has not sent; it refuses writes, so this is bounded and does not grow"
	}
	old := d.lost
	if s.replacesUnproven() {
		old = ""
	}
	f := NewFinding(CodeDataLossRisk, old,
		fmt.Sprintf("writes that %s took and did not replicate to %s may be lost: %s", s.primaryInForce(d), d.primary.ID, text), s.lossRemedy(w))
	f.Evidence = &FindingEvidence{Lag: w}
	return f
}

// lossRemedy offers a bound for the approval. Where none is known it offers none: every
// one would deny.
func (s situation) lossRemedy(w *Window) string {
	if bound := w.Bound(); bound != "" {
		return "the approver bounds it with 'Failover-Max-Data-Loss: " + bound + "'; after the promotion let applications retry uncertain writes"
	}
	return "ask the owners of the data before this goes on; see how far the standby is behind: 'reconcile status " + s.topology.Name + "'; until that is known, any Failover-Max-Data-Loss denies"
}

// runSpan is the time from the first round of a run to the last.
func runSpan(run []Round) time.Duration {
	if len(run) == 0 {
		return 0
	}
	return run[len(run)-1].At.Sub(run[0].At)
}

// promotionFindings stand against a force promote: the candidate is not promotable or
// too old, a failover was made a short time ago, its channels would be refused, or
// another standby has replicated further.
func (s situation) promotionFindings(d decision) []Finding {
	var out []Finding
	c, v := d.primary, s.view(d.primary.ID)
	out = append(out, s.notPromotable(c)...)
	if v.Reach == ReachUp && v.Belief.Kind != BeliefPrimary && v.ForcePromotes != SupportYes {
		out = append(out, NewFinding(CodeUnsupportedServer, c.ID,
			fmt.Sprintf("%s (%s) was not seen to honour force_promote; Milvus 2.6.12 and 2.6.13 ignore it", c.ID, v.version().Name()),
			"upgrade it to "+v.version().Since(release.FeatureForcePromote)+", or promote "+s.otherStandbys(c.ID)+"; see their versions: 'reconcile status "+s.topology.Name+"'"))
	}
	if last, ok := s.memory.lastFailover(s.topology.Name); ok && s.memory.Now.Sub(last.At) < s.rules.BlockPeriod {
		out = append(out, NewFinding(CodeRecoveryBlock, last.Promoted,
			fmt.Sprintf("%s was promoted %s ago; no second failover within %s", last.Promoted, DurationText(s.memory.Now.Sub(last.At)), DurationText(s.rules.BlockPeriod)),
			"find out why the first failover did not help: 'reconcile history "+s.topology.Name+"'; an approver may accept with 'Failover-Accept: RECOVERY_BLOCK'"))
	}
	out = append(out, s.grownUnlisted(c, v)...)
	return append(out, s.betterStandby(d)...)
}

// notPromotable refuses a cluster that the document marks as not promotable.
func (s situation) notPromotable(c Cluster) []Finding {
	if c.Promotable {
		return nil
	}
	return []Finding{NewFinding(CodeNotPromotable, c.ID, c.ID+" is marked 'promotable: false'",
		s.promoteAnother(c.ID)+"; else set 'promotable: true' in a commit of its own before, and check the file: 'reconcile validate'")}
}

// promoteAnother is how to promote another standby, or to see one come back.
func (s situation) promoteAnother(not string) string {
	if others := s.promotable(not); len(others) > 0 {
		return "promote " + strings.Join(others, " or ") + " in its place, in a clone: 'reconcile propose " + s.topology.Name + " --failover'"
	}
	return "promote another standby, once one answers; watch them: 'reconcile status " + s.topology.Name + " --watch'"
}

// otherStandbys names the standbys that could be promoted in place of one that cannot:
// they are promotable and were seen to be standbys of another cluster than that one.
func (s situation) otherStandbys(not string) string {
	out := s.promotable(not)
	if len(out) == 0 {
		return "another standby, once one answers"
	}
	return strings.Join(out, " or ") + " in its place"
}

// promotable are the standbys other than one that could be promoted in its place.
func (s situation) promotable(not string) []string {
	var out []string
	for _, c := range s.topology.Clusters {
		v := s.view(c.ID)
		if c.ID != not && c.Promotable && v.Belief.Kind == BeliefStandby && v.Belief.Source != not && !s.offline {
			out = append(out, c.ID)
		}
	}
	return out
}

// lossState says what a failover lost that a stale cluster holds, and what of it a replay
// brought back. save is what to do before the cluster is wiped, to continue with that; empty:
// nothing is left that only it holds. known is false if it is not known that anything was lost.
func (s situation) lossState(stale string) (told, save string, known bool) {
	l, counted := s.memory.countedLoss(stale)
	r, replayed := s.memory.replayedLoss(stale)
	if counted {
		told = "; " + l.Text()
	}
	what := "what only it holds"
	if replayed {
		told, what = told+"; "+r.Text(), "all that was lost"
	}
	if !l.saved() && !(replayed && r.saves(l)) {
		save = "write " + what + " to a file: '" + salvageCommand(s.topology.Name, stale) + " --export lost.jsonl'; then "
	}
	return told, save, replayed || len(l.Lost)+len(l.Later) > 0
}

// replayedLosses are those of the clusters that the document calls stale.
func (s situation) replayedLosses() []Replayed {
	var out []Replayed
	for _, c := range s.topology.Clusters {
		if r, ok := s.memory.replayedLoss(c.ID); ok && c.Role == RoleStale {
			out = append(out, r)
		}
	}
	return out
}
