package plan

// joinFindings are the join rules of contract section 2: a cluster that joins
// must be seen to be empty or be attested as restored; one that stores a
// configuration of its own, or was stale, needs an attestation newer than what
// made it so. What is not known is not empty.
func (s situation) joinFindings(primary, c Cluster) []Finding {
	v := s.view(c.ID)
	out := s.emptyPrimary(primary, c)
	if k := v.Belief.Kind; k == BeliefStandalone || k == BeliefPrimary || s.wasStale(c) {
		return append(out, s.rejoinFindings(c)...)
	}
	if seenEmpty(v) {
		return nil
	}
	if c.Provisioned.From == ProvisionedRestored && s.attested(c) {
		return out
	}
	message := c.ID + " joins but could not be seen to be empty"
	if v.Contents.Known {
		message = c.ID + " joins but holds collections; replication carries only changes from now on"
	}
	return append(out, NewFinding(CodeJoinNotEmpty, c.ID, message,
		"empty it, or restore it from the primary and say so with a new 'provisioned: {from: restored, at: …}'"))
}

// emptyPrimary refuses to make a cluster with data follow one without.
func (s situation) emptyPrimary(primary, c Cluster) []Finding {
	v := s.view(c.ID)
	if !v.Contents.Known || len(v.Contents.Collections) == 0 || !seenEmpty(s.view(primary.ID)) {
		return nil
	}
	return []Finding{NewFinding(CodeWouldDemoteWriter, c.ID,
		c.ID+" holds collections and would become a standby of "+primary.ID+", which is empty",
		"make the cluster with the data the primary, or restore "+primary.ID+" first")}
}

func seenEmpty(v View) bool {
	return v.Contents.Known && len(v.Contents.Collections) == 0
}

// rejoinFindings judge a cluster that has a past of its own.
func (s situation) rejoinFindings(c Cluster) []Finding {
	wasStale := s.wasStale(c)
	if s.attested(c) {
		if !wasStale {
			return nil
		}
		return []Finding{NewFinding(CodeRebuildUnverified, c.ID,
			c.ID+" was stale and joins on its 'provisioned' alone; nothing proves that it was rebuilt",
			"check the evidence named in the file before you approve")}
	}
	if wasStale {
		return []Finding{NewFinding(CodeStaleRejoin, c.ID,
			c.ID+" is stale and is brought back without proof that it was rebuilt after it became stale",
			"wipe and restore it, then give it a new 'provisioned: {from: restored, at: …}' with the time of the restore")}
	}
	return []Finding{NewFinding(CodeJoinNotEmpty, c.ID,
		c.ID+" stores a configuration of its own and takes writes; as a standby it would lose them",
		"rebuild it, then give it a new 'provisioned: {from: restored, at: …}'")}
}

// attested says whether this change brings a usable provisioned value: new in
// the document, later than what made the cluster stale or promoted it, not in
// the future and not used before. That the value is new holds without a
// ledger too: an old line of the file never serves a second join.
func (s situation) attested(c Cluster) bool {
	at := c.Provisioned.At
	if c.Provisioned.From == ProvisionedUnsaid || at.IsZero() || at.After(s.m.Now) || s.m.provisionUsed(c.ID, at) {
		return false
	}
	if mark, ok := s.m.staleMark(c.ID); ok && !at.After(mark.Since) {
		return false
	}
	if last, ok := s.m.lastFailover(s.t.Name); ok && last.Promoted == c.ID && !at.After(last.At) {
		return false
	}
	if s.t.Previous == nil {
		return true
	}
	before, ok := s.t.Previous.Cluster(c.ID)
	return !ok || !before.Provisioned.At.Equal(at)
}
