package replay

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
)

// ChannelDigest sums up the writes that a replay may make on one channel, and those that are
// there already, that a newer one holds back, or whose time to live is over: all of that can
// change while the lost rows stay the same, and only takes writes away.
type ChannelDigest struct{ sum hash.Hash }

// NewChannelDigest returns the digest of a channel without writes.
func NewChannelDigest() ChannelDigest { return ChannelDigest{sha256.New()} }

// Add adds a write with its verdict. shape stands for the schema of its collection.
func (d ChannelDigest) Add(w Write, v Verdict, shape Mark) {
	if v.Replayable() {
		fmt.Fprintf(d.sum, "%x %x %t %d %x\n", w.Key, w.Content, w.Delete, w.Partition, shape)
	}
}

// String returns the sum in hexadecimal digits.
func (d ChannelDigest) String() string { return hex.EncodeToString(d.sum.Sum(nil)) }

// ChannelSum is the digest of one channel of the stale cluster.
type ChannelSum struct{ Channel, Sum string }

// digest names every write that a replay may make.
func digest(topology, stale, promoted string, channels []ChannelSum) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "reconcile-replay/2\n%s\n%s\n%s\n", topology, stale, promoted)
	for _, c := range channels {
		fmt.Fprintf(sum, "%s %s\n", c.Channel, c.Sum)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}
