//go:build !(linux || darwin)

package ledger

import "math"

// freeSpace: it is not known.
func freeSpace(string) (uint64, bool) { return 0, false }

// fileSizeLimit: it is not known.
func fileSizeLimit() uint64 { return math.MaxUint64 }
