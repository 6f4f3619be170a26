package replay

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"
)

// ChannelDigest sums up the writes that a replay may make on one channel, and those that are
// there already, that a newer one holds back, or whose time to live is over: all of that can
// change while the lost rows stay the same, and only takes writes away.
type ChannelDigest struct{ sum hash.Hash }

// NewChannelDigest returns the digest of a channel without writes.
func NewChannelDigest() ChannelDigest { return ChannelDigest{sha256.New()} }

// Add adds a write with its verdict. shape stands for the schema of its collection.
func (d ChannelDigest) Add(w Write, v Verdict, shape Mark) {
	if !v.Replayable() {
		return
	}
	var line [160]byte // more than the longest
	buf := append(hex.AppendEncode(line[:0], w.Key[:]), ' ')
	buf = append(hex.AppendEncode(buf, w.Content[:]), ' ')
	buf = append(strconv.AppendBool(buf, w.Delete), ' ')
	buf = append(strconv.AppendInt(buf, w.Partition, 10), ' ')
	_, _ = d.sum.Write(append(hex.AppendEncode(buf, shape[:]), '\n')) // a hash takes everything
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
