package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"milvus-reconcile/plan"
)

// hashPrefix distinguishes the hash of a record from any other sha256 of the same
// bytes. It is the same in all formats, since records are never rewritten.
const hashPrefix = "reconcile-ledger-record/1\n"

// Kind is the kind of a record.
type Kind string

// The kinds of records.
const (
	KindBorn       Kind = "born"       // the ledger was made; always the first record
	KindAccepted   Kind = "accepted"   // the ledger was accepted, though it may not be the newest copy
	KindIntent     Kind = "intent"     // a transition begins; its approval is spent
	KindSent       Kind = "sent"       // an RPC of the intent may have left
	KindEffected   Kind = "effected"   // the transition was read back
	KindTurned     Kind = "turned"     // the way there of a rehearsal is over, and its way back begins
	KindReversed   Kind = "reversed"   // the intent is undone: the server definitely refused
	KindResult     Kind = "result"     // the intent is closed
	KindMatched    Kind = "matched"    // the live state was seen to match: the approval is spent
	KindGeneration Kind = "generation" // the greatest generation seen of a topology
	KindHome       Kind = "home"       // the topology that a cluster id belongs to
	KindLapsed     Kind = "lapsed"     // approvals lapsed: they no longer apply to the present state
	KindServed     Kind = "served"     // the version of the SDK document that is served
	KindCounted    Kind = "counted"    // exactly what a failover lost, from the whole log of the old primary
	KindReplay     Kind = "replay"     // lost rows begin to be written again; the approval of that is spent
	KindReplayed   Kind = "replayed"   // the replay is closed
	KindAdvanced   Kind = "advanced"   // an open rebuild went on: its program was started or ended, or a proof was read
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
	Reasons    []string // why, for each of By; of an intent only
	ProposedBy []string // who wrote the change; of an intent only
	Primary    string   // the primary after the change; of an intent only
	Subjects   []string // the clusters that are fenced or join; of an intent only
	// Lost is the old primary of a failover, and FailedAt when it was first seen to fail;
	// of an intent only.
	Lost       string
	FailedAt   time.Time
	Cluster    string // which the record is about, if it is about one
	Version    int64  // of the document that SDKs get; of a served one only
	Transition plan.Transition
	Result     string
	Detail     string
	// Loss is what was counted: of a count, and of the result of a failover whose loss was
	// counted since.
	Loss *plan.CountedLoss
	// ReplayDigest is of a replay that begins. Replayed is how one ended: of its end, and of the
	// result of the failover whose lost rows it wrote again.
	ReplayDigest string
	Replayed     *plan.Replayed
	// Rehearsal is of the result of a rehearsal; nil: of any other record.
	Rehearsal *plan.RehearsalRecord
	Phase     string // of a rebuild that went on; Result is what happened in it
	Shard     string // of the daemon that carried it out; empty: a command did, or it had none
	PrevHash  string // empty for the first record
	Hash      string
}

// TransitionText returns the name of the transition; empty: the record has none.
func (r Record) TransitionText() string {
	if r.Transition == plan.TransitionNone {
		return ""
	}
	return r.Transition.String()
}

// Served is the SDK document that is served for a topology.
type Served struct {
	Version  int64
	Document string // text as the server wrote it
}

// entry is the stored form of a record. The hash is over its bytes.
type entry struct {
	Seq        uint64      `json:"seq"`
	At         time.Time   `json:"at"`
	Kind       Kind        `json:"kind"`
	Topology   string      `json:"topology,omitempty"`
	Generation int64       `json:"generation,omitempty"`
	Commit     string      `json:"commit,omitempty"`
	By         []string    `json:"by,omitempty"`
	Transition string      `json:"transition,omitempty"`
	Result     string      `json:"result,omitempty"`
	Detail     string      `json:"detail,omitempty"`
	Document   string      `json:"document,omitempty"`
	Cluster    string      `json:"cluster,omitempty"`
	Begin      *beginWire  `json:"begin,omitempty"`
	Payloads   []string    `json:"payloads,omitempty"` // that lapsed
	Version    int64       `json:"version,omitempty"`  // that is served
	Loss       *lossWire   `json:"loss,omitempty"`     // that was counted
	Replay     *replayWire `json:"replay,omitempty"`   // that begins
	Replayed   *endWire    `json:"replayed,omitempty"` // how a replay ended
	Way        *wayWire    `json:"way,omitempty"`      // of a rehearsal that ended
	Probe      *probeWire  `json:"probe,omitempty"`    // of a rehearsal
	Phase      string      `json:"phase,omitempty"`    // of a rebuild that went on
	Shard      string      `json:"shard,omitempty"`    // of the daemon that wrote it
	PrevHash   string      `json:"prevHash"`
}

// sealed is an entry's bytes with their hash.
type sealed struct {
	seq  uint64
	hash string
	raw  []byte
}

// record returns the exported form of an entry.
func (e entry) record(hash string) Record {
	out := Record{
		Seq: e.Seq, At: e.At, Kind: e.Kind, Topology: e.Topology, Generation: e.Generation, Commit: e.Commit,
		By: e.By, Transition: plan.Transition(e.Transition), Result: e.Result, Detail: e.Detail,
		Cluster: e.Cluster, Version: e.Version, Phase: e.Phase, Shard: e.Shard, PrevHash: e.PrevHash, Hash: hash,
	}
	out.addIntent(e.Begin)
	if e.Replay != nil {
		out.Reasons, out.Primary, out.ReplayDigest = e.Replay.Reasons, e.Replay.Promoted, e.Replay.Digest
	}
	if e.Replayed != nil {
		ended := e.replayed(time.Time{})
		out.Replayed = &ended
	}
	if e.Loss != nil {
		loss := e.loss(time.Time{})
		out.Loss = &loss
	}
	return out
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

// verify checks and decodes the chain after its known beginning. On damage it returns
// the entries before the damaged one, so that a person can read them.
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

// decodeStrict refuses unknown fields: a dropped field could be one that forbids an
// action.
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

// The formats of a ledger. A new layout, or a new kind of record that an older build
// would take for damage, needs a new format. A migration never rewrites records; it
// changes only the latest values.
const (
	format1       = "1" // the latest values are replication progress alone, by cluster
	format2       = "2" // several sorts of latest values; more kinds of records
	format3       = "3" // records of an acceptance, and of counted losses
	format4       = "4" // audits among the latest values
	format5       = "5" // what primaries serve, what standbys lack, what drift found, outages that ended and how far replays are among the latest values
	formatVersion = "6" // records of rebuilds, and of the two ways of a rehearsal
)

// migration brings an image to the next format.
type migration struct {
	to  string
	run func(image) (image, error)
}

// migrations holds the step from each older format to the next. A reader migrates its
// copy in memory; the first write stores the new format.
var migrations = map[string]migration{
	format1: {to: format2, run: migrateProgress},
	format2: {to: format3, run: unchanged},
	format3: {to: format4, run: unchanged},
	format4: {to: format5, run: unchanged},
	format5: {to: formatVersion, run: unchanged},
}

// unchanged is the migration to a format that only adds to the one before.
func unchanged(im image) (image, error) { return im, nil }

// readable says whether this build knows a format.
func readable(format string) bool {
	_, older := migrations[format]
	return older || format == formatVersion
}

// migrateProgress adds the prefix of their sort to the keys of the progress values.
func migrateProgress(im image) (image, error) {
	moved := make(map[string][]byte, len(im.latest))
	for cluster, raw := range im.latest {
		moved[progressKey(cluster)] = raw
	}
	im.latest = moved
	return im, nil
}

// upgrade migrates an image to the format of this build, and returns the latest values
// to write for it. It checks the head in the old format before it computes the new one,
// so that a migration never hides damage.
func upgrade(im image) (image, map[string][]byte, error) {
	if im.format == "" || im.format == formatVersion {
		return im, nil, nil
	}
	before := im.latest
	for im.format != formatVersion {
		step, ok := migrations[im.format]
		if !ok {
			return image{}, nil, &FormatError{Format: im.format}
		}
		if err := checkHead(im, (&valueCache{}).hashLatest); err != nil {
			return im, nil, err
		}
		next, err := step.run(im)
		if err != nil {
			return image{}, nil, err
		}
		next.format, next.head = step.to, headOf(next.chain, next.latest)
		im = next
	}
	moved := map[string][]byte{}
	for key, raw := range im.latest {
		if old, stands := before[key]; !stands || !bytes.Equal(old, raw) {
			moved[key] = raw
		}
	}
	for key := range before {
		if _, kept := im.latest[key]; !kept {
			moved[key] = nil
		}
	}
	return im, moved, nil
}

// merge returns under with the values of over in their place. A nil value stays as the
// mark of a deletion.
func merge(under, over map[string][]byte) map[string][]byte {
	if len(over) == 0 {
		return under
	}
	out := make(map[string][]byte, len(under)+len(over))
	maps.Copy(out, under)
	maps.Copy(out, over)
	return out
}
