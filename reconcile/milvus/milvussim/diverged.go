package milvussim

// part remembers, at a promotion by force, with whom the cluster no longer shares
// a history: its source and the other standbys, whose checkpoints differ (milvus.md §4.3).
func (c *cluster) part() {
	if c.parted == nil {
		c.parted = map[string]bool{}
	}
	for _, m := range c.stored.GetClusters() {
		if m.GetClusterId() != c.id {
			c.parted[m.GetClusterId()] = true
		}
	}
}

// addDiverged marks the edges of the cluster whose two ends have parted (S01).
func (c *cluster) addDiverged(known map[link]linkState) {
	for _, e := range c.stored.GetCrossClusterTopology() {
		from, to := e.GetSourceClusterId(), e.GetTargetClusterId()
		peer := c.world.byID[to]
		if from != c.id || peer == nil || !c.parted[to] && !peer.parted[from] {
			continue
		}
		l := link{from, to}
		s := known[l]
		s.diverged = true
		known[l] = s
	}
}
