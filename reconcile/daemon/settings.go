package daemon

import (
	"context"
	"fmt"
	"slices"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

// Configure puts new settings into use. Passes under way finish with the old ones.
func (l *Loop) Configure(s Settings) {
	l.configure(share(s))
	l.board.set(l.clock.Now(), func(b *Snapshot) { b.Mode, b.Config = modeOf(s.Apply), "" })
	l.emit(Event{Kind: EventConfig, Severity: plan.SeverityInfo, Text: "the new configuration is in use"})
	l.FetchNow()
	l.wakeAll()
}

// Refused publishes that a new configuration was refused. The old one stays in use.
func (l *Loop) Refused(err error) {
	l.board.set(l.clock.Now(), func(b *Snapshot) { b.Config = err.Error() })
	l.emit(Event{Kind: EventConfig, Severity: plan.SeverityCritical, Text: "the new configuration is refused, and the old one stays in use: " + err.Error()})
}

// shared are settings and the number of passes that use them.
type shared struct {
	Settings
	// read brings the repository up to date and reads its tip. Concurrent callers share
	// one read.
	read     func(context.Context) (Revision, error)
	users    int
	replaced bool
}

// share makes settings that passes can share.
func share(s Settings) *shared {
	out := &shared{Settings: s}
	if s.Source != nil {
		out.read = reconcile.ShareReads(s.Source.Fetch)
	}
	return out
}

// use returns the current settings. They stay open until done is called.
func (l *Loop) use() (s *shared, done func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s = l.settings
	s.users++
	return s, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		s.users--
		s.closeUnused()
	}
}

// configure replaces the settings; nil only retires the last ones.
func (l *Loop) configure(s *shared) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settings.replaced = true
	l.settings.closeUnused()
	if s != nil {
		l.settings = s
	}
}

// closeUnused closes settings that were replaced and that no pass uses.
func (s *shared) closeUnused() {
	if s.replaced && s.users == 0 && s.Close != nil {
		s.Close()
		s.Close = nil
	}
}

// busy notes that work is under way that must end within limit. [Loop.Health] checks that.
func (l *Loop) busy(what string, limit time.Duration) (done func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deadlines[what] = l.clock.Now().Add(limit)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.deadlines, what)
	}
}

// overtime is how much longer than its limit a piece of work may take before the loop
// counts as stuck.
const overtime = time.Minute

// Health fails when a piece of work should have ended more than overtime ago, and names
// it.
func (l *Loop) Health() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var stuck []string
	for what, by := range l.deadlines {
		if l.clock.Now().Sub(by) > overtime {
			stuck = append(stuck, what)
		}
	}
	if len(stuck) == 0 {
		return nil
	}
	slices.Sort(stuck)
	return fmt.Errorf("stuck for more than %s beyond its deadline: %q", plan.DurationText(overtime), stuck)
}
