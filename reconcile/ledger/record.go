package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"milvus-reconcile/plan"
)

// hashPrefix keeps a record's hash apart from any other sha256 over the same
// bytes. It outlives the formats: records are never rewritten.
const hashPrefix = "reconcile-ledger-record/1\n"

// Kind says what a record tells.
type Kind string

// The kinds of records.
const (
	KindBorn       Kind = "born"       // the ledger was made; always the first record
	KindAccepted   Kind = "accepted"   // it was taken as it is, though it may not be the newest
	KindIntent     Kind = "intent"     // a transition begins; its approval is spent
	KindSent       Kind = "sent"       // an RPC of the intent may have left
	KindEffected   Kind = "effected"   // the transition was read back
	KindReversed   Kind = "reversed"   // the intent is taken back: definitely refused
	KindResult     Kind = "result"     // the intent is closed
	KindMatched    Kind = "matched"    // the live state was seen to match: the approval is spent
	KindGeneration Kind = "generation" // the greatest generation seen of a topology
	KindHome       Kind = "home"       // the topology that a cluster id belongs to
	KindLapsed     Kind = "lapsed"     // approvals that no longer stand for the present state
	KindServed     Kind = "served"     // the version of the SDK document that is served
)

// Record is one entry of the ledger as history shows it (contract.md §6).
type Record struct {
	Seq        uint64 // from 1, without gaps
	At         time.Time
	Kind       Kind
	Topology   string
	Generation int64
	Commit     string
	By         []string // who approved
	Transition plan.Transition
	Result     string
	Detail     string
	PrevHash   string // empty for the first record
	Hash       string
}

// TransitionText is the transition in a word; empty for a record of none.
func (r Record) TransitionText() string {
	if r.Transition == plan.TransitionNone {
		return ""
	}
	return r.Transition.String()
}

// Served is the SDK document that a topology is served.
type Served struct {
	Version  int64
	Document string // as the server of it wrote it
}

// entry is a record as it is stored; its bytes are what is hashed.
type entry struct {
	Seq        uint64     `json:"seq"`
	At         time.Time  `json:"at"`
	Kind       Kind       `json:"kind"`
	Topology   string     `json:"topology,omitempty"`
	Generation int64      `json:"generation,omitempty"`
	Commit     string     `json:"commit,omitempty"`
	By         []string   `json:"by,omitempty"`
	Transition string     `json:"transition,omitempty"`
	Result     string     `json:"result,omitempty"`
	Detail     string     `json:"detail,omitempty"`
	Document   string     `json:"document,omitempty"`
	Cluster    string     `json:"cluster,omitempty"`
	Begin      *beginWire `json:"begin,omitempty"`
	Payloads   []string   `json:"payloads,omitempty"` // that lapsed
	Version    int64      `json:"version,omitempty"`  // that is served
	PrevHash   string     `json:"prevHash"`
}

// sealed is an entry's bytes with their hash.
type sealed struct {
	seq  uint64
	hash string
	raw  []byte
}

// record is the outward form of a stored entry.
func (e entry) record(hash string) Record {
	return Record{
		Seq: e.Seq, At: e.At, Kind: e.Kind, Topology: e.Topology, Generation: e.Generation, Commit: e.Commit,
		By: e.By, Transition: plan.Transition(e.Transition), Result: e.Result, Detail: e.Detail,
		PrevHash: e.PrevHash, Hash: hash,
	}
}

func hashOf(raw []byte) string {
	h := sha256.New()
	h.Write([]byte(hashPrefix))
	h.Write(raw)
	return hex.EncodeToString(h.Sum(nil))
}

// seal chains an entry behind the last one.
func seal(last sealed, e entry) (sealed, error) {
	e.Seq, e.PrevHash = last.seq+1, last.hash
	raw, err := json.Marshal(e)
	if err != nil {
		return sealed{}, fmt.Errorf("encode ledger record: %w", err)
	}
	return sealed{seq: e.Seq, hash: hashOf(raw), raw: raw}, nil
}

// verify checks the chain and decodes it, behind the entries that are known to
// be its beginning. On a fault it returns what stands before it, so that a
// person can read that much.
func verify(chain []sealed, known []entry) ([]entry, error) {
	var last sealed
	if n := len(known); n > 0 {
		last = chain[n-1]
	}
	out := known
	for _, s := range chain[len(known):] {
		e, err := verifyOne(last, s)
		if err != nil {
			return out, &CorruptError{Seq: last.seq + 1, Reason: err.Error()}
		}
		out, last = append(out, e), s
	}
	return out, nil
}

func verifyOne(last, s sealed) (entry, error) {
	var e entry
	if s.seq != last.seq+1 {
		return e, fmt.Errorf("record %d follows record %d", s.seq, last.seq)
	}
	if hashOf(s.raw) != s.hash {
		return e, errors.New("its hash does not fit its content")
	}
	if err := decodeStrict(s.raw, &e); err != nil {
		return e, err
	}
	if e.Seq != s.seq {
		return e, fmt.Errorf("it calls itself record %d", e.Seq)
	}
	if e.PrevHash != last.hash {
		return e, errors.New("it does not follow the record before it")
	}
	return e, nil
}

// decodeStrict refuses what it does not know: a field that is dropped
// silently could be the one that forbids something.
func decodeStrict(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("not readable: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("not readable: something follows it")
	}
	return nil
}
