package plan

// joinFindings are the join rules of contract section 2: a cluster that joins
// must be seen to be empty or be attested as restored; one that stores a
// configuration of its own needs an attestation newer than what made it
// stale. What is not known is not empty.
func (s situation) joinFindings(c Cluster) []Finding {
	v := s.view(c.ID)
	mark, marked := s.m.staleMark(c.ID)
	if v.Belief.Kind != BeliefUnconfigured || marked {
		return s.rejoinFindings(c, mark, marked)
	}
	if v.Contents.Known && len(v.Contents.Collections) == 0 {
		return nil
	}
	if c.Provisioned.From == ProvisionedRestored && s.attested(c, StaleMark{}) {
		return nil
	}
	message := c.ID + " joins but could not be seen to be empty"
	if v.Contents.Known {
		message = c.ID + " joins but holds collections; replication carries only changes from now on"
	}
	return []Finding{NewFinding(CodeJoinNotEmpty, c.ID, message,
		"empty it, or restore it from the primary and say so with 'provisioned: {from: restored, at: …}'")}
}

// rejoinFindings judge a cluster that has a past of its own.
func (s situation) rejoinFindings(c Cluster, mark StaleMark, marked bool) []Finding {
	wasStale := marked
	if s.t.Previous != nil {
		if before, ok := s.t.Previous.Cluster(c.ID); ok && before.Role == RoleStale {
			wasStale = true
			if before.Provisioned == c.Provisioned {
				c.Provisioned = Provisioned{}
			}
		}
	}
	if s.attested(c, mark) {
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
			"wipe and restore it, then give it 'provisioned: {from: restored, at: …}' with the time of the restore")}
	}
	return []Finding{NewFinding(CodeJoinNotEmpty, c.ID,
		c.ID+" stores a configuration of its own and takes writes; as a standby it would lose them",
		"rebuild it, then give it 'provisioned: {from: restored, at: …}'")}
}

// attested says whether the cluster carries a usable provisioned value: later
// than its stale mark, not in the future and not used before.
func (s situation) attested(c Cluster, mark StaleMark) bool {
	at := c.Provisioned.At
	return c.Provisioned.From != ProvisionedUnsaid && !at.IsZero() &&
		at.After(mark.Since) && !at.After(s.m.Now) && !s.m.provisionUsed(c.ID, at)
}
