package ledger

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"

	"go.etcd.io/bbolt"
)

var (
	bucketMeta     = []byte("meta")
	bucketRecords  = []byte("records")
	bucketLatest   = []byte("latest")
	bucketProgress = []byte("progress") // the latest values in format 1
	keyFormat      = []byte("format")
	keyHead        = []byte("head")
)

// writeChange writes a change, and creates the buckets with the first record. For a
// ledger of format 1, c also holds its latest values.
func writeChange(tx *bbolt.Tx, before string, c change) error {
	var buckets [3]*bbolt.Bucket
	for i, name := range [][]byte{bucketMeta, bucketRecords, bucketLatest} {
		b, err := tx.CreateBucketIfNotExists(name)
		if err != nil {
			return fmt.Errorf("write ledger: %w", err)
		}
		buckets[i] = b
	}
	meta, records, latest := buckets[0], buckets[1], buckets[2]
	if before == format1 {
		if err := tx.DeleteBucket(bucketProgress); err != nil {
			return fmt.Errorf("migrate ledger: %w", err)
		}
	}
	for _, s := range c.append {
		if err := putRecord(records, s); err != nil {
			return err
		}
	}
	if err := putLatest(latest, c.latest); err != nil {
		return err
	}
	for key, value := range map[string]string{string(keyFormat): c.format, string(keyHead): c.head} {
		if err := meta.Put([]byte(key), []byte(value)); err != nil {
			return fmt.Errorf("write ledger %s: %w", key, err)
		}
	}
	return nil
}

// putRecord appends a record and never replaces one. If the record exists, the caller
// read another ledger than it writes.
func putRecord(records *bbolt.Bucket, s sealed) error {
	key := binary.BigEndian.AppendUint64(nil, s.seq)
	if records.Get(key) != nil {
		return fmt.Errorf("%w: record %d stands already", ErrTransition, s.seq)
	}
	if err := records.Put(key, s.stored()); err != nil {
		return fmt.Errorf("write ledger record %d: %w", s.seq, err)
	}
	return nil
}

func putLatest(bucket *bbolt.Bucket, values map[string][]byte) error {
	for key, raw := range values {
		var err error
		if raw == nil {
			err = bucket.Delete([]byte(key))
		} else {
			err = bucket.Put([]byte(key), raw)
		}
		if err != nil {
			return fmt.Errorf("write ledger value %q: %w", key, err)
		}
	}
	return nil
}

// syncDirectory makes the name of a new file durable. bbolt syncs only the content, so
// the file could be missing after a power cut.
func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync ledger directory: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync ledger directory: %w", err)
	}
	return nil
}

// readImage copies everything out of the transaction, since bbolt's bytes are invalid
// after it. Buckets are missing only before the first commit.
func readImage(tx *bbolt.Tx) (image, error) {
	meta, records, latest := tx.Bucket(bucketMeta), tx.Bucket(bucketRecords), tx.Bucket(bucketLatest)
	if meta == nil && records == nil && latest == nil && !committed(tx) {
		return image{}, nil
	}
	missing := &CorruptError{Path: tx.DB().Path(), Reason: "a part of it is missing"}
	if meta == nil {
		return image{}, missing
	}
	im := image{format: string(meta.Get(keyFormat)), head: string(meta.Get(keyHead))}
	if !readable(im.format) {
		return image{}, &FormatError{Path: tx.DB().Path(), Format: im.format}
	}
	if im.format == format1 {
		latest = tx.Bucket(bucketProgress)
	}
	if records == nil || latest == nil {
		return image{}, missing
	}
	var err error
	if im.chain, err = readRecords(records); err != nil {
		return im, err
	}
	im.latest = map[string][]byte{}
	err = latest.ForEach(func(k, v []byte) error {
		if len(v) > maxValue {
			return &CorruptError{Path: tx.DB().Path(), Reason: "one of the latest values is torn"}
		}
		im.latest[string(k)] = bytes.Clone(v)
		return nil
	})
	return im, err
}

// committed reports whether a transaction wrote after bbolt created the file, which
// counts as transaction 1 (go.etcd.io/bbolt db.go: init).
func committed(tx *bbolt.Tx) bool {
	last := tx.ID()
	if tx.Writable() {
		last--
	}
	return last > 1
}

func readRecords(records *bbolt.Bucket) ([]sealed, error) {
	var chain []sealed
	err := records.ForEach(func(k, v []byte) error {
		torn := &CorruptError{Path: records.Tx().DB().Path(), Seq: uint64(len(chain)) + 1, Reason: "it is torn"}
		if len(k) != 8 || len(v) > maxValue {
			return torn
		}
		s, ok := unseal(binary.BigEndian.Uint64(k), bytes.Clone(v))
		if !ok {
			return torn
		}
		chain = append(chain, s)
		return nil
	})
	return chain, err
}
