package replay

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
)

// TestChannelDigest holds what an approval pins: one line for each write that a replay may make.
func TestChannelDigest(t *testing.T) {
	sum, got := sha256.New(), NewChannelDigest()
	for i := range 40 {
		w := Write{Key: Mark{byte(i), 0xff}, Content: Mark{15: byte(i)}, Delete: i%3 == 0, Partition: int64(i) - 1}
		v, shape := Verdict{Fate: Fate(i % 7)}, Mark{7, byte(i)}
		got.Add(w, v, shape)
		if v.Replayable() {
			fmt.Fprintf(sum, "%x %x %t %d %x\n", w.Key, w.Content, w.Delete, w.Partition, shape)
		}
	}
	if want := hex.EncodeToString(sum.Sum(nil)); got.String() != want {
		t.Errorf("%s, want %s", got, want)
	}
}
