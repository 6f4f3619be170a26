package replay

// Fate is what becomes of one lost write, by what both logs say of its key.
type Fate byte

// The fates of a lost write.
const (
	ToWrite    Fate = iota // nothing newer is there
	There                  // the newest write of its key there is this very row
	HeldBack               // the newest write of its key there is another one
	Replaced               // a later lost write of the same key counts
	Divided                // its key lies in several partitions
	UpsertsOwn             // the delete of an upsert, which belongs to its insert
	Expired                // its time to live is over, so it is not written
)

// Judge finds the fate of each lost write. It is given the writes of both logs, each log in
// its order, and then asked for each lost write in the same order. Its zero value is ready.
type Judge struct {
	keys  map[Mark]*keyHistory
	own   []bool // whether a lost write is the delete of an upsert
	asked int
}

func (j *Judge) history(key Mark) *keyHistory {
	if j.keys == nil {
		j.keys = map[Mark]*keyHistory{}
	}
	h := j.keys[key]
	if h == nil {
		h = &keyHistory{}
		j.keys[key] = h
	}
	return h
}

// Lost takes the next write of the log of the stale cluster.
func (j *Judge) Lost(w Write) {
	j.own = append(j.own, false)
	if of := j.history(w.Key).addLost(w, len(j.own)-1); of >= 0 {
		j.own[of] = true
	}
}

// Taken takes the next write of the log of the promoted cluster.
func (j *Judge) Taken(w Write) { j.history(w.Key).addTaken(w) }

// Fate returns the fate of the next lost write, which has this key.
func (j *Judge) Fate(key Mark) Fate {
	at := j.asked
	j.asked++
	if j.own[at] {
		return UpsertsOwn
	}
	return j.keys[key].fate(at)
}

// keyHistory is what both logs say of one key.
type keyHistory struct {
	lost, taken Write
	hasTaken    bool
	at          int   // of the lost write that counts, among all lost ones
	partition   int64 // of its lost writes; 0: none yet
	divided     bool
	everywhere  uint64 // group of the newest lost delete of all partitions; 0: none
}

func (h *keyHistory) addTaken(w Write) {
	if h.hasTaken && w.Group == h.taken.Group && w.Delete {
		return // an upsert: the insert is newer
	}
	h.taken, h.hasTaken = w, true
}

// addLost takes the lost write of that number. It returns the number of the one that turns
// out to be the delete of an upsert; -1: none.
func (h *keyHistory) addLost(w Write, at int) (own int) {
	own = -1
	if w.Group == h.lost.Group && w.Delete != h.lost.Delete { // both have one tick, and the insert stays
		if w.Delete {
			return at
		}
		own = h.at
	}
	switch {
	case w.Partition == EveryPartition:
		h.everywhere = w.Group
	case h.partition != 0 && h.partition != w.Partition:
		h.divided = true
	default:
		h.partition = w.Partition
	}
	h.lost, h.at = w, at
	return own
}

// fate says what becomes of a lost write of the key. Of several, the newest alone counts.
func (h *keyHistory) fate(at int) Fate {
	switch {
	case h.divided, !h.lost.Delete && h.lost.Partition != 0 && h.everywhere != 0 && h.everywhere != h.lost.Group:
		return Divided
	case at != h.at:
		return Replaced
	case !h.hasTaken:
		return ToWrite
	case h.taken.replaces(h.lost):
		return There
	default:
		return HeldBack
	}
}
