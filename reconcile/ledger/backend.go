package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// image is all that a backend holds, as bytes.
type image struct {
	format string            // empty: the ledger does not exist
	head   string            // headOf what was written last
	chain  []sealed          // in order
	latest map[string][]byte // by key, see latest_values.go
	// version is another one in this process whenever the content is; 0: the
	// backend cannot tell. Nothing in an image is changed once it was handed out.
	version uint64
	// noteSet is what stood outside of the ledger before it was read; nil: it is not asked.
	noted func() noteSet
	// whole: this process made it from one that it verified, and made its head.
	whole bool
}

// with is the image after a change.
func (im image) with(c change) image {
	out := image{format: c.format, head: c.head, chain: append(im.chain, c.append...), latest: im.latest, whole: true}
	if len(c.latest) > 0 {
		out.latest = merge(im.latest, c.latest)
		maps.DeleteFunc(out.latest, func(_ string, raw []byte) bool { return raw == nil })
	}
	return out
}

// change is what one transaction writes.
type change struct {
	format string
	head   string
	append []sealed
	latest map[string][]byte // replacing; nil: taken out
}

// empty says whether there is nothing to write.
func (c change) empty(im image) bool {
	return len(c.append) == 0 && len(c.latest) == 0 && c.format == im.format
}

// backend keeps the bytes and the locks; the meaning of both is Ledger's.
type backend interface {
	kind() plan.LedgerKind
	// name says where the ledger is, for errors.
	name() string
	// load reads everything at one moment. A ledger that does not exist is empty.
	load(ctx context.Context) (image, error)
	// commit writes what fn returns, all or nothing and durably, provided that
	// g (if not nil) still holds its lock in that same transaction. fn may run
	// more than once.
	commit(ctx context.Context, g guard, fn func(image) (change, error)) error
	// restoreHint is what to do about a ledger that is not the newest.
	restoreHint() string
	// reportSoundness hears whether an image was found sound, and its newest record.
	reportSoundness(newest sealed, sound bool)
	// setAside moves a ledger that cannot be read out of the way, and says whereto.
	setAside(suffix string) (string, error)
	// lock takes the lock of a topology, waiting no longer than wait.
	lock(ctx context.Context, topology string, h Holder, wait time.Duration) (guard, error)
	// campaign waits until ctx ends to be the one that leads.
	campaign(ctx context.Context, h Holder) (guard, error)
	// leader says who leads; false: nobody.
	leader(ctx context.Context) (Holder, bool, error)
	// writable does what a writer needs, and writes nothing.
	writable(ctx context.Context, topologies []string) (Tried, error)
	close() error
}

// guard is a held lock.
type guard interface {
	// lost is closed once the lock may be another's.
	lost() <-chan struct{}
	// until is when the lock is no longer surely ours, by the monotonic clock;
	// zero: it does not run out.
	until() time.Time
	release(ctx context.Context) error
}

// headOf names the last record and all of the latest values, which the chain
// alone cannot: a chain whose end is cut off is still a chain.
func headOf(chain []sealed, latest map[string][]byte) string {
	return headOfFormat1(chain) + " " + hashLatest(latest, sortedKeys(latest), func(key string) string { return hashOf(latest[key]) })
}

func headOfFormat1(chain []sealed) string {
	if len(chain) == 0 {
		return ""
	}
	last := chain[len(chain)-1]
	return fmt.Sprintf("%d %s", last.seq, last.hash)
}

// checkHead compares what stands with what was written last.
func checkHead(im image, sum func(map[string][]byte) string) error {
	records := headOfFormat1(im.chain)
	switch {
	case im.format == format1 && im.head == records, im.head == records+" "+sum(im.latest):
		return nil
	case strings.HasPrefix(im.head, records+" "):
		return &CorruptError{Reason: "one of the latest values was changed, added or taken out"}
	}
	return &CorruptError{Seq: uint64(len(im.chain)) + 1, Reason: "records are missing or too many at its end"}
}

// unseal splits a stored record.
func unseal(seq uint64, raw []byte) (sealed, bool) {
	hash, body, ok := cutHash(raw)
	return sealed{seq: seq, hash: hash, raw: body}, ok
}

// stored is the form that unseal reads.
func (s sealed) stored() []byte { return append([]byte(s.hash+"\n"), s.raw...) }

// write runs rules against the ledger in one transaction. Each of them sees
// what stood before all of them.
func (l *Ledger) write(ctx context.Context, g guard, rules ...rule) error {
	return l.store.commit(ctx, g, func(im image) (change, error) { return l.nextChange(im, nil, rules...) })
}

// writeLatest replaces latest values in one transaction.
func (l *Ledger) writeLatest(ctx context.Context, latest map[string][]byte) error {
	return l.store.commit(ctx, nil, func(im image) (change, error) { return l.nextChange(im, latest, bornRule) })
}

// nextChange verifies what stands, asks the rules, and chains their records. The birth
// goes before the first record of all.
func (l *Ledger) nextChange(im image, latest map[string][]byte, rules ...rule) (change, error) {
	im, moved, err := upgrade(im)
	if err != nil {
		return change{}, l.withPath(err)
	}
	var c change
	_, err = l.replay(im, func(s *state) error {
		var todo []entry
		if len(im.chain) == 0 {
			todo = append(todo, entry{Kind: KindBorn})
		}
		for _, r := range rules {
			e, err := r(s)
			if err != nil {
				return err
			}
			if e != nil {
				todo = append(todo, *e)
			}
		}
		c, err = l.appendRecords(im, todo, merge(moved, latest))
		return err
	})
	return c, err
}

func (l *Ledger) appendRecords(im image, todo []entry, latest map[string][]byte) (change, error) {
	var last sealed
	if n := len(im.chain); n > 0 {
		last = im.chain[n-1]
	}
	c := change{format: formatVersion, latest: latest}
	at := wallTime(l.clock())
	for _, e := range todo {
		e.At = at
		next, err := seal(last, e)
		if err != nil {
			return change{}, err
		}
		c.append, last = append(c.append, next), next
	}
	c.head = headOfFormat1([]sealed{last}) + " " + l.verified.values.hashLatest(merge(im.latest, latest))
	return c, nil
}

// replay verifies and adds up the records, naming the ledger in what it finds.
// The state is use's only while it runs. On a fault it returns the records
// that stand before it.
func (l *Ledger) replay(im image, use func(*state) error) ([]entry, error) {
	v := &l.verified
	v.mu.Lock()
	defer v.mu.Unlock()
	if im.version == 0 || im.version != v.soundVersion {
		entries, err := v.verifyChain(im.chain)
		if err == nil && im.format != "" && !im.whole {
			err = checkHead(im, v.values.hashLatest)
		}
		if err == nil {
			err = l.checkNotes(im)
		}
		if err != nil {
			v.soundVersion = 0
			l.store.reportSoundness(sealed{}, false)
			return entries, l.withPath(err)
		}
		v.soundVersion = im.version
		l.store.reportSoundness(lastRecord(im.chain, nil), true)
	}
	s, err := v.replay()
	if err != nil {
		return v.entries, l.withPath(err)
	}
	return v.entries, use(s)
}

// checkNotes refuses a sound image that is not the newest that was written, as far as
// what was noted outside of it tells. The caller holds verified.
func (l *Ledger) checkNotes(im image) error {
	if im.noted == nil {
		return nil
	}
	s, err := l.verified.replay()
	if err != nil {
		return err
	}
	if seq, reason := im.noted().contradicts(im.chain, s.accepted); reason != "" {
		return &CorruptError{Seq: seq, Reason: reason + l.store.restoreHint()}
	}
	return nil
}

// contextError says why nothing is read or written any more; nil: go on.
func contextError(ctx context.Context) error {
	err, why := ctx.Err(), context.Cause(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(why, err):
		return fmt.Errorf("open ledger: %w", err)
	default:
		return fmt.Errorf("open ledger: %w: %w", err, why)
	}
}

// withPath puts the ledger's place into errors that have one.
func (l *Ledger) withPath(err error) error {
	var damaged *CorruptError
	var format *FormatError
	switch {
	case errors.As(err, &damaged):
		damaged.Path = l.store.name()
	case errors.As(err, &format):
		format.Path = l.store.name()
	}
	return err
}
