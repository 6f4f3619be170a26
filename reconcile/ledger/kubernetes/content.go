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
	"strings"
)

// Record is one record as it is stored.
type Record struct {
	Seq uint64
	Raw []byte
}

// Content is a ledger at one version of its object.
type Content struct {
	Format  string // empty: the ledger does not exist
	Head    string
	Records []Record
	Latest  map[string][]byte
	Version string // of the object; empty: there is none
	// Refuted is why this is not the ledger that was written last; empty: nothing says so.
	Refuted string

	object object
	parts  []part
	fences map[string]string // the token of each lock, by the lock's name
}

// part is where older records lie.
type part struct {
	Name  string `json:"name"`
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
	Hash  string `json:"sha256"`
}

// DamageError says that an object does not hold what it should.
type DamageError struct {
	Seq    uint64 // the record at fault; 0: not one record
	Reason string
}

// Error says what is wrong.
func (e *DamageError) Error() string { return e.Reason }

const (
	keyFormat = "format"
	keyHead   = "head"
	keyUID    = "uid"
	keyParts  = "older"
	keyFences = "fences"
	keyLatest = "latest"
	// keyRecord precedes the number of a record; keys sort in the order of numbers.
	keyRecord = "record-"
	// longestValue bounds what is unpacked of an object.
	longestValue = 64 << 20
	// compressFrom is the size in bytes from which a record is stored compressed.
	compressFrom = 8 << 10
)

// Read reads the newest version.
func (s *Store) Read(ctx context.Context) (Content, error) {
	o, found, err := s.get(ctx, configMaps, s.config.Name)
	if err != nil {
		return Content{}, err
	}
	if !found || o.Data[keyFormat] == "" {
		return s.readNone(ctx, o)
	}
	return s.parse(ctx, o)
}

// readNone decides whether a ledger that is not there is a new one: a Lease is made only after
// the ledger.
func (s *Store) readNone(ctx context.Context, o object) (Content, error) {
	traces, err := s.list(ctx, leases, "1")
	if err != nil {
		return Content{}, err
	}
	again, found, err := s.get(ctx, configMaps, s.config.Name)
	switch {
	case err != nil:
		return Content{}, err
	case found && again.Data[keyFormat] != "":
		return s.parse(ctx, again) // another process made it meanwhile
	}
	out := Content{object: again, Version: versionOf(again)}
	switch {
	case len(traces) > 0:
		out.Refuted = fmt.Sprintf("it is gone or empty, and Lease %s shows that it held records", traces[0].Metadata.Name)
	case len(again.Data)+len(again.BinaryData) > 0:
		return out, &DamageError{Reason: "a part of it is missing"}
	}
	return out, nil
}

func versionOf(o object) string {
	if o.Metadata.ResourceVersion == "" {
		return ""
	}
	return o.Metadata.UID + "/" + o.Metadata.ResourceVersion
}

func (s *Store) parse(ctx context.Context, o object) (Content, error) {
	out := Content{
		Format: o.Data[keyFormat], Head: o.Data[keyHead], Latest: map[string][]byte{}, Version: versionOf(o),
		object: o,
	}
	if o.Data[keyUID] != o.Metadata.UID {
		out.Refuted = "its object was made again from a copy: a backup was restored, or somebody replaced it"
	}
	if err := out.readJSON(keyParts, &out.parts); err != nil {
		return out, err
	}
	if err := out.readJSON(keyFences, &out.fences); err != nil {
		return out, err
	}
	if out.fences == nil {
		out.fences = map[string]string{}
	}
	if packed := o.BinaryData[keyLatest]; len(packed) > 0 {
		texts := map[string]string{}
		if err := unpack(packed, &texts); err != nil {
			return out, &DamageError{Reason: "its latest values: " + err.Error()}
		}
		for key, text := range texts {
			out.Latest[key] = []byte(text)
		}
	}
	for _, p := range out.parts {
		older, err := s.readPart(ctx, p)
		if err != nil {
			return out, err
		}
		out.Records = append(out.Records, older...)
	}
	return out, out.readRecords()
}

func (c *Content) readJSON(key string, into any) error {
	text := c.object.Data[key]
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return &DamageError{Reason: fmt.Sprintf("its key %s cannot be read", key)}
	}
	return nil
}

// readRecords adds the records that lie in the object itself.
func (c *Content) readRecords() error {
	inline := recordsIn(c.object)
	for _, key := range slices.Sorted(maps.Keys(inline)) {
		next := uint64(len(c.Records)) + 1
		if key != recordKey(next) {
			return &DamageError{Seq: next, Reason: "it is missing"}
		}
		text := inline[key]
		if packed, ok := c.object.BinaryData[key]; ok && unpack(packed, &text) != nil {
			return &DamageError{Seq: next, Reason: "it is torn"}
		}
		c.Records = append(c.Records, Record{Seq: next, Raw: []byte(text)})
	}
	return nil
}

// recordsIn returns the records in an object by their keys: the text of a small one, and
// nothing for one that is compressed.
func recordsIn(o object) map[string]string {
	out := map[string]string{}
	for key := range o.BinaryData {
		if strings.HasPrefix(key, keyRecord) {
			out[key] = ""
		}
	}
	for key, text := range o.Data {
		if strings.HasPrefix(key, keyRecord) {
			out[key] = text
		}
	}
	return out
}

// addRecord puts a record into an object: a small one as a person can read it, a large one
// compressed.
func (o *object) addRecord(r Record) error {
	key := recordKey(r.Seq)
	if len(r.Raw) < compressFrom {
		o.Data[key] = string(r.Raw)
		return nil
	}
	packed, err := pack(string(r.Raw))
	o.BinaryData[key] = packed
	return err
}

func recordKey(seq uint64) string { return fmt.Sprintf("%s%020d", keyRecord, seq) }

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
		return nil, &DamageError{Seq: p.First, Reason: fmt.Sprintf("ConfigMap %s, which holds records %d to %d, is missing", p.Name, p.First, p.Last)}
	}
	packed := o.BinaryData[keyParts]
	var texts []string
	if hashOf(packed) != p.Hash || unpack(packed, &texts) != nil || uint64(len(texts)) != p.Last-p.First+1 {
		return nil, &DamageError{Seq: p.First, Reason: fmt.Sprintf("ConfigMap %s, which holds records %d to %d, was changed", p.Name, p.First, p.Last)}
	}
	out := make([]Record, len(texts))
	for i, text := range texts {
		out[i] = Record{Seq: p.First + uint64(i), Raw: []byte(text)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts[p.Name+p.Hash] = out
	return out, nil
}

func hashOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// pack returns a value as compressed JSON. The same value has the same bytes.
func pack(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode a value: %w", err)
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(raw) // into memory: it cannot fail
	_ = w.Close()
	return out.Bytes(), nil
}

func unpack(packed []byte, into any) error {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
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
