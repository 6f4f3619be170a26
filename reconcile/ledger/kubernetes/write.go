package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"milvus-reconcile/reconcile/kubeapi"
)

// ErrLost says that a lock is not held any more.
var ErrLost = errors.New("another process may hold the lock")

// Change is what one transaction writes.
type Change struct {
	Format, Head string
	Append       []Record
	Latest       []Value
	Nothing      bool // there is nothing to write; only the lock is checked
}

// Value is a latest value that is written.
type Value struct {
	Key      string
	Raw      []byte // nil deletes it
	Topology string // empty: not known, or of none
}

// Write writes a change to the content that was read, if held is nil or still held. False:
// another writer was faster.
func (s *Store) Write(ctx context.Context, base Content, c Change, held *Lease) (bool, error) {
	if held != nil && !held.fences(base) {
		held.markLost()
		return false, ErrLost
	}
	if c.Nothing {
		return true, nil
	}
	if base.Version == "" {
		return false, s.makeHead(ctx)
	}
	changes, err := c.byTopology(base)
	if err != nil {
		return false, err
	}
	h := base.head
	h.format, h.last = c.Format, c.Head
	return s.commit(ctx, base, h, changes, held)
}

// makeHead makes the object of the head, without content: only then its uid is known.
func (s *Store) makeHead(ctx context.Context) error {
	_, _, err := s.put(ctx, configMaps, s.named(configMaps, s.config.Name), false)
	return err
}

// byTopology returns what a change changes of each topology. A value whose topology is not known
// stays where it is, or lies with what is of none until that is known.
func (c Change) byTopology(base Content) (map[string]delta, error) {
	out := map[string]delta{}
	for _, r := range c.Append {
		if !utf8.Valid(r.Raw) {
			return nil, fmt.Errorf("write ledger: record %d is not UTF-8", r.Seq)
		}
		d := out[r.Topology]
		d.Records = append(d.Records, storedRecord{Seq: r.Seq, Text: string(r.Raw)})
		out[r.Topology] = d
	}
	set := func(topology, key string, text *string) {
		d := out[topology]
		if d.Latest == nil {
			d.Latest = map[string]*string{}
		}
		d.Latest[key] = text
		out[topology] = d
	}
	for _, v := range c.Latest {
		if !utf8.Valid(v.Raw) {
			return nil, fmt.Errorf("write ledger: the latest value %s is not UTF-8", v.Key)
		}
		place, stored := base.place(v.Key, v.Topology)
		if v.Topology != "" && v.Raw != nil && (!stored || place != v.Topology) {
			if stored {
				set(place, v.Key, nil)
			}
			place = v.Topology
		}
		if v.Raw == nil {
			set(place, v.Key, nil)
			continue
		}
		text := string(v.Raw)
		set(place, v.Key, &text)
	}
	for topology, d := range out {
		d.After = base.number(topology)
		out[topology] = d
	}
	return out, nil
}

// place returns which topology has a latest value, which is probably this one.
func (c Content) place(key, probably string) (string, bool) {
	if c.Latest[key] == nil {
		return "", false
	}
	for _, name := range []string{probably, ""} {
		if t := c.topologies[name]; t != nil && t.latest[key] != nil {
			return name, true
		}
	}
	for name, t := range c.topologies {
		if t.latest[key] != nil {
			return name, true
		}
	}
	return "", false
}

// number is the last transaction that changed a topology.
func (c Content) number(topology string) uint64 {
	if t := c.topologies[topology]; t != nil {
		return t.number
	}
	return 0
}

// token is that of the newest holder of the lock of a topology.
func (c Content) token(topology string) Token {
	if t := c.topologies[topology]; t != nil {
		return parseToken(t.fence)
	}
	return Token{}
}

// commit writes a transaction: first the one before is carried into its objects, then the head is
// replaced, then this one is carried into its own. The next writer does what is left.
func (s *Store) commit(ctx context.Context, base Content, h head, changes map[string]delta, held *Lease) (bool, error) {
	last, err := s.carry(ctx, base.stored, h.ledger, h.redo)
	if err != nil {
		return false, err
	}
	if h.ledger == "" {
		h.ledger = newID()
	}
	t := transaction{Number: h.number + 1, ID: newID(), Changes: changes}
	current, ok, err := s.current(ctx, base, last, h.ledger, t)
	if !ok || err != nil {
		return false, err
	}
	after, err := s.prepare(ctx, current, h.ledger, t)
	if err != nil {
		return false, err
	}
	o, err := h.next(t, h.objectsAfter(t))
	if err = errors.Join(err, s.check(o, mostWithRecord)); err != nil {
		return false, err
	}
	if held != nil && held.isLost() {
		return false, ErrLost
	}
	_, done, err := s.put(ctx, configMaps, o, false)
	if err != nil && !kubeapi.Refused(err) && s.wasWritten(ctx, t.ID) {
		done, err = true, nil
	}
	if done {
		s.store(ctx, after)
	}
	return done, err
}

// store writes objects as far as that succeeds: the next writer does the rest.
func (s *Store) store(ctx context.Context, after []*topology) {
	stored := make([]*topology, len(after))
	_ = each(len(after), func(i int) error {
		written, done, err := s.put(ctx, configMaps, after[i].object, false)
		if done {
			stored[i] = after[i].storedAs(written)
		}
		return err
	})
	s.learn(stored)
}

// objectsAfter is the digest after a transaction.
func (h head) objectsAfter(t transaction) digest {
	out := h.objects
	for name, d := range t.Changes {
		out.toggle(name, d.After)
		out.toggle(name, t.Number)
	}
	return out
}

// carry brings a transaction into the objects of its topologies, and returns these. Stored are the
// objects as this process knows them.
func (s *Store) carry(ctx context.Context, stored map[string]*topology, ledger string, t transaction) (map[string]*topology, error) {
	names := sortedKeys(t.Changes)
	out := make([]*topology, len(names))
	err := each(len(names), func(i int) error {
		known := stored[names[i]]
		if known == nil {
			known = s.absent(names[i])
		}
		var err error
		out[i], err = s.carryInto(ctx, known, ledger, t)
		return err
	})
	carried := map[string]*topology{}
	for i, name := range names {
		if out[i] != nil {
			carried[name] = out[i]
		}
	}
	s.learn(out)
	return carried, err
}

// carryInto brings a transaction into the object of a topology, unless it has it.
func (s *Store) carryInto(ctx context.Context, t *topology, ledger string, of transaction) (*topology, error) {
	for range tries {
		if t.number >= of.Number {
			return t, nil
		}
		if t.number != of.Changes[t.name].After {
			return nil, t.damage("it is missing, or an older copy")
		}
		next, err := s.after(ctx, t, ledger, of)
		if err != nil {
			return nil, err
		}
		written, done, err := s.put(ctx, configMaps, next.object, false)
		if done {
			return next.storedAs(written), nil
		}
		again, readErr := s.getTopology(ctx, t.name, ledger)
		switch {
		case readErr == nil && (err == nil || again.number >= of.Number): // only the answer was lost
			t = again
		case err != nil:
			return nil, err
		default:
			return nil, readErr
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrBusy, s.Where())
}

// after returns a topology after a transaction, with the object to write. It makes the part into
// which older records move.
func (s *Store) after(ctx context.Context, t *topology, ledger string, of transaction) (*topology, error) {
	moved, err := s.lighter(ctx, t)
	if err != nil {
		return nil, err
	}
	next := moved.with(of.Number, of.Changes[t.name])
	next.object, err = next.encode(ledger)
	return next, err
}

// storedAs returns a topology with its object as the server has it.
func (t *topology) storedAs(o object) *topology {
	out := *t
	out.object = o
	return &out
}

// current reads the objects that a transaction will change, and reports whether they are as the
// content says. If another process was faster, they are not; and if somebody edited or deleted
// one, that is damage, and nothing is written.
func (s *Store) current(ctx context.Context, base Content, last map[string]*topology, ledger string, t transaction) (map[string]*topology, bool, error) {
	names := sortedKeys(t.Changes)
	found := make([]*topology, len(names))
	overtaken := make([]bool, len(names))
	err := each(len(names), func(i int) error {
		one, err := s.getTopology(ctx, names[i], ledger)
		if err != nil {
			return err
		}
		known := last[names[i]]
		if known == nil {
			known = base.stored[names[i]]
		}
		found[i], overtaken[i] = one, one.number > base.head.number
		if !overtaken[i] && !one.isAs(known) {
			return one.damage("it is missing, or somebody changed it")
		}
		return nil
	})
	out := map[string]*topology{}
	for _, one := range found {
		if one != nil {
			out[one.name] = one
		}
	}
	return out, !slices.Contains(overtaken, true), err
}

// isAs reports whether an object holds what this process knows of it; nil: there is none.
func (t *topology) isAs(known *topology) bool {
	if known == nil {
		return t.number == 0
	}
	same := func(a, b []byte) bool { return string(a) == string(b) }
	return t.number == known.number && maps.Equal(t.object.Data, known.object.Data) && maps.EqualFunc(t.object.BinaryData, known.object.BinaryData, same)
}

// prepare returns the topologies after a transaction, with the objects to write. It refuses one
// after which an object would be too large.
func (s *Store) prepare(ctx context.Context, current map[string]*topology, ledger string, t transaction) ([]*topology, error) {
	var out []*topology
	for _, name := range sortedKeys(t.Changes) {
		next, err := s.after(ctx, current[name], ledger, t)
		if err != nil {
			return nil, err
		}
		most, d := mostWithRecord, t.Changes[name]
		if len(d.Records) == 0 && d.Fence == "" && d.adds() {
			most = mostBytes - max(0, mostInline-inlineBytes(next.object))
		}
		if err := s.check(next.object, most); err != nil {
			return nil, err
		}
		out = append(out, next)
	}
	return out, nil
}

// adds reports whether a value is written, and not only taken out.
func (d delta) adds() bool {
	for _, text := range d.Latest {
		if text != nil {
			return true
		}
	}
	return false
}

// wasWritten reads whether a transaction was committed although the answer was lost.
func (s *Store) wasWritten(ctx context.Context, id string) bool {
	h, found, err := s.readHead(context.WithoutCancel(ctx))
	return err == nil && found && slices.ContainsFunc(h.changed, func(c changed) bool { return c.ID == id })
}

// setFence writes the token of a lock. False: a later holder has written its own.
func (s *Store) setFence(ctx context.Context, topology string, token Token) (bool, error) {
	for range tries {
		base, err := s.ReadToWrite(ctx)
		if err != nil {
			return false, err
		}
		if present := base.token(topology); present.Number >= token.Number {
			return present == token, nil
		}
		if base.Format == "" {
			return false, &DamageError{Reason: "it is gone or empty"}
		}
		changes := map[string]delta{topology: {After: base.number(topology), Fence: token.String()}}
		if done, err := s.commit(ctx, base, base.head, changes, nil); done || err != nil {
			return done, err
		}
	}
	return false, fmt.Errorf("%w: %s", ErrBusy, s.Where())
}
