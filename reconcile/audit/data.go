package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// batchSize is how many collections are read between two marks: the log of the primary
	// is read from the mark on, so a batch must not take long.
	batchSize = 64
	// mostReads bounds how often a collection is read that does not come out equal.
	mostReads = 4
	// sameTwice: a difference counts once it was found that often.
	sameTwice = 2
)

// data compares counts and rows, one batch after the other until the budget is used up.
func (a *auditing) data(ctx context.Context, collections []Collection) {
	bounded, cancel := ctx, context.CancelFunc(func() {})
	if a.options.Budget > 0 {
		bounded, cancel = context.WithTimeout(ctx, a.options.Budget)
	}
	defer cancel()
	for batch := range slices.Chunk(inOrderOf(a.options.Seed, collections), batchSize) {
		all := make([]*collectionData, len(batch))
		for i, c := range batch {
			all[i] = &collectionData{Collection: c}
		}
		a.batch(bounded, all)
	}
}

// collectionData is what is known of the data of one collection.
type collectionData struct {
	Collection
	primary, standby int64
	after            int64 // rows of the primary, counted after those of the standby
	keys             []Key // that are compared
	sampled          int
	rows             []KeyDifference
	times            int   // that a difference was found that no write explains
	refused          int   // times that the standby refused a query
	by               int64 // rows, the last time
	odd              []KeyDifference
	why              string // it is not decided
}

// batch reads collections until each is equal, differs for certain, or stays open.
func (a *auditing) batch(ctx context.Context, open []*collectionData) {
	for n := 0; n < mostReads && len(open) > 0; n++ {
		if ctx.Err() == nil && n > 0 {
			a.again(ctx, open)
		}
		if ctx.Err() != nil {
			a.leave(ctx, open)
			return
		}
		open = a.readOnce(ctx, open, n == 0)
	}
	a.leave(ctx, open)
}

// again waits before collections are read once more.
func (a *auditing) again(ctx context.Context, open []*collectionData) {
	select {
	case <-ctx.Done():
	case <-time.After(a.options.Pause):
	}
	if err := a.pair.CatchUp(ctx); err != nil {
		for _, l := range open {
			l.why = err.Error()
		}
	}
}

// leave notes what was not decided.
func (a *auditing) leave(ctx context.Context, open []*collectionData) {
	for _, l := range open {
		why := l.why
		if why == "" && ctx.Err() != nil {
			why = "the budget was used up before (hint: give a longer --budget)"
		}
		a.gap(Gap{Kind: KindRows, Collection: l.Name, Why: why})
	}
}

// readOnce reads collections on both clusters, and returns those that stay open.
func (a *auditing) readOnce(ctx context.Context, open []*collectionData, first bool) []*collectionData {
	mark, err := a.pair.Mark(ctx)
	if err != nil {
		for _, l := range open {
			l.why = err.Error()
		}
		return open
	}
	failed := make([]error, len(open))
	a.each(len(open), func(i int) { failed[i] = a.read(ctx, open[i], first) })
	var odd, later []*collectionData
	for i, l := range open {
		switch {
		case ctx.Err() != nil:
			later = append(later, l)
		case failed[i] != nil:
			if !a.unreadable(l, failed[i]) {
				later = append(later, l)
			}
		case l.primary == l.standby && l.after == l.primary && len(l.rows) == 0:
			a.equal(l)
		default:
			odd = append(odd, l)
		}
	}
	if len(odd) > 0 {
		later = append(later, a.judge(ctx, mark, odd)...)
	}
	return later
}

// read counts a collection on both clusters and reads the same rows of both.
func (a *auditing) read(ctx context.Context, l *collectionData, first bool) error {
	var err error
	if l.primary, err = a.pair.Primary().Count(ctx, l.Collection); err != nil {
		return fmt.Errorf("%s: %w", a.result.Primary, err)
	}
	if l.standby, err = a.pair.Standby().Count(ctx, l.Collection); err != nil {
		return fmt.Errorf("%s: %w", a.result.Standby, standbyError{err})
	}
	// Writes between the two counts may hide as many rows that the standby lacks.
	if l.after = l.primary; l.primary == l.standby {
		if l.after, err = a.pair.Primary().Count(ctx, l.Collection); err != nil {
			return fmt.Errorf("%s: %w", a.result.Primary, err)
		}
	}
	if a.options.Rows <= 0 || l.Key == "" {
		return nil
	}
	if first {
		if l.keys, err = a.pick(ctx, l); err != nil {
			return err
		}
		if l.sampled = len(l.keys); l.sampled == 0 && l.primary > 0 {
			a.gap(Gap{Kind: KindKeys, Collection: l.Name, Why: "no key of its rows was told: none was compared field by field"})
		}
	}
	return a.compareKeys(ctx, l)
}

// standbyError is of a standby that did not answer a query which its primary answered.
type standbyError struct{ error }

// Unwrap returns the error itself.
func (e standbyError) Unwrap() error { return e.error }

// dead says whether a standby refused a query that its primary answered: it could serve
// nobody. A call that came to no end shows nothing.
func dead(err error) bool {
	var of standbyError
	var refused Refusal
	return errors.As(err, &of) && errors.As(err, &refused)
}

// pick returns the keys that the rule picks on either cluster. If it picks none of rows that are
// there, as of keys of text that all end alike, any of them are picked.
func (a *auditing) pick(ctx context.Context, l *collectionData) ([]Key, error) {
	rows := max(l.primary, l.standby)
	keys, err := a.picked(ctx, l, ruleFor(l.Collection, rows, a.options.Rows, a.options.Seed))
	if err == nil && len(keys) == 0 && rows > 0 {
		keys, err = a.picked(ctx, l, Rule{})
	}
	return keys, err
}

// picked returns the keys that a rule picks on either cluster.
func (a *auditing) picked(ctx context.Context, l *collectionData, rule Rule) ([]Key, error) {
	var all []Key
	for _, c := range []Cluster{a.pair.Primary(), a.pair.Standby()} {
		keys, err := c.Keys(ctx, l.Collection, rule, a.options.Rows)
		if err != nil {
			return nil, fmt.Errorf("pick keys: %w", err)
		}
		all = append(all, keys...)
	}
	slices.SortFunc(all, compareKeys)
	return slices.Compact(all), nil
}

func (a *auditing) compareKeys(ctx context.Context, l *collectionData) error {
	l.rows = nil
	if len(l.keys) == 0 {
		return nil
	}
	mine, err := a.pair.Primary().Rows(ctx, l.Collection, l.keys)
	if err != nil {
		return fmt.Errorf("%s: %w", a.result.Primary, err)
	}
	theirs, err := a.pair.Standby().Rows(ctx, l.Collection, l.keys)
	if err != nil {
		return fmt.Errorf("%s: %w", a.result.Standby, standbyError{err})
	}
	l.rows = CompareRows(mine, theirs)
	return nil
}

// unreadable says whether a collection whose data one of the clusters does not tell is
// done with. That a standby refuses counts once it did so twice.
func (a *auditing) unreadable(l *collectionData, err error) (done bool) {
	if !dead(err) {
		a.gap(Gap{Kind: KindRows, Collection: l.Name, Why: err.Error()})
		return true
	}
	if l.refused++; l.refused < sameTwice {
		l.why = err.Error()
		return false
	}
	a.differs(Difference{Kind: KindRows, Collection: l.Name, Fact: "query", Primary: "answers", Standby: "fails", Detail: err.Error()})
	return true
}

func (a *auditing) equal(l *collectionData) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.result.Counted++
	a.result.Rows += l.primary
	a.result.Sampled += l.sampled
}

// judge asks the log of the primary whether writes under way explain what differs.
func (a *auditing) judge(ctx context.Context, mark Mark, odd []*collectionData) []*collectionData {
	asked, keys := make([]Collection, len(odd)), map[string][]Key{}
	for i, l := range odd {
		asked[i] = l.Collection
		for _, d := range l.rows {
			keys[l.Name] = append(keys[l.Name], d.Key)
		}
	}
	writes := mark.Written(ctx, asked, keys)
	return slices.DeleteFunc(odd, func(l *collectionData) bool { return a.decided(l, writes[l.Name]) })
}

// decided says whether a collection needs no further read.
func (a *auditing) decided(l *collectionData, w Writes) bool {
	counts := fmt.Sprintf("%d rows on %s and %d on %s", l.primary, a.result.Primary, l.standby, a.result.Standby)
	by := JudgeCount(l.primary, l.standby, w)
	var odd []KeyDifference
	for _, d := range l.rows {
		if !w.Touched[d.Key] && !(l.Expires && d.Lacks != "") {
			odd = append(odd, d)
		}
	}
	switch {
	case w.Unknown != "":
		l.why = counts + "; it is not known whether writes under way explain it: " + w.Unknown
		return false
	case l.Expires && len(odd) == 0:
		l.why = counts + ": its rows expire, at different moments on the two clusters"
		return false
	case l.Expires:
		by = 0
	case by == 0 && len(odd) == 0:
		l.why = fmt.Sprintf("%s, and %d writes were under way: rows cannot be counted during so many writes (hint: audit it again at a quiet time)", counts, w.Inserted+w.Deleted)
		return false
	}
	l.odd, l.by = odd, by
	if len(odd) > 0 {
		l.keys = nil
		for _, d := range odd {
			l.keys = append(l.keys, d.Key)
		}
	}
	if l.times++; l.times < sameTwice {
		l.why = counts + " differed once, but writes under way may explain it"
		return false
	}
	a.report(l)
	return true
}

// report notes a difference that was found twice.
func (a *auditing) report(l *collectionData) {
	a.mu.Lock()
	a.result.Counted++
	a.mu.Unlock()
	if l.by > 0 {
		a.differs(Difference{
			Kind: KindRows, Collection: l.Name, Fact: "count", By: l.by,
			Primary: fmt.Sprint(l.primary), Standby: fmt.Sprint(l.standby),
		})
	}
	if len(l.odd) > 0 {
		a.differs(keysDiffer(l))
	}
}

// mostNamed bounds how many keys a report names.
const mostNamed = 5

// keysDiffer says which of the compared keys differ. It names keys and fields, no values.
func keysDiffer(l *collectionData) Difference {
	var lacks, extra, changed int
	var named []string
	for i, d := range l.odd {
		text := d.Key.String()
		switch {
		case d.Lacks == lacksStandby:
			lacks++
			text += " missing"
		case d.Lacks == lacksPrimary:
			extra++
			text += " only there"
		default:
			changed++
			text += " differs in " + strings.Join(d.Fields, ", ")
		}
		if i < mostNamed {
			named = append(named, text)
		}
	}
	if more := len(l.odd) - len(named); more > 0 {
		named = append(named, fmt.Sprintf("%d more", more))
	}
	return Difference{
		Kind: KindKeys, Collection: l.Name, Fact: "rows", By: int64(len(l.odd)),
		Primary: fmt.Sprintf("%d rows compared", l.sampled),
		Standby: fmt.Sprintf("%d missing, %d only there, %d changed", lacks, extra, changed),
		Detail:  "key " + strings.Join(named, "; key "),
	}
}
