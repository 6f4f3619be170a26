package plan

import (
	"fmt"
	"strconv"
	"strings"
)

// channelRunsShown is how many runs of channels ChannelNames names.
const channelRunsShown = 4

// ChannelNames names channels in a sentence. Of a run of numbers it names the first and the
// last:
//
//	b-rootcoord-dml_0 … _3, _7
func ChannelNames(names []string) string {
	runs := channelRuns(names)
	var parts []string
	prefix, left := "", len(names)
	for i, r := range runs {
		if i == channelRunsShown {
			parts = append(parts, fmt.Sprintf("and %d more", left))
			break
		}
		first := r.prefix + strconv.Itoa(r.first)
		switch {
		case r.whole != "":
			first, prefix = r.whole, ""
		case r.prefix == prefix:
			first = "_" + strconv.Itoa(r.first)
		default:
			prefix = r.prefix
		}
		switch {
		case r.last == r.first+1:
			first += ", _" + strconv.Itoa(r.last)
		case r.last > r.first:
			first += " … _" + strconv.Itoa(r.last)
		}
		parts = append(parts, first)
		left -= r.last - r.first + 1
	}
	return strings.Join(parts, ", ")
}

// channelRun is channels of one name with numbers that follow each other.
type channelRun struct {
	whole       string // a name without a number
	prefix      string // with the underscore at its end
	first, last int
}

func channelRuns(names []string) []channelRun {
	var out []channelRun
	for _, name := range names {
		i := strings.LastIndexByte(name, '_') + 1
		n, err := strconv.Atoi(name[i:])
		if err != nil || i == 0 || n < 0 || strconv.Itoa(n) != name[i:] {
			out = append(out, channelRun{whole: name})
			continue
		}
		if k := len(out) - 1; k >= 0 && out[k].whole == "" && out[k].prefix == name[:i] && out[k].last+1 == n {
			out[k].last = n
			continue
		}
		out = append(out, channelRun{prefix: name[:i], first: n, last: n})
	}
	return out
}
