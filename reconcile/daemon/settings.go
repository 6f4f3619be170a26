package daemon

import (
	"context"
	"fmt"
	"slices"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

// Configure takes over new settings: passes that are under way end with the
// old ones.
func (l *Loop) Configure(s Settings) {
	l.configure(share(s))
	l.board.set(l.clock.Now(), func(b *Snapshot) { b.Mode, b.Config = modeOf(s.Apply), "" })
	l.emit(Event{Kind: EventConfig, Severity: plan.SeverityInfo, Text: "the configuration was taken over"})
	l.FetchNow()
	l.wakeAll()
}

// Refused says that a new configuration was not taken over; the old one stands.
func (l *Loop) Refused(err error) {
	l.board.set(l.clock.Now(), func(b *Snapshot) { b.Config = err.Error() })
	l.emit(Event{Kind: EventConfig, Severity: plan.SeverityCritical, Text: "the new configuration is refused and the old one stands: " + err.Error()})
}

// shared are settings with how many passes use them.
type shared struct {
	Settings
	// read brings the repository up to date and reads its tip; who asks at once
	// shares one reading.
	read     func(context.Context) (Revision, error)
	users    int
	replaced bool
}

func share(s Settings) *shared {
	out := &shared{Settings: s}
	if s.Source != nil {
		out.read = reconcile.ShareReads(s.Source.Fetch)
	}
	return out
}

// use returns the present settings until done is called.
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

// configure replaces the settings; nil only ends the use of the last ones.
func (l *Loop) configure(s *shared) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settings.replaced = true
	l.settings.closeUnused()
	if s != nil {
		l.settings = s
	}
}

func (s *shared) closeUnused() {
	if s.replaced && s.users == 0 && s.Close != nil {
		s.Close()
		s.Close = nil
	}
}

// busy notes that something is under way that must end by a time; the health
// of the loop rests on it.
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

// overtime is how much longer than its own bound a piece of work may take
// before the loop counts as stuck.
const overtime = time.Minute

// Health says what is stuck: work that should have ended a minute ago. Nil:
// nothing is.
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
	return fmt.Errorf("stuck for more than %s beyond its deadline: %q", plan.About(overtime), stuck)
}
