package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// OpenReplay is a replay of lost rows that has begun and not ended, whether a process
// carries it out now or not.
type OpenReplay struct {
	Topology        string
	Stale, Promoted string
	By              []string // who approved it
	Since           time.Time
	// Runner is the process that carries it out now; nil: none was found. Asked is false if nobody
	// knows.
	Runner *LockHolder
	Asked  bool
	// Written is how many of Of rows were written into Promoted when that was last noted; Of is 0
	// if it never was.
	Written, Of int64
	NotedAt     time.Time
}

// Words says what only a stale cluster holds goes where, and whether that goes on now.
func (r OpenReplay) Words() string {
	text := "what only it holds has been written into " + r.Promoted + " since " + r.Since.UTC().Format(time.RFC3339) + ", approved by " + strings.Join(r.By, ", ") + ", and that has not ended"
	switch {
	case r.Runner != nil:
		text += "; " + r.Runner.By + " carries it out now"
	case r.Asked:
		text += "; no process carries it out now"
	}
	if r.Of > 0 {
		text += fmt.Sprintf("; %d of %d rows were written by %s", r.Written, r.Of, r.NotedAt.UTC().Format(time.RFC3339))
	}
	return text
}

// openReplay returns the open replay of what a stale cluster holds.
func (m Memory) openReplay(topology, stale string) (OpenReplay, bool) {
	i := slices.IndexFunc(m.Replays, func(r OpenReplay) bool { return r.Topology == topology && r.Stale == stale })
	if i < 0 {
		return OpenReplay{}, false
	}
	return m.Replays[i], true
}

// remedy says what to do while a replay is open: to watch it, or to go on with it.
func (r OpenReplay) remedy() string {
	carryOn := "'" + salvageCommand(r.Topology, r.Stale) + " --replay'"
	switch {
	case r.Runner != nil:
		return "wipe nothing before the replay has ended, and watch it: 'reconcile status " + r.Topology + " --watch'"
	case r.Asked:
		return "wipe nothing before the replay has ended; go on with it, which needs no further approval: " + carryOn
	default:
		return "wipe nothing before the replay has ended; unless a process carries it out now, go on with it, which needs no further approval: " + carryOn
	}
}
