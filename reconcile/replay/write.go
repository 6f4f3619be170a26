package replay

// Mark identifies a primary key, or the content of a row, without holding it.
type Mark [16]byte

// Write is one insert or delete of one row, as a log holds it.
type Write struct {
	Key     Mark
	Content Mark // of an insert; equal for rows that are equal in every field
	Delete  bool
	// Partition is the id of the partition; 0 where it does not matter, as with a
	// partition key. EveryPartition: of a delete that names none.
	Partition int64
	// Group numbers the transactions of a stretch: what is in one group has one
	// tick, and an insert there is newer than a delete.
	Group uint64
}

// EveryPartition stands for all partitions of a collection.
const EveryPartition int64 = -1

// replaces says whether a write of the promoted cluster has the effect of a lost one. The
// content of a row names its partition.
func (w Write) replaces(lost Write) bool {
	return w.Delete == lost.Delete && w.Content == lost.Content &&
		(!w.Delete || w.Partition == lost.Partition || w.Partition == EveryPartition)
}

// NewestWrites are the newest writes of the promoted cluster to some keys.
type NewestWrites map[Mark]Write

// Note takes the next write of the log. Of an upsert the insert counts, and not its delete.
func (n NewestWrites) Note(w Write) {
	if was, seen := n[w.Key]; !seen || was.Group != w.Group || !w.Delete {
		n[w.Key] = w
	}
}

// Holds says whether the newest write of a key is this one, and whether it is another.
func (n NewestWrites) Holds(w Write) (this, other bool) {
	is, seen := n[w.Key]
	this = seen && is.Delete == w.Delete && is.Content == w.Content
	return this, seen && !this
}
