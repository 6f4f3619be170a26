//go:build !(linux || darwin)

package diskspace

import "math"

// Free returns false: the free space is not known.
func Free(string) (uint64, bool) { return 0, false }

// FileSizeLimit returns no limit, since it is not known.
func FileSizeLimit() uint64 { return math.MaxUint64 }
