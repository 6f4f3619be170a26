package plan

import "slices"

// remember keeps the newest known progress of each channel: a round in which
// a channel could not be read must not hide that it moved meanwhile.
func remember(seen map[string]ChannelProgress, progress []ChannelProgress) {
	for _, p := range progress {
		if p.Known {
			seen[p.Channel] = p
		}
	}
}

// motion lists the channels whose checkpoint is not where it was last seen.
func motion(seen map[string]ChannelProgress, now []ChannelProgress) []ChannelMotion {
	var out []ChannelMotion
	for _, p := range now {
		before, ok := seen[p.Channel]
		if p.Known && ok && (p.TimeTick != before.TimeTick || p.MessageID != before.MessageID) {
			out = append(out, ChannelMotion{Channel: p.Channel, From: before.TimeTick, To: p.TimeTick})
		}
	}
	slices.SortFunc(out, func(a, b ChannelMotion) int { return compareStrings(a.Channel, b.Channel) })
	return out
}

// joinMotion extends earlier movement by later: from the first tick seen to
// the last.
func joinMotion(earlier, later []ChannelMotion) []ChannelMotion {
	out := slices.Clone(earlier)
	for _, m := range later {
		i := slices.IndexFunc(out, func(o ChannelMotion) bool { return o.Channel == m.Channel })
		if i < 0 {
			out = append(out, m)
			continue
		}
		out[i].To = m.To
	}
	slices.SortFunc(out, func(a, b ChannelMotion) int { return compareStrings(a.Channel, b.Channel) })
	return out
}
