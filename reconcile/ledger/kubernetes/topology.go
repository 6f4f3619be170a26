package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The keys of the object of a topology, but for keyLedger and keyNumber.
const (
	keyParts  = "older"  // the objects with older records
	keyFence  = "fence"  // the token of the newest holder of its lock
	keyLatest = "latest" // its latest values, compressed
	// keyRecord precedes the number of a record; keys sort in the order of numbers.
	keyRecord = "record-"
	// compressFrom is the size in bytes from which a record is stored compressed.
	compressFrom = 8 << 10
	// ofTopology is the label of the object of a topology; its value is the name.
	ofTopology = "reconcile/topology"
)

// part is where older records of a topology lie.
type part struct {
	Name  string `json:"name"`
	First uint64 `json:"first"` // numbers of records; those between may be of other topologies
	Last  uint64 `json:"last"`
	Hash  string `json:"sha256"`
}

// topology is what the ledger holds of one topology. It is not modified once others know it.
type topology struct {
	name    string
	object  object // as it is stored
	number  uint64 // the last transaction that changed it; 0: none did
	fence   string
	latest  map[string][]byte
	parts   []part
	inParts int      // how many of the records lie there
	records []Record // by number
}

// topologyObject is the name of the object of a topology.
func topologyObject(ledger, name string) string {
	if name == "" {
		return ledger + ".no-topology"
	}
	return ledger + ".topology." + name
}

// absent is a topology that nothing was written about.
func (s *Store) absent(name string) *topology {
	o := s.named(configMaps, topologyObject(s.config.Name, name))
	o.Metadata.Labels[ofTopology] = name
	return &topology{name: name, object: o}
}

// getTopology reads the object of a topology.
func (s *Store) getTopology(ctx context.Context, name, ledger string) (*topology, error) {
	o, found, err := s.get(ctx, configMaps, topologyObject(s.config.Name, name))
	if err != nil || !found {
		return s.absent(name), err
	}
	return s.parseTopology(ctx, name, ledger, o)
}

// parseTopology reads an object. What another ledger of the same name left is nothing, and will
// be replaced.
func (s *Store) parseTopology(ctx context.Context, name, ledger string, o object) (*topology, error) {
	t := s.absent(name)
	o.APIVersion, o.Kind = t.object.APIVersion, t.object.Kind // a list leaves them out
	if o.Data[keyLedger] != ledger {
		t.object.Metadata = o.Metadata
		return t, nil
	}
	t.object, t.fence = o, o.Data[keyFence]
	var err error
	if t.number, err = strconv.ParseUint(o.Data[keyNumber], 10, 64); err != nil || t.number == 0 {
		return nil, t.damage("a part of it is missing")
	}
	if text := o.Data[keyParts]; text != "" && json.Unmarshal([]byte(text), &t.parts) != nil {
		return nil, t.damage(fmt.Sprintf("its key %s cannot be read", keyParts))
	}
	texts := map[string]string{}
	if err := unpack(o.BinaryData[keyLatest], &texts); err != nil {
		return nil, t.damage("its latest values: " + err.Error())
	}
	t.latest = make(map[string][]byte, len(texts))
	for key, text := range texts {
		t.latest[key] = []byte(text)
	}
	for _, p := range t.parts {
		older, err := s.readPart(ctx, p)
		if err != nil {
			return nil, err
		}
		t.records = append(t.records, older...)
	}
	t.inParts = len(t.records)
	return t, t.readInline()
}

// damage says what is wrong with the object.
func (t *topology) damage(reason string) error {
	return &DamageError{Reason: fmt.Sprintf("ConfigMap %s: %s", t.object.Metadata.Name, reason)}
}

// readInline adds the records that lie in the object itself.
func (t *topology) readInline() error {
	inline := map[string]string{}
	for key, packed := range t.object.BinaryData {
		if seq, ok := strings.CutPrefix(key, keyRecord); ok {
			text := ""
			if unpack(packed, &text) != nil {
				n, _ := strconv.ParseUint(seq, 10, 64) // 0 is none
				return &DamageError{Seq: n, Reason: "it is torn"}
			}
			inline[key] = text
		}
	}
	for key, text := range t.object.Data {
		if strings.HasPrefix(key, keyRecord) {
			inline[key] = text
		}
	}
	for _, key := range slices.Sorted(maps.Keys(inline)) {
		seq, err := strconv.ParseUint(key[len(keyRecord):], 10, 64)
		if err != nil || recordKey(seq) != key {
			return t.damage(key + " is no record")
		}
		t.records = append(t.records, Record{Seq: seq, Raw: []byte(inline[key])})
	}
	return nil
}

func recordKey(seq uint64) string { return fmt.Sprintf("%s%020d", keyRecord, seq) }

// with returns the topology after a transaction, in memory.
func (t *topology) with(number uint64, d delta) *topology {
	out := *t
	out.number, out.latest, out.records = number, maps.Clone(t.latest), slices.Clip(t.records)
	if out.latest == nil {
		out.latest = map[string][]byte{}
	}
	for key, text := range d.Latest {
		if text == nil {
			delete(out.latest, key)
		} else {
			out.latest[key] = []byte(*text)
		}
	}
	for _, r := range d.Records {
		out.records = append(out.records, Record{Seq: r.Seq, Raw: []byte(r.Text)})
	}
	if d.Fence != "" {
		out.fence = d.Fence
	}
	return &out
}

// encode returns the object that holds the topology.
func (t *topology) encode(ledger string) (object, error) {
	o := t.object
	o.Data = map[string]string{keyLedger: ledger, keyNumber: strconv.FormatUint(t.number, 10)}
	if t.fence != "" {
		o.Data[keyFence] = t.fence
	}
	if len(t.parts) > 0 {
		raw, err := json.Marshal(t.parts)
		if err != nil {
			return o, fmt.Errorf("encode %s: %w", keyParts, err)
		}
		o.Data[keyParts] = string(raw)
	}
	texts := make(map[string]string, len(t.latest))
	for key, raw := range t.latest {
		texts[key] = string(raw)
	}
	packed, err := pack(texts)
	if err != nil {
		return o, err
	}
	o.BinaryData = map[string][]byte{keyLatest: packed}
	for _, r := range t.records[t.inParts:] {
		if err := o.addRecord(r); err != nil {
			return o, err
		}
	}
	return o, nil
}

// addRecord puts a record into an object: a small one as a person can read it, a large one
// compressed.
func (o *object) addRecord(r Record) error {
	key := recordKey(r.Seq)
	if !utf8.Valid(r.Raw) {
		return fmt.Errorf("write ledger: record %d is not UTF-8", r.Seq)
	}
	if len(r.Raw) < compressFrom {
		o.Data[key] = string(r.Raw)
		return nil
	}
	packed, err := pack(string(r.Raw))
	o.BinaryData[key] = packed
	return err
}

// lighter returns the topology with its records in a part of their own, if too many lie in its
// object. The object does not name that part yet. The same records make the same part.
func (s *Store) lighter(ctx context.Context, t *topology) (*topology, error) {
	if inlineBytes(t.object) <= mostInline {
		return t, nil
	}
	moving := t.records[t.inParts:]
	packed, err := pack(storedRecords(moving))
	if err != nil {
		return t, err
	}
	p := part{First: moving[0].Seq, Last: moving[len(moving)-1].Seq, Hash: hashOf(packed)}
	p.Name = fmt.Sprintf("%s.records.%d-%d.%s", t.object.Metadata.Name, p.First, p.Last, p.Hash[:12])
	o := s.named(configMaps, p.Name)
	o.Immutable, o.BinaryData = true, map[string][]byte{keyParts: packed}
	_, done, err := s.put(ctx, configMaps, o, false)
	if err != nil {
		return t, err
	}
	if !done { // it is there already: from a write that was overtaken
		if _, err := s.readPart(ctx, p); err != nil {
			return t, err
		}
	}
	out := *t
	out.parts, out.inParts = append(slices.Clip(t.parts), p), len(t.records)
	return &out, nil
}

func storedRecords(records []Record) []storedRecord {
	out := make([]storedRecord, len(records))
	for i, r := range records {
		out[i] = storedRecord{Seq: r.Seq, Text: string(r.Raw)}
	}
	return out
}

// readPart reads older records, once in the life of a process.
func (s *Store) readPart(ctx context.Context, p part) ([]Record, error) {
	s.mu.Lock()
	known, ok := s.parts[p.Name+p.Hash]
	s.mu.Unlock()
	if ok {
		return known, nil
	}
	o, found, err := s.get(ctx, configMaps, p.Name)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, &DamageError{Seq: p.First, Reason: fmt.Sprintf("ConfigMap %s, which holds it and others up to record %d, is missing", p.Name, p.Last)}
	}
	packed := o.BinaryData[keyParts]
	var texts []storedRecord
	if hashOf(packed) != p.Hash || unpack(packed, &texts) != nil {
		return nil, &DamageError{Seq: p.First, Reason: fmt.Sprintf("ConfigMap %s, which holds it and others up to record %d, was changed", p.Name, p.Last)}
	}
	out := make([]Record, len(texts))
	for i, r := range texts {
		out[i] = Record{Seq: r.Seq, Raw: []byte(r.Text)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts[p.Name+p.Hash] = out
	return out, nil
}
