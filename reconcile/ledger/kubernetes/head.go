package kubernetes

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// The keys of the head.
const (
	keyFormat  = "format"
	keyHead    = "head"    // number and hash of the last record, and a hash over all latest values
	keyUID     = "uid"     // of the object that was written
	keyLedger  = "ledger"  // of this ledger, in the head and in each object: another one of the same name has another
	keyNumber  = "number"  // of the last transaction; in an object, of the last one that changed it
	keyObjects = "objects" // a hash over the objects of all topologies and their numbers
	keyChanged = "changed" // which topologies the last transactions changed, compressed
	keyRedo    = "last"    // the last transaction itself
)

// mostChanged bounds how many topologies the head names as changed by the last transactions. A
// process that read the ledger before them reads all objects again.
const mostChanged = 1000

// head is the object that each transaction replaces: that is its commit.
type head struct {
	object  object
	format  string
	last    string // keyHead
	ledger  string
	number  uint64
	objects digest
	changed []changed // by number, without gaps; the newest is redo
	redo    transaction
}

// changed says which topologies a transaction changed.
type changed struct {
	Number     uint64   `json:"n"`
	ID         string   `json:"id"`
	Topologies []string `json:"t"`
}

// transaction is what one write changes, by topology. An empty name is for what is of none.
type transaction struct {
	Number  uint64           `json:"number"`
	ID      string           `json:"id"` // no other has it
	Changes map[string]delta `json:"changes"`
}

// delta is what a transaction changes of one topology.
type delta struct {
	// After is the last transaction that changed the object before; 0: there is no object.
	After   uint64             `json:"after,omitempty"`
	Records []storedRecord     `json:"records,omitempty"`
	Latest  map[string]*string `json:"latest,omitempty"` // null deletes
	Fence   string             `json:"fence,omitempty"`  // the token of the lock, if it changes
}

type storedRecord struct {
	Seq  uint64 `json:"seq"`
	Text string `json:"text"`
}

// readHead reads the head; false: there is none, or it is empty.
func (s *Store) readHead(ctx context.Context) (head, bool, error) {
	o, found, err := s.get(ctx, configMaps, s.config.Name)
	if err != nil || !found || o.Data[keyFormat] == "" {
		return head{object: o}, false, err
	}
	h, err := parseHead(o)
	return h, true, err
}

func parseHead(o object) (head, error) {
	h := head{object: o, format: o.Data[keyFormat], last: o.Data[keyHead], ledger: o.Data[keyLedger]}
	number, err := strconv.ParseUint(o.Data[keyNumber], 10, 64)
	if h.number = number; err != nil || h.ledger == "" || !h.objects.parse(o.Data[keyObjects]) {
		return h, &DamageError{Reason: "a part of it is missing"}
	}
	if err := unpack(o.BinaryData[keyChanged], &h.changed); err != nil || len(h.changed) == 0 {
		return h, &DamageError{Reason: fmt.Sprintf("its key %s cannot be read", keyChanged)}
	}
	if err := unpack(o.BinaryData[keyRedo], &h.redo); err != nil {
		return h, &DamageError{Reason: "its last transaction: " + err.Error()}
	}
	if newest := h.changed[len(h.changed)-1]; newest.Number != h.number || h.redo.Number != h.number || newest.ID != h.redo.ID {
		return h, &DamageError{Reason: "its last transaction is another one than it says"}
	}
	return h, nil
}

// version changes with each transaction, and with each edit by hand.
func (h head) version() string { return versionOf(h.object) + "/" + h.redo.ID }

// since returns which topologies were changed by a transaction and those after it, but for the
// newest, with the last transaction that changed each; false: the head does not know that any
// more, or had another history.
func (h head) since(number uint64, id string) (map[string]uint64, bool) {
	from := slices.IndexFunc(h.changed, func(c changed) bool { return c.Number == number && c.ID == id })
	if from < 0 {
		return nil, false
	}
	out := map[string]uint64{}
	for _, c := range h.changed[from : len(h.changed)-1] {
		for _, topology := range c.Topologies {
			out[topology] = c.Number
		}
	}
	return out, true
}

// next returns the object of the head with a transaction that follows.
func (h head) next(t transaction, objects digest) (object, error) {
	entry := changed{Number: t.Number, ID: t.ID, Topologies: sortedKeys(t.Changes)}
	all := append(slices.Clone(h.changed), entry)
	names := 0
	for i := len(all) - 1; i >= 0; i-- {
		if names += max(1, len(all[i].Topologies)); names > mostChanged && i < len(all)-1 {
			all = all[i+1:]
			break
		}
	}
	recent, err := pack(all)
	packed, err2 := pack(t)
	o := h.object
	o.Data = map[string]string{
		keyFormat: h.format, keyHead: h.last, keyUID: o.Metadata.UID, keyLedger: h.ledger, keyNumber: strconv.FormatUint(t.Number, 10),
		keyObjects: objects.String(),
	}
	o.BinaryData = map[string][]byte{keyRedo: packed, keyChanged: recent}
	return o, errors.Join(err, err2)
}

// digest is a hash over topologies and the last transaction of each, in no order: so a write
// changes it without the other topologies.
type digest [sha256.Size]byte

// toggle adds a topology with a number, or takes it out.
func (d *digest) toggle(topology string, number uint64) {
	if number == 0 { // there is no object
		return
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", topology, number))
	for i := range d {
		d[i] ^= sum[i]
	}
}

// String is the form of a digest in an object.
func (d digest) String() string { return hex.EncodeToString(d[:]) }

func (d *digest) parse(text string) bool {
	n, err := hex.Decode(d[:], []byte(text)[:min(len(text), 2*len(d))])
	return err == nil && n == len(d) && len(text) == 2*len(d)
}
