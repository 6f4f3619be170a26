package render

import "milvus-reconcile/plan"

// wireCountedLoss is what a failover lost, as it was counted in the whole log of the old
// primary.
type wireCountedLoss struct {
	Cluster   string          `json:"cluster"`
	Promoted  string          `json:"promoted"`
	Exact     bool            `json:"exact"` // always: another count is not kept
	Rows      int64           `json:"rows"`
	Messages  int64           `json:"messages"`
	Kinds     []wireLossCount `json:"kinds"`
	First     *string         `json:"first"`
	Last      *string         `json:"last"`
	Later     []wireLossCount `json:"later"` // written after the failover began
	ReadUntil *string         `json:"readUntil"`
	Fenced    bool            `json:"fenced"`
	CountedAt *string         `json:"countedAt"`
}

type wireLossCount struct {
	Kind     string `json:"kind"`
	Messages int64  `json:"messages"`
	Rows     int64  `json:"rows"`
}

func encodeCountedLossOrNil(l *plan.CountedLoss) *wireCountedLoss {
	if l == nil {
		return nil
	}
	out := encodeCountedLoss(*l)
	return &out
}

func encodeCountedLoss(l plan.CountedLoss) wireCountedLoss {
	count := func(c plan.LossCount) wireLossCount { return wireLossCount(c) }
	sum := plan.LossTotal(l.Lost)
	return wireCountedLoss{
		Cluster: l.Cluster, Promoted: l.Promoted, Exact: true, Rows: sum.Rows, Messages: sum.Messages, Kinds: mapList(l.Lost, count),
		First: timeOrNil(l.First), Last: timeOrNil(l.Last), Later: mapList(l.Later, count),
		ReadUntil: timeOrNil(l.Until), Fenced: l.Closed, CountedAt: timeOrNil(l.At),
	}
}

// countedLosses decodes what was counted, without what only the ledger tells.
func (r *decodeReader) countedLosses(topology string, all []wireCountedLoss) []plan.CountedLoss {
	var out []plan.CountedLoss
	for _, w := range all {
		count := func(c wireLossCount) plan.LossCount { return plan.LossCount(c) }
		out = append(out, plan.CountedLoss{
			Topology: topology, Cluster: w.Cluster, Promoted: w.Promoted, Lost: mapList(w.Kinds, count), Later: mapList(w.Later, count),
			First: r.time(w.First), Last: r.time(w.Last), Until: r.time(w.ReadUntil), Closed: w.Fenced, At: r.time(w.CountedAt),
		})
	}
	return out
}
