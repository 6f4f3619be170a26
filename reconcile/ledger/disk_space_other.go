//go:build !(linux || darwin)

package ledger

import "math"

// freeSpace returns false: the free space is not known.
func freeSpace(string) (uint64, bool) { return 0, false }

// fileSizeLimit returns no limit, since it is not known.
func fileSizeLimit() uint64 { return math.MaxUint64 }
