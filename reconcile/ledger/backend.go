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

// image is the whole content of a backend, as bytes.
type image struct {
	format string            // empty: the ledger does not exist
	head   string            // headOf the last write
	chain  []sealed          // in order
	latest map[string][]byte // by key, see latest_values.go
	// version changes in this process whenever the content changes; 0: not known. An
	// image is not modified after it was returned.
	version uint64
	// noted returns the notes as they were before the ledger was read; nil: no notes
	// are compared.
	noted func() noteSet
	// whole: this process derived the image and its head from a verified image.
	whole bool
}

// with returns the image after a change.
func (im image) with(c change) image {
	out := image{format: c.format, head: c.head, chain: append(im.chain, c.append...), latest: im.latest, whole: true}
	if len(c.latest) > 0 {
		out.latest = merge(im.latest, c.latest)
		maps.DeleteFunc(out.latest, func(_ string, raw []byte) bool { return raw == nil })
	}
	return out
}

// change is the content that one transaction writes.
type change struct {
	format string
	head   string
	append []sealed
	latest map[string][]byte // new values by key; a nil value deletes the key
	homes  map[string]string // the topology of each cluster whose progress is written
}

// empty reports whether there is nothing to write.
func (c change) empty(im image) bool {
	return len(c.append) == 0 && len(c.latest) == 0 && c.format == im.format
}

// backend stores the bytes and provides the locks. Ledger gives them their meaning.
type backend interface {
	kind() plan.LedgerKind
	// name returns the location of the ledger, for errors.
	name() string
	// batch is the number of records or values that one transaction writes at most.
	batch() int
	// load reads a consistent image. A ledger that does not exist is empty.
	load(ctx context.Context) (image, error)
	// commit writes the result of fn atomically and durably. If g is not nil, its lock
	// must still be held within the transaction. fn may run more than once.
	commit(ctx context.Context, g guard, fn func(image) (change, error)) error
	// restoreHint returns the remedy for a ledger that is not the newest copy.
	restoreHint() string
	// reportSoundness is called with the result of each verification, and with the
	// newest record of a sound image.
	reportSoundness(newest sealed, sound bool)
	// setAside moves an unreadable ledger away and returns its new path.
	setAside(suffix string) (string, error)
	// lock takes the lock of a topology. It waits for wait at most.
	lock(ctx context.Context, topology string, h Holder, wait time.Duration) (guard, error)
	// holder returns the holder of the lock of a topology; false: it is free.
	holder(ctx context.Context, topology string) (Holder, bool, error)
	// campaign waits for the leadership of h.Shard until ctx ends. The leader of all
	// topologies and the leaders of shards exclude each other.
	campaign(ctx context.Context, h Holder) (guard, error)
	// leader returns the holder of the leadership of a shard, or who keeps any from leading
	// it; false: there is none.
	leader(ctx context.Context, shard string) (Holder, bool, error)
	// claim waits until ctx ends for the claim of h.Shard on a topology, under its held
	// leadership. It calls waits once if another holds it.
	claim(ctx context.Context, leads guard, topology string, h Holder, waits func(Holder)) (guard, error)
	// wanted returns the topologies that shards other than this one wait for.
	wanted(ctx context.Context, shard string) ([]string, error)
	// writable checks what a writer needs. It writes nothing to the ledger.
	writable(ctx context.Context, topologies []string) (Tried, error)
	close() error
}

// guard is a held lock.
type guard interface {
	// lost is closed as soon as another process may hold the lock.
	lost() <-chan struct{}
	// until returns when another process may get the lock, by the monotonic clock;
	// zero: the lock does not expire.
	until() time.Time
	release(ctx context.Context) error
}

// headOf returns number and hash of the last record, and a hash over all latest
// values. It reveals records cut off at the end, which leave a valid chain.
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

// checkHead compares the image with the head of the last write.
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

// stored returns the bytes that unseal reads.
func (s sealed) stored() []byte { return append([]byte(s.hash+"\n"), s.raw...) }

// write applies rules in one transaction. Each rule sees the state before the
// transaction.
func (l *Ledger) write(ctx context.Context, g guard, rules ...rule) error {
	return l.store.commit(ctx, g, func(im image) (change, error) { return l.nextChange(im, nil, rules...) })
}

// writeLatest replaces latest values in one transaction.
func (l *Ledger) writeLatest(ctx context.Context, latest map[string][]byte) error {
	return l.store.commit(ctx, nil, func(im image) (change, error) { return l.nextChange(im, latest, bornRule) })
}

// nextChange verifies the image, applies the rules and seals their records. The record
// of the birth precedes the first one.
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
		c.homes = s.homesIn(c.latest)
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
	c.head = headOfFormat1([]sealed{last}) + " " + l.sumLatest(im, latest)
	return c, nil
}

// sumLatest returns the hash over all latest values after a change of some. The head of the
// image, which was verified, has it already if none changes.
func (l *Ledger) sumLatest(im image, changed map[string][]byte) string {
	if sum, ok := sumOfHead(im); ok && len(changed) == 0 {
		return sum
	}
	return l.verified.values.hashLatest(merge(im.latest, changed))
}

// sumOfHead returns the hash over all latest values in a head; false: it has none.
func sumOfHead(im image) (string, bool) {
	return strings.CutPrefix(im.head, headOfFormat1(im.chain)+" ")
}

// replay verifies the records, computes their state and passes it to use, which must
// not keep it. Its errors name the ledger. On damage it returns the records before the
// damaged one.
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

// checkNotes refuses a sound image if the notes show that it is not the newest one.
// The caller holds the mutex of verified.
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

// contextError returns why ctx ended; nil: it has not ended.
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

// withPath sets the location of the ledger in errors that hold one.
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
