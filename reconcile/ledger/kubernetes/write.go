package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"unicode/utf8"

	"milvus-reconcile/reconcile/kubeapi"
)

const (
	// mostInline is from how many bytes on the records in the object move into a part.
	mostInline = 128 << 10
	// mostBytes bounds what the object holds, and mostWithRecord what it holds with a record
	// that is added. Kubernetes takes 1 MiB in a ConfigMap. So observations leave room for the
	// records of a change: one that could be begun can be ended.
	mostBytes      = 900 << 10
	mostWithRecord = 1000 << 10
	// lowBytes is from how many bytes on Try adds a note.
	lowBytes = 700 << 10
)

// ErrLost says that a lock is not held any more.
var ErrLost = errors.New("another process may hold the lock")

// ErrFull says that a write does not fit into the object. Nothing was written.
var ErrFull = errors.New("it is full")

// Change is what one transaction writes.
type Change struct {
	Format, Head string
	Append       []Record
	Latest       map[string][]byte // all of them, not only the new ones
	Nothing      bool              // there is nothing to write; only the lock is checked
}

// Write writes a change to the version that was read, if held is nil or still held. False:
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
		return false, s.makeObject(ctx)
	}
	o, err := s.changed(ctx, base, c)
	if err != nil {
		return false, err
	}
	if held != nil && held.isLost() {
		return false, ErrLost
	}
	_, done, err := s.put(ctx, configMaps, o, false)
	if err != nil && !kubeapi.Refused(err) {
		done, err = s.wasWritten(ctx, c, err)
	}
	if done && base.Format == "" {
		s.leaveTrace(ctx)
	}
	return done, err
}

// leaveTrace makes a Lease that nobody ever holds: it shows that there was a ledger if its
// object is deleted before any lock was taken. An error is ignored: the first lock is a trace
// too.
func (s *Store) leaveTrace(ctx context.Context) {
	o := s.named(leases, s.leaseName("made"))
	o.Spec = &leaseSpec{}
	_, _, _ = s.put(ctx, leases, o, false)
}

// makeObject makes the object, without content: only then its uid is known.
func (s *Store) makeObject(ctx context.Context) error {
	_, _, err := s.put(ctx, configMaps, s.named(configMaps, s.config.Name), false)
	return err
}

// wasWritten reads whether a write took effect although its answer was lost.
func (s *Store) wasWritten(ctx context.Context, c Change, err error) (bool, error) {
	if len(c.Append) == 0 {
		return false, err // the same values may be written again
	}
	after, readErr := s.Read(context.WithoutCancel(ctx))
	if readErr == nil && after.Head == c.Head {
		return true, nil
	}
	return false, err
}

// changed returns the object after a change. It writes the part that the object will name.
func (s *Store) changed(ctx context.Context, base Content, c Change) (object, error) {
	o := base.object
	o.Data, o.BinaryData = map[string]string{}, map[string][]byte{}
	parts := base.parts
	inline := recordsIn(base.object)
	for key, text := range inline {
		if packed, ok := base.object.BinaryData[key]; ok {
			o.BinaryData[key] = packed
		} else {
			o.Data[key] = text
		}
	}
	if bytesOf(o) > mostInline {
		moved, err := s.movePart(ctx, base)
		if err != nil {
			return o, err
		}
		parts = append(parts[:len(parts):len(parts)], moved)
		o.Data, o.BinaryData = map[string]string{}, map[string][]byte{}
	}
	for _, r := range c.Append {
		if !utf8.Valid(r.Raw) {
			return o, fmt.Errorf("write ledger: record %d is not UTF-8", r.Seq)
		}
		if err := o.addRecord(r); err != nil {
			return o, err
		}
	}
	return s.finish(o, parts, base, c)
}

// finish adds everything to an object but its records.
func (s *Store) finish(o object, parts []part, base Content, c Change) (object, error) {
	texts := map[string]string{}
	for key, raw := range c.Latest {
		if !utf8.Valid(raw) {
			return o, fmt.Errorf("write ledger: the latest value %s is not UTF-8", key)
		}
		texts[key] = string(raw)
	}
	packed, err := pack(texts)
	if err != nil {
		return o, err
	}
	o.BinaryData[keyLatest] = packed
	o.Data[keyFormat], o.Data[keyHead], o.Data[keyUID] = c.Format, c.Head, o.Metadata.UID
	if err := errors.Join(o.writeJSON(keyParts, parts), o.writeJSON(keyFences, base.fences)); err != nil {
		return o, err
	}
	if len(c.Append) > 0 {
		return o, s.check(o, mostWithRecord)
	}
	return o, s.check(o, mostBytes-max(0, mostInline-inlineBytes(o)))
}

// inlineBytes is the size of the records in an object.
func inlineBytes(o object) int {
	n := 0
	for key, text := range recordsIn(o) {
		n += len(key) + max(len(text), len(o.BinaryData[key]))
	}
	return n
}

// Low says how full the object is if it will take no more topologies soon; else it is empty.
func (s *Store) Low(ctx context.Context) string {
	o, _, err := s.get(ctx, configMaps, s.config.Name)
	if n := bytesOf(o) - inlineBytes(o) + mostInline; err == nil && n > lowBytes {
		return fmt.Sprintf("ConfigMap %s holds %d KiB with the room for its records, and may hold %d KiB: then observations of more topologies are refused; keep so many in etcd (docs/ledger.md)", o.Metadata.Name, n>>10, mostBytes>>10)
	}
	return ""
}

// movePart writes the records that lie in the object into a part of their own, which the
// object does not name yet. The same records make the same part.
func (s *Store) movePart(ctx context.Context, base Content) (part, error) {
	first := uint64(1)
	if n := len(base.parts); n > 0 {
		first = base.parts[n-1].Last + 1
	}
	var texts []string
	for _, r := range base.Records[first-1:] {
		texts = append(texts, string(r.Raw))
	}
	packed, err := pack(texts)
	if err != nil {
		return part{}, err
	}
	p := part{First: first, Last: first + uint64(len(texts)) - 1, Hash: hashOf(packed)}
	p.Name = fmt.Sprintf("%s.records.%d-%d.%s", s.config.Name, p.First, p.Last, p.Hash[:12])
	o := s.named(configMaps, p.Name)
	o.Immutable, o.BinaryData = true, map[string][]byte{keyParts: packed}
	if _, done, err := s.put(ctx, configMaps, o, false); done || err != nil {
		return p, err
	}
	_, err = s.readPart(ctx, p) // it is there already: from a write that was overtaken
	return p, err
}

func (o *object) writeJSON(key string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	o.Data[key] = string(raw)
	return nil
}

// check refuses an object that Kubernetes would not take.
func (s *Store) check(o object, most int) error {
	if n := bytesOf(o); n > most {
		return fmt.Errorf("%w: ConfigMap %s would hold %d bytes, and at most %d fit (hint: keep the ledger of so many topologies in etcd)", ErrFull, o.Metadata.Name, n, most)
	}
	return nil
}

func bytesOf(o object) int {
	n := 0
	for key, text := range o.Data {
		n += len(key) + len(text)
	}
	for key, raw := range o.BinaryData {
		n += len(key) + len(raw)
	}
	return n
}

// setFence writes the token of a lock. False: a later holder has written its own.
func (s *Store) setFence(ctx context.Context, lock string, token Token) (bool, error) {
	for range tries {
		base, err := s.Read(ctx)
		if err != nil {
			return false, err
		}
		if present := parseToken(base.fences[lock]); present.Number >= token.Number {
			return present == token, nil
		}
		if base.Format == "" {
			return false, &DamageError{Reason: "it is gone or empty"}
		}
		o := base.object
		o.Data = maps.Clone(o.Data)
		fences := maps.Clone(base.fences)
		fences[lock] = token.String()
		if err := o.writeJSON(keyFences, fences); err != nil {
			return false, err
		}
		_, done, err := s.put(ctx, configMaps, o, false)
		if err != nil && !kubeapi.Refused(err) { // it may have been written
			if after, readErr := s.Read(ctx); readErr == nil && parseToken(after.fences[lock]) == token {
				return true, nil
			}
			return false, err
		}
		if done || err != nil {
			return done, err
		}
	}
	return false, fmt.Errorf("%w: %s", ErrBusy, s.Where())
}
