package replay

// The reasons why a row is not written although it could be.
const (
	WhyAutoID       = "the server gives the keys of the collection, so the row would come back under another key"
	WhyAutoIDUpsert = "it may belong to an upsert whose row would come back under another key, as the server gives the keys of the collection"
	WhyExpired      = "its time to live is over"
	WhyPartition    = "the promoted cluster does not have its partition"
	WhyDivided      = "its key lies in several partitions, or was deleted from all of them before"
	WhyNewer        = "the promoted cluster has a newer write of the same key"
)

// Rows is what the rules must know of the rows of one lost message.
type Rows struct {
	Collection    int64
	AutoID        bool // the server gives the keys of the collection
	Delete        bool
	InTransaction bool
	NoPartition   bool // the promoted cluster lacks their partition
	Expired       bool // their time to live is over
}

// Verdict is what becomes of one lost row, or of a lost message without rows.
type Verdict struct {
	Fate Fate
	Why  string // why it is not written and never will be; empty: it may be
}

// ToWrite says whether the row is to be written now.
func (v Verdict) ToWrite() bool { return v.Why == "" && v.Fate == ToWrite }

// There says whether the row is there, and the newest of its key.
func (v Verdict) There() bool { return v.Why == "" && v.Fate == There }

// Replayable says whether a replay may write the row, has written it, or would but for
// something newer.
func (v Verdict) Replayable() bool {
	return v.Fate == Expired || v.Why == "" && (v.Fate == ToWrite || v.Fate == There || v.Fate == HeldBack)
}

// NotReplayed says why the row is not there after a replay; empty: it is, or a later lost
// write of its key is.
func (v Verdict) NotReplayed() string {
	if v.Why == "" && v.Fate == HeldBack {
		return WhyNewer
	}
	return v.Why
}

// Taints say which rows of a channel no replay writes, because the inserts and deletes of
// the logs do not tell all that happened to them.
type Taints struct {
	Channel     string           // why nothing of the channel is written; empty: rows are
	collections map[int64]string // why nothing of a collection is written on this channel
}

// Add notes a taint of one collection, or with collection 0 of the whole channel. The first
// one counts.
func (t *Taints) Add(collection int64, why string) {
	switch {
	case collection == 0 && t.Channel == "":
		t.Channel = why
	case t.collections[collection] == "":
		if t.collections == nil {
			t.collections = map[int64]string{}
		}
		t.collections[collection] = why
	}
}

// Verdict says what becomes of a row whose fate the logs decided.
func (t Taints) Verdict(r Rows, f Fate) Verdict {
	v := Verdict{f, t.why(r, f)}
	if v.ToWrite() && r.Expired {
		return Verdict{Expired, WhyExpired}
	}
	return v
}

// why says why a row is never written; empty: it may be.
func (t Taints) why(r Rows, f Fate) string {
	switch {
	case t.Channel != "":
		return t.Channel
	case t.collections[r.Collection] != "":
		return t.collections[r.Collection]
	case r.AutoID && !r.Delete:
		return WhyAutoID
	case r.AutoID && r.InTransaction:
		return WhyAutoIDUpsert
	case r.NoPartition:
		return WhyPartition
	case f == Divided:
		return WhyDivided
	default:
		return ""
	}
}
