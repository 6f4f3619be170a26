package kubernetes

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Record is one record as it is stored.
type Record struct {
	Seq      uint64
	Topology string // of a record that is written; empty: it is of none
	Raw      []byte
}

// Content is a ledger after one transaction. It is not modified.
type Content struct {
	Format  string // empty: the ledger does not exist
	Head    string
	Records []Record
	Latest  map[string][]byte
	Version string // changes with the content, and each time that all of it was read; empty: there is none
	// Refuted is why this is not the ledger that was written last; empty: nothing says so.
	Refuted string

	head       head
	stored     map[string]*topology // as their objects are
	topologies map[string]*topology // with the last transaction
	objects    digest               // over these
}

// DamageError says that an object does not hold what it should.
type DamageError struct {
	Seq    uint64 // the record at fault; 0: not one record
	Reason string
}

// Error says what is wrong.
func (e *DamageError) Error() string { return e.Reason }

// known is what this process read. Each topology has every transaction before that of the head,
// and may have later ones. It is not modified.
type known struct {
	head       head
	topologies map[string]*topology // as their objects are
	listed     time.Time            // when all of them were read
	lists      int                  // how often that was
	content    Content              // at this head, or at one before it; its Version is empty if there is none
	changed    []string             // which topologies may be newer than in content
}

// Read reads the newest version, and now and then all objects of it.
func (s *Store) Read(ctx context.Context) (Content, error) {
	s.mu.Lock()
	if time.Since(s.known.listed) > s.config.Recheck {
		s.known = known{lists: s.known.lists}
	}
	s.mu.Unlock()
	return s.ReadToWrite(ctx)
}

// ReadToWrite reads the newest version. Of objects that this process knows it takes up only what
// transactions changed: a writer reads those that it will change by itself, and in the middle of
// a failover nothing waits for all of them.
func (s *Store) ReadToWrite(ctx context.Context) (Content, error) {
	before := "" // the head for which there was a newer object
	for range tries {
		h, found, err := s.readHead(ctx)
		if err != nil {
			return Content{Format: h.format}, err
		}
		if !found {
			out, found, err := s.readNone(ctx)
			if found {
				continue // another process made it meanwhile
			}
			return out, err
		}
		c, whole, err := s.readAt(ctx, h)
		var damaged *DamageError
		switch {
		case err == nil:
			return c, nil
		case errors.Is(err, errNewer) && before == h.version():
			return c, &DamageError{Reason: err.Error()}
		case errors.Is(err, errNewer): // writers were faster
			before = h.version()
		case errors.As(err, &damaged) && !whole: // what this process knew may be of another history
			s.Forget()
		default:
			return c, err
		}
	}
	return Content{}, fmt.Errorf("%w: %s", ErrBusy, s.Where())
}

// readAt reads the ledger as of a head. Whole says that it read all objects for that.
func (s *Store) readAt(ctx context.Context, h head) (c Content, whole bool, err error) {
	before := s.remembered()
	if before.content.Version != "" && before.content.head.version() == h.version() {
		return before.content, false, nil
	}
	k, err := s.reach(ctx, before, h)
	if whole = k.lists > before.lists; err != nil {
		return Content{Format: h.format}, whole, err
	}
	c, err = k.at(h)
	switch {
	case err == nil:
		k.content, k.changed = c, nil
		s.remember(k)
	case errors.Is(err, errNewer): // what was read so far is of use for the next try
		s.remember(k)
	}
	return c, whole, err
}

func (s *Store) remembered() known {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known
}

func (s *Store) remember(k known) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = k
}

// Forget makes the next Read read all objects.
func (s *Store) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = known{lists: s.known.lists}
}

// learn takes up topologies as they are now.
func (s *Store) learn(all []*topology) {
	s.mu.Lock()
	defer s.mu.Unlock()
	topologies := maps.Clone(s.known.topologies)
	for _, t := range all {
		if t == nil || topologies == nil {
			continue
		}
		present := topologies[t.name]
		if s.known.head.ledger == t.object.Data[keyLedger] && (present == nil || present.number < t.number) {
			topologies[t.name] = t
		}
	}
	s.known.topologies = topologies
}

// readNone decides whether a ledger that is not there is a new one; found: another process made
// it meanwhile. Leases and the objects of topologies are made only after the head.
func (s *Store) readNone(ctx context.Context) (out Content, found bool, err error) {
	locks, err := s.list(ctx, leases, s.ofThis(), 1)
	if err != nil {
		return out, false, err
	}
	objects, err := s.list(ctx, configMaps, s.ofThis()+","+ofTopology, 1)
	if err != nil {
		return out, false, err
	}
	again, found, err := s.readHead(ctx)
	if err != nil || found {
		return out, found, err
	}
	out = Content{head: again, Version: versionOf(again.object)}
	switch {
	case len(locks) > 0:
		out.Refuted = fmt.Sprintf("it is gone or empty, and Lease %s shows that it held records", locks[0].Metadata.Name)
	case len(objects) > 0:
		out.Refuted = fmt.Sprintf("it is gone or empty, and ConfigMap %s shows that it held records", objects[0].Metadata.Name)
	case len(again.object.Data)+len(again.object.BinaryData) > 0:
		return out, false, &DamageError{Reason: "a part of it is missing"}
	}
	return out, false, nil
}

func versionOf(o object) string {
	if o.Metadata.ResourceVersion == "" {
		return ""
	}
	return o.Metadata.UID + "/" + o.Metadata.ResourceVersion
}

// reach returns topologies that have every transaction before the newest of a head, whose own
// changes the head holds: a writer carries one into the objects before it writes the next.
func (s *Store) reach(ctx context.Context, k known, h head) (known, error) {
	missing, ok := h.since(k.head.number, k.head.redo.ID)
	if !ok || k.head.ledger != h.ledger {
		return s.readAll(ctx, h, k.lists)
	}
	names := sortedKeys(missing)
	fresh := make([]*topology, len(names))
	err := each(len(names), func(i int) error {
		name := names[i]
		if t := k.topologies[name]; t != nil && t.number >= missing[name] {
			fresh[i] = t
			return nil
		}
		t, err := s.getTopology(ctx, name, h.ledger)
		if err == nil && t.number < missing[name] {
			err = t.damage("it is missing, or an older copy")
		}
		fresh[i] = t
		return err
	})
	if err != nil {
		return k, err
	}
	k.head, k.topologies = h, maps.Clone(k.topologies)
	for _, t := range fresh {
		k.topologies[t.name] = t
	}
	k.changed = append(slices.Clip(k.changed), names...)
	return k, nil
}

// readAll reads the objects of all topologies.
func (s *Store) readAll(ctx context.Context, h head, lists int) (known, error) {
	k := known{head: h, topologies: map[string]*topology{}, listed: time.Now(), lists: lists + 1}
	all, err := s.list(ctx, configMaps, s.ofThis()+","+ofTopology, 0)
	if err != nil {
		return k, err
	}
	parsed := make([]*topology, len(all))
	err = each(len(all), func(i int) error {
		var err error
		parsed[i], err = s.parseTopology(ctx, all[i].Metadata.Labels[ofTopology], h.ledger, all[i])
		return err
	})
	for _, t := range parsed {
		if err == nil && t.number > 0 {
			k.topologies[t.name] = t
		}
	}
	return k, err
}

// errNewer says that an object has a transaction that the head, which was read before it, has
// not.
var errNewer = errors.New("the ConfigMap of a topology is newer than it: it is an older copy")

// at returns the content after the newest transaction of a head.
func (k known) at(h head) (Content, error) {
	out := Content{Format: h.format, Head: h.last, head: h, stored: k.topologies, topologies: maps.Clone(k.topologies), Version: h.version() + "/" + strconv.Itoa(k.lists)}
	if h.object.Data[keyUID] != h.object.Metadata.UID {
		out.Refuted = "its object was made again from a copy: a backup was restored, or somebody replaced it"
	}
	for name, d := range h.redo.Changes {
		t := k.topologies[name]
		if t == nil {
			t = &topology{name: name}
		}
		switch {
		case t.number >= h.number: // it has it, or errNewer follows
		case t.number == d.After:
			out.topologies[name] = t.with(h.number, d)
		default:
			return out, &DamageError{Reason: fmt.Sprintf("ConfigMap %s is missing, or an older copy", topologyObject(h.object.Metadata.Name, name))}
		}
	}
	for _, t := range out.topologies {
		if t.number > h.number {
			return out, errNewer
		}
	}
	return out, out.join(k.content, append(sortedKeys(h.redo.Changes), k.changed...))
}

// join puts together what the topologies hold: all of it, or what changed since an earlier
// content.
func (c *Content) join(before Content, changed []string) error {
	if before.Version == "" {
		changed = sortedKeys(c.topologies)
	}
	c.objects, c.Latest = before.objects, maps.Clone(before.Latest)
	if c.Latest == nil {
		c.Latest = map[string][]byte{}
	}
	slices.Sort(changed)
	var records []Record
	for _, name := range slices.Compact(changed) {
		was, is := before.topologies[name], c.topologies[name]
		if was == nil {
			was = &topology{name: name}
		}
		c.objects.toggle(name, was.number)
		c.objects.toggle(name, is.number)
		for key := range was.latest {
			delete(c.Latest, key)
		}
		records = append(records, is.records[min(len(was.records), len(is.records)):]...)
	}
	for _, name := range changed { // a value may have come from another topology
		maps.Copy(c.Latest, c.topologies[name].latest)
	}
	if err := c.addRecords(before.Records, records); err != nil {
		return err
	}
	if c.objects != c.head.objects {
		return &DamageError{Reason: "the ConfigMap of a topology is missing, or an older copy"}
	}
	return nil
}

// addRecords puts new records of all topologies behind the earlier ones, in their order.
func (c *Content) addRecords(before, added []Record) error {
	all := make([]Record, len(before)+len(added))
	first := uint64(copy(all, before)) + 1
	for _, r := range added {
		if r.Seq >= first && r.Seq <= uint64(len(all)) {
			all[r.Seq-1] = r
		}
	}
	missing := slices.IndexFunc(all, func(r Record) bool { return r.Seq == 0 })
	if missing < 0 {
		c.Records = all
		return nil
	}
	c.Records = all[:missing]
	return &DamageError{Seq: uint64(missing) + 1, Reason: "it is missing"}
}

func hashOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// longestValue bounds what is unpacked of an object.
const longestValue = 64 << 20

// packers keeps writers: each is almost a megabyte.
var packers = sync.Pool{New: func() any { return gzip.NewWriter(io.Discard) }}

// pack returns a value as compressed JSON. The same value has the same bytes.
func pack(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode a value: %w", err)
	}
	var out bytes.Buffer
	w, _ := packers.Get().(*gzip.Writer)
	defer packers.Put(w)
	w.Reset(&out)
	_, _ = w.Write(raw) // into memory: it cannot fail
	_ = w.Close()
	return out.Bytes(), nil
}

// unpackers keeps readers.
var unpackers = sync.Pool{New: func() any { return new(gzip.Reader) }}

func unpack(packed []byte, into any) error {
	r, _ := unpackers.Get().(*gzip.Reader)
	defer unpackers.Put(r)
	if r.Reset(bytes.NewReader(packed)) != nil {
		return errors.New("they are not compressed as they should be")
	}
	raw, err := io.ReadAll(io.LimitReader(r, longestValue+1))
	if err != nil || len(raw) > longestValue {
		return errors.New("they are cut off, or too large")
	}
	if json.Unmarshal(raw, into) != nil {
		return errors.New("they cannot be read")
	}
	return nil
}
