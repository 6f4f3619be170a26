package schema

import (
	"fmt"
	"slices"
	"strings"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/freeze"
)

// freezes reads when the operator holds changes back.
func freezes(f field) freeze.Entries {
	var out freeze.Entries
	seen := map[string]bool{}
	for _, item := range f.items() {
		e := freeze.Entry{Name: item.get("name").text(), Passes: passes(item)}
		if e.Name != "" && seen[e.Name] {
			item.get("name").fail(fmt.Sprintf("a second freeze %s", quoted(e.Name)), "give each freeze a name of its own")
		}
		seen[e.Name] = true
		if freezeForm(item) {
			freezeTimes(item, &e)
		}
		out = append(out, e)
	}
	return out
}

// freezeForm checks that a freeze has one of the two forms.
func freezeForm(item field) bool {
	const forms = "write 'from' and 'to' for one span, or 'cron' and 'duration' for one that comes again"
	var once, again, missing []string
	for _, key := range []string{"from", "to"} {
		if item.get(key).set {
			once = append(once, key)
		} else {
			missing = append(missing, key)
		}
	}
	for _, key := range []string{"cron", "duration", "timezone"} {
		if item.get(key).set {
			again = append(again, key)
		}
	}
	if len(once) == 0 {
		missing = slices.DeleteFunc([]string{"cron", "duration"}, func(key string) bool { return slices.Contains(again, key) })
	}
	switch {
	case len(once) > 0 && len(again) > 0:
		item.get(again[0]).fail(fmt.Sprintf("'%s' together with '%s'", again[0], once[0]), forms)
	case len(once)+len(again) == 0:
		item.fail("the freeze has no time", forms)
	case len(missing) > 0:
		item.fail("the freeze lacks '"+strings.Join(missing, "' and '")+"'", forms)
	default:
		return true
	}
	return false
}

// freezeTimes reads when a freeze is in force.
func freezeTimes(item field, e *freeze.Entry) {
	if item.get("from").set {
		e.From, e.To = item.get("from").time(), item.get("to").time()
		switch {
		case e.From.IsZero() || e.To.IsZero(): // said already
		case !e.To.After(e.From):
			item.get("to").fail("the freeze ends before it begins", "write the first moment after it")
		case e.To.Sub(e.From) > maxDuration:
			item.get("to").fail("the freeze is longer than a year", "write at most a year; 'suspend' leaves a topology alone for as long as it stands there")
		}
		return
	}
	e.Length = item.get("duration").intervalOr(0)
	zone, err := freeze.ParseZone(item.get("timezone").textOr("UTC"))
	if err != nil {
		item.get("timezone").failWith(err)
		return
	}
	if e.Cron, err = freeze.ParseSchedule(item.get("cron").text(), zone); err != nil {
		item.get("cron").failWith(err)
		return
	}
	if e.Length > 0 && e.Endless() {
		item.fail("the freeze never ends: it begins again before it is over", "write a shorter duration, or a cron expression that comes less often; 'suspend' leaves a topology alone for as long as it stands there")
	}
}

// failWith reports an error whose text ends with its hint.
func (f field) failWith(err error) {
	message, hint, _ := strings.Cut(strings.TrimSuffix(err.Error(), ")"), " (hint: ")
	f.fail(message, hint)
}

// passes reads what a freeze does not hold back: a failover, unless it is named.
func passes(item field) []plan.Transition {
	var out []plan.Transition
	for _, t := range item.get("except").texts() {
		out = append(out, plan.Transition(t))
	}
	named := slices.Contains(item.get("include").texts(), string(plan.TransitionFailover))
	switch passed := slices.Contains(out, plan.TransitionFailover); {
	case named && passed:
		item.get("include").fail("'failover' stands in 'except' too", "write it once: in 'include' to hold failovers back; they pass otherwise")
	case !named && !passed:
		out = append(out, plan.TransitionFailover)
	}
	return out
}
