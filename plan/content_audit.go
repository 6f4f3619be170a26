package plan

import (
	"fmt"
	"strings"
	"time"
)

// ContentVerdict is what an audit says of what a standby holds; the zero value is that it
// proves nothing.
type ContentVerdict string

// The verdicts.
const (
	ContentUnproven ContentVerdict = ""
	ContentEqual    ContentVerdict = "equal"    // all that was compared is equal
	ContentDiverged ContentVerdict = "diverged" // the standby lacks something, or holds something else
)

// String returns the verdict as programs read it.
func (v ContentVerdict) String() string { return wordOr(string(v), "unproven") }

// AuditMark is what the newest audit of a standby found, and when it was last proven equal.
type AuditMark struct {
	Topology string
	Primary  string // with which it was compared
	Standby  string
	At       time.Time
	Verdict  ContentVerdict
	Found    []string // what differs, or why it is not proven: the first that matter
	More     int      // of them that are left out

	EqualAt      time.Time // when it was last proven equal to this primary; zero: never
	EqualRows    int64     // that were counted on both then
	EqualSampled int       // that were compared bit by bit then
}

// Then returns the mark after a later audit. What was proven of the same pair is kept: an
// audit that proves nothing takes no difference back.
func (m AuditMark) Then(later AuditMark) AuditMark {
	if later.At.Before(m.At) || m.Primary == later.Primary && m.Verdict == ContentDiverged && later.Verdict == ContentUnproven {
		return m
	}
	if later.Verdict != ContentEqual && m.Primary == later.Primary {
		later.EqualAt, later.EqualRows, later.EqualSampled = m.EqualAt, m.EqualRows, m.EqualSampled
	}
	return later
}

// LastEqual says when the standby was last proven equal, and by how much; empty: never.
func (m AuditMark) LastEqual() string {
	if m.EqualAt.IsZero() {
		return ""
	}
	return fmt.Sprintf("last proven equal %s by %d rows, %d of them bit by bit", auditTime(m.EqualAt), m.EqualRows, m.EqualSampled)
}

// Lines says what an audit found, to a person.
func (m AuditMark) Lines() []string {
	switch m.Verdict {
	case ContentDiverged:
		return append([]string{fmt.Sprintf("an audit found that %s differs from %s", m.Standby, m.Primary)}, m.Found...)
	case ContentEqual:
		return []string{fmt.Sprintf("an audit proved that %s equals %s, by %d rows, %d of them bit by bit", m.Standby, m.Primary, m.EqualRows, m.EqualSampled)}
	default:
		return append([]string{fmt.Sprintf("an audit could not prove that %s equals %s", m.Standby, m.Primary)}, m.Found...)
	}
}

func auditTime(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05Z") }

// found lists what an audit found.
func (m AuditMark) found() string {
	text := strings.Join(m.Found, "; ")
	if m.More > 0 {
		text += fmt.Sprintf("; and %d more", m.More)
	}
	return wordOr(text, "the reason is not recorded")
}

// contentFindings say what the newest audit found of the standbys, or of the one that is
// promoted. An audit of before the cluster was rebuilt says nothing of it.
func (s situation) contentFindings(d decision) []Finding {
	promotes := d.transition == TransitionFailover || d.transition == TransitionSwitchover
	var out []Finding
	for _, m := range s.memory.Audits {
		c, listed := s.topology.Cluster(m.Standby)
		concerns := c.Role == RoleStandby && m.Primary == d.primary.ID
		if promotes {
			concerns = m.Standby == d.primary.ID
		}
		if m.Topology != s.topology.Name || !listed || !concerns || s.memory.rebuiltSince(m.Standby, m.At) {
			continue
		}
		switch m.Verdict {
		case ContentDiverged:
			out = append(out, NewFinding(CodeContentDiverged, m.Standby,
				fmt.Sprintf("%s did not hold what %s held (audit of %s): %s", m.Standby, m.Primary, auditTime(m.At), m.found()),
				"see all of it and what mends it: 'reconcile audit "+s.topology.Name+"'; if nothing does, promote another standby, and rebuild this one"))
		case ContentUnproven:
			message := fmt.Sprintf("whether %s held what %s held was not proven (audit of %s): %s", m.Standby, m.Primary, auditTime(m.At), m.found())
			if last := m.LastEqual(); last != "" {
				message += "; " + last
			}
			out = append(out, NewFinding(CodeContentUnproven, m.Standby, message, "remove what it names, and audit again: 'reconcile audit "+s.topology.Name+"'"))
		case ContentEqual:
		}
	}
	return out
}

// rebuiltSince says whether a cluster joined as a rebuilt one after a time.
func (m Memory) rebuiltSince(cluster string, at time.Time) bool {
	for _, p := range m.Provisions {
		if p.Cluster == cluster && p.At.After(at) {
			return true
		}
	}
	return false
}
